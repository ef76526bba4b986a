/** The executor: a stalled disk holds no thread, what is not to run does not, and what was cut off is known. */
import { expect, jest, onTestFinished, test } from "bun:test";
import { FibError } from "../../src/errors.ts";
import type { Digits } from "../../src/numbers/decimal.ts";
import type { RunOptions } from "../../src/numbers/pool.ts";
import { Executor } from "../../src/tasks/executor.ts";
import type { Task } from "../../src/tasks/task.ts";
import { until } from "../binary.ts";
import { aTask } from "./a-task.ts";

const LONG_BYTES = 41_798;
const MiB = 2 ** 20;

const taskOf = (id: string, sizeBytes = LONG_BYTES): Task =>
  aTask({ id, request: "fibonacci 200000", sizeBytes });

/** Records a call, which the test ends. */
function called<T>(calls: PromiseWithResolvers<T>[]): Promise<T> {
  calls.push(Promise.withResolvers<T>());
  return calls.at(-1)!.promise;
}

/** An executor whose threads and disk do what the test says, in the order of its calls. */
function openHeld() {
  const runs: (RunOptions & { done: (sizeBytes?: number) => void })[] = [];
  const begins: PromiseWithResolvers<Task | undefined>[] = [];
  const finishes: PromiseWithResolvers<void>[] = [];
  const faults: string[] = [];
  const [failed, progressed, bugs, holds] = [[] as string[], [] as Task[], [] as unknown[], [] as boolean[]];
  const pool = {
    run: (_: unknown, options: RunOptions = {}) => {
      const { promise, resolve, reject } = Promise.withResolvers<Digits>();
      options.signal!.addEventListener("abort", () => reject(options.signal!.reason as Error));
      runs.push({ ...options, done: (sizeBytes = LONG_BYTES) => resolve(new Uint8Array(sizeBytes)) });
      return promise;
    },
    holdBackground: (held: boolean) => void holds.push(held),
  };
  const ledger = {
    begin: () => called(begins),
    finish: () => called(finishes),
    fail: async (_: Task, reason: string) => void failed.push(reason),
    progressed: (task: Task) => void progressed.push(task),
    onBug: (error: unknown) => void bugs.push(error),
    onFault: ({ message }: FibError) => void faults.push(message),
  };
  const spans: (string | undefined)[] = [];
  const span = {
    traceparent: "",
    child: () => span,
    tell: () => {},
    end: (failure?: string) => void spans.push(failure),
  };
  const executor = new Executor({ pool, ledger, tracer: { start: () => span } });
  return { executor, spans, ledger, runs, begins, finishes, failed, progressed, bugs, faults, holds };
}

test("a long task waits in the pool, in the background, and begins when a thread has it", () => {
  const { executor, runs, begins } = openHeld();
  for (const id of ["a", "b", "c"]) executor.submit(taskOf(id));
  expect(runs.map(({ background }) => background)).toEqual([true, true, true]);
  expect(begins.length).toBe(0);
  runs[1]!.onStart!();
  expect(begins.length).toBe(1);
});

test("a disk that stalls holds no thread: what was computed waits for it, and is finished once it has begun", async () => {
  const { executor, runs, begins, finishes, failed, progressed } = openHeld();
  executor.submit(taskOf("a"));
  runs[0]!.onStart!();
  runs[0]!.onProgress!(0.5);
  expect(executor.progress("a")).toBe(0.5);
  runs[0]!.done();
  await Bun.sleep(0);
  expect([finishes.length, progressed.length]).toEqual([0, 0]);
  begins[0]!.resolve({ ...taskOf("a"), state: "running" });
  await until("it is finished", () => finishes.length === 1);
  runs[0]!.onProgress!(0.9);
  expect(progressed).toMatchObject([{ id: "a", state: "running", progress: 0.9 }]);
  finishes[0]!.resolve();
  await until("it is let go", () => executor.progress("a") === undefined);
  expect(failed).toEqual([]);
});

test("results that the disk does not take hold up the next tasks, until it does", async () => {
  const { executor, runs, begins, finishes, holds } = openHeld();
  for (const id of ["a", "b", "c"]) executor.submit(taskOf(id, 30 * MiB));
  for (const { onStart, done } of runs) {
    onStart!();
    done(30 * MiB);
  }
  await until("they hold up the others", () => holds.length === 1);
  for (const begin of begins) begin.resolve({ ...taskOf("a"), state: "running" });
  await until("they can be written", () => finishes.length === 3);
  expect(holds).toEqual([true]);
  for (const finish of finishes) finish.reject(new Error("made up"));
  await until("they hold up nothing", () => holds.length === 2);
  expect(holds).toEqual([true, false]);
});

test("a task that is not to run any more is aborted, and nothing is written of it", async () => {
  const { executor, runs, begins, finishes, failed } = openHeld();
  for (const id of ["computing", "computed"]) executor.submit(taskOf(id));
  for (const { onStart } of runs) onStart!();
  runs[1]!.done();
  for (const begin of begins) begin.resolve(undefined);
  await until("both are let go", () =>
    ["computing", "computed"].every((id) => executor.progress(id) === undefined),
  );
  expect(runs[0]!.signal!.aborted).toBe(true);
  expect([finishes.length, failed.length]).toEqual([0, 0]);
});

