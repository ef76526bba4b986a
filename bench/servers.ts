/**
 * The servers that are measured: each on the first CPU, what loads it on the second (load.ts).
 * @module
 */
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const BINARY = path.resolve("dist/fibserver");
/** What `statfs` calls a tmpfs. */
const TMPFS = 0x0102_1994;

/** A server that was started here, and ends here. */
export interface Server extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** Sent with each request to it. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Where files are. A sync costs nothing in memory: there the CPU of requests shows. */
export type Medium = "tmpfs" | "disk";

/** How {@link startFibserver} starts it. */
export interface Start {
  readonly args?: readonly string[];
  readonly medium?: Medium;
  /** Makes each fdatasync take this much longer, by strace. */
  readonly syncDelayMs?: number;
  /** As taskset takes them. */
  readonly cpus?: string;
  /** Another build of it. */
  readonly binary?: string;
}

/** Says whether a program can be run; `make bench` goes on without those that are missing. */
export function has(program: string): boolean {
  return Bun.which(program) !== null;
}

/** A new folder; the folder for temporary files may be either medium, so the file system is asked. */
export function newFolder(medium: Medium = "disk"): string {
  const place = placeOn(medium);
  if (place === undefined) throw new Error(`There is no place for files on a ${medium}`);
  return fs.mkdtempSync(path.join(place, "fibserver-bench-"));
}

/** The media that this machine has; says which one it lacks. */
export function media(): Medium[] {
  return (["tmpfs", "disk"] as const).filter((medium) => {
    const isThere = placeOn(medium) !== undefined;
    if (!isThere) console.log(`\nNothing is measured on a ${medium}: there is none`);
    return isThere;
  });
}

const isTmpfs = (place: string): boolean => fs.existsSync(place) && fs.statfsSync(place).type === TMPFS;

function placeOn(medium: Medium): string | undefined {
  if (medium === "tmpfs") return isTmpfs("/dev/shm") ? "/dev/shm" : undefined;
  return [os.tmpdir(), "/var/tmp", "build"].find((place) => !isTmpfs(place));
}

/** Starts the yardstick: a server that does nothing. */
export function startRaw(): Promise<Server> {
  return start([process.execPath, "bench/raw.ts"], /(http:\S+)/, "stdout");
}

/** Starts the smallest program that makes durable moves. */
export function startLimit(medium: Medium, syncDelayMs = 0): Promise<Server> {
  const folder = newFolder(medium);
  const command = [process.execPath, "bench/limit.ts", path.join(folder, "cursor")];
  return start(command, /(http:\S+)/, "stdout", { folder, syncDelayMs });
}

/** Builds the server in Go that writes a file at each move. @returns The program; undefined where Go is missing. */
export function buildGo(): string | undefined {
  if (!has("go")) return undefined;
  const program = path.resolve("build/go-cursor");
  const env = { ...process.env, CGO_ENABLED: "0" };
  const { success, stderr } = Bun.spawnSync(["go", "build", "-o", program, "bench/go/main.go"], { env });
  if (!success) throw new Error(`bench/go cannot be built: ${stderr.toString()}`);
  return program;
}

/** Starts what {@link buildGo} has built, on the disk. */
export function startGo(program: string, isSynced: boolean): Promise<Server> {
  const folder = newFolder("disk");
  const command = [program, path.join(folder, "cursor"), ...(isSynced ? ["sync"] : [])];
  return start(command, /(http:\S+)/, "stdout", { folder });
}

