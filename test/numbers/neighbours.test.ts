/** A cursor's values are F(n), by whatever steps and jumps it came there. */
import { expect, onTestFinished, test } from "bun:test";
import * as fc from "fast-check";
import { textOf } from "../../src/numbers/decimal.ts";
import { fibonacci } from "../../src/numbers/fibonacci.ts";
import { Neighbours } from "../../src/numbers/neighbours.ts";
import { Pool } from "../../src/numbers/pool.ts";

/** Fails when a thread is asked. */
const noPool = { run: () => Promise.reject(new Error("a thread was asked")) };
const expected = (index: number) => textOf(fibonacci(index));

test("at() agrees with fibonacci() on every step up and down, also across the end of its table", () => {
  const neighbours = new Neighbours(noPool);
  const up = Array.from({ length: 600 }, (_, index) => index);
  for (const index of [...up, ...up.toReversed(), ...up]) {
    expect(neighbours.at(index)).toBe(expected(index));
  }
});

test("at() agrees with fibonacci() where the number of digits changes, in both directions", () => {
  const neighbours = new Neighbours(noPool);
  // F(4781) has 999 digits, F(4782) has 1000; F(19138) has 4000.
  for (const start of [4778, 19_135]) {
    for (const step of [0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3, 2, 1, 0, 1, 0]) {
      expect(neighbours.at(start + step)).toBe(expected(start + step));
    }
  }
});

test("at() agrees with fibonacci() after any steps and jumps", () => {
  const move = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(-1, 0, 1, 1, 2, -2) },
    { weight: 1, arbitrary: fc.integer({ min: -3000, max: 3000 }) },
  );
  fc.assert(
    fc.property(fc.nat(10_000), fc.array(move, { maxLength: 30 }), (start, moves) => {
      const neighbours = new Neighbours(noPool);
      let index = start;
      for (const delta of [0, ...moves]) {
        index = Math.max(0, index + delta);
        expect(neighbours.at(index)).toBe(expected(index));
      }
    }),
    { numRuns: 150 },
  );
});

test("at() computes long values on a thread, and keeps the short one beside them", async () => {
  const pool = new Pool({ threads: 1, queueMax: 4 });
  onTestFinished(() => pool.close());
  const neighbours = new Neighbours(pool);
  expect(neighbours.at(1_999_999)).toBe(expected(1_999_999));
  const long = neighbours.at(2_000_000);
  expect(long).toBeInstanceOf(Promise);
  expect(neighbours.at(1_999_998)).toBe(expected(1_999_998));
  expect((await long) === expected(2_000_000)).toBe(true);
  expect((await neighbours.at(3_000_001)) === expected(3_000_001)).toBe(true);
});

test("at() computes a long value once for all who ask, and again after a failure", async () => {
  const jobs: unknown[] = [];
  let isBusy = false;
  const pool = {
    run: async (job: unknown) => {
      jobs.push(job);
      if (isBusy) throw new Error("made up");
      return Buffer.from(`value ${jobs.length}`);
    },
  };
  const neighbours = new Neighbours(pool);
  const asked = Array.from({ length: 100 }, async () => neighbours.at(5_000_000));
  expect(new Set(await Promise.all(asked))).toEqual(new Set(["value 1"]));
  expect(await neighbours.at(5_000_000)).toBe("value 1");
  expect(await neighbours.at(5_000_001)).toBe("value 2");
  isBusy = true;
  expect(await Promise.resolve(neighbours.at(5_000_002)).catch(String)).toBe("Error: made up");
  isBusy = false;
  expect(await neighbours.at(5_000_002)).toBe("value 4");
});
