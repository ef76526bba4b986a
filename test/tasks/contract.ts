/**
 * What every engine of tasks promises: one suite, run against each of them.
 *
 * Method: a real store and real threads; a restart closes the engine and opens another one on the same store. What
 * takes kill -9 to see is tested with the compiled program.
 * @module
 */
import { describe, expect, test } from "bun:test";
import { factorialDigits, fibonacciDigits } from "../../src/numbers/digits.ts";
import { compute } from "../../src/numbers/compute.ts";
import type { Job } from "../../src/numbers/job.ts";
import { LAYOUTS } from "../../src/numbers/layouts.ts";
import { planSequence } from "../../src/numbers/sequence.ts";
import type { TaskLimits, TaskQueue } from "../../src/tasks/queue.ts";
import { isFinished, requestKey, requestOfKey, type Task, type TaskRequest } from "../../src/tasks/task.ts";
import { until } from "../binary.ts";
import { rejected } from "../refusal.ts";

/** How an engine is opened: with a store of its own, which is gone with the test. */
export type OpenEngine = (options?: { readonly limits?: Partial<TaskLimits> }) => Promise<{
  readonly tasks: TaskQueue;
  /** Ends the engine in order, and opens another one on its store. */
  readonly reopen: () => Promise<TaskQueue>;
}>;

/** Generous: a busy machine is no failure. */
const TIMEOUT_MS = 300_000;

/** Long enough for a thread, and for a result that is no row. */
const LONG = 200_000;

/** F(n) as a request, with its size. */
function fibonacci(n: number): [TaskRequest, number] {
  return [{ kind: "fibonacci", n }, Number(fibonacciDigits(BigInt(n)))];
}

/** Is in the middle of its work, for half a minute or so, whenever it is cancelled; takes 0.2 GB for each second. */
function endless(which = 0): [TaskRequest, number] {
  const n = 100_000_000 + which;
  return [{ kind: "factorial", n }, Number(factorialDigits(BigInt(n)))];
}

function sequence(from: number, count: number): [TaskRequest, number] {
  const { sizeBytes } = planSequence({ from, count, layout: LAYOUTS.text });
  return [{ kind: "sequence", from, count }, sizeBytes];
}

/** Every state of a task that a watcher sees, to its end. */
async function statesOf(tasks: TaskQueue, id: string): Promise<Task[]> {
  return await Array.fromAsync(tasks.watch(id, AbortSignal.timeout(TIMEOUT_MS)));
}

/** The task once it has ended. */
async function ended(tasks: TaskQueue, { id }: Task): Promise<Task> {
  const last = (await statesOf(tasks, id)).at(-1);
  if (last === undefined || !isFinished(last.state)) throw new Error(`${id} has not ended: ${last?.state}`);
  return last;
}

/** Waits until a task runs. */
async function running(tasks: TaskQueue, { id }: Task): Promise<Task> {
  for await (const task of tasks.watch(id, AbortSignal.timeout(TIMEOUT_MS))) {
    if (task.state === "running") return task;
  }
  throw new Error(`${id} has not run`);
}

/** Waits until a task is ready, which it soon is once the only thread does nothing {@link endless} any more. */
async function readySoon(tasks: TaskQueue, { id }: Task): Promise<void> {
  await until(`the thread is free, and ${id} ready`, async () => (await tasks.find(id))?.state === "ready");
}

/** All of a result, read in pieces. */
async function textOf(tasks: TaskQueue, { id }: Task, pieceBytes = 50_000): Promise<string> {
  const result = await tasks.openResult(id);
  if (result === undefined) throw new Error(`${id} has no result`);
  let text = "";
  for (let start = 0; start < result.sizeBytes; start += pieceBytes) {
    const piece = await result.read(start, Math.min(start + pieceBytes, result.sizeBytes));
    text += Buffer.from(piece).toString("latin1");
  }
  result.close();
  result.close();
  return text;
}

function digitsOf(job: Job): string {
  return Buffer.from(compute(job)).toString("latin1");
}

/** A test with more time than it needs. */
function promise(title: string, body: () => Promise<void>): void {
  test(title, body, TIMEOUT_MS);
}

/** Runs the suite. */
export function testContract(name: string, open: OpenEngine): void {
  describe(`${name}: computing`, () => testComputing(open));
  describe(`${name}: the same twice`, () => testSameTwice(open));
  describe(`${name}: ending`, () => testEnding(open));
  describe(`${name}: watching`, () => testWatching(open));
  describe(`${name}: listing`, () => testListing(open));
  describe(`${name}: limits`, () => testLimits(open));
  describe(`${name}: starting again`, () => testRestart(open));
}

