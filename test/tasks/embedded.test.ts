/** The embedded engine: the contract, and what SQLite and files beside the cursor add to it. */
import { describe, expect, onTestFinished, spyOn, test } from "bun:test";
import { Database } from "bun:sqlite";
import fs from "node:fs";
import path from "node:path";
import { fibonacciDigits } from "../../src/numbers/digits.ts";
import { Pool, type RunOptions } from "../../src/numbers/pool.ts";
import { SqliteFile } from "../../src/sqlite.ts";
import { TaskDatabase, TASKS_KIND } from "../../src/tasks/database.ts";
import { EmbeddedTasks } from "../../src/tasks/embedded.ts";
import type { TaskLimits, TaskQueue } from "../../src/tasks/queue.ts";
import { type Task, TASK_ARGUMENTS } from "../../src/tasks/task.ts";
import { Thread } from "../../src/thread.ts";
import { until } from "../binary.ts";
import { rejected } from "../refusal.ts";
import { temporaryFolder } from "../temporary.ts";
import { type OpenEngine, testContract } from "./contract.ts";
import { testKinds } from "./kinds.ts";

const LIMITS: TaskLimits = {
  tasksMax: 1000,
  resultTtlMs: 3_600_000,
  resultBytesMax: 2 ** 30,
  attemptsMax: 3,
};
const TIMEOUT_MS = 300_000;
/** F(200,000): on a thread, and in a file. */
const LONG = [{ kind: "fibonacci", n: 200_000 }, 41_798] as const;
const SHORT = [{ kind: "fibonacci", n: 100 }, 21] as const;
/** Half a minute, and 0.2 GB for each second. */
const ENDLESS = [{ kind: "factorial", n: 100_000_000 }, 756_570_557] as const;

/** An engine on a file, with one thread; gone with the test. */
function openOn(file: string, limits: Partial<TaskLimits> = {}) {
  const pool = new Pool({ threads: 1, queueMax: 1 });
  const notices: string[] = [];
  const bugs: unknown[] = [];
  const tasks = new EmbeddedTasks({
    path: file,
    pool,
    limits: { ...LIMITS, ...limits },
    notice: (message) => notices.push(message),
    onBug: (error) => bugs.push(error),
  });
  const close = async () => {
    await tasks.close();
    await pool.close();
  };
  onTestFinished(close);
  return { tasks, notices, bugs, close };
}

const openEngine: OpenEngine = async ({ limits } = {}) => {
  const file = path.join(temporaryFolder(), "cursor.tasks");
  const { tasks, close } = openOn(file, limits);
  const reopen = async () => {
    await close();
    return openOn(file, limits).tasks;
  };
  return { tasks, reopen };
};

testContract("embedded", openEngine);
testKinds("embedded", openEngine);

/** The task once it is ready. */
async function ready(tasks: TaskQueue, { id }: Task): Promise<Task> {
  const last = (await Array.fromAsync(tasks.watch(id, AbortSignal.timeout(TIMEOUT_MS)))).at(-1);
  expect(last?.state).toBe("ready");
  return last!;
}

async function textOf(tasks: TaskQueue, { id, sizeBytes }: Task): Promise<string> {
  const result = await tasks.openResult(id);
  const text = Buffer.from(await result!.read(0, sizeBytes)).toString("latin1");
  result!.close();
  return text;
}

test("prepare() starts the threads of the first session, touches no file, and holds nothing", async () => {
  const folder = temporaryFolder();
  const script = `
    const { Pool } = await import("./src/numbers/pool.ts");
    const { EmbeddedTasks } = await import("./src/tasks/embedded.ts");
    const started = [];
    const { Worker } = globalThis;
    globalThis.Worker = class extends Worker { constructor(url) { super(url); started.push(1); } };
    const tasks = new EmbeddedTasks({
      path: ${JSON.stringify(path.join(folder, "cursor.tasks"))},
      pool: new Pool({ threads: 1, queueMax: 1 }),
      limits: ${JSON.stringify(LIMITS)},
      notice: console.log,
      onBug: console.log,
    });
    tasks.prepare();
    tasks.prepare();
    const before = [started.length, require("node:fs").readdirSync(${JSON.stringify(folder)}).length];
    const { task } = await tasks.create({ kind: "fibonacci", n: 100 }, 21);
    tasks.prepare();
    console.log(...before, started.length, task.state);`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  expect(await child.stdout.text()).toBe("2 0 2 ready\n");
  expect(await child.exited).toBe(0);
});

