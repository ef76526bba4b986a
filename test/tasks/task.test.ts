/** A request and the line that stands for it are the same thing; what HTTP shows is complete. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { isFinished, requestKey, requestOfKey, taskJson, TASK_STATES } from "../../src/tasks/task.ts";
import { aTask } from "./a-task.ts";

const index = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const natural = fc.bigInt({ min: 0n, max: 10n ** 1000n });
const request = fc.oneof(
  fc.record({
    kind: fc.constantFrom(...(["fibonacci", "lucas", "factorial", "statistics"] as const)),
    n: index,
  }),
  fc.record({
    kind: fc.constant("remainder" as const),
    n: natural.map(String),
    mod: natural.map(String),
  }),
  fc.record({ kind: fc.constant("pisano" as const), m: natural }),
  fc.record({ kind: fc.constant("ackermann" as const), m: natural, n: natural }),
  fc.record({ kind: fc.constant("sequence" as const), from: index, count: index }),
  fc.record({
    kind: fc.constant("sequence" as const),
    from: index,
    count: index,
    start: fc.tuple(natural, natural),
  }),
);

test("requestOfKey() returns what requestKey() was given, and keys differ where requests do", () => {
  fc.assert(
    fc.property(request, request, (one, other) => {
      expect(requestOfKey(requestKey(one))).toEqual(one);
      expect(requestKey(one) === requestKey(other)).toBe(Bun.deepEquals(one, other));
    }),
  );
});

test("requestOfKey() refuses what requestKey() does not write", () => {
  for (const key of [
    "",
    "fibonacci",
    "fibonacci ",
    "fibonacci 1 2",
    "fibonacci -1",
    "sum 1",
    "ackermann 1",
    "sequence 1 x",
    "sequence 1 2 3",
    "remainder 1 2 3 4",
  ]) {
    expect(() => requestOfKey(key), key).toThrow("is no task");
  }
});

test("isFinished() holds for the states that end a task", () => {
  expect(TASK_STATES.filter(isFinished)).toEqual(["ready", "failed", "cancelled"]);
});

test("taskJson() shows big integers as text, times as RFC 3339, and leaves out what is not known", () => {
  const task = aTask({
    id: "01a1fd64-51f4-7678-af12-2ee8e6058112",
    request: requestKey({ kind: "ackermann", m: 2n, n: 10n ** 30n }),
    sizeBytes: 31,
  });
  const shown = {
    id: task.id,
    kind: "ackermann",
    m: "2",
    n: "1000000000000000000000000000000",
    state: "queued",
    progress: 0,
    digits: 31,
    attempts: 0,
    requests: 1,
    createdAt: "1970-01-01T00:00:00.000Z",
  };
  expect(taskJson(task)).toStrictEqual(shown as typeof shown & { kind: "ackermann"; state: "queued" });
  const failed = {
    ...task,
    state: "failed",
    startedAtMs: 1,
    finishedAtMs: 2,
    expiresAtMs: 1e12,
    reason: "No.",
  } as const;
  expect(taskJson(failed)).toMatchObject({
    startedAt: "1970-01-01T00:00:00.001Z",
    finishedAt: "1970-01-01T00:00:00.002Z",
    expiresAt: "2001-09-09T01:46:40.000Z",
    reason: "No.",
  });
  expect(taskJson({ ...task, request: "sequence 1 2" })).toMatchObject({
    from: "1",
    count: "2",
    bytes: 31,
  });
  expect(taskJson({ ...task, request: "sequence 1 2 2,1" })).toMatchObject({ count: "2", start: "2,1" });
  // What only a newer version knows.
  const { kind, n, digits } = taskJson({ ...task, request: "zeta 1 2" });
  expect([kind as string, n, digits]).toEqual(["zeta", undefined, undefined]);
});
