/**
 * A reader of the log that stalls holds up nothing but its log.
 *
 * Method: a program stands between, which reads the log from a pipe, a socket or a terminal, and is stopped. What is
 * asked for has paths as long as the log tells, so that little fills all that can wait.
 */
import { expect } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import {
  injectInto,
  requireTool,
  run,
  startProgram,
  temporaryFolder,
  type Program,
  until,
  withStrace,
} from "./binary.ts";
import { startRedis, withRedis } from "./redis.ts";

const withPython = requireTool(["python3", "--version"], "apt-get install python3");

/** Starts a program with such a stderr, passes on what that says, and ends as it does. */
const READER = `
import os, pty, socket, subprocess, sys
kind = sys.argv[1]
ends = {"terminal": pty.openpty, "pipe": os.pipe, "socket": socket.socketpair}[kind]()
reader, writer = [end if isinstance(end, int) else end.detach() for end in ends]
child = subprocess.Popen(sys.argv[2:], stderr=writer)
os.close(writer)
try:
    while said := os.read(reader, 65536):
        # Who is stopped while it writes has written a part.
        while said: said = said[os.write(2, said):]
except OSError: pass
sys.exit(child.wait())`;

const LOST = /"message":"Lines of the log were lost: (\d+);/;
/** Thousands of requests, while other tests run. */
const TIMEOUT_MS = 300_000;
const LONG_PATH = "x".repeat(500);

interface Watched extends Program {
  /** The program's, where {@link Program.pid} is the reader's. */
  readonly innerPid: number;
  readonly said: string;
}

async function start(kind: string, args: readonly string[]): Promise<Watched> {
  const all = [...args, "-d", "--log-format", "json"];
  const under = ["python3", "-c", READER, kind];
  const program = await startProgram(all, /"url":"(http:[^"]*\/)"/, { under });
  const children = fs.readFileSync(`/proc/${program.pid}/task/${program.pid}/children`, "utf8");
  return { ...program, innerPid: Number(children) };
}

/** Asks so often, ten at a time. */
async function ask(url: string, count: number): Promise<void> {
  const askers = Array.from({ length: 10 }, async () => {
    for (let i = 0; i < count / 10; i++) {
      const response = await fetch(`${url}${LONG_PATH}`, { signal: AbortSignal.timeout(60_000) });
      expect(response.status).toBe(404);
      await response.body?.cancel();
    }
  });
  await Promise.all(askers);
}

/** Its reader, which is stopped, cannot have taken note of its end. */
function hasEnded({ innerPid }: Watched): boolean {
  return / [ZX] /.test(fs.readFileSync(`/proc/${innerPid}/stat`, "latin1"));
}

/** What has come of the log so far, each line whole. */
function linesOf(log: string): Record<string, unknown>[] {
  const lines = log.split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** How many requests it tells of. */
function requestsIn(log: string): number {
  return linesOf(log).filter(({ level }) => level === "DEBUG").length;
}

for (const kind of ["pipe", "socket", "terminal"]) {
  withPython(
    `a stalled ${kind} stops no request and no end, and is told what it has lost`,
    async () => {
      using folder = temporaryFolder();
      // 1,250 bytes each: more than can wait in the queue and with the thread, wherever that was stopped.
      const count = 7000;
      await using server = await start(kind, ["-p", "0", "-f", path.join(folder.path, "c")]);
      server.kill("SIGSTOP");
      await ask(server.said, count);
      server.kill("SIGCONT");
      await until("it is told what is lost", () => LOST.test(server.log()));
      const lost = Number(LOST.exec(server.log())![1]);
      await until("the others are told", () => requestsIn(server.log()) + lost >= count);
      expect([lost > 0, requestsIn(server.log()) + lost]).toEqual([true, count]);

      server.kill("SIGSTOP");
      await ask(server.said, 500);
      process.kill(server.innerPid, "SIGTERM");
      await until("the server ended", () => hasEnded(server));
      server.kill("SIGCONT");
      expect(await server.ended()).toBe(0);
    },
    TIMEOUT_MS,
  );
}

withStrace(
  "a failure ends a server whose log's reader has stalled, with its status",
  async () => {
    using folder = temporaryFolder();
    await using server = await start("pipe", ["-p", "0", "-f", path.join(folder.path, "c")]);
    server.kill("SIGSTOP");
    await ask(server.said, 500);
    await using _fault = await injectInto(
      server.innerPid,
      path.join(folder.path, "trace"),
      "fdatasync",
      "error=EIO",
    );
    const response = await fetch(`${server.said}api0/next`);
    expect(response.status).toBe(503);
    await until("the server ended", () => hasEnded(server));
    server.kill("SIGCONT");
    expect(await server.ended()).toBe(74);
  },
  TIMEOUT_MS,
);

withRedis(
  "a stalled reader holds up no end of an executor",
  async () => {
    await using redis = await startRedis();
    const args = ["worker", "--redis", redis.url, "--max-computations", "1", "--metrics", "127.0.0.1:0"];
    await using executor = await start("pipe", args);
    await until("it computes", () => executor.log().includes("Computing for"));
    executor.kill("SIGSTOP");
    await ask(executor.said, 500);
    process.kill(executor.innerPid, "SIGTERM");
    await until("the executor ended", () => hasEnded(executor));
    executor.kill("SIGCONT");
    expect(await executor.ended()).toBe(0);
  },
  TIMEOUT_MS,
);

/** Runs a program whose stderr is a pipe that somebody has filled, and ends as it does. */
const FULL = `
import os, subprocess, sys
reader, writer = os.pipe()
os.set_blocking(writer, False)
try:
    while True: os.write(writer, b"x" * 4096)
except BlockingIOError: pass
os.set_blocking(writer, True)
sys.exit(subprocess.call(sys.argv[1:], stderr=writer))`;

withPython("a start that fails ends with its status, though nobody reads why", async () => {
  for (const [args, status] of [
    [["serve", "-p", "0", "-f", "/etc"], 65],
    [["worker", "--redis", "redis://127.0.0.1:1"], 69],
  ] as const) {
    const { exitCode } = await run(args, { under: ["python3", "-c", FULL] });
    expect([args[0], exitCode]).toEqual([args[0], status]);
  }
});
