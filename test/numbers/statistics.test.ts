/** Every digit is counted, wherever the text begins and ends. */
import { expect, test } from "bun:test";
import { toAscii } from "../../src/numbers/decimal.ts";
import { fibonacci } from "../../src/numbers/fibonacci.ts";
import { digitCounts } from "../../src/numbers/statistics.ts";

const oneByOne = (digits: Uint8Array): number[] => {
  const counts = Array.from({ length: 10 }, () => 0);
  for (const digit of digits) counts[digit - 48]!++;
  return counts;
};

test("digitCounts() counts texts of every length, at even and odd addresses", () => {
  const text = toAscii("98765432101234567899000112358132134558914");
  for (let from = 0; from < text.length; from++) {
    for (let to = from + 1; to <= text.length; to++)
      expect(digitCounts(text.subarray(from, to))).toEqual(oneByOne(text.subarray(from, to)));
  }
});

test("digitCounts() counts the digits of F(n)", () => {
  expect(digitCounts(toAscii("0"))).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  for (const n of [0, 100, 1000, 1_000_000]) {
    const digits = fibonacci(n);
    expect(digitCounts(digits)).toEqual(oneByOne(digits));
  }
  // By PARI/GP.
  expect(digitCounts(fibonacci(1000))).toEqual([20, 13, 21, 18, 21, 23, 26, 21, 20, 26]);
});
