/**
 * The compiled program as its user has it: spawned, fed, watched and killed.
 *
 * Nothing of `src/` is imported here, so that a test built on this file sees what a
 * user sees. Each process gets an environment of its own, and is ended by its pid.
 * @module
 */
import { expect, test } from "bun:test";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/** What `make build` makes. */
export const BINARY = path.resolve(import.meta.dir, "../dist/fibserver");

/** Where servers answer that were started here, and below which path: what comes from there is held against the API's description. */
export const PORTS = new Map<string, string>();

/** How a program is started. */
export interface Start {
  /** Another copy of it than {@link BINARY}. */
  readonly binary?: string;
  /** The program that starts ours, with its arguments, such as strace. */
  readonly under?: readonly string[];
  /** Besides PATH and HOME; nothing else is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** What a program left behind. */
export interface Result {
  readonly stdout: string;
  readonly stderr: string;
  /** 128 and the signal's number when a signal ended it, as a shell has it. */
  readonly exitCode: number;
}

/** Starts the program with three pipes. */
export function spawn(args: readonly string[], { under = [], env = {}, cwd, binary = BINARY }: Start = {}) {
  return Bun.spawn([...under, binary, ...args], {
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", ...env },
    cwd: cwd ?? os.tmpdir(),
    stdio: ["pipe", "pipe", "pipe"],
  });
}

/** Runs the program to its end. */
export async function run(
  args: readonly string[],
  { stdin = "", ...start }: Start & { readonly stdin?: string } = {},
): Promise<Result> {
  const child = spawn(args, start);
  await child.stdin.write(stdin);
  await child.stdin.end();
  return collect(child);
}

/** What a program has left behind, once it has ended. */
export async function collect(child: Bun.Subprocess<"pipe" | "ignore", "pipe", "pipe">): Promise<Result> {
  const [stdout, stderr, exitCode] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  return { stdout, stderr, exitCode };
}

/** What a command prints that must end well, and say nothing else. */
export async function output(...[args, start]: Parameters<typeof run>): Promise<string> {
  const { stdout, stderr, exitCode } = await run(args, start);
  expect({ args, stderr, exitCode }).toEqual({ args, stderr: "", exitCode: 0 });
  return stdout;
}

/** Starts a line of shell, in which `$FIBSERVER` is the program: for pipes, redirections and terminals. */
export function spawnInShell(line: string, cwd: string) {
  return Bun.spawn(["bash", "-c", line], {
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", FIBSERVER: BINARY },
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs a line of shell to its end, as {@link spawnInShell} starts it. */
export async function runInShell(line: string, cwd: string): Promise<Result> {
  const child = spawnInShell(line, cwd);
  return collect(child);
}

/** A server or an executor that has said that it works. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  kill(signal: NodeJS.Signals): void;
  /** The exit status, or 128 and the signal's number. @throws {@link Error} when it goes on for ten seconds. */
  ended(): Promise<number>;
  /** What it has written to stderr so far; all of it once {@link ended} has resolved. */
  log(): string;
}

/** A server that has said that it serves. */
export interface Server extends Program {
  /** Such as `http://127.0.0.1:40123`, with the path below which it is. */
  readonly url: string;
}

/**
 * Starts a server on a free port of the loopback, and waits for the line that says where.
 *
 * @param args - Usually `-f FILE`.
 * @throws {@link Error} with its stderr, when it ends instead.
 */
export async function startServer(args: readonly string[], start: Start = {}): Promise<Server> {
  const { said, ...program } = await startProgram(["-p", "0", ...args], /"url":"(https?:[^"]*)\/"/, start);
  const { port, pathname } = new URL(said);
  PORTS.set(port, pathname.replace(/\/$/, ""));
  void program.exited.then(() => PORTS.delete(port));
  return { url: said, ...program };
}

/**
 * Starts a program that runs until it is ended, and waits for a line of its log.
 *
 * @param sign - What to wait for; `said` is its first group.
 * @throws {@link Error} with its stderr, when it ends instead.
 */
export async function startProgram(
  args: readonly string[],
  sign: RegExp,
  start: Start = {},
): Promise<Program & { readonly said: string; readonly exited: Promise<unknown> }> {
  const child = spawn(args, start);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let log = "";
  const logged = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      log += chunk;
      const said = sign.exec(log)?.[1];
      if (said !== undefined) resolve(said);
    }
  })();
  const exited = (async () => {
    const exitCode = await child.exited;
    await logged;
    reject(new Error(`fibserver ${args.join(" ")} ended with ${exitCode}: ${log}`));
    return exitCode;
  })();
  return {
    said: await promise,
    exited,
    pid: child.pid,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    async ended() {
      await until("the program ended", () => Bun.peek.status(exited) !== "pending");
      return exited;
    },
    log: () => log,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** A folder that is gone when the test is over. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "fibserver-test-"));
  return {
    path: folder,
    [Symbol.dispose]: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
}

/** A move that was answered with 200 by `/v1/cursor`. */
export interface Answer {
  readonly index: number;
  readonly generation: number;
  readonly replayed: boolean;
}

/**
 * Makes a move, or reads the position, through `/v1/cursor`.
 *
 * @returns undefined when the connection broke before the answer: the move may have been made or not.
 * @throws {@link Error} for every answer but 200.
 */
