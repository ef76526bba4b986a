/**
 * What a request does, against a model: an index, a count of moves, and a list of the keys used.
 */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { applyToRecord, type CursorRequest, type Position } from "../../src/cursor/moves.ts";
import { type CursorRecord, initialRecord, RING_COUNT } from "../../src/cursor/record.ts";
import { type ErrorCode, FibError } from "../../src/errors.ts";

function at(index: number, generation = 1): CursorRecord {
  return { ...initialRecord(index), generation };
}

function key(number: number): Uint8Array {
  return new Uint8Array(16).fill(number);
}

/** The code of a refusal, or where the cursor stands. */
function seen(outcome: FibError | Position): ErrorCode | { index: number; generation: number } {
  return outcome instanceof FibError
    ? outcome.code
    : { index: outcome.index, generation: outcome.generation };
}

function apply(record: CursorRecord, request: CursorRequest, indexMax = 92) {
  const { record: after, outcome } = applyToRecord(record, request, indexMax);
  return { after, seen: seen(outcome), outcome };
}

test("applyToRecord() refuses to go before 0 and past the last index, and changes nothing", () => {
  for (const [record, request, code] of [
    [at(0), { operation: "previous" }, "sequence_start"],
    [at(92), { operation: "next" }, "sequence_end"],
    [at(500), { operation: "next" }, "sequence_end"],
    [at(5), { operation: "set", target: 93 }, "bad_argument"],
    [at(5), { operation: "set", target: -1 }, "bad_argument"],
    [at(5), { operation: "set" }, "bad_argument"],
  ] as [CursorRecord, CursorRequest, ErrorCode][]) {
    for (const keyDigest of [undefined, key(1)]) {
      const { after, seen: found } = apply(record, { ...request, keyDigest });
      expect(found).toBe(code);
      expect(after).toBe(record);
    }
  }
});

test("applyToRecord() reaches both ends themselves", () => {
  expect(apply(at(91), { operation: "next" }).seen).toEqual({ index: 92, generation: 2 });
  expect(apply(at(1), { operation: "previous" }).seen).toEqual({ index: 0, generation: 2 });
  expect(apply(at(9), { operation: "set", target: 92 }).seen).toEqual({ index: 92, generation: 2 });
  expect(apply(at(9), { operation: "set", target: 0 }).seen).toEqual({ index: 0, generation: 2 });
  expect(apply(at(0), { operation: "set", target: 0 }, 0).seen).toEqual({ index: 0, generation: 2 });
});

test("applyToRecord() leads back from beyond a --max-index that was lowered", () => {
  expect(apply(at(500), { operation: "previous" }).seen).toEqual({ index: 499, generation: 2 });
});

test("applyToRecord() counts a set to the same index as a move, so that its ETag is new", () => {
  expect(apply(at(7, 3), { operation: "set", target: 7 }).seen).toEqual({ index: 7, generation: 4 });
});

test("applyToRecord() moves only at a generation that If-Match names", () => {
  for (const [ifGeneration, expected] of [
    [[3], { index: 8, generation: 4 }],
    [[1, 2, 3], { index: 8, generation: 4 }],
    [[2], "cursor_moved"],
    [[4], "cursor_moved"],
    [[], "cursor_moved"],
  ] as const) {
    expect(apply(at(7, 3), { operation: "next", ifGeneration }).seen).toEqual(expected);
  }
});

test("applyToRecord() asks for If-Match before the bounds: who is late learns that first", () => {
  expect(apply(at(0, 3), { operation: "previous", ifGeneration: [2] }).seen).toBe("cursor_moved");
});

test("applyToRecord() answers a retry as the first time, even when If-Match is outdated by the move itself", () => {
  const request: CursorRequest = { operation: "next", keyDigest: key(1), ifGeneration: [3] };
  const first = apply(at(7, 3), request);
  const moved = apply(first.after, { operation: "next" });
  const retry = apply(moved.after, request);
  expect(first.outcome).toMatchObject({ index: 8, generation: 4 });
  expect(retry.outcome).toEqual({ index: 8, generation: 5, replayed: true });
  expect(retry.after).toBe(moved.after);
});

test("applyToRecord() refuses a key for another operation, and for a set to another index", () => {
  const { after } = apply(at(7), { operation: "set", target: 20, keyDigest: key(1) });
  for (const request of [
    { operation: "next" },
    { operation: "previous" },
    { operation: "set", target: 21 },
  ] as CursorRequest[]) {
    const retry = apply(after, { ...request, keyDigest: key(1) });
    expect(retry.seen).toBe("key_reused");
    expect(retry.after).toBe(after);
  }
  expect(apply(after, { operation: "set", target: 20, keyDigest: key(1) }).seen).toEqual({
    index: 20,
    generation: 2,
  });
});

test("applyToRecord() does not use a key up for a move that was refused", () => {
  const refused = apply(at(92), { operation: "next", keyDigest: key(1) });
  expect(refused.seen).toBe("sequence_end");
  expect(apply(refused.after, { operation: "previous", keyDigest: key(1) }).seen).toEqual({
    index: 91,
    generation: 2,
  });
});

test("applyToRecord() keeps the promises of moves, keys and conditions in every sequence of requests", () => {
  const indexMax = 5;
  const requests = fc.array(
    fc.record(
      {
        operation: fc.constantFrom("next", "previous", "set", "current"),
        target: fc.integer({ min: -1, max: indexMax + 1 }),
        keyNumber: fc.nat({ max: 150 }),
        /** How far behind the cursor the caller's ETag is. */
        behind: fc.nat({ max: 2 }),
      },
      { requiredKeys: ["operation", "target"] },
    ),
    { maxLength: 400, size: "max" },
  );
  fc.assert(
    fc.property(requests, (list) => {
      let record = initialRecord();
      let model = { index: 0, generation: 1 };
      const keys: { number: number; operation: string; index: number }[] = [];
      for (const { operation, target, keyNumber, behind } of list) {
        const request = {
          operation,
          ...(operation === "set" && { target }),
          keyDigest: keyNumber === undefined ? undefined : key(keyNumber),
          ifGeneration: behind === undefined ? undefined : [model.generation - behind],
        } as CursorRequest;
        const step = applyToRecord(record, request, indexMax);
        const wanted = {
          next: model.index + 1,
          previous: model.index - 1,
          set: target,
          current: model.index,
        }[operation];
        const made = keys.slice(-RING_COUNT).find((entry) => entry.number === keyNumber);
        const refused = (code: ErrorCode) => {
          expect(seen(step.outcome)).toBe(code);
          expect(step.record).toBe(record);
        };
        if (operation === "current") {
          expect(seen(step.outcome)).toEqual(model);
          expect(step.record).toBe(record);
        } else if (made !== undefined) {
          const same = made.operation === operation && (operation !== "set" || made.index === target);
          if (!same) refused("key_reused");
          else expect(step.outcome).toMatchObject({ index: made.index, replayed: true });
          expect(step.record).toBe(record);
        } else if (behind !== undefined && behind !== 0) {
          refused("cursor_moved");
        } else if (wanted < 0 || wanted > indexMax) {
          refused(
            ({ next: "sequence_end", previous: "sequence_start", set: "bad_argument" } as const)[operation],
          );
        } else {
          model = { index: wanted, generation: model.generation + 1 };
          expect(seen(step.outcome)).toEqual(model);
          if (keyNumber !== undefined) keys.push({ number: keyNumber, operation, index: wanted });
        }
        record = step.record;
        expect(seen(record)).toEqual(model);
        expect(record.keyedCount).toBe(keys.length);
      }
    }),
    { numRuns: 100 },
  );
});
