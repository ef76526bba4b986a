/**
 * A task that was accepted is computed to the end, whatever happens to the process or to its disk.
 *
 * Method: the compiled program, killed at random moments and at chosen system calls, started again, and asked for
 * everything that it has ever accepted; results are compared with plain big integers, and the longest with GMP's.
 * `ROUNDS=500` kills fifty times.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import {
  injectInto,
  readTrace,
  run,
  type Server,
  startServer,
  strace,
  temporaryFolder,
  until,
  withStrace,
} from "./binary.ts";
import { failingDisk, withFailingDisk } from "./failing-disk.ts";
import { bigPair, sha256 } from "./oracle.ts";
import { ext4Disk, withPowerLoss } from "./power-loss.ts";
import reference from "./vectors/reference.json";

setDefaultTimeout(300_000);

const ROUND_COUNT = Math.max(8, Math.round(Number(process.env["ROUNDS"] ?? 0) / 10));
const TASKS_A_ROUND = 24;
/** A result that is a row. */
const SHORT_MAX = 20_000;
/** A result that takes a thread and a file, and not long. */
const LONG = { min: 100_000, max: 400_000 };
/** The longest result that there may be. */
const LONGEST = reference.fibonacci.find(({ n }) => n === 100_000_000)!;
/** One that is still being computed when something happens, for some seconds: 15·10^4999 terms have the period of the sequence. */
const LASTING = {
  task: { kind: "remainder", n: String(15n * 10n ** 4999n + 1n), mod: String(10n ** 5000n) },
  result: "1",
};

interface Task {
  readonly id: string;
  readonly state: string;
  readonly n: string;
  readonly attempts: number;
  /** Once it has ended. */
  readonly finishedAt?: string;
}

