/**
 * A task that was accepted is computed to the end, whatever happens to the process or to its disk.
 *
 * Method: the compiled program, killed at random moments and at chosen system calls, started again, and asked for
 * everything that it has ever accepted; results are compared with GMP's.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import {
  readTrace,
  requireTool,
  run,
  type Server,
  startServer,
  strace,
  temporaryFolder,
  until,
} from "./binary.ts";
import reference from "./vectors/reference.json";

setDefaultTimeout(120_000);

const ROUND_COUNT = 8;
/** Long enough for a thread and a file, short enough to wait for. */
const LONG = reference.fibonacci.filter(({ n }) => n >= 100_000 && n <= 5_000_000);
const SHORT = reference.fibonacci.filter(({ n }) => n < 10_000);

const withStrace = requireTool(["strace", "-o", "/dev/null", "true"], "apt-get install strace");

interface Task {
  readonly id: string;
  readonly state: string;
  readonly n: string;
  readonly attempts: number;
}

/** Asks for F(n). @returns The task, or undefined when it was not accepted or the connection broke. */
async function accept({ url }: Server, n: number): Promise<Task | undefined> {
  try {
    const body = JSON.stringify({ kind: "fibonacci", n: String(n) });
    const response = await fetch(`${url}/v1/tasks`, { method: "POST", body });
    if (response.status === 202) return (await response.json()) as Task;
    expect(response.status).toBe(503);
    await response.arrayBuffer();
  } catch (error) {
    // Broken, or cut in the middle: then nobody has a promise.
    if (error instanceof Error && error.name === "JestAssertionError") throw error;
  }
  return undefined;
}

async function find({ url }: Server, id: string): Promise<Task> {
  const response = await fetch(`${url}/v1/tasks/${id}`);
  expect(response.status, `${id} was accepted`).toBe(200);
  return (await response.json()) as Task;
}

/** The task once it is ready, with the right result. */
async function mustFinish(server: Server, id: string): Promise<Task> {
  let task = await find(server, id);
  const isReady = async () => {
    task = await find(server, id);
    if (task.state === "failed") throw new Error(`${id} has failed: ${JSON.stringify(task)}`);
    return task.state === "ready";
  };
  // Threads that compute give way to everything else on a busy machine.
  await until(`${id} is ready`, isReady, 100);
  const text = await (await fetch(`${server.url}/v1/tasks/${id}/result`)).text();
  const { sha256 } = reference.fibonacci.find(({ n }) => String(n) === task.n)!;
  expect(createHash("sha256").update(text).digest("hex"), `F(${task.n})`).toBe(sha256);
  return task;
}

/** As strace writes it. */
function hexOf(text: string): string {
  return Buffer.from(text)
    .toString("hex")
    .replaceAll(/../g, String.raw`\x$&`);
}

function resultFiles(file: string): string[] {
  const folder = `${file}.tasks.results`;
  return fs.existsSync(folder) ? fs.readdirSync(folder) : [];
}

