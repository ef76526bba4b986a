/** Every F(n) is found at n, and every other value lies between its neighbours. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { type FoundIndex, fibonacciIndex as find } from "../../src/numbers/find-index.ts";
import { textOf } from "../../src/numbers/decimal.ts";
import { fibonacci } from "../../src/numbers/fibonacci.ts";
import { termDigits } from "../../src/numbers/offsets.ts";

const fibonacciIndex = (value: string): FoundIndex => find(Buffer.from(value));

const terms: bigint[] = [0n, 1n];
while (terms.length < 2000) terms.push(terms.at(-1)! + terms.at(-2)!);

test("fibonacciIndex() finds the first 2,000 terms; 1 is at index 1", () => {
  for (const [n, term] of terms.entries()) {
    expect(fibonacciIndex(String(term))).toEqual({ isTerm: true, index: n === 2 ? 1 : n });
  }
});

test("fibonacciIndex() tells the neighbours of values next to the first 2,000 terms", () => {
  for (let n = 5; n < terms.length; n++) {
    expect(fibonacciIndex(String(terms[n]! + 1n))).toEqual({ isTerm: false, below: n, above: n + 1 });
    if (n === 5) continue; // 5 - 1 is checked as 4 = F(4) + 1
    expect(fibonacciIndex(String(terms[n]! - 1n))).toEqual({ isTerm: false, below: n - 1, above: n });
  }
  expect(fibonacciIndex("4")).toEqual({ isTerm: false, below: 4, above: 5 });
});

test("fibonacciIndex() tells the neighbours of random values", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 4n, max: 10n ** 400n }), (value) => {
      const above = terms.findIndex((term) => term >= value);
      const expected: FoundIndex =
        terms[above] === value ? { isTerm: true, index: above } : { isTerm: false, below: above - 1, above };
      expect(fibonacciIndex(String(value))).toEqual(expected);
    }),
    { numRuns: 1000 },
  );
});

test("fibonacciIndex() decides by the last digit of a long value", () => {
  for (const n of [100_000, 1_234_567, 10_000_019]) {
    const text = Buffer.from(fibonacci(n)).toString();
    expect(fibonacciIndex(text)).toEqual({ isTerm: true, index: n });
    const last = Number(text.at(-1));
    const other = `${text.slice(0, -1)}${last === 9 ? 8 : last + 1}`;
    const below = last === 9 ? n - 1 : n;
    expect(fibonacciIndex(other)).toEqual({ isTerm: false, below, above: below + 1 });
  }
});

test("fibonacciIndex() tells the neighbours of a long value without computing them", () => {
  const found = fibonacciIndex(`1${"0".repeat(24_999_999)}`);
  if (found.isTerm) throw new Error("a power of ten is taken for a term");
  expect(found.above).toBe(found.below + 1);
  expect([termDigits(found.below), termDigits(found.above)]).toEqual([24_999_999, 25_000_000]);
});

test("fibonacciIndex() refuses what is no whole number in decimal", () => {
  for (const value of ["", "-1", "+1", "01", "1.0", "1e3", " 1", "1\n", "٣", "abc"]) {
    expect(() => fibonacciIndex(value)).toThrow("has to be a whole number in decimal");
  }
});

test("fibonacciIndex() compares lengths first", () => {
  // F(39,625,924) differs from a power of ten in the ninth digit only.
  const term = fibonacci(39_625_924);
  const power = Buffer.alloc(term.length + 1, "0");
  power[0] = 0x31;
  expect(textOf(term.subarray(0, 6))).toBe("999999");
  expect(find(power)).toEqual({ isTerm: false, below: 39_625_924, above: 39_625_925 });
});
