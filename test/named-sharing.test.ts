/**
 * Several processes on one file of named cursors: each value once, nothing shown before it is on disk, and one that stops
 * in the middle stops those who move, and nobody who reads.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import {
  output,
  requires,
  requireTool,
  run,
  type Server,
  startServer,
  temporaryFolder,
  until,
} from "./binary.ts";
import { failingDisk, withFailingDisk } from "./failing-disk.ts";

setDefaultTimeout(300_000);

// Root may enter any folder, but for what it starts without that right.
const withRights =
  process.getuid?.() === 0
    ? requireTool(["setpriv", "--bounding-set=-all", "true"], "apt-get install util-linux")
    : test;

/** What a server answers about its cursor alice. */
async function ask({ url }: Server, method: "GET" | "POST", key?: string) {
  const route = `${url}/v1/cursors/alice${method === "GET" ? "" : "/next"}`;
  const headers: Record<string, string> = key === undefined ? {} : { "idempotency-key": key };
  const response = await fetch(route, { method, headers });
  return { status: response.status, ...((await response.json()) as { index?: string; code?: string }) };
}

test("a busy server and a shell each move on, and each value is given once", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  // On a busy machine one may stand still with the lock.
  const many = ["-f", file, "--max-index", "1000000", "--lock-timeout", "60"];
  await using server = await startServer(many);
  const given: number[] = [];
  const end = new AbortController();
  const move = async () => {
    while (!end.signal.aborted) given.push(Number((await ask(server, "POST")).index));
  };
  const moving = Array.from({ length: 16 }, move);
  const printed: string[] = [];
  for (let count = 0; count < 5; count++) {
    const before = given.length;
    const { stdout, stderr } = await run([...many, "n", "--cursor", "alice"]);
    expect(stderr).toBe("");
    printed.push(stdout.trim());
    await until("the server moves on", () => given.length > before);
  }
  end.abort();
  await Promise.all(moving);
  const { index } = await ask(server, "GET");
  // What is missing among the server's are the shell's.
  const numbers = new Set(given);
  expect(numbers.size).toBe(given.length);
  expect(Number(index)).toBe(given.length + printed.length);
  expect(Math.max(...given)).toBeLessThanOrEqual(Number(index));
});

/** Moves as a client does that is told of the lock: again, until there is none. */
async function moveOnceUnlocked(server: Server): ReturnType<typeof ask> {
  let answer: Awaited<ReturnType<typeof ask>>;
  await until("the lock is gone", async () => (answer = await ask(server, "POST")).code !== "cursor_locked");
  return answer!;
}

async function stopWithinSync(end: "goes on" | "is killed"): Promise<void> {
  using folder = temporaryFolder();
  using disk = failingDisk();
  const file = path.join(folder.path, "cursor");
  await using stopped = await startServer(["-f", file], { env: disk.env });
  await using other = await startServer(["-f", file, "--lock-timeout", "1"]);
  expect(await ask(stopped, "POST")).toMatchObject({ index: "1" });
  expect(await ask(other, "POST")).toMatchObject({ index: "2" });
  disk.begin("stall", "file");
  const move = ask(stopped, "POST").catch(() => undefined);
  await until("it syncs", () => disk.faultedCount() === 1);
  stopped.kill("SIGSTOP");
  expect(await ask(other, "POST")).toMatchObject({ status: 503, code: "cursor_locked" });
  // What is not on disk yet is not shown, to a newcomer neither.
  expect(await ask(other, "GET")).toMatchObject({ status: 200, index: "2" });
  const { stdout } = await run(["cursor", "show", "--cursor", "alice", "-f", file]);
  expect(stdout).toContain("index: 2\n");
  const pending = moveOnceUnlocked(other);
  if (end === "is killed") {
    stopped.kill("SIGKILL");
    expect(await move).toBeUndefined();
    expect(await pending).toMatchObject({ index: "3" });
  } else {
    disk.end("stall", "file");
    stopped.kill("SIGCONT");
    expect(new Set([await move, await pending].map((answer) => answer!.index))).toEqual(new Set(["3", "4"]));
  }
}

withFailingDisk(
  "one that stops within its sync: others are told of the lock, read on, and move when it ends",
  async () => {
    await Promise.all([stopWithinSync("goes on"), stopWithinSync("is killed")]);
  },
);

async function failToSync(company: "alone" | "beside another server"): Promise<void> {
  using folder = temporaryFolder();
  using disk = failingDisk();
  const file = path.join(folder.path, "cursor");
  await using server = await startServer(["-f", file], { env: disk.env });
  await using other = company === "alone" ? undefined : await startServer(["-f", file]);
  expect(await ask(server, "POST")).toMatchObject({ index: "1" });
  // It has the file open: else it would find in the log what was not answered, and take it for a move.
  if (other !== undefined) expect(await ask(other, "GET")).toMatchObject({ index: "1" });
  disk.begin("fail", "file");
  expect(await ask(server, "POST", "a key")).toMatchObject({ status: 503, code: "cursor_io" });
  if (other !== undefined) expect(await ask(other, "POST")).toMatchObject({ index: "2" });
  disk.end("fail", "file");
  let answer: Awaited<ReturnType<typeof ask>>;
  await until("it goes on", async () => (answer = await ask(server, "POST", "a key")).status === 200);
  expect(await ask(server, "POST", "a key")).toEqual(answer!);
  const index = other === undefined ? 2 : 3;
  expect(answer!).toMatchObject({ index: String(index) });
  expect(await ask(server, "GET")).toMatchObject({ index: String(index) });
  expect(await ask(other ?? server, "POST")).toMatchObject({ index: String(index + 1) });
}