/** The same numbers for the same seed: a failure can be repeated. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("kill -9 at random while tasks arrive, wait and run: none is lost, and each result is right", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const random = mulberry32(4);
  const accepted = new Set<string>();
  const killedWhileUnfinished: string[] = [];
  for (let round = 0; round < ROUND_COUNT; round++) {
    await using server = await startServer(["-f", file, "--max-computations", "1"]);
    // Whatever a killed server was writing is gone by the time that the next one answers.
    const known = await Promise.all([...accepted].map((id) => find(server, id)));
    killedWhileUnfinished.push(...known.filter(({ state }) => state !== "ready").map(({ id }) => id));
    for (const { id } of known.filter(({ state }) => state === "ready").slice(-3))
      await mustFinish(server, id);
    const pick = (list: typeof LONG) => list[Math.floor(random() * list.length)]!.n;
    const indices = Array.from({ length: 24 }, (_, i) => pick(i % 4 === 0 ? LONG : SHORT));
    const clients = indices.map(async (n) => {
      const task = await accept(server, n);
      if (task !== undefined) accepted.add(task.id);
    });
    // Once while they arrive, else once the first were accepted.
    if (round % 2 === 0) await Promise.race(clients);
    await Bun.sleep(random() * 80);
    server.kill("SIGKILL");
    await server.ended();
    await Promise.all(clients);
  }
  // Kills that hit nothing would prove nothing.
  expect(accepted.size).toBeGreaterThan(ROUND_COUNT);
  expect(killedWhileUnfinished.length).toBeGreaterThan(0);

  await using server = await startServer(["-f", file]);
  const finished = [];
  for (const id of accepted) finished.push(await mustFinish(server, id));
  const inFiles = finished.filter(({ n }) => LONG.some((row) => String(row.n) === n)).map(({ id }) => id);
  // Tasks whose 202 was cut off may have been accepted, too.
  const response = await fetch(`${server.url}/v1/tasks?limit=1000`);
  const { tasks } = (await response.json()) as { tasks: Task[] };
  for (const { id } of tasks) await mustFinish(server, id);
  expect(resultFiles(file)).toEqual(expect.arrayContaining(inFiles));
  expect(resultFiles(file).filter((name) => !tasks.some(({ id }) => id === name))).toEqual([]);
});

withStrace(
  "SIGKILL at each step of storing a result: it is never half visible, and computed again",
  async () => {
    const [row] = LONG;
    let killedCount = 0;
    const faults = ["mkdir", "rename", ...Array.from({ length: 9 }, (_, i) => `fsync:${i + 1}`)];
    for (const fault of faults) {
      using folder = temporaryFolder();
      const file = path.join(folder.path, "cursor");
      const [call, when = "1"] = fault.split(":");
      {
        // The database is there when the faults begin.
        await using server = await startServer(["-f", file]);
        await mustFinish(server, (await accept(server, 92))!.id);
        server.kill("SIGTERM");
        await server.ended();
      }
      const trace = path.join(folder.path, "trace");
      const under = strace(trace, call!, `${call}:signal=SIGKILL:when=${when}`);
      const server = await startServer(["-f", file], { under }).catch(() => undefined);
      const task = server && (await accept(server, row!.n));
      if (server && task) {
        const isGone = async () =>
          (await fetch(`${server.url}/v1/tasks/${task.id}`).catch(() => undefined)) === undefined;
        const isReady = async () => (await find(server, task.id)).state === "ready";
        await until(
          `${fault} has killed it, or the task is ready`,
          async () => (await isGone()) || (await isReady().catch(() => false)),
        );
        if (await isGone()) killedCount++;
      }
      await server?.[Symbol.asyncDispose]();
      await using again = await startServer(["-f", file]);
      if (task) {
        await mustFinish(again, task.id);
        expect(resultFiles(file), fault).toEqual([task.id]);
      } else {
        expect(resultFiles(file), fault).toEqual([]);
      }
      await mustFinish(again, (await accept(again, 92))!.id);
    }
    expect(killedCount).toBeGreaterThan(2);
  },
);

withStrace("each 202 is sent after the sync that covers its task", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const trace = path.join(folder.path, "trace");
  const under = [...strace(trace, "pwrite64,fsync,fdatasync,sendto,sendmsg,write,writev"), "-s", "6000"];
  await using server = await startServer(["-f", file], { under });
  const found = await Promise.all(SHORT.slice(0, 32).map(({ n }) => accept(server, n)));
  const ids = found.map((task) => task!.id);
  server.kill("SIGTERM");
  expect(await server.ended()).toBe(0);

  const lines = await readTrace(trace, server.pid);
  const mine = lines.filter((line) => line.startsWith(`${server.pid} `));
  for (const id of ids) {
    const hex = hexOf(id);
    const written = mine.findIndex((line) => line.includes("pwrite64(") && line.includes(hex));
    const synced = mine.findIndex((line, i) => i > written && /fsync\b.* = 0$/.test(line));
    const sent = mine.findIndex((line) => !line.includes("pwrite64(") && line.includes(hex));
    expect(written, id).toBeGreaterThan(0);
    expect(synced, id).toBeGreaterThan(written);
    expect(sent, id).toBeGreaterThan(synced);
  }
});

for (const [fault, said] of [
  ["fsync:error=EIO", "Cannot write"],
  ["pwrite64:error=EIO", "Cannot write"],
  ["pwrite64:error=ENOSPC", "full"],
] as const) {
  withStrace(`${fault}: what was accepted is kept, the rest is 503, and the cursor moves on`, async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, "cursor");
    const log = `${file}.tasks-wal`;
    const [call] = fault.split(":");
    const trace = path.join(folder.path, "trace");
    const under = [...strace(trace, call!, `${fault}:when=60+`), "-P", log];
    const accepted: string[] = [];
    {
      await using server = await startServer(["-f", file], { under });
      let refusal: Response | undefined;
      for (let n = 0; refusal === undefined; n++) {
        expect(n).toBeLessThan(1000);
        const body = JSON.stringify({ kind: "fibonacci", n: String(n) });
        const response = await fetch(`${server.url}/v1/tasks`, { method: "POST", body });
        if (response.status === 202) accepted.push(((await response.json()) as Task).id);
        else refusal = response;
      }
      expect(refusal.status).toBe(503);
      expect(refusal.headers.get("retry-after")).toBe("1");
      const problem = (await refusal.json()) as { code: string; detail: string };
      expect(problem.code).toBe("tasks_io");
      expect(problem.detail).toContain(said);
      const move = await fetch(`${server.url}/v1/cursor/next`, { method: "POST" });
      expect(await move.json()).toEqual({ index: "1", value: "1" });
      if (fault.includes("ENOSPC")) {
        // A full disk can be read.
        for (const id of accepted) await find(server, id);
      }
      server.kill("SIGKILL");
      await server.ended();
    }
    expect(accepted.length).toBeGreaterThan(0);
    await using server = await startServer(["-f", file]);
    for (const id of accepted) {
      await until(`${id} is ready`, async () => (await find(server, id)).state === "ready", 50);
    }
  });
}

withStrace("a result for which the disk has no room makes its task fail, with the reason", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await run(["cursor", "set", "0", "-f", file]);
  const under = strace(path.join(folder.path, "trace"), "rename", "rename:error=ENOSPC");
  await using server = await startServer(["-f", file], { under });
  const { id } = (await accept(server, LONG[0]!.n))!;
  let task: Task & { reason?: string } = await find(server, id);
  await until("it has failed", async () => (task = await find(server, id)).state === "failed", 50);
  expect(task.reason).toContain("no space left");
  expect(resultFiles(file)).toEqual([]);
  expect((await fetch(`${server.url}/v1/tasks/${id}/result`)).status).toBe(409);
});

test("SIGTERM ends a server whose task runs and is watched; the next one goes on with it", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await using first = await startServer(["-f", file]);
  const row = reference.fibonacci.find(({ n }) => n === 100_000_000)!;
  const { id } = (await accept(first, row.n))!;
  await until("it runs", async () => (await find(first, id)).state === "running", 50);
  const events = (await fetch(`${first.url}/v1/tasks/${id}/events`)).text();
  first.kill("SIGTERM");
  expect(await first.ended()).toBe(0);
  expect(await events).toContain(`"state":"running"`);
  await using second = await startServer(["-f", file]);
  expect((await mustFinish(second, id)).attempts).toBe(1);
});

test("a second server on the same cursor moves it, and says who has the tasks", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await using first = await startServer(["-f", file]);
  const { id } = (await accept(first, 92))!;
  await mustFinish(first, id);
  await using second = await startServer(["-f", file]);
  const answer = await fetch(`${second.url}/v1/tasks/${id}`);
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await answer.json()).toMatchObject({ code: "tasks_locked" });
  for (const { url } of [second, first]) expect((await fetch(`${url}/api0/next`)).status).toBe(200);
  expect((await fetch(`${second.url}/readyz`)).status).toBe(200);
  first.kill("SIGKILL");
  await first.ended();
  await mustFinish(second, id);
});