/** Asks for F(n), or another task. @returns It, or undefined when it was not accepted or the connection broke. */
async function accept({ url }: Server, asked: number | typeof LASTING.task): Promise<Task | undefined> {
  try {
    const task = typeof asked === "number" ? { kind: "fibonacci", n: String(asked) } : asked;
    const body = JSON.stringify(task);
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

/** Every task that there is. */
async function listAll({ url }: Server): Promise<Task[]> {
  const all: Task[] = [];
  for (let after = ""; ; after = all.at(-1)!.id) {
    const response = await fetch(`${url}/v1/tasks?limit=1000&after=${after}`);
    const { tasks, next } = (await response.json()) as { tasks: Task[]; next?: string };
    all.push(...tasks);
    if (next === undefined) return all;
  }
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
  await until(`${id} is ready`, isReady);
  const text = await (await fetch(`${server.url}/v1/tasks/${id}/result`)).text();
  expect(isRight(task, text), `F(${task.n})`).toBe(true);
  return task;
}

function isRight({ n }: Task, text: string): boolean {
  if (n === LASTING.task.n) return text === LASTING.result;
  return Number(n) === LONGEST.n ? sha256(text) === LONGEST.sha256 : text === String(bigPair(Number(n))[0]);
}

function threadOf(line: string): string {
  return line.split(" ", 1)[0]!;
}

function isSync(line: string): boolean {
  return /\bf(data)?sync\b.* = 0$/.test(line);
}

/** As strace writes it. */
function hexOf(text: string): string {
  return Buffer.from(text)
    .toString("hex")
    .replaceAll(/../g, String.raw`\x$&`);
}

/** The ids of the tasks that have a whole or a half result in a file; one that has two is there twice. */
function resultFiles(file: string): string[] {
  const folder = `${file}.tasks.results`;
  return fs.existsSync(folder) ? fs.readdirSync(folder).map((name) => name.split(".", 1)[0]!) : [];
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

test(
  "kill -9 at random while tasks arrive, wait and run: none is lost, and each result is right",
  async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, "cursor");
    const random = mulberry32(4);
    const accepted = new Set<string>();
    /** When the server was gone that had accepted it. */
    const killedMs = new Map<string, number>();
    for (let round = 0; round < ROUND_COUNT; round++) {
      await using server = await startServer(["-f", file, "--max-computations", "1"]);
      // Whatever a killed server was writing is gone by the time that the next one answers.
      const known = await Promise.all([...accepted].map((id) => find(server, id)));
      for (const { id } of known.filter(({ state }) => state === "ready").slice(-3))
        await mustFinish(server, id);
      const indices = Array.from({ length: TASKS_A_ROUND }, (_, i) =>
        i % 4 === 0
          ? LONG.min + Math.floor(random() * (LONG.max - LONG.min))
          : Math.floor(random() * SHORT_MAX),
      );
      const clients = indices.map(async (n) => {
        const task = await accept(server, n);
        if (task !== undefined) accepted.add(task.id);
      });
      // Once while they arrive, else once the first were accepted.
      if (round % 2 === 0) await Promise.race(clients);
      await Bun.sleep(random() * 20);
      server.kill("SIGKILL");
      await server.ended();
      await Promise.all(clients);
      for (const id of accepted) if (!killedMs.has(id)) killedMs.set(id, Date.now());
    }
    expect(accepted.size).toBeGreaterThan(1);

    await using server = await startServer(["-f", file]);
    const finished = [];
    for (const id of accepted) finished.push(await mustFinish(server, id));
    // Kills that hit nothing would prove nothing.
    const killed = finished.filter(({ id, finishedAt }) => Date.parse(finishedAt!) >= killedMs.get(id)!);
    expect(killed.length).toBeGreaterThan(0);
    const inFiles = finished.filter(({ n }) => Number(n) >= LONG.min).map(({ id }) => id);
    // Tasks whose 202 was cut off may have been accepted, too.
    const tasks = await listAll(server);
    for (const { id } of tasks) if (!accepted.has(id)) await mustFinish(server, id);
    expect(resultFiles(file)).toEqual(expect.arrayContaining(inFiles));
    expect(resultFiles(file).filter((name) => !tasks.some(({ id }) => id === name))).toEqual([]);
  },
  Math.max(300_000, ROUND_COUNT * 10_000),
);

withStrace(
  "SIGKILL at each step of storing a result: it is never half visible, and computed again",
  async () => {
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
      const task = server && (await accept(server, LONG.min));
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
      // One whose 202 was cut off may have been accepted, too.
      const ids = (await listAll(again)).filter(({ n }) => n === String(LONG.min)).map(({ id }) => id);
      expect(ids.length, fault).toBeLessThan(2);
      if (task) expect(ids, fault).toEqual([task.id]);
      for (const id of ids) await mustFinish(again, id);
      expect(resultFiles(file), fault).toEqual(ids);
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
  const found = await Promise.all(Array.from({ length: 32 }, (_, n) => accept(server, n)));
  const ids = found.map((task) => task!.id);
  server.kill("SIGTERM");
  expect(await server.ended()).toBe(0);

  // The database has a thread of its own; of one thread the lines are in the order of its calls.
  const lines = await readTrace(trace, server.pid);
  for (const id of ids) {
    const hex = hexOf(id);
    const written = lines.findIndex((line) => line.includes("pwrite64(") && line.includes(hex));
    const thread = threadOf(lines[written] ?? "");
    const synced = lines.findIndex((line, i) => i > written && isSync(line) && threadOf(line) === thread);
    const sent = lines.findIndex((line) => threadOf(line) === String(server.pid) && line.includes(hex));
    expect(written, id).toBeGreaterThan(0);
    expect(synced, id).toBeGreaterThan(written);
    expect(sent, id).toBeGreaterThan(synced);
    expect(thread).not.toBe(String(server.pid));
  }
});

withStrace(
  "a long result is synced before it has its name, and its name before the task is ready",
  async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, "cursor");
    const trace = path.join(folder.path, "trace");
    // With the paths of descriptors (-y).
    const calls = "trace=mkdir,openat,rename,fsync,fdatasync";
    const under = ["strace", "-D", "-f", "-y", "--seccomp-bpf", "-o", trace, "-e", calls];
    await using server = await startServer(["-f", file], { under });
    const { id } = (await accept(server, LONG.min))!;
    await mustFinish(server, id);
    server.kill("SIGTERM");
    expect(await server.ended()).toBe(0);

    const lines = await readTrace(trace, server.pid);
    const results = `${file}.tasks.results`;
    const name = `${results}/${id}.1`;
    const steps = [
      `mkdir("${results}"`,
      `openat(AT_FDCWD<${folder.path}>, "${name}.tmp"`,
      `sync(<${name}.tmp>`,
      `rename("${name}.tmp", "${name}"`,
      `sync(<${results}>`,
      `sync(<${folder.path}>`,
      `sync(<${file}.tasks-wal>`,
    ];
    // Numbers of descriptors left out, and the folder that a relative path would begin at.
    const plain = lines.map((line) =>
      line.replaceAll(/(?<=sync\()\d+/g, "").replace(/AT_FDCWD<[^>]*>/, `AT_FDCWD<${folder.path}>`),
    );
    let at = -1;
    for (const step of steps) {
      at = plain.findIndex((line, i) => i > at && line.includes(step));
      expect(at, step).toBeGreaterThan(-1);
    }
  },
);

