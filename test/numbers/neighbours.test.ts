/** A cursor's values are F(n), by whatever steps and jumps it came there. */
import { expect, onTestFinished, spyOn, test } from "bun:test";
import * as fc from "fast-check";
import { distrusted } from "../../src/notices.ts";
import { Adder, adderMemoryBytes, idleAdders } from "../../src/numbers/adder.ts";
import { textOf } from "../../src/numbers/decimal.ts";
import { fibonacci } from "../../src/numbers/fibonacci.ts";
import { Neighbours } from "../../src/numbers/neighbours.ts";
import { termDigits } from "../../src/numbers/offsets.ts";
import { Pool } from "../../src/numbers/pool.ts";

/** Fails when a thread is asked. */
const noPool = { run: () => Promise.reject(new Error("a thread was asked")) };
const expected = (index: number) => textOf(fibonacci(index));

test("at() agrees with fibonacci() on every step up and down", () => {
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

test("an adder whose sum was wrong is not used again, any other is", () => {
  const neighbours = new Neighbours(noPool);
  void neighbours.at(5000);
  void neighbours.at(5001);
  const idle = idleAdders();
  void neighbours.at(5002);
  expect(idleAdders()).toBe(idle);
  const spy = spyOn(Adder.prototype, "add").mockImplementation((a, b) => {
    spy.mockRestore();
    const sum = Buffer.from(String(BigInt(textOf(a)) + BigInt(textOf(b))));
    sum[17]! ^= 1;
    return sum;
  });
  expect(neighbours.at(5003)).toBe(expected(5003));
  expect(idleAdders()).toBe(idle - 1);
});

test("residues of a fresh pair come from no text", () => {
  const spy = spyOn(Adder.prototype, "residueOf");
  void new Neighbours(noPool).at(5000);
  expect(spy).not.toHaveBeenCalled();
  spy.mockRestore();
});

test("at() has room for a sum that is longer than its size class", () => {
  let last = 151_739;
  while (adderMemoryBytes(termDigits(last + 1)) <= 131_072) last++;
  while (adderMemoryBytes(termDigits(last)) > 131_072) last--;
  const before = distrusted.recurrence;
  const neighbours = new Neighbours(noPool);
  void neighbours.at(last - 1);
  expect(neighbours.at(last) === expected(last)).toBe(true);
  expect(distrusted.recurrence).toBe(before);
});

test("a long value that fails does not forget the one that was asked for after it", async () => {
  const held: PromiseWithResolvers<Uint8Array<ArrayBuffer>>[] = [];
  const run = () => {
    const one = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    held.push(one);
    return one.promise;
  };
  const neighbours = new Neighbours({ run });
  const first = Promise.resolve(neighbours.at(5_000_000)).catch(String);
  const second = neighbours.at(5_000_001);
  held[0]!.reject(new Error("made up"));
  await first;
  expect(neighbours.at(5_000_001)).toBe(second);
});