function testComputing(open: OpenEngine): void {
  promise("create() keeps with a task the request that made it, and not those that found it", async () => {
    const { tasks, reopen } = await open();
    const first = { requestId: "first", traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` };
    const { task } = await tasks.create(...fibonacci(LONG), "", first);
    expect(task.origin).toEqual(first);
    await tasks.create(...fibonacci(LONG), "", { requestId: "second" });
    expect((await ended(tasks, task)).origin).toEqual(first);
    const { task: nobodys } = await tasks.create(...fibonacci(7));
    expect(nobodys.origin).toEqual({ requestId: undefined, traceparent: undefined });
    expect((await (await reopen()).find(task.id))?.origin).toEqual(first);
  });

  promise("create() accepts each kind of number, and it is ready with the right digits", async () => {
    const { tasks } = await open();
    const jobs: (Job & { digits: number })[] = [
      { kind: "fibonacci", n: 0, digits: 1 },
      { kind: "fibonacci", n: 100, digits: 21 },
      { kind: "fibonacci", n: LONG, digits: 41_798 },
      { kind: "factorial", n: 20, digits: 19 },
      { kind: "factorial", n: 10_000, digits: 35_660 },
      { kind: "ackermann", m: 2n, n: 10n ** 30n, digits: 31 },
      { kind: "ackermann", m: 4n, n: 2n, digits: 19_729 },
    ];
    for (const { digits, ...job } of jobs) {
      const { task, created } = await tasks.create(job, digits);
      expect(created).toBe(true);
      expect(task).toMatchObject({ request: requestKey(job), sizeBytes: digits, reason: undefined });
      expect(task.id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/);
      const ready = await ended(tasks, task);
      expect(ready).toMatchObject({ id: task.id, state: "ready", progress: 1, attempts: 1 });
      expect(ready.startedAtMs!).toBeGreaterThanOrEqual(ready.createdAtMs);
      expect(ready.finishedAtMs!).toBeGreaterThanOrEqual(ready.startedAtMs!);
      expect(ready.expiresAtMs!).toBeGreaterThan(ready.finishedAtMs!);
      expect(await tasks.find(task.id)).toEqual(ready);
      expect(await textOf(tasks, task)).toBe(digitsOf(job as Job));
    }
  });

  promise("openResult() reads any piece of a short and of a long result", async () => {
    const { tasks } = await open();
    for (const n of [1000, LONG]) {
      const { task } = await tasks.create(...fibonacci(n));
      await ended(tasks, task);
      const digits = digitsOf({ kind: "fibonacci", n });
      const result = (await tasks.openResult(task.id))!;
      expect(result.sizeBytes).toBe(digits.length);
      for (const [start, end] of [
        [0, 1],
        [0, digits.length],
        [digits.length - 1, digits.length],
        [100, 163],
      ] as const) {
        const piece = await result.read(start, end);
        expect(Buffer.from(piece).toString("latin1")).toBe(digits.slice(start, end));
      }
      result.close();
    }
  });

  promise("a sequence is ready without a result: it is written when it is fetched", async () => {
    const { tasks } = await open();
    const { task } = await tasks.create(...sequence(0, 1000));
    expect(await ended(tasks, task)).toMatchObject({ state: "ready", progress: 1, sizeBytes: 105_542 });
  });

  promise(
    "a task whose result is not what was predicted fails, with the reason, and has no result",
    async () => {
      const { tasks } = await open();
      for (const [n, wrong] of [
        [100, 20],
        [LONG, 41_797],
      ] as const) {
        const { task } = await tasks.create({ kind: "fibonacci", n }, wrong);
        const failed = await ended(tasks, task);
        expect(failed).toMatchObject({ state: "failed", reason: expect.stringContaining("predicted") });
        expect(await tasks.openResult(task.id)).toBeUndefined();
        expect(await tasks.find(task.id)).toEqual(failed);
      }
    },
  );

  promise("200 tasks that arrive at once are all computed, each once", async () => {
    const { tasks } = await open();
    const indices = Array.from({ length: 200 }, (_, i) => (i % 10 === 0 ? 30_000 + i : i));
    const accepted = await Promise.all(indices.map((n) => tasks.create(...fibonacci(n))));
    expect(new Set(accepted.map(({ task }) => task.id)).size).toBe(200);
    const all = await Promise.all(accepted.map(({ task }) => ended(tasks, task)));
    expect(all.filter(({ state, attempts }) => state !== "ready" || attempts !== 1)).toEqual([]);
    for (const [i, n] of indices.entries()) {
      expect(await textOf(tasks, all[i]!)).toBe(digitsOf({ kind: "fibonacci", n }));
    }
  });
}

function testSameTwice(open: OpenEngine): void {
  promise("is one task while it waits, runs and is ready, however many ask at once", async () => {
    const { tasks } = await open();
    const asked = await Promise.all(Array.from({ length: 20 }, () => tasks.create(...fibonacci(LONG))));
    expect(asked.filter(({ created }) => created).length).toBe(1);
    expect(new Set(asked.map(({ task }) => task.id)).size).toBe(1);
    const ready = await ended(tasks, asked[0]!.task);
    const again = await tasks.create(...fibonacci(LONG));
    // What is ready is nobody's to cancel: asking for it is not counted, and writes nothing.
    expect(again).toEqual({ created: false, task: ready });
    expect(await tasks.find(ready.id)).toEqual(ready);
  });

  promise("is another task after a failure, a cancellation, or when the first was forgotten", async () => {
    const { tasks } = await open();
    const { task: failing } = await tasks.create({ kind: "fibonacci", n: 100 }, 20);
    await ended(tasks, failing);
    const { task: first, created } = await tasks.create(...fibonacci(100));
    expect(created).toBe(true);
    await ended(tasks, first);
    await tasks.forget(first.id);
    const { task: second } = await tasks.create(...fibonacci(100));
    const { task: long } = await tasks.create(...endless());
    await tasks.cancel(long.id);
    const { task: another } = await tasks.create(...endless());
    await tasks.forget(another.id);
    expect(new Set([failing, first, second, long, another].map(({ id }) => id)).size).toBe(5);
  });

  promise("kinds and arguments tell tasks apart", async () => {
    const { tasks } = await open();
    const requests: [TaskRequest, number][] = [
      [{ kind: "fibonacci", n: 3 }, 1],
      [{ kind: "factorial", n: 3 }, 1],
      [{ kind: "ackermann", m: 1n, n: 3n }, 1],
      [{ kind: "ackermann", m: 3n, n: 1n }, 2],
      sequence(1, 3),
      sequence(3, 1),
    ];
    const made = await Promise.all(requests.map((request) => tasks.create(...request)));
    expect(made.every(({ created }) => created)).toBe(true);
  });
}

function testEnding(open: OpenEngine): void {
  promise("cancel() ends a task that runs, tells who watches, and its thread is free again", async () => {
    const { tasks } = await open();
    const { task } = await tasks.create(...endless());
    const { task: next } = await tasks.create(...fibonacci(LONG));
    await running(tasks, task);
    const watched = statesOf(tasks, task.id);
    const cancelled = await tasks.cancel(task.id);
    expect(cancelled).toMatchObject({ id: task.id, state: "cancelled" });
    expect((await watched).at(-1)).toMatchObject({ state: "cancelled" });
    await readySoon(tasks, next);
    expect(await tasks.openResult(task.id)).toBeUndefined();
    expect(await tasks.find(task.id)).toEqual(cancelled);
    // The second time nothing happens, and the answer is the same.
    expect(await tasks.cancel(task.id)).toEqual(cancelled);
    expect(await tasks.cancel(task.id, { unlessShared: true })).toEqual(cancelled);
  });

  promise("cancel() ends a task that waits, and it never runs", async () => {
    const { tasks } = await open();
    const { task: blocking } = await tasks.create(...endless());
    await running(tasks, blocking);
    const { task: waiting } = await tasks.create(...fibonacci(LONG));
    expect((await tasks.cancel(waiting.id))?.state).toBe("cancelled");
    await tasks.cancel(blocking.id);
    const { task: last } = await tasks.create(...fibonacci(LONG + 1));
    await readySoon(tasks, last);
    expect(await tasks.find(waiting.id)).toMatchObject({ state: "cancelled", attempts: 0 });
  });

  promise("cancel() leaves a finished task as it is, with its result", async () => {
    const { tasks } = await open();
    for (const n of [100, LONG]) {
      const ready = await ended(tasks, (await tasks.create(...fibonacci(n))).task);
      expect(await tasks.cancel(ready.id)).toEqual(ready);
      expect(await tasks.find(ready.id)).toEqual(ready);
      expect(await textOf(tasks, ready)).toBe(digitsOf({ kind: "fibonacci", n }));
    }
    const failed = await ended(tasks, (await tasks.create({ kind: "fibonacci", n: 101 }, 20)).task);
    expect(await tasks.cancel(failed.id)).toEqual(failed);
  });

  promise("cancel() unless shared spares what was asked for twice, waiting or running", async () => {
    const { tasks } = await open();
    const { task: alone } = await tasks.create(...endless(1));
    expect(alone.requestCount).toBe(1);
    await running(tasks, alone);
    const { task: wanted } = await tasks.create(...endless(2));
    const joined = await tasks.create(...endless(2));
    expect(joined).toMatchObject({ created: false, task: { id: wanted.id, requestCount: 2 } });
    for (const state of ["queued", "running"] as const) {
      const shared = { id: wanted.id, state, requestCount: 2 };
      expect(await tasks.cancel(wanted.id, { unlessShared: true })).toMatchObject(shared);
      expect(await tasks.find(wanted.id)).toMatchObject(shared);
      // The one before it is nobody else's, and gives its slot away.
      const { state: then } = (await tasks.cancel(alone.id, { unlessShared: true }))!;
      expect(then).toBe("cancelled");
      await running(tasks, wanted);
    }
    expect(await tasks.cancel(wanted.id)).toMatchObject({ state: "cancelled", requestCount: 2 });
    expect(await tasks.create(...endless(2))).toMatchObject({ created: true, task: { requestCount: 1 } });
    for (const { id } of await tasks.list({ limit: 10 })) await tasks.forget(id);
  });

  promise(
    "cancel() unless shared and create() of the same at once: the task goes on, or is another",
    async () => {
      const { tasks } = await open();
      for (let round = 0; round < 40; round++) {
        const { task } = await tasks.create(...endless());
        const cancel = () => tasks.cancel(task.id, { unlessShared: true });
        const create = () => tasks.create(...endless());
        const [cancelled, asked] =
          round % 2 === 0
            ? await Promise.all([cancel(), create()])
            : ((await Promise.all([create(), cancel()])).toReversed() as [
                Task | undefined,
                Awaited<ReturnType<typeof create>>,
              ]);
        expect(cancelled!.state === "cancelled").toBe(asked.created);
        expect(asked.task.id === task.id).toBe(!asked.created);
        expect(isFinished((await tasks.find(asked.task.id))!.state)).toBe(false);
        await tasks.forget(asked.task.id);
      }
    },
  );

  promise("forget() removes a finished task with its result, once and again", async () => {
    const { tasks } = await open();
    for (const n of [100, LONG]) {
      const { task } = await tasks.create(...fibonacci(n));
      await ended(tasks, task);
      for (let again = 0; again < 2; again++) {
        await tasks.forget(task.id);
        expect(await tasks.find(task.id)).toBeUndefined();
        expect(await tasks.openResult(task.id)).toBeUndefined();
      }
    }
    expect(await tasks.list({ limit: 10 })).toEqual([]);
  });

  promise(
    "forget() ends what runs and what waits, for who watches too, and its slot is free again",
    async () => {
      const { tasks } = await open({ limits: { tasksMax: 2 } });
      const { task: runs } = await tasks.create(...endless(1));
      await running(tasks, runs);
      const { task: waits } = await tasks.create(...endless(2), "other");
      const watched = [runs, waits].map(({ id }) => statesOf(tasks, id));
      await Promise.all([tasks.forget(waits.id), tasks.forget(runs.id)]);
      // Their streams end, and nothing of them is left.
      for (const states of await Promise.all(watched))
        expect(states.every(({ state }) => state !== "ready")).toBe(true);
      expect(await tasks.list({ limit: 10 })).toEqual([]);
      // There is room for two, and a thread for one.
      const more = await Promise.all([LONG, LONG + 1].map((n) => tasks.create(...fibonacci(n), String(n))));
      for (const { task } of more) await readySoon(tasks, task);
      expect((await tasks.list({ limit: 10 })).length).toBe(2);
    },
  );

  promise("an id that was never given is not found by anything", async () => {
    const { tasks } = await open();
    await tasks.create(...fibonacci(1));
    for (const id of ["", "abc", Bun.randomUUIDv7(), "../../etc/passwd", "a".repeat(10_000)]) {
      expect(await tasks.find(id)).toBeUndefined();
      expect(await tasks.cancel(id)).toBeUndefined();
      await tasks.forget(id);
      expect(await tasks.openResult(id)).toBeUndefined();
      expect(await statesOf(tasks, id)).toEqual([]);
    }
  });
}

function testWatching(open: OpenEngine): void {
  promise("watch() tells states in their order, with progress that grows, and ends", async () => {
    const { tasks } = await open();
    const { task } = await tasks.create(...fibonacci(60_000_000));
    const states = await statesOf(tasks, task.id);
    const order = ["queued", "running", "ready"];
    const steps = states.map(({ state }) => order.indexOf(state));
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
    expect(states.at(-1)).toMatchObject({ state: "ready", progress: 1 });
    const progress = states.map((state) => state.progress);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect(progress.some((fraction) => fraction > 0 && fraction < 1)).toBe(true);
  });

  promise("watch() ends with its signal, before and in the middle, and without an error", async () => {
    const { tasks } = await open();
    const { task } = await tasks.create(...endless());
    expect(await Array.fromAsync(tasks.watch(task.id, AbortSignal.abort()))).toEqual([]);
    const controller = new AbortController();
    for await (const { state } of tasks.watch(task.id, controller.signal)) {
      if (state === "running") controller.abort();
    }
    expect(controller.signal.aborted).toBe(true);
    await tasks.forget(task.id);
  });

  promise("watch() of a finished task tells that, and ends; many may watch one", async () => {
    const { tasks } = await open();
    const { task } = await tasks.create(...fibonacci(LONG));
    const many = await Promise.all(Array.from({ length: 50 }, () => ended(tasks, task)));
    expect(new Set(many.map(({ state }) => state))).toEqual(new Set(["ready"]));
    expect((await statesOf(tasks, task.id)).length).toBe(1);
  });
}

function testListing(open: OpenEngine): void {
  promise("list() has all in the order of creation, by state, and page by page", async () => {
    const { tasks } = await open();
    expect(await tasks.list({ limit: 10 })).toEqual([]);
    const made: Task[] = [];
    for (let n = 0; n < 25; n++) made.push((await tasks.create(...fibonacci(n))).task);
    await Promise.all(made.map((task) => ended(tasks, task)));
    const { task: long } = await tasks.create(...endless());
    await running(tasks, long);
    const ids = [...made, long].map(({ id }) => id);

    const pages: string[][] = [];
    for (let after: string | undefined; pages.at(-1)?.length !== 0; after = pages.at(-1)!.at(-1)) {
      pages.push((await tasks.list({ limit: 10, after })).map(({ id }) => id));
    }
    expect(pages.map((page) => page.length)).toEqual([10, 10, 6, 0]);
    expect(pages.flat()).toEqual(ids);
    expect((await tasks.list({ limit: 5, state: "ready" })).map(({ id }) => id)).toEqual(ids.slice(0, 5));
    expect((await tasks.list({ limit: 5, state: "running" })).map(({ id }) => id)).toEqual([long.id]);
    const rest = await tasks.list({ limit: 100, state: "ready", after: ids[19] });
    expect(rest.map(({ id }) => id)).toEqual(ids.slice(20, 25));
    const newest = { order: "newest", limit: 4 } as const;
    expect((await tasks.list(newest)).map(({ id }) => id)).toEqual(ids.slice(-4).toReversed());
    const before = await tasks.list({ ...newest, state: "ready", after: ids[3] });
    expect(before.map(({ id }) => id)).toEqual(ids.slice(0, 3).toReversed());
    expect(await tasks.list({ limit: 5, state: "failed" })).toEqual([]);
    await tasks.forget(long.id);
  });
}

function testLimits(open: OpenEngine): void {
  promise("more tasks than may wait or run are refused, and finished ones do not count", async () => {
    const { tasks } = await open({ limits: { tasksMax: 3 } });
    for (let n = 0; n < 5; n++) await ended(tasks, (await tasks.create(...fibonacci(n))).task);
    const made: Task[] = [];
    // Each for somebody else: one alone may not have all.
    for (let i = 0; i < 3; i++) made.push((await tasks.create(...endless(i), String(i))).task);
    expect((await rejected(tasks.create(...endless(9), "9"))).code).toBe("too_many_tasks");
    // The one that is there is no further one.
    expect((await tasks.create(...endless())).created).toBe(false);
    await tasks.cancel(made[2]!.id);
    expect((await tasks.create(...endless(9), "9")).created).toBe(true);
    for (const { id } of await tasks.list({ limit: 100 })) await tasks.forget(id);
  });

  promise("one who asks for more than is free is refused, and another has room beside it", async () => {
    const { tasks } = await open({ limits: { tasksMax: 6 } });
    const ask = (i: number, holder: string) => tasks.create(...endless(i), holder);
    const greedy: Task[] = [];
    for (let i = 0; i < 3; i++) greedy.push((await ask(i, "greedy")).task);
    expect((await rejected(ask(3, "greedy"))).code).toBe("too_many_tasks");
    for (const holder of ["modest", "other"]) expect((await ask(4, holder)).task.requestCount).toBePositive();
    await tasks.create(...endless(5), "third");
    expect((await rejected(ask(3, "greedy"))).code).toBe("too_many_tasks");
    // A short one takes no place.
    expect((await tasks.create(...fibonacci(7), "greedy")).task.state).toBe("ready");
    await tasks.cancel(greedy[0]!.id);
    await tasks.forget(greedy[1]!.id);
    expect((await ask(6, "greedy")).created).toBe(true);
    expect((await rejected(ask(7, "greedy"))).code).toBe("too_many_tasks");
    for (const { id } of await tasks.list({ limit: 100 })) await tasks.forget(id);
  });

  promise("a finished task expires with its result, and asking again computes again", async () => {
    const { tasks } = await open({ limits: { resultTtlMs: 5000 } });
    const { task } = await tasks.create(...fibonacci(LONG));
    await ended(tasks, task);
    await until("it has expired", async () => (await tasks.find(task.id)) === undefined);
    expect(await tasks.openResult(task.id)).toBeUndefined();
    expect(await tasks.list({ limit: 10 })).toEqual([]);
    const again = await tasks.create(...fibonacci(LONG));
    expect(again.created).toBe(true);
    expect(again.task.id).not.toBe(task.id);
  });

  promise("results that take too much room push out the oldest, not the newest", async () => {
    const { tasks } = await open({ limits: { resultBytesMax: 130_000 } });
    const made: Task[] = [];
    // Each has some 41,800 digits: three have room.
    for (let i = 0; i < 5; i++) {
      const { task } = await tasks.create(...fibonacci(LONG + i));
      made.push(await ended(tasks, task));
    }
    await until("the oldest are gone", async () => (await tasks.list({ limit: 10 })).length === 3);
    expect((await tasks.list({ limit: 10 })).map(({ id }) => id)).toEqual(made.slice(2).map(({ id }) => id));
    expect(await textOf(tasks, made[4]!)).toBe(digitsOf({ kind: "fibonacci", n: LONG + 4 }));
    expect((await rejected(tasks.create(...fibonacci(10 * LONG)))).code).toBe("result_too_large");
  });
}

function testRestart(open: OpenEngine): void {
  promise("what was ready is there, with its result; what waited or ran is computed to the end", async () => {
    const { tasks, reopen } = await open();
    const done: Task[] = [];
    for (const n of [100, LONG]) done.push(await ended(tasks, (await tasks.create(...fibonacci(n))).task));
    const { task: slow } = await tasks.create(...fibonacci(60_000_000));
    await running(tasks, slow);
    const { task: waiting } = await tasks.create(...fibonacci(LONG + 1));
    const again = await reopen();
    for (const task of done) {
      expect(await again.find(task.id)).toEqual(task);
      expect(await textOf(again, task)).toBe(digitsOf(requestOfKey(task.request) as Job));
    }
    // Stopped in order: that was no failed attempt.
    expect(await ended(again, slow)).toMatchObject({ state: "ready", attempts: 1 });
    expect(await ended(again, waiting)).toMatchObject({ state: "ready", attempts: 1 });
    expect(await textOf(again, waiting)).toBe(digitsOf({ kind: "fibonacci", n: LONG + 1 }));
    expect((await again.create(...fibonacci(LONG))).created).toBe(false);
  });

  promise("what was cancelled or has failed stays so", async () => {
    const { tasks, reopen } = await open();
    const { task: failed } = await tasks.create({ kind: "fibonacci", n: 100 }, 20);
    await ended(tasks, failed);
    const { task: cancelled } = await tasks.create(...endless());
    await running(tasks, cancelled);
    await tasks.create(...endless());
    await tasks.cancel(cancelled.id);
    const again = await reopen();
    expect((await again.find(failed.id))?.state).toBe("failed");
    expect(await again.find(cancelled.id)).toMatchObject({ state: "cancelled", requestCount: 2 });
  });

  promise("close() refuses what comes after it", async () => {
    const { tasks } = await open();
    await tasks.create(...fibonacci(1));
    await tasks.close();
    expect((await rejected(tasks.create(...fibonacci(2)))).code).toBe("overloaded");
  });
}