export async function request(
  { url }: Pick<Server, "url">,
  operation: "next" | "previous" | "current",
  headers: Record<string, string> = {},
): Promise<Answer | undefined> {
  let response: Response;
  let body: string;
  try {
    response =
      operation === "current"
        ? await fetch(`${url}/v1/cursor`, { headers })
        : await fetch(`${url}/v1/cursor/${operation}`, { method: "POST", headers });
    body = await response.text();
  } catch {
    return undefined;
  }
  if (response.status !== 200) throw new Error(`${operation} was answered with ${response.status}: ${body}`);
  const replayed = response.headers.get("idempotency-replayed") === "true";
  const generation = Number(/^"(\d+)"$/.exec(response.headers.get("etag") ?? "")?.[1]);
  return { index: Number((JSON.parse(body) as { index: string }).index), generation, replayed };
}

/** {@link request}, from a server that must not break the connection. */
export async function mustRequest(...call: Parameters<typeof request>): Promise<Answer> {
  const answer = await request(...call);
  if (answer === undefined) throw new Error(`The connection broke before ${call[1]} was answered`);
  return answer;
}

/**
 * Waits until `condition` holds; looks every few milliseconds.
 *
 * @param seconds - The limit that is promised. Without one it is a little less than that of a test, so that what failed
 *   has a name: a machine may be ten times as slow as another one, and no test is about that.
 * @throws {@link Error} after `seconds`.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  seconds = 240,
): Promise<void> {
  for (const deadlineMs = performance.now() + seconds * 1000; !(await condition()); await Bun.sleep(2)) {
    if (performance.now() > deadlineMs) throw new Error(`This did not happen in ${seconds} seconds: ${what}`);
  }
}

/**
 * The command line of strace, to start the program {@link Start.under}; the program keeps its own pid.
 *
 * @param traceFile - Gets a line for each call, with strings in hex.
 * @param calls - The names of the calls to see, separated by commas.
 * @param inject - What to do to which of them, such as `fdatasync:error=EIO:when=2`; a thread counts for itself.
 */
export function strace(traceFile: string, calls: string, inject?: string): string[] {
  const options = ["-D", "-f", "-xx", "-s", "300", "-o", traceFile, "-e", `trace=${calls}`];
  if (inject !== undefined) options.push("-e", `inject=${inject}`);
  // Stops only at the calls that are wanted; strace 6.1 injects errors and delays that way, but no signals.
  if (!inject?.includes("signal=")) options.push("--seccomp-bpf");
  return ["strace", ...options];
}

/**
 * Injects a fault into a process that runs, into each such call of each of its threads from now on.
 *
 * @param inject - Such as `delay_enter=20000000` (µs) or `signal=SIGKILL`.
 * @param onlyPath - Calls for this file or folder alone.
 * @returns Ends with the scope, and leaves the process as it is.
 */
export async function injectInto(
  pid: number,
  traceFile: string,
  calls: string,
  inject: string,
  onlyPath?: string,
): Promise<AsyncDisposable> {
  const options = ["-f", "-o", traceFile, "-e", `trace=${calls}`, "-e", `inject=${calls}:${inject}`];
  if (onlyPath !== undefined) options.push("-P", onlyPath);
  const child = Bun.spawn(["strace", ...options, "-p", String(pid)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    said += read.value;
    if (said.includes("attached")) break;
  }
  if (!said.includes("attached")) throw new Error(`strace cannot attach: ${said}`);
  return {
    async [Symbol.asyncDispose]() {
      // With a process that ended within a delay strace 6.1 waits for ever; the kernel detaches it from one that goes on.
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** All that strace saw of a process that has ended. */
export async function readTrace(traceFile: string, pid: number): Promise<string[]> {
  // strace may see the end of the process a little later than its parent does.
  const end = new RegExp(`^${pid} +\\+\\+\\+ (exited|killed)`, "m");
  await until("strace saw the process end", () => end.test(fs.readFileSync(traceFile, "latin1")));
  return fs.readFileSync(traceFile, "latin1").split("\n");
}

/** How `bun:test` takes a test. */
type Test = (title: string, body: () => Promise<void>, timeoutMs?: number) => void;

/** A `test` for what not every machine can do: elsewhere it is skipped, and a line says why. */
export function requires(possible: boolean, otherwise: string): Test {
  if (possible) return test;
  return (title) => {
    process.stderr.write(`skipped: ${title}: ${otherwise}\n`);
    test.skip(title, () => {});
  };
}

/**
 * A `test` that needs a program, as {@link requires} has it. Under `CI=true` it fails instead of being skipped:
 * a program can be installed there, and no promise should go untested unseen.
 *
 * @param probe - A command line that succeeds where the program works.
 * @param install - How to get it.
 */
export function requireTool(probe: readonly string[], install: string): Test {
  const tool = probe[0]!;
  const otherwise = isWorking(probe) ? "" : `${tool} is missing or does not work here: ${install}`;
  if (otherwise === "" || process.env["CI"] !== "true") return requires(otherwise === "", otherwise);
  return (title) =>
    test(title, () => {
      throw new Error(otherwise);
    });
}

/** A `test` that needs strace and what the kernel lets it do; looked for only where one is declared. */
export const withStrace: Test = (...declared) =>
  requireTool(["strace", "-o", "/dev/null", "true"], "apt-get install strace")(...declared);

/** Says whether a command line succeeds. */
export function isWorking(probe: readonly string[]): boolean {
  return Bun.which(probe[0]!) !== null && Bun.spawnSync([...probe]).exitCode === 0;
}
