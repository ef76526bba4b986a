/** The database's thread, without the thread: one commit for a group, and nothing is said to be written that was not. */
import { describe, expect, onTestFinished, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import type { TaskLimits } from "../../src/tasks/queue.ts";
import type { TaskRow } from "../../src/tasks/row.ts";
import { type GroupAnswer, type StepCall, TaskStore } from "../../src/tasks/store.ts";
import { temporaryFolder } from "../temporary.ts";

const LIMITS: TaskLimits = {
  tasksMax: 1000,
  resultTtlMs: 3_600_000,
  resultBytesMax: 2 ** 30,
  attemptsMax: 3,
};
/** What a finished task without digits takes. */
const RECORD_BYTES = 4096;

/** A store on a file of its own. */
function open(
  limits: Partial<TaskLimits> = {},
  file = path.join(temporaryFolder(), "c.tasks"),
  processDied = true,
) {
  const store = new TaskStore();
  store.open(file, { ...LIMITS, ...limits });
  const pending = store.recover([], processDied);
  onTestFinished(() => store.close());
  const apply = (...calls: StepCall[]) => JSON.parse(store.apply(JSON.stringify(calls))) as GroupAnswer;
  return { store, file, pending, apply };
}

type Create = Extract<StepCall, readonly ["create", ...unknown[]]>;

/** F(n), n beyond what is computed at once: it stays queued. */
function long(n: number, holder = ""): Create {
  return [
    "create",
    { id: Bun.randomUUIDv7(), request: `fibonacci ${n}`, sizeBytes: 50_000, createdAtMs: 1, holder },
  ];
}

/** F(100), with its right size or a wrong one. */
function short(sizeBytes: number): Create {
  return [
    "create",
    { id: Bun.randomUUIDv7(), request: "fibonacci 100", sizeBytes, createdAtMs: 1, holder: "" },
  ];
}

/** A sequence: ready at once, and nothing but a record. */
function quick(count: number, holder = ""): Create {
  // `0 1 1 2 3 5 8` … one a line: two bytes each, up to F(6).
  const sizeBytes = 2 * count;
  return [
    "create",
    { id: Bun.randomUUIDv7(), request: `sequence 0 ${count}`, sizeBytes, createdAtMs: 1, holder },
  ];
}

function rowOf({ outcomes }: GroupAnswer, at = 0): TaskRow | undefined {
  return outcomes[at]?.value as TaskRow | undefined;
}

function codesOf({ outcomes }: GroupAnswer): (string | undefined)[] {
  return outcomes.map(({ failure }) => failure?.code);
}

describe("apply()", () => {
  test("gives each step what the steps before it in the group have done", () => {
    const { apply } = open();
    const first = long(30_000);
    const answer = apply(first, long(30_000), ["find", first[1].id]);
    expect(rowOf(answer)).toBeUndefined();
    expect(rowOf(answer, 1)).toMatchObject({ id: first[1].id, requestCount: 2 });
    expect(rowOf(answer, 2)).toMatchObject({ state: "queued", requestCount: 2 });
  });

  test("refuses a step that throws a FibError alone", () => {
    const { apply } = open({ tasksMax: 1 });
    const answer = apply(long(30_000), long(30_001, "other"), quick(3));
    expect(codesOf(answer)).toEqual([undefined, "too_many_tasks", undefined]);
    expect(rowOf(apply(["list", { limit: 10 }]))).toHaveLength(2);
  });

  test("computes a short task within the commit that accepts it, and one of a wrong size fails", () => {
    const { apply } = open();
    const wrong = rowOf(apply(short(20)))!;
    expect(wrong).toMatchObject({ state: "failed", reason: expect.stringContaining("predicted") });
    const right = rowOf(apply(short(21)))!;
    expect(right).toMatchObject({ state: "ready", attempts: 1, reason: null });
    const results = apply(["result", right.id], ["result", wrong.id]).outcomes.map(({ value }) => value);
    expect(results).toEqual([{ row: right, digits: "354224848179261915075" }, undefined]);
  });

  test("writes nothing of a group that fails, and says that nothing can be asked any more", () => {
    const { store, apply, file } = open();
    const first = long(30_000);
    apply(first);
    // No text: an error that no step is meant to make.
    const digits = 5 as unknown as string;
    const answer = apply(long(30_001), ["end", first[1].id, { state: "ready", digits }]);
    expect(answer).toMatchObject({ hasFailed: true, outcomes: [{ failure: {} }, { failure: {} }] });
    store.close();
    expect(open({}, file).pending.map(({ id, state }) => [id, state])).toEqual([[first[1].id, "queued"]]);
  });
});

test("open() moves what an interrupted process has logged into the database, and syncs it there", () => {
  const { apply, file } = open();
  const task = long(30_000);
  apply(task);
  // What a kill -9 leaves: a log that nobody has moved.
  const copy = path.join(temporaryFolder(), "c.tasks");
  for (const end of ["", "-wal"]) fs.copyFileSync(file + end, copy + end);
  expect(fs.statSync(`${copy}-wal`).size).toBeGreaterThan(0);
  const again = open({}, copy);
  expect(again.pending.map(({ id }) => id)).toEqual([task[1].id]);
  expect(fs.statSync(`${copy}-wal`).size).toBe(0);
});

test("recover() counts the processes that died while a task ran, and not the sessions that failed", () => {
  const first = open({ attemptsMax: 3 });
  const task = long(30_000);
  const { id } = task[1];
  first.apply(task);
  let { store, apply } = first;
  const reopen = (processDied: boolean) => {
    apply(["begin", id]);
    store.close();
    const again = open({ attemptsMax: 3 }, first.file, processDied);
    ({ store, apply } = again);
    return again.pending.length;
  };
  for (let failures = 0; failures < 10; failures++) expect(reopen(false)).toBe(1);
  expect([reopen(true), reopen(true), reopen(true)]).toEqual([1, 1, 0]);
  expect(rowOf(apply(["find", id]))).toMatchObject({
    state: "failed",
    reason: expect.stringContaining("3 times"),
  });
});

test("lose() queues a task again whose file is gone, and leaves room for the result that comes", () => {
  const { apply } = open({ resultBytesMax: 60_000 });
  const task = long(30_000);
  const { id } = task[1];
  apply(task, ["begin", id], ["end", id, { state: "ready" }]);
  expect(rowOf(apply(["lose", id, 2]))).toBeUndefined();
  expect(rowOf(apply(["lose", id, 1]))).toMatchObject({ id, state: "queued", keptBytes: 0 });
  expect(rowOf(apply(["begin", id]))).toMatchObject({ attempts: 2 });
  expect(rowOf(apply(["lose", id, 2]))).toBeUndefined();
  apply(["end", id, { state: "ready" }], quick(1));
  expect(rowOf(apply(["list", { limit: 9 }]))).toHaveLength(2);
});

test("a database that was moved is not written any more", () => {
  const { apply, file } = open();
  apply(quick(1));
  fs.renameSync(file, `${file}.away`);
  expect(apply(quick(2))).toMatchObject({ hasFailed: true, outcomes: [{ failure: { code: "tasks_io" } }] });
  fs.writeFileSync(file, "");
  expect(apply(quick(2)).hasFailed).toBe(true);
});

describe("what finished tasks take", () => {
  test("makes the oldest give way, when nobody has more than half", () => {
    const { apply } = open({ resultBytesMax: 3 * RECORD_BYTES });
    const ids = [1, 2, 3, 4].map((count) => rowOf(apply(quick(count, String(count))))!.id);
    const found = apply(...ids.map((id): StepCall => ["find", id]));
    expect(found.outcomes.map(({ value }) => value !== undefined)).toEqual([false, true, true, true]);
  });

  test("makes whoever has more than half give way, however old the others are", () => {
    const { apply } = open({ resultBytesMax: 4 * RECORD_BYTES });
    const modest = rowOf(apply(quick(1, "modest")))!;
    const greedy = [2, 3, 4, 5, 6].map((count) => rowOf(apply(quick(count, "greedy")))!.id);
    const found = apply(["find", modest.id], ...greedy.map((id): StepCall => ["find", id]));
    expect(found.outcomes.map(({ value }) => value !== undefined)).toEqual([
      true,
      false,
      false,
      true,
      true,
      true,
    ]);
    // And the one who comes next takes from the greedy one as well.
    apply(quick(0, "next"));
    expect(rowOf(apply(["find", modest.id]))).toBeDefined();
  });

  test("is counted anew by the next opening", () => {
    const { store, apply, file } = open({ resultBytesMax: 4 * RECORD_BYTES });
    for (const count of [1, 2, 3, 4]) apply(quick(count, "greedy"));
    store.close();
    const again = open({ resultBytesMax: 4 * RECORD_BYTES }, file);
    const modest = rowOf(again.apply(quick(5, "modest")))!;
    again.apply(quick(6, "other"));
    expect(rowOf(again.apply(["find", modest.id]))).toBeDefined();
    expect(rowOf(again.apply(["list", { limit: 10 }]))).toHaveLength(4);
  });
});

describe("what waits or runs", () => {
  test("is nobody's alone: one address leaves room for another", () => {
    const { apply } = open({ tasksMax: 8 });
    const greedy = apply(...[1, 2, 3, 4, 5].map((i) => long(30_000 + i, "greedy")));
    expect(codesOf(greedy)).toEqual([undefined, undefined, undefined, undefined, "too_many_tasks"]);
    expect(codesOf(apply(long(40_000, "modest")))).toEqual([undefined]);
  });

  test("is counted also beyond a limit that has become lower", () => {
    const { store, apply, file } = open();
    apply(...Array.from({ length: 20 }, (_, i) => long(30_000 + i, "one")));
    store.close();
    const again = open({ tasksMax: 10 }, file);
    expect(again.pending).toHaveLength(20);
    expect(codesOf(again.apply(long(40_000, "other")))).toEqual(["too_many_tasks"]);
  });

  test("gives its share back when it ends, is cancelled or is forgotten, also across an opening", () => {
    const { store, apply, file } = open({ tasksMax: 3 });
    const calls = [1, 2, 3].map((i) => long(30_000 + i, String(i)));
    apply(...calls);
    store.close();
    const again = open({ tasksMax: 3 }, file);
    expect(again.pending).toHaveLength(3);
    const [first, second, third] = calls.map(([, { id }]) => id);
    for (const [step, n] of [
      [["end", first!, { state: "ready", digits: "1" }], 4],
      [["cancel", second!, {}], 5],
      [["forget", third!], 6],
    ] as const) {
      expect(codesOf(again.apply(long(40_000 + n, String(n))))).toEqual(["too_many_tasks"]);
      again.apply(step);
      expect(codesOf(again.apply(long(40_000 + n, String(n))))).toEqual([undefined]);
    }
  });
});