withStrace("a database that is there is opened with a sync of its folder, by its own thread", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  {
    await using first = await startServer(["-f", file]);
    await mustFinish(first, (await accept(first, 92))!.id);
    first.kill("SIGKILL");
    await first.ended();
  }
  const trace = path.join(folder.path, "trace");
  const under = [
    "strace",
    "-D",
    "-f",
    "-y",
    "--seccomp-bpf",
    "-o",
    trace,
    "-e",
    "trace=openat,fsync,fdatasync",
  ];
  await using server = await startServer(["-f", file], { under });
  await listAll(server);
  server.kill("SIGTERM");
  expect(await server.ended()).toBe(0);
  const lines = await readTrace(trace, server.pid);
  const [thread] = lines.find((line) => line.includes(`"${file}.tasks"`))!.split(" ", 1);
  expect(thread).not.toBe(String(server.pid));
  const mine = lines.filter((line) => line.startsWith(`${thread} `));
  expect(mine.some((line) => line.includes("sync(") && line.includes(`<${folder.path}>`))).toBe(true);
});

withPowerLoss(
  "a power loss takes nothing that was answered, also behind one who died before the folder's sync",
  async () => {
    using disk = ext4Disk();
    using elsewhere = temporaryFolder();
    const file = path.join(disk.path, "cursor");
    await run(["n", "-f", file]);
    {
      // The first one dies when it syncs the folder for the database that it has just made.
      await using first = await startServer(["-f", file]);
      const trace = path.join(elsewhere.path, "trace");
      await using _ = await injectInto(first.pid, trace, "fsync,fdatasync", "signal=SIGKILL", disk.path);
      expect(await accept(first, 92)).toBeUndefined();
      await first.ended();
      expect(fs.existsSync(`${file}.tasks`)).toBe(true);
    }
    const tasks: Task[] = [];
    {
      await using second = await startServer(["-f", file]);
      for (const n of [92, LONG.min, LONG.min + 1]) {
        tasks.push(await mustFinish(second, (await accept(second, n))!.id));
      }
      tasks.push((await accept(second, LONGEST.n))!);
      disk.losePower();
      second.kill("SIGKILL");
      await second.ended();
    }
    disk.restorePower();
    await using third = await startServer(["-f", file]);
    for (const { id, state } of tasks) {
      const found = await find(third, id);
      if (state !== "ready") continue;
      // Once: a result that was lost would have been computed again.
      expect(found).toMatchObject({ state: "ready", attempts: 1 });
      await mustFinish(third, id);
    }
    expect(third.log()).not.toContain("are gone");
  },
);

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
      const problem = await refusal.text();
      expect(JSON.parse(problem)).toMatchObject({ code: "tasks_io" });
      // Where that is, and why, is for those who run it.
      expect(problem).not.toContain(folder.path);
      await until("the log says why", () => server.log().includes(said));
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
      await until(`${id} is ready`, async () => (await find(server, id)).state === "ready");
    }
  });
}

