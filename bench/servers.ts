/**
 * Servers under load: one on the first CPU, what loads it on the second.
 * @module
 */
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const SERVER_CPU = ["taskset", "-c", "0"];
const CLIENT_CPU = ["taskset", "-c", "1"];
const BINARY = path.resolve("dist/fibserver");

/** A server that was started here, and ends here. */
export interface Server extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

/** Says whether a program can be run; `make bench` goes on without those that are missing. */
export function has(program: string): boolean {
  return Bun.which(program) !== null;
}

/** Starts the yardstick. */
export async function startRaw(): Promise<Server> {
  const child = Bun.spawn([...SERVER_CPU, process.execPath, "bench/raw.ts"], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const url = await firstMatch(child.stdout, /(http:\S+)/);
  return { url, pid: child.pid, [Symbol.asyncDispose]: () => end(child) };
}

/**
 * Starts fibserver on a new file.
 *
 * @param syncDelayMs - Makes each fdatasync take this much longer, by strace.
 */
export async function startFibserver(args: string[] = [], syncDelayMs = 0): Promise<Server> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "fibserver-bench-"));
  const trace = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync"];
  const slow = syncDelayMs > 0 ? [...trace, "-e", `inject=fdatasync:delay_enter=${syncDelayMs * 1000}`] : [];
  const command = [...slow, ...SERVER_CPU, BINARY, "-p", "0", "-f", path.join(folder, "cursor"), ...args];
  const child = Bun.spawn(command, { stdout: "ignore", stderr: "pipe" });
  const url = await firstMatch(child.stderr, /"url":"(http:[^"]+)"/);
  // Under strace the child is the tracer, and the server the process that it started.
  const pid =
    slow.length > 0
      ? Number(fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8"))
      : child.pid;
  const dispose = async () => {
    process.kill(pid, "SIGTERM");
    await child.exited;
    fs.rmSync(folder, { recursive: true });
  };
  return { url, pid, [Symbol.asyncDispose]: dispose };
}

/** Starts redis-server with a sync for each group of commands, as durable as the cursor. */
export async function startRedis(): Promise<Server> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "fibserver-bench-"));
  const port = await freePort();
  const settings = ["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--bind", "127.0.0.1"];
  const child = Bun.spawn(
    [...SERVER_CPU, "redis-server", "--port", String(port), "--dir", folder, ...settings],
    {
      stdout: "pipe",
      stderr: "inherit",
    },
  );
  await firstMatch(child.stdout, /(Ready to accept connections)/);
  const dispose = async () => {
    await end(child);
    fs.rmSync(folder, { recursive: true });
  };
  return { url: `redis://127.0.0.1:${port}`, pid: child.pid, [Symbol.asyncDispose]: dispose };
}

/** Measures one server, and ends it. */
export async function withServer(
  starting: Promise<Server>,
  measure: (server: Server) => Promise<number>,
): Promise<number> {
  await using server = await starting;
  return await measure(server);
}

/**
 * Requests a second, by wrk, after a second that does not count.
 *
 * @param target - A path, or a Lua script that chooses paths.
 * @throws when any answer was not 2xx.
 */
export async function wrk(server: Server, target: string, connections: number, seconds = 2): Promise<number> {
  const script = target.endsWith(".lua") ? ["-s", target] : [];
  const url = script.length > 0 ? server.url : new URL(target, server.url).href;
  const load = (time: number) =>
    Bun.$`${CLIENT_CPU} wrk -t1 -c${connections} -d${time}s ${script} ${url}`.text();
  await load(1);
  const report = await load(seconds);
  if (/Non-2xx|Socket errors/.test(report)) throw new Error(`wrk had errors:\n${report}`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(report)![1]);
}

/** INCR commands a second, by redis-benchmark. */
export async function redisIncrements(
  server: Server,
  connections: number,
  requests = 150_000,
): Promise<number> {
  const port = new URL(server.url).port;
  const report =
    await Bun.$`${CLIENT_CPU} redis-benchmark --csv -p ${port} -c ${connections} -n ${requests} INCR n`.text();
  return Number(report.trim().split("\n").at(-1)!.split(",")[1]!.replaceAll('"', ""));
}

/** The most memory that a process has had, in MB. */
export function peakRssMb(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;
}

async function firstMatch(stream: ReadableStream<Uint8Array>, pattern: RegExp): Promise<string> {
  let text = "";
  for await (const chunk of stream) {
    text += new TextDecoder().decode(chunk);
    const match = pattern.exec(text);
    if (match) return match[1]!;
  }
  throw new Error(`A server did not start: ${text}`);
}

async function end(child: Bun.Subprocess): Promise<void> {
  child.kill();
  await child.exited;
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