withFailingDisk("a server whose sync fails answers no move, and then makes it once", async () => {
  await Promise.all([failToSync("alone"), failToSync("beside another server")]);
});

/** Root without its rights: one user among others. */
const asUser = { under: process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-all"] : [] };

const withOwners = requires(process.getuid?.() === 0, "it takes root, to give files away");

withOwners("a file of named cursors, and its log, belong to whom the cursor file belongs to", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await run(["n", "-f", file]);
  fs.chownSync(file, 1000, 1001);
  fs.chmodSync(file, 0o600);
  await using server = await startServer(["-f", file]);
  expect(await ask(server, "POST")).toMatchObject({ index: "1" });
  for (const end of ["", "-wal", "-shm"]) {
    const { uid, gid, mode } = fs.statSync(`${file}.cursors${end}`);
    expect({ end, uid, gid, mode: mode & 0o777 }).toEqual({ end, uid: 1000, gid: 1001, mode: 0o600 });
  }
});

withOwners("who may only read a file makes none beside it, and sees what is answered", async () => {
  using folder = temporaryFolder();
  // Not sticky, as /tmp is: there a kernel with fs.protected_regular lets root open no file of others to write.
  fs.chmodSync(folder.path, 0o777);
  const file = path.join(folder.path, "cursor");
  const named = `${file}.cursors`;
  await run(["n", "-f", file, "--cursor", "alice"]);
  fs.chownSync(named, 1000, 1000);
  fs.chmodSync(named, 0o644);
  const look = async () => {
    const before = fs.readdirSync(folder.path);
    const { stdout, stderr } = await run(["cursor", "show", "-f", file, "--cursor", "alice"], asUser);
    expect(stderr).toContain(`${named} can only be read (EACCES)`);
    expect(fs.readdirSync(folder.path)).toEqual(before);
    return /index: (.*)/.exec(stdout)?.[1];
  };
  expect(await look()).toBe("1");
  const move = await run(["n", "-f", file, "--cursor", "alice"], asUser);
  expect(move.stderr).toContain(`Cannot move the cursor: ${named} can only be read`);
  expect(move.exitCode).toBe(74);
  await using server = await startServer(["-f", file]);
  expect(await ask(server, "POST")).toMatchObject({ index: "2" });
  expect(await look()).toBe("2");
  expect(await ask(server, "POST")).toMatchObject({ index: "3" });
  server.kill("SIGKILL");
  await server.ended();
  // Its log is all that has it.
  expect(await look()).toBe("3");
  expect(await output(["n", "-f", file, "--cursor", "alice"])).toBe("3\n");
});

withRights(
  "a folder that may only be read shows its cursors and moves none, until it may be written",
  async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, "cursor");
    await run(["n", "-f", file]);
    await run(["n", "-f", file, "--cursor", "alice"]);
    fs.chmodSync(folder.path, 0o555);
    await using server = await startServer(["-f", file], asUser);
    expect(await ask(server, "GET")).toMatchObject({ status: 200, index: "1" });
    expect(await ask(server, "POST")).toMatchObject({ status: 503, code: "cursor_io" });
    using other = temporaryFolder();
    const copy = await run(["backup", path.join(other.path, "copy"), "-f", file], asUser);
    expect(copy.stdout).toContain("1 named cursor copied");
    expect(fs.readdirSync(folder.path).toSorted()).toEqual(["cursor", "cursor.cursors"]);
    fs.chmodSync(folder.path, 0o755);
    expect(await ask(server, "POST")).toMatchObject({ status: 200, index: "2" });
  },
);

withRights("a folder that may not be entered any more is told of, and then it goes on", async () => {
  using folder = temporaryFolder();
  const inner = path.join(folder.path, "inner");
  fs.mkdirSync(inner);
  await using server = await startServer(["-f", path.join(inner, "cursor")], {
    under: process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-all"] : [],
  });
  expect(await ask(server, "POST")).toMatchObject({ index: "1" });
  fs.chmodSync(inner, 0);
  expect(await ask(server, "POST")).toMatchObject({ status: 503, code: "cursor_io" });
  fs.chmodSync(inner, 0o700);
  await until("it goes on", async () => (await ask(server, "POST")).status === 200);
  expect(await ask(server, "GET")).toMatchObject({ index: "2" });
});

withRights("members of a group use the files of one of them, and lock nobody out", async () => {
  using folder = temporaryFolder();
  fs.chmodSync(folder.path, 0o755);
  const inner = path.join(folder.path, "inner");
  const file = path.join(inner, "cursor");
  const owner = { under: ["setpriv", "--reuid=65501", "--regid=65510", "--clear-groups"] };
  const member = { under: ["setpriv", "--reuid=65502", "--regid=65502", "--groups=65510"] };
  const next = (name: string) => ["n", "--cursor", name, "-f", file];
  for (const first of [owner, member]) {
    fs.mkdirSync(inner);
    fs.chownSync(inner, 65_501, 65_510);
    fs.chmodSync(inner, 0o770);
    await run(["n", "-f", file], owner);
    fs.chmodSync(file, 0o660);
    const told = [await run(next("alice"), first), await run(next("alice"), member)];
    told.push(await run(["backup", path.join(inner, "copy"), "-f", file], member));
    // What a backup leaves, and what is left behind a process that was killed, belongs to the group.
    told.push(await run(next("alice"), owner));
    expect(told.map(({ stderr, exitCode }) => [stderr, exitCode])).toEqual(told.map(() => ["", 0]));
    expect(told.at(-1)!.stdout).toBe("2\n");
    fs.rmSync(inner, { recursive: true });
  }
});
