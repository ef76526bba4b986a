/** The steps of a task's life: what each of them leaves on disk, and what counts in the room for all. */
import { describe, expect, onTestFinished, setSystemTime, test } from "bun:test";
import { Database } from "bun:sqlite";
import type { StepCall } from "../../src/tasks/store.ts";
import { codesOf, long, open, quick, RECORD_BYTES, rowOf, short } from "./open-store.ts";

describe("a task that has ended", () => {
  test("stays as it has ended: no other end, no beginning and no giving back", () => {
    const { apply } = open();
    const [, { id }] = long(30_000);
    apply(long(30_001), ["create", { ...long(30_000)[1], id }]);
    const cancelled = rowOf(apply(["cancel", id, {}]));
    // As a thread does whose result was under way.
    const late = apply(["begin", id], ["end", id, { state: "ready", digits: "1" }], ["giveBack", [id]]);
    expect(late.outcomes).toEqual([{}, {}, {}]);
    expect(apply(["find", id], ["result", id]).outcomes).toEqual([{ value: cancelled }, {}]);
    expect(cancelled).toMatchObject({ state: "cancelled", attempts: 0, startedAtMs: null });
  });

  test("takes the room of its digits when it is ready, and that of a record otherwise", () => {
    const { apply } = open();
    const calls = [1, 2, 3].map((n) => long(30_000 + n));
    const [ready, failed, cancelled] = calls.map(([, { id }]) => id) as [string, string, string];
    const ended = apply(
      ...calls,
      ["end", ready, { state: "ready" }],
      ["end", failed, { state: "failed", reason: "made up" }],
      ["cancel", cancelled, {}],
    );
    const kept = [3, 4, 5].map((at) => rowOf(ended, at)!.keptBytes);
    expect(kept).toEqual([50_000, RECORD_BYTES, RECORD_BYTES]);
  });

  test("leaves nothing behind when it is forgotten, and tells of a file only where there is one", () => {
    const { store, apply, file } = open();
    const [inFile, running] = [long(30_000), long(30_001)];
    const [row, sequence] = [rowOf(apply(short(21)))!.id, rowOf(apply(quick(3)))!.id];
    const [fileId, runningId] = [inFile[1].id, running[1].id];
    apply(inFile, ["begin", fileId], ["end", fileId, { state: "ready" }], running, ["begin", runningId]);
    const ids = [row, sequence, fileId, runningId];
    const { removed } = apply(...ids.map((id): StepCall => ["forget", id]));
    expect(removed.map(({ id, attempts, hasFile }) => [id, attempts, hasFile])).toEqual([
      [row, 1, false],
      [sequence, 1, false],
      [fileId, 1, true],
      [runningId, 1, false],
    ]);
    store.close();
    using db = new Database(file);
    expect(db.query("SELECT id FROM results").all()).toEqual([]);
  });
});

describe("an expired task", () => {
  test("is not shown any more, and asked again it is another one", () => {
    // The clock stands: from its last millisecond on.
    setSystemTime(new Date());
    onTestFinished(() => void setSystemTime());
    const { apply } = open({ resultTtlMs: 0 });
    const { id } = rowOf(apply(quick(3)))!;
    expect(
      apply(["find", id], ["list", { limit: 9 }], ["list", { limit: 9, state: "ready" }]).outcomes,
    ).toEqual([{}, { value: [] }, { value: [] }]);
    const again = apply(quick(3));
    expect(rowOf(again)!.id).not.toBe(id);
    expect(again.removed.map((row) => row.id)).toEqual([id]);
  });

  test("is swept, and no other", () => {
    for (const [resultTtlMs, count] of [
      [0, 2],
      [3_600_000, 0],
    ] as const) {
      const { apply } = open({ resultTtlMs });
      apply(quick(2), quick(3), long(30_000));
      expect(apply(["sweep"]).removed).toHaveLength(count);
    }
  });
});

describe("recover()", () => {
  test("queues a task that has lost its result as if it had not ended", () => {
    const { store, apply } = open();
    const call = long(30_000);
    const [, { id }] = call;
    apply(call, ["begin", id], ["end", id, { state: "ready" }]);
    expect(store.recover([id], true)).toBe(1);
    const queued = { state: "queued", finishedAtMs: null, expiresAtMs: null, keptBytes: 0 };
    expect(rowOf(apply(["find", id]))).toMatchObject(queued);
  });

  test("computes a short one of the first release, which wrote it down before", () => {
    const { store, apply, file } = open({ tasksMax: 1 });
    const call = long(30_000);
    const [, { id }] = call;
    apply(call);
    store.close();
    {
      using db = new Database(file);
      db.run("UPDATE tasks SET request = 'fibonacci 100', sizeBytes = 21");
    }
    const again = open({ tasksMax: 1 }, file);
    expect(again.pending).toEqual([]);
    const found = rowOf(again.apply(["find", id]))!;
    expect(found).toMatchObject({ state: "ready", attempts: 1, reason: null });
    expect(found.startedAtMs).toBe(found.finishedAtMs);
    expect(again.apply(["result", id]).outcomes).toMatchObject([
      { value: { digits: "354224848179261915075" } },
    ]);
    expect(codesOf(again.apply(long(30_001)))).toEqual([undefined]);
  });

  test("gives up nothing that was accepted under a higher limit", () => {
    const { store, apply, file } = open();
    apply(...[1, 2, 3].map((n) => long(30_000 + n)));
    store.close();
    const again = open({ tasksMax: 1 }, file);
    expect(again.pending).toHaveLength(3);
    for (const { id } of again.pending) again.apply(["end", id, { state: "ready" }]);
    expect(codesOf(again.apply(long(40_000)))).toEqual([undefined]);
  });
});