withFailingDisk(
  "when the disk ends the tasks' session, all who wait get 503, and it comes back by itself",
  async () => {
    using folder = temporaryFolder();
    using disk = failingDisk();
    const file = path.join(folder.path, "cursor");
    await using server = await startServer(["-f", file], { env: disk.env });
    const { id } = (await accept(server, LONG.max))!;
    await mustFinish(server, id);
    const post = async (n: number) => {
      const body = JSON.stringify({ kind: "fibonacci", n: String(n) });
      const response = await fetch(`${server.url}/v1/tasks`, { method: "POST", body });
      return [response.status, ((await response.json()) as { code?: string }).code] as const;
    };
    // One commit hangs, and others wait for the next; then the first fails.
    disk.begin("stall", "file");
    const first = post(1);
    await until("it hangs", () => disk.faultedCount() > 0);
    const others = Array.from({ length: 20 }, (_, i) => post(2 + i));
    disk.begin("fail", "file");
    disk.end("stall", "file");
    for (const answer of [await first, ...(await Promise.all(others))])
      expect(answer).toEqual([503, "tasks_io"]);
    disk.end("fail", "file");
    await until("it is back", async () => (await post(92))[0] === 202);
    // Nothing was taken for lost.
    expect((await mustFinish(server, id)).attempts).toBe(1);
  },
);

withStrace("a sync that fails ends the session: a person hears of it, and the next one goes on", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await using server = await startServer(["-f", file]);
  const { id } = (await accept(server, LASTING.task))!;
  await until("it runs", async () => (await find(server, id)).state === "running");
  {
    const [trace, log] = [path.join(folder.path, "trace"), `${file}.tasks-wal`];
    await using _ = await injectInto(server.pid, trace, "fsync,fdatasync", "error=EIO", log);
    expect(await accept(server, 1)).toBeUndefined();
  }
  await until("a person hears of it", () => server.log().includes("Cannot write"));
  let task: Task | undefined;
  await until("a task is accepted", async () => (task = await accept(server, 2)) !== undefined);
  await mustFinish(server, task!.id);
  // Begun again, and once: the thread of the first session has been ended.
  await until("it runs again", async () => (await find(server, id)).attempts === 2);
  expect((await mustFinish(server, id)).attempts).toBe(2);
});

withStrace("a result for which the disk has no room makes its task fail, with the reason", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await run(["cursor", "set", "0", "-f", file]);
  const under = strace(path.join(folder.path, "trace"), "rename", "rename:error=ENOSPC");
  await using server = await startServer(["-f", file], { under });
  const { id } = (await accept(server, LONG.min))!;
  let task: Task & { reason?: string } = await find(server, id);
  await until("it has failed", async () => (task = await find(server, id)).state === "failed");
  // Who asks is told of no file; who runs it is.
  expect(task.reason).toContain("the server's log says why");
  expect(task.reason).not.toContain(folder.path);
  await until("the log says why", () => server.log().includes("no space left"));
  expect(resultFiles(file)).toEqual([]);
  expect((await fetch(`${server.url}/v1/tasks/${id}/result`)).status).toBe(409);
});

test("SIGTERM ends a server whose task runs and is watched; the next one goes on with it", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await using first = await startServer(["-f", file]);
  const { id } = (await accept(first, LASTING.task))!;
  await until("it runs", async () => (await find(first, id)).state === "running");
  const events = (await fetch(`${first.url}/v1/tasks/${id}/events`)).body!.pipeThrough(
    new TextDecoderStream(),
  );
  let seen = "";
  // The stream ends in order, or this throws.
  for await (const text of events) {
    seen += text;
    if (seen.includes(`"state":"running"`)) first.kill("SIGTERM");
  }
  expect(seen).toContain(`"state":"running"`);
  expect(await first.ended()).toBe(0);
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
  // Being told so costs no threads; two do every other second, which look whether it is so still.
  const threadIds = () => fs.readdirSync(`/proc/${second.pid}/task`);
  const before = new Set(threadIds());
  const seen = new Set<string>();
  const startMs = performance.now();
  for (let i = 0; i < 50; i++) {
    expect((await fetch(`${second.url}/v1/tasks/${id}`)).status).toBe(503);
    for (const thread of threadIds()) if (!before.has(thread)) seen.add(thread);
  }
  expect(seen.size).toBeLessThan(25 + (performance.now() - startMs) / 1000);
  first.kill("SIGKILL");
  await first.ended();
  await until(
    "the second has them",
    async () => (await fetch(`${second.url}/v1/tasks/${id}`)).status === 200,
  );
  await mustFinish(second, id);
});
