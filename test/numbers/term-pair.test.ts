/** Where a sequence begins, from any start: against BigInt, with and without the multiplier. */
import { expect, test } from "bun:test";
import { HEAP_BYTES } from "../../src/numbers/memory.ts";
import { multiplier, multiplierMemoryBytes, restartMultiplier } from "../../src/numbers/multiplier.ts";
import { distrusted } from "../../src/notices.ts";
import { type Start, startText } from "../../src/numbers/start.ts";
import { termPair, termPairMemoryBytes } from "../../src/numbers/term-pair.ts";
import { bigTerms } from "../oracle.ts";

const text = (digits: Uint8Array): string => new TextDecoder().decode(digits);
const random = (from: number, to: number): number => from + Math.floor(Math.random() * (to - from));

/** A number of so many digits at most. */
const randomOf = (digits: number): bigint =>
  BigInt(Array.from({ length: digits }, () => random(0, 10)).join(""));

const MOST = 10n ** 128n - 1n;
const STARTS: readonly Start[] = [
  [2n, 1n],
  [0n, 0n],
  [1n, 0n],
  [0n, 2n],
  [7n, 7n],
  [1000n, 0n],
  // At either side of where a factor takes one more digit of 10^10.
  [5n * 10n ** 9n - 1n, 0n],
  [5n * 10n ** 9n, 0n],
  [10n ** 10n - 1n, 10n ** 10n - 1n],
  [10n ** 10n, 1n],
  [MOST, MOST],
  [MOST, 0n],
  [0n, MOST],
  // Every limb of a factor at half the base.
  [BigInt("50000".repeat(25)), BigInt("49999".repeat(25))],
];

test("termPair() is BigInt's for every start, at small indices and where the multiplier begins", () => {
  multiplier();
  const before = { ...distrusted };
  for (const start of STARTS) {
    for (const n of [0, 1, 2, 3, 92, 1000, 7999, 8000, 8001, 12_000, 20_011, 50_000]) {
      expect(termPair(n, start).map(text), `n = ${n}, ${startText(start)}`).toEqual(bigTerms(n, 2, start));
    }
  }
  expect(distrusted).toEqual(before);
});

test("termPair() is BigInt's at random indices from random starts", () => {
  multiplier();
  const before = { ...distrusted };
  for (let round = 0; round < 300; round++) {
    const start: Start = [randomOf(random(1, 129)), randomOf(random(1, 129))];
    const n = random(8000, 60_000);
    expect(termPair(n, start).map(text), `n = ${n}, ${startText(start)}`).toEqual(bigTerms(n, 2, start));
  }
  expect(distrusted).toEqual(before);
});

test("termPair() is one buffer: the second term right behind the first", () => {
  for (const [n, start] of [
    [0, [1n, MOST]],
    [1, [MOST, 0n]],
    [30_000, [MOST, MOST]],
  ] as const) {
    const [first, second] = termPair(n, start);
    expect(second.buffer).toBe(first.buffer);
    expect([first.byteOffset, second.byteOffset]).toEqual([0, first.length]);
  }
});

test("termPair() climbs nowhere for a sequence of zeros", () => {
  for (const n of [1, 1e6, 2 ** 47]) expect(termPair(n, [0n, 0n]).map(text)).toEqual(["0", "0"]);
  expect(termPairMemoryBytes(2 ** 47, [0n, 0n])).toBeLessThan(10_000);
});

test("termPairMemoryBytes() is what the multiplier and the texts take, and the heap: less than a text beside it", () => {
  for (const start of [undefined, [2n, 1n], [MOST, MOST]] as const) {
    restartMultiplier();
    multiplier();
    const pair = termPair(1_000_000, start);
    const held = multiplierMemoryBytes() + pair[0].buffer.byteLength;
    const predicted = termPairMemoryBytes(1_000_000, start);
    expect(Math.abs(predicted - HEAP_BYTES - held)).toBeLessThan(pair[0].length / 2);
  }
});

test("termPair() reports progress that grows to 1", () => {
  multiplier();
  const fractions: number[] = [];
  termPair(1_000_000, [3n, 5n], { onProgress: (fraction) => fractions.push(fraction) });
  expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
  expect(fractions.length).toBeGreaterThan(5);
  expect(fractions.at(-2)).toBeLessThan(0.95);
  expect(fractions.at(-1)).toBeCloseTo(1, 2);
});

test("termPair() names the term that cannot be had", () => {
  expect(() => termPair(8e9, [2n, 1n])).toThrow("Cannot compute G(8000000000) with G(8000000001): it needs");
});