test("a task of which it cannot be written that it runs fails, with the reason", async () => {
  const { executor, runs, begins, finishes, failed } = openHeld();
  executor.submit(taskOf("a"));
  runs[0]!.onStart!();
  begins[0]!.reject(new Error("made up"));
  runs[0]!.done();
  await until("it has failed", () => failed.length === 1);
  expect([failed, finishes.length]).toEqual([["made up"], 0]);
});

test("cancel() aborts what waits for a thread as well as what has one", async () => {
  const { executor, runs, begins, failed } = openHeld();
  for (const id of ["waiting", "running"]) executor.submit(taskOf(id));
  runs[1]!.onStart!();
  executor.cancel("waiting");
  executor.cancel("running");
  executor.cancel("unknown");
  expect(runs.map(({ signal }) => signal!.aborted)).toEqual([true, true]);
  begins[0]!.resolve(undefined);
  await until("both are let go", () =>
    ["waiting", "running"].every((id) => executor.progress(id) === undefined),
  );
  expect(failed).toEqual([]);
});

test("close() gives what had begun, once that is written, and not what only waited", async () => {
  const { executor, runs, begins } = openHeld();
  for (const id of ["begun", "beginning", "waiting"]) executor.submit(taskOf(id));
  for (const { onStart } of runs.slice(0, 2)) onStart!();
  begins[0]!.resolve({ ...taskOf("begun"), state: "running" });
  const closed = executor.close();
  expect(runs.map(({ signal }) => signal!.aborted)).toEqual([true, true, true]);
  await Bun.sleep(0);
  expect(Bun.peek.status(closed)).toBe("pending");
  begins[1]!.resolve({ ...taskOf("beginning"), state: "running" });
  expect(await closed).toEqual(["begun", "beginning"]);
  executor.submit(taskOf("late"));
  expect(runs.length).toBe(3);
});

test("an error that is no FibError is a bug, and told as one; a FibError is not", async () => {
  const { executor, runs, begins, finishes, failed, bugs, faults } = openHeld();
  for (const id of ["a", "b"]) executor.submit(taskOf(id));
  for (const { onStart, done } of runs) {
    onStart!();
    done();
  }
  for (const begin of begins) begin.resolve({ ...taskOf("a"), state: "running" });
  await until("both are computed", () => finishes.length === 2);
  const bug = new Error("made up");
  finishes[0]!.reject(bug);
  finishes[1]!.reject(new FibError("tasks_io", "Cannot store /secret: no room"));
  await until("both have failed", () => failed.length === 2);
  expect(bugs).toEqual([bug]);
  // Those who ask are not told where files are.
  expect(faults).toEqual(["Cannot store /secret: no room"]);
  expect(failed[1]).toBe("The tasks cannot be read or written; the server's log says why");
});

test("a task of which nothing can be written is kept, and tried again", async () => {
  jest.useFakeTimers();
  onTestFinished(() => void jest.useRealTimers());
  const { executor, runs, begins, ledger } = openHeld();
  ledger.fail = () => Promise.reject(new FibError("tasks_io", "the disk is full"));
  executor.submit(taskOf("a"));
  runs[0]!.onStart!();
  begins[0]!.reject(new FibError("tasks_io", "the disk is full"));
  runs[0]!.done();
  while (executor.progress("a") !== undefined) await Promise.resolve();
  jest.runOnlyPendingTimers();
  expect(runs.length).toBe(2);
  expect(executor.progress("a")).toBe(0);
});

test("results that are just too many for the disk hold up the next tasks", async () => {
  const { executor, runs, holds } = openHeld();
  for (const [id, sizeBytes] of [
    ["a", 64 * MiB - LONG_BYTES],
    ["b", LONG_BYTES],
  ] as const) {
    executor.submit(taskOf(id, sizeBytes));
    runs.at(-1)!.onStart!();
    runs.at(-1)!.done(sizeBytes);
  }
  await until("they hold up the others", () => holds.length > 0);
  expect(holds).toEqual([true]);
});

test("the span of a task says how it has ended", async () => {
  const { executor, runs, begins, finishes, failed, spans } = openHeld();
  for (const id of ["a", "b", "c"]) executor.submit(taskOf(id));
  for (const run of runs) run.onStart!();
  for (const [at, begin] of begins.entries()) begin.resolve(taskOf("abc"[at]!));
  runs[0]!.done();
  await until("the result is written", () => finishes.length === 1);
  finishes[0]!.resolve();
  runs[1]!.done(LONG_BYTES - 1);
  executor.cancel("c");
  await until("each span is over", () => spans.length === 3);
  await executor.close();
  expect(failed).toEqual([`the result has ${LONG_BYTES - 1} bytes, and ${LONG_BYTES} were predicted`]);
  expect(new Set(spans)).toEqual(new Set([undefined, failed[0], "cancelled"]));
});
