/**
 * Nothing is loaded from where the program is started, nor from beside the program: who can write there runs no code.
 *
 * Method: both folders hold what BullMQ's packages and Bun would look for, and strace shows each file that the
 * program asks for, whether it is there or not. What a command names lies in a third folder.
 */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import {
  BINARY,
  output,
  readTrace,
  spawn,
  startServer,
  strace,
  temporaryFolder,
  withStrace,
} from "./binary.ts";
import { startWorker } from "./executor.ts";
import { hasRedis, startRedis, withRedis } from "./redis.ts";

setDefaultTimeout(300_000);

const withBoth = hasRedis ? withStrace : withRedis;
/** F(300,000): on a thread. */
const LONG = "300000";

const FILES = [
  ".env",
  ".env.local",
  ".env.production",
  "bunfig.toml",
  "tsconfig.json",
  "jsconfig.json",
  "package.json",
  "libc.so.6",
  "main.js",
  "dist/cjs/classes/main.js",
  "log-worker.ts",
  "numbers/worker.ts",
  "tasks/store-worker.ts",
  "build/Release/extract.node",
  "build/Debug/extract.node",
  `prebuilds/linux-${process.arch}/node.napi.glibc.node`,
  "node_modules/msgpackr/package.json",
  "node_modules/msgpackr-extract/package.json",
  "node_modules/msgpackr-extract/index.js",
  `node_modules/@msgpackr-extract/msgpackr-extract-linux-${process.arch}/node.napi.glibc.node`,
];

/** A folder in which everything that may be looked for is there. */
function hostileFolder() {
  const folder = temporaryFolder();
  for (const name of FILES) {
    const file = path.join(folder.path, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, name.endsWith(".json") ? "{}" : "FIBSERVER_PORT=1\n");
  }
  return folder;
}

/** Two hostile folders, and a way to start the program from the one in the other, watched. */
function hostilePlace() {
  const started = hostileFolder();
  const beside = hostileFolder();
  const own = temporaryFolder();
  const binary = path.join(beside.path, "fibserver");
  fs.copyFileSync(BINARY, binary, fs.constants.COPYFILE_FICLONE);
  const traceFile = path.join(own.path, "trace");
  const isForeign = (file: string) =>
    [started, beside].some(({ path: folder }) => `${file}/`.startsWith(`${folder}/`)) && file !== binary;
  return {
    /** For what a command names. */
    own: own.path,
    start: { binary, cwd: started.path, under: strace(traceFile, "%file") },
    /** What a program that has ended asked for: all of it, and what it should not have. */
    async asked(pid: number) {
      const lines = await readTrace(traceFile, pid);
      const files = lines.flatMap((line) => filesIn(line).map((file) => path.resolve(started.path, file)));
      return { files, foreign: files.filter((file) => isForeign(file) || file.endsWith(".node")) };
    },
    [Symbol.dispose]: () => [started, beside, own].forEach((folder) => folder[Symbol.dispose]()),
  };
}

/** The paths in a line of strace. */
function filesIn(line: string): string[] {
  const call = /^\d+ +(?:<\.\.\. )?(\w+)/.exec(line)?.[1];
  // Where it is started it may know; the arguments of a program are no files.
  if (call === undefined || call === "getcwd") return [];
  const quoted = [...line.matchAll(/"((?:\\x[\da-f]{2})+)"/g)].map(([, hex]) =>
    Buffer.from(hex!.replaceAll("\\x", ""), "hex").toString(),
  );
  return call === "execve" ? quoted.slice(0, 1) : quoted;
}

withStrace("the shell asks for no file in the current folder or beside the program", async () => {
  for (const args of [
    ["n", "c", "p"],
    ["fib", "100"],
    ["fib", LONG, "--quiet"],
    ["seq", "5"],
    ["cursor", "inspect"],
    ["help"],
  ]) {
    using place = hostilePlace();
    const isCursor = ["n", "cursor"].includes(args[0]!);
    const file = path.join(place.own, "cursor");
    if (args[0] === "cursor") await output(["n", "-f", file]);
    const child = spawn(isCursor ? [...args, "-f", file] : args, place.start);
    const [stdout, exitCode] = await Promise.all([child.stdout.text(), child.exited]);
    expect({ args, exitCode, isEmpty: stdout === "" }).toEqual({ args, exitCode: 0, isEmpty: false });
    const { files, foreign } = await place.asked(child.pid);
    expect({ args, foreign }).toEqual({ args, foreign: [] });
    expect(files).toContain(isCursor ? file : place.start.binary);
  }
});

withStrace("so does a server, its threads, and a command that asks it", async () => {
  using place = hostilePlace();
  using shell = hostilePlace();
  const file = path.join(place.own, "cursor");
  await using server = await startServer(["-f", file], place.start);
  expect(await (await fetch(`${server.url}/api0/next`)).text()).toBe('{"value":"1","status":"200"}');
  const child = spawn(["task", "run", "fibonacci", LONG, "--server", server.url], shell.start);
  const [stdout, exitCode] = await Promise.all([child.stdout.text(), child.exited]);
  expect({ sizeBytes: stdout.length, exitCode }).toEqual({ sizeBytes: 62_696 + 1, exitCode: 0 });
  expect((await shell.asked(child.pid)).foreign).toEqual([]);
  server.kill("SIGTERM");
  expect(await server.ended()).toBe(0);
  const { files, foreign } = await place.asked(server.pid);
  expect(foreign).toEqual([]);
  expect(files).toContain(`${file}.tasks`);
});

withBoth("so do a front and an executor on Redis, and the letters", async () => {
  await using redis = await startRedis();
  using front = hostilePlace();
  using back = hostilePlace();
  using shell = hostilePlace();
  await using server = await startServer(["--redis", redis.url], front.start);
  await using executor = await startWorker(redis.url, back.start);
  const child = spawn(["n", "--redis", redis.url], shell.start);
  expect([await child.stdout.text(), await child.exited]).toEqual(["1\n", 0]);
  // Quiet: whoever waits for more than a second is told how to go on.
  const run = ["task", "run", "fibonacci", LONG, "-q", "--server", server.url];
  expect(await output(run)).toHaveLength(62_696 + 1);
  for (const program of [server, executor]) {
    program.kill("SIGTERM");
    expect(await program.ended()).toBe(0);
  }
  for (const [place, pid] of [
    [front, server.pid],
    [back, executor.pid],
    [shell, child.pid],
  ] as const) {
    const { files, foreign } = await place.asked(pid);
    expect(foreign).toEqual([]);
    expect(files).toContain(place.start.binary);
  }
});
