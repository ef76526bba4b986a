/** The database's thread, without the thread: one commit for a group, and nothing is said to be written that was not. */
import { describe, expect, spyOn, test } from "bun:test";
import { Database } from "bun:sqlite";
import fs from "node:fs";
import path from "node:path";
import { TaskDatabase } from "../../src/tasks/database.ts";
import type { TaskCounts } from "../../src/tasks/queue.ts";
import type { StepCall } from "../../src/tasks/store.ts";
import { temporaryFolder } from "../temporary.ts";
import { codesOf, long, open, quick, RECORD_BYTES, rowOf, short } from "./open-store.ts";

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
    const answer = apply(short(21), ["end", first[1].id, { state: "ready", digits }]);
    expect(answer).toMatchObject({ hasFailed: true, outcomes: [{ failure: {} }, { failure: {} }] });
    // Nor is the short one counted as ready, by this group or by the next.
    expect([answer.ended, apply(["find", first[1].id]).ended]).toEqual([[], []]);
    store.close();
    expect(open({}, file).pending.map(({ id, state }) => [id, state])).toEqual([[first[1].id, "queued"]]);
  });
});

test("counts() tells how long the oldest has waited that is queued, whatever came later", () => {
  const { apply } = open();
  const createdAtMs = Date.now();
  const [oldest, later] = [long(30_000), long(30_001)];
  apply(["create", { ...oldest[1], createdAtMs: createdAtMs - 3_600_000 }]);
  apply(["create", { ...later[1], createdAtMs }]);
  const waitedMs = () => (apply(["counts"]).outcomes[0]!.value as TaskCounts).oldestQueuedMs;
  expect(waitedMs()).toBeGreaterThanOrEqual(3_600_000);
  apply(["begin", oldest[1].id]);
  expect(waitedMs()).toBeLessThan(3_600_000);
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

/** What SQLite throws when a disk is full. */
function fullDiskError(): unknown {
  using db = new Database(":memory:");
  db.run("PRAGMA max_page_count = 2");
  db.run("CREATE TABLE t (a)");
  try {
    db.run("INSERT INTO t VALUES (zeroblob(100000))");
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Lets a step fail as on a full disk, until the scope ends: what the steps before it have written is rolled back. */
function fillDisk() {
  const error = fullDiskError();
  return spyOn(TaskDatabase.prototype, "giveBack").mockImplementation(() => {
    throw error;
  });
}

const FAILING: StepCall = ["giveBack", ["any"]];

describe("a full disk", () => {
  test("refuses the group, removes nothing, and does not end the store", () => {
    const { apply } = open();
    const { id } = rowOf(apply(quick(3)))!;
    {
      using _ = fillDisk();
      const answer = apply(["forget", id], FAILING);
      expect(codesOf(answer)).toEqual(["tasks_io", "tasks_io"]);
      expect(answer).toMatchObject({ removed: [], hasFailed: false });
    }
    expect(rowOf(apply(["find", id]))).toBeDefined();
  });

  test("is not in the way of what only reads: that needs no transaction", () => {
    const { apply } = open();
    const { id } = rowOf(apply(quick(3)))!;
    using transaction = spyOn(TaskDatabase.prototype, "transaction");
    expect(rowOf(apply(["find", id], ["list", { limit: 9 }], ["result", id]))).toBeDefined();
    expect(transaction).not.toHaveBeenCalled();
  });

  test("counts nothing of the group: neither what waits, nor the room, nor who has more than half of it", () => {
    const { apply } = open({ tasksMax: 1, resultBytesMax: 3 * RECORD_BYTES });
    const oldest = rowOf(apply(quick(1, "oldest")))!.id;
    const second = rowOf(apply(quick(2, "second")))!.id;
    {
      using failing = fillDisk();
      apply(long(30_000), quick(3, "third"), FAILING);
      // What it counts on the way is counted once.
      expect(failing).toHaveBeenCalledTimes(1);
    }
    expect(codesOf(apply(long(30_000)))).toEqual([undefined]);
    // The third record has room, and with the fourth the oldest gives way: nobody has more than half.
    expect(apply(quick(3, "third")).removed).toEqual([]);
    expect(apply(quick(4, "fourth")).removed.map(({ id }) => id)).toEqual([oldest]);
    expect(rowOf(apply(["find", second]))).toBeDefined();
  });
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

  test("takes nothing from who has just half", () => {
    const { apply } = open({ resultBytesMax: 4 * RECORD_BYTES });
    const oldest = rowOf(apply(quick(1, "oldest")))!.id;
    apply(quick(2, "half"), quick(3, "half"), quick(4, "other"));
    expect(apply(quick(5, "other")).removed.map(({ id }) => id)).toEqual([oldest]);
  });

  test("takes nothing more from who had more than half once", () => {
    const { apply } = open({ resultBytesMax: 4 * RECORD_BYTES });
    const oldest = rowOf(apply(quick(1, "oldest")))!.id;
    const greedy = [2, 3, 4].map((count) => rowOf(apply(quick(count, "greedy")))!.id);
    apply(...greedy.slice(1).map((id): StepCall => ["forget", id]), quick(5, "next"), quick(6, "next"));
    expect(apply(quick(7, "last")).removed.map(({ id }) => id)).toEqual([oldest]);
  });

  test("never makes the one give way that has just ended", () => {
    const { apply } = open({ resultBytesMax: RECORD_BYTES - 1 });
    const first = rowOf(apply(quick(1)))!.id;
    expect(rowOf(apply(["find", first]))).toBeDefined();
    expect(apply(quick(2)).removed.map(({ id }) => id)).toEqual([first]);
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