/** The database as somebody else may leave it. */
function change(file: string, sql: string): void {
  using db = new Database(file);
  db.run(sql);
}

describe("files", () => {
  test("nothing is created before the first task, however much is asked", async () => {
    const folder = temporaryFolder();
    const { tasks } = openOn(path.join(folder, "c.tasks"));
    expect(await tasks.find("abc")).toBeUndefined();
    expect(await tasks.list({ limit: 10 })).toEqual([]);
    expect(await tasks.cancel("abc")).toBeUndefined();
    await tasks.forget("abc");
    expect(await Array.fromAsync(tasks.watch("abc", AbortSignal.timeout(TIMEOUT_MS)))).toEqual([]);
    await tasks.check();
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  test(
    "a short result is a row, a long one a file; both are gone with their task",
    async () => {
      const folder = temporaryFolder();
      const { tasks, notices } = openOn(path.join(folder, "c.tasks"));
      const { task: short } = await tasks.create(...SHORT);
      await ready(tasks, short);
      expect(fs.existsSync(path.join(folder, "c.tasks.results"))).toBe(false);
      const { task: long } = await tasks.create(...LONG);
      await ready(tasks, long);
      expect(fs.readdirSync(path.join(folder, "c.tasks.results"))).toEqual([`${long.id}.1`]);
      await tasks.forget(short.id);
      await tasks.forget(long.id);
      await until(
        "the file is gone",
        () => fs.readdirSync(path.join(folder, "c.tasks.results")).length === 0,
      );
      expect(notices).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "a reader of a result goes on when it is forgotten",
    async () => {
      const { tasks } = openOn(path.join(temporaryFolder(), "c.tasks"));
      const { task } = await tasks.create(...LONG);
      await ready(tasks, task);
      const result = (await tasks.openResult(task.id))!;
      const before = await result.read(0, 100);
      await tasks.forget(task.id);
      expect(await result.read(0, 100)).toEqual(before);
      result.close();
    },
    TIMEOUT_MS,
  );
});

describe("a result that is gone", () => {
  test(
    "while it is forgotten is no result, and while its task is ready it is computed again",
    async () => {
      const file = path.join(temporaryFolder(), "c.tasks");
      const { tasks, notices } = openOn(file);
      const { task } = await tasks.create(...LONG);
      await ready(tasks, task);
      const text = await textOf(tasks, task);
      fs.rmSync(`${file}.results`, { recursive: true });
      expect((await rejected(tasks.openResult(task.id))).code).toBe("task_not_ready");
      expect(notices[0]).toContain("is gone: computing it again");
      expect((await ready(tasks, task)).attempts).toBe(2);
      expect(await textOf(tasks, task)).toBe(text);
      await tasks.forget(task.id);
      expect(await tasks.openResult(task.id)).toBeUndefined();
    },
    TIMEOUT_MS,
  );
});

test(
  "a result that is stored after its task was cancelled is removed again",
  async () => {
    const file = path.join(temporaryFolder(), "c.tasks");
    const { tasks } = openOn(file);
    const stored: string[] = [];
    const call = Reflect.get(Thread.prototype, "call") as (...args: unknown[]) => Promise<unknown>;
    using _ = spyOn(Thread.prototype, "call").mockImplementation(async function (
      this: unknown,
      ...args: unknown[]
    ) {
      const answer = await call.apply(this, args);
      if (args[0] === "put") {
        stored.push(...fs.readdirSync(`${file}.results`));
        for (const { id } of await tasks.list({ limit: 1 })) await tasks.cancel(id);
      }
      return answer;
    });
    const { task } = await tasks.create(...LONG);
    await until(
      "it is stored, and removed",
      () => stored.length > 0 && fs.readdirSync(`${file}.results`).length === 0,
    );
    expect(stored).toEqual([`${task.id}.1`]);
    expect(await tasks.find(task.id)).toMatchObject({ state: "cancelled" });
  },
  TIMEOUT_MS,
);

test("who watches is told of no less progress than before, however late it is written that a task runs", async () => {
  const file = path.join(temporaryFolder(), "c.tasks");
  const tasks = new EmbeddedTasks({
    path: file,
    // It has come halfway before the disk has taken that it has begun.
    pool: {
      run: (_: unknown, { signal, onStart, onProgress }: RunOptions) => {
        onStart?.();
        onProgress?.(0.5);
        return new Promise((_resolve, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason as Error));
        });
      },
      holdBackground: () => {},
    },
    limits: LIMITS,
    notice: () => {},
    onBug: () => {},
  });
  onTestFinished(() => tasks.close());
  const { task } = await tasks.create(...LONG);
  const told: (readonly [string, number])[] = [];
  for await (const { state, progress } of tasks.watch(task.id, AbortSignal.timeout(TIMEOUT_MS))) {
    told.push([state, progress]);
    if (told.length === 2) await tasks.cancel(task.id);
  }
  expect(told.slice(0, 2)).toEqual([
    ["running", 0.5],
    ["running", 0.5],
  ]);
});

describe("what a crash may leave", () => {
  test(
    "half-written results and results without a task are removed, never shown",
    async () => {
      const file = path.join(temporaryFolder(), "c.tasks");
      const first = openOn(file);
      const { task } = await first.tasks.create(...LONG);
      await ready(first.tasks, task);
      await first.close();
      const stray = Bun.randomUUIDv7();
      for (const name of [`${stray}.1`, `${stray}.1.tmp`, stray]) {
        fs.writeFileSync(path.join(`${file}.results`, name), "123");
      }
      const { tasks } = openOn(file);
      expect(await tasks.openResult(stray)).toBeUndefined();
      expect(fs.readdirSync(`${file}.results`)).toEqual([`${task.id}.1`]);
      expect((await textOf(tasks, task)).length).toBe(41_798);
    },
    TIMEOUT_MS,
  );

  for (const [what, spoil] of [
    ["is gone", (file: string) => fs.rmSync(file)],
    ["is cut short", (file: string) => fs.truncateSync(file, 100)],
  ] as const) {
    test(
      `a result whose file ${what} is computed again, and a person hears of it`,
      async () => {
        const file = path.join(temporaryFolder(), "c.tasks");
        const first = openOn(file);
        const { task } = await first.tasks.create(...LONG);
        await ready(first.tasks, task);
        const text = await textOf(first.tasks, task);
        await first.close();
        spoil(path.join(`${file}.results`, `${task.id}.1`));
        const { tasks, notices } = openOn(file);
        await ready(tasks, task);
        expect(notices[0]).toContain("The results of 1 tasks are gone");
        expect(await textOf(tasks, task)).toBe(text);
      },
      TIMEOUT_MS,
    );
  }

  test(
    "what was running is queued again, up to so many attempts",
    async () => {
      const file = path.join(temporaryFolder(), "c.tasks");
      const first = openOn(file);
      const { task } = await first.tasks.create(...ENDLESS);
      await first.close();
      for (const [attempts, state] of [
        [1, "running"],
        [3, "failed"],
      ] as const) {
        // As often as the process has died with it, which the opening counts.
        change(
          file,
          `UPDATE tasks SET state = 'running', startedAtMs = 1, attempts = ${attempts}, deaths = ${attempts - 1}`,
        );
        const { tasks, close } = openOn(file);
        await until(`it is ${state}`, async () => (await tasks.find(task.id))?.state === state);
        const found = await tasks.find(task.id);
        expect(found?.attempts).toBe(state === "running" ? 2 : 3);
        if (state === "failed") expect(found?.reason).toContain("ended 3 times");
        await close();
      }
    },
    TIMEOUT_MS,
  );
});

/** The first layout, as it was released. */
const FIRST_LAYOUT = `
  CREATE TABLE tasks (
     id TEXT PRIMARY KEY,
     request TEXT NOT NULL,
     sizeBytes INTEGER NOT NULL,
     state TEXT NOT NULL,
     attempts INTEGER NOT NULL,
     createdAtMs INTEGER NOT NULL,
     startedAtMs INTEGER,
     finishedAtMs INTEGER,
     expiresAtMs INTEGER,
     reason TEXT,
     keptBytes INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE UNIQUE INDEX reusable ON tasks (request) WHERE state IN ('queued', 'running', 'ready');
   CREATE INDEX states ON tasks (state, id);
   CREATE INDEX expiry ON tasks (expiresAtMs) WHERE expiresAtMs IS NOT NULL;
   CREATE TABLE results (id TEXT PRIMARY KEY, digits BLOB NOT NULL) STRICT;
   PRAGMA application_id = 1179206228;
   PRAGMA user_version = 1;
   INSERT INTO tasks (id, request, sizeBytes, state, attempts, createdAtMs, keptBytes)
     VALUES ('a', 'factorial 100000000', 756570557, 'running', 1, 1, 0)`;

test(
  "all that wait are gone on with, of however many pages they are",
  async () => {
    const file = path.join(temporaryFolder(), "c.tasks");
    const first = openOn(file);
    const { task: blocking } = await first.tasks.create(...ENDLESS);
    const waiting = Array.from({ length: 250 }, (_, i) =>
      first.tasks.create({ kind: "fibonacci", n: 30_000 + i }, Number(fibonacciDigits(30_000n + BigInt(i)))),
    );
    await Promise.all(waiting);
    await first.close();
    const { tasks, bugs } = openOn(file);
    await tasks.cancel(blocking.id);
    await until("all are ready", async () => (await tasks.count()).states.ready === 250);
    expect(bugs).toEqual([]);
  },
  TIMEOUT_MS,
);

test("a database of the first layout is used further, and each of its tasks was asked for once", async () => {
  const file = path.join(temporaryFolder(), "c.tasks");
  change(file, FIRST_LAYOUT);
  const { tasks } = openOn(file);
  expect(await tasks.find("a")).toMatchObject({ requestCount: 1 });
  expect((await tasks.find("a"))!.origin).toEqual({ requestId: undefined, traceparent: undefined });
  expect(await tasks.create(...ENDLESS)).toMatchObject({
    created: false,
    task: { id: "a", requestCount: 2 },
  });
  expect(await tasks.cancel("a", { unlessShared: true })).not.toMatchObject({ state: "cancelled" });
  expect(await tasks.cancel("a")).toMatchObject({ state: "cancelled" });
});

test("a version that knows fewer kinds refuses the database: each new kind comes with a layout", () => {
  // Who adds a kind adds a migration, and both here: an earlier version would try again for ever to read it.
  const kinds = [
    "ackermann",
    "factorial",
    "fibonacci",
    "lucas",
    "pisano",
    "remainder",
    "sequence",
    "statistics",
  ];
  const layout = TASKS_KIND.migrations.length;
  expect({ layout, kinds: Object.keys(TASK_ARGUMENTS).toSorted() }).toEqual({ layout: 4, kinds });
  const file = path.join(temporaryFolder(), "c.tasks");
  new TaskDatabase(file).close();
  const earlier = { ...TASKS_KIND, migrations: TASKS_KIND.migrations.slice(0, -1) };
  const open = () => new SqliteFile({ ...earlier, path: file, advice: { locked: "", damaged: "" } });
  expect(open).toThrow("a newer fibserver wrote it");
});

describe("a database that cannot be used", () => {
  test(
    "is the other server's while that one has it, and ours once it has ended",
    async () => {
      const file = path.join(temporaryFolder(), "c.tasks");
      const first = openOn(file);
      const { task } = await first.tasks.create(...LONG);
      await ready(first.tasks, task);
      const script = `
        const { EmbeddedTasks } = await import("./src/tasks/embedded.ts");
        const limits = ${JSON.stringify(LIMITS)};
        const tasks = new EmbeddedTasks({ path: ${JSON.stringify(file)}, limits, notice: console.log });
        for (const ask of [() => tasks.create({ kind: "fibonacci", n: 1 }, 1), () => tasks.find("a"), () => tasks.list({ limit: 1 })]) {
          console.log(await ask().then(() => "answered", ({ code }) => code));
        }
        await tasks.check();
        await tasks.close();`;
      const askElsewhere = async () => {
        const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
        return (await child.stdout.text()).trim().split("\n");
      };
      const [notice, ...codes] = await askElsewhere();
      expect(notice).toContain("another process has it");
      expect(codes).toEqual(["tasks_locked", "tasks_locked", "tasks_locked"]);
      await first.close();
      expect(await askElsewhere()).toEqual(["answered", "answered", "answered"]);
    },
    TIMEOUT_MS,
  );

  for (const [what, make, said] of [
    ["is no database", (file: string) => fs.writeFileSync(file, "x".repeat(5000)), "not a database"],
    ["is another program's", (file: string) => change(file, "CREATE TABLE t (a)"), "another program's"],
    [
      "is of a newer version",
      (file: string) => change(file, "PRAGMA application_id = 1179206228; PRAGMA user_version = 99"),
      "newer fibserver",
    ],
    ["is a folder", (file: string) => fs.mkdirSync(file), "unable to open"],
  ] as const) {
    test(`that ${what} is refused with the reason, and not changed`, async () => {
      const file = path.join(temporaryFolder(), "c.tasks");
      make(file);
      const content = () => (fs.statSync(file).isFile() ? fs.readFileSync(file) : undefined);
      const before = content();
      const { tasks, notices, bugs } = openOn(file);
      const error = await rejected(tasks.create(...SHORT));
      expect(error.code).toBe("tasks_io");
      expect(error.message).toContain(said);
      // Once, however often it was tried.
      expect(notices).toEqual([error.message]);
      expect(bugs).toEqual([]);
      expect(content()).toEqual(before);
    });
  }

  test(
    "is used again once it can be",
    async () => {
      const file = path.join(temporaryFolder(), "c.tasks");
      fs.mkdirSync(file);
      const { tasks } = openOn(file);
      expect((await rejected(tasks.create(...SHORT))).code).toBe("tasks_io");
      fs.rmdirSync(file);
      // What is wrong is said for a while without looking again.
      expect((await rejected(tasks.create(...SHORT))).code).toBe("tasks_io");
      const used = async () => (await tasks.create(...SHORT).catch(() => undefined))?.task;
      await until("it is used again", async () => (await used())?.state === "ready");
    },
    TIMEOUT_MS,
  );

  test(
    "a folder of results that cannot be written makes the task fail, with the reason, whose file the log alone names",
    async () => {
      const file = path.join(temporaryFolder(), "c.tasks");
      const { tasks, notices } = openOn(file);
      const { task: short } = await tasks.create(...SHORT);
      await ready(tasks, short);
      fs.writeFileSync(`${file}.results`, "not a folder");
      const { task } = await tasks.create(...LONG);
      const states = await Array.fromAsync(tasks.watch(task.id, AbortSignal.timeout(TIMEOUT_MS)));
      expect(states.at(-1)).toMatchObject({
        state: "failed",
        reason: "The tasks cannot be read or written; the server's log says why",
      });
      expect(notices).toEqual([expect.stringContaining(`Cannot store ${file}.results`)]);
    },
    TIMEOUT_MS,
  );
});