/** Starts an nginx of one process that answers with constants. @param bodies - By path. */
export async function startNginx(bodies: Readonly<Record<string, string>>): Promise<Server> {
  const folder = newFolder();
  const port = await freePort();
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  const locations = Object.entries(bodies).map(([at, body]) => `location = ${at} { return 200 '${body}'; }`);
  // By default it closes each connection after 1,000 requests.
  fs.writeFileSync(
    path.join(folder, "nginx.conf"),
    `daemon off; master_process off; pid ${folder}/pid; error_log stderr notice;
events {}
http {
  access_log off; keepalive_requests 1000000000; ${temporary.join(" ")}
  default_type "application/json; charset=utf-8"; add_header Cache-Control no-store;
  server { listen 127.0.0.1:${port}; ${locations.join(" ")} }
}
`,
  );
  const command = ["nginx", "-p", folder, "-e", "stderr", "-c", path.join(folder, "nginx.conf")];
  const server = await start(command, /(using the "\w+" event method)/, "stderr", { folder });
  return { ...server, url: `http://127.0.0.1:${port}/` };
}

/** Starts fibserver on a new file. */
export function startFibserver({
  args = [],
  medium,
  syncDelayMs,
  cpus,
  binary = BINARY,
}: Start = {}): Promise<Server> {
  const folder = newFolder(medium);
  const command = [binary, "-p", "0", "-f", path.join(folder, "cursor"), ...args];
  return start(command, /"url":"(http:[^"]+)"/, "stderr", { folder, syncDelayMs, cpus });
}

/** Starts redis-server; by default with a sync for each group of commands, as durable as the cursor. */
export async function startRedis(appendfsync: "always" | "everysec" | "no" = "always"): Promise<Server> {
  const folder = newFolder();
  const port = await freePort();
  // Without rewriting its file beside the load.
  const settings = {
    save: "",
    appendonly: "yes",
    appendfsync,
    "auto-aof-rewrite-percentage": "0",
    bind: "127.0.0.1",
  };
  const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const command = ["redis-server", "--port", String(port), "--dir", folder, ...options];
  const server = await start(command, /(Ready to accept connections)/, "stdout", { folder });
  return { ...server, url: `redis://127.0.0.1:${port}` };
}

/** Measures one server, and ends it. */
export async function withServer<T>(
  starting: Promise<Server>,
  measure: (server: Server) => Promise<T> | T,
): Promise<T> {
  await using server = await starting;
  return await measure(server);
}

/** The most memory that a process has had, in MB, with the pages of its binary that are mapped. */
export function peakRssMb(pid: number): number {
  return statusMb(pid, "VmHWM");
}

/** The memory that is a process's own, in MB: without the pages of its binary. */
export function ownMb(pid: number): number {
  return statusMb(pid, "RssAnon");
}

function statusMb(pid: number, field: string): number {
  const status = fs.readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)![1]) / 1024;
}

interface Around {
  /** Removed at the end. */
  readonly folder?: string;
  readonly syncDelayMs?: number | undefined;
  readonly cpus?: string | undefined;
}

/** Starts a server and waits until it says where it is. */
async function start(
  command: readonly string[],
  ready: RegExp,
  output: "stdout" | "stderr",
  { folder, syncDelayMs = 0, cpus = "0" }: Around = {},
): Promise<Server> {
  const trace = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync"];
  const slow = syncDelayMs > 0 ? [...trace, "-e", `inject=fdatasync:delay_enter=${syncDelayMs * 1000}`] : [];
  const child = Bun.spawn([...slow, "taskset", "-c", cpus, ...command], {
    stdin: "ignore",
    stdout: output === "stdout" ? "pipe" : "ignore",
    stderr: output === "stderr" ? "pipe" : "inherit",
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it is piped
  const url = await firstMatch(child[output] as ReadableStream<Uint8Array>, ready);
  // Under strace the child is the tracer, and the server the process that it started.
  const pid =
    syncDelayMs > 0
      ? Number(fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8"))
      : child.pid;
  const end = async () => {
    // One that has ended by itself is no second error, which would hide the first.
    if (child.exitCode === null && child.signalCode === null) process.kill(pid, "SIGTERM");
    await child.exited;
    if (folder !== undefined) fs.rmSync(folder, { recursive: true });
  };
  return { url, pid, [Symbol.asyncDispose]: end };
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

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
