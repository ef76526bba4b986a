/** 2^k - 3: BigInt at every threshold and a thousand k, memory and progress; ackermann.test.ts has GMP's digests. */
import { expect, test } from "bun:test";
import { textOf } from "../../src/numbers/decimal.ts";
import { multiplier, multiplierMemoryBytes, restartMultiplier } from "../../src/numbers/multiplier.ts";
import { powerLessThree } from "../../src/numbers/power.ts";
import { distrusted } from "../../src/notices.ts";

/** From these exponents the multiplier computes, in a fresh thread and where it is loaded. */
const KERNEL_FROM_FRESH = 220_000;
const KERNEL_FROM = 8000;

function mustBeRight(k: number): void {
  if (textOf(powerLessThree("2^k - 3", k)) !== (2n ** BigInt(k) - 3n).toString())
    throw new Error(`2^${k} - 3 is wrong`);
}

test("powerLessThree() equals BigInt at every k to 1000 and around the crossovers", () => {
  for (let k = 2; k <= 1000; k++) mustBeRight(k);
  for (let k = KERNEL_FROM_FRESH - 2; k <= KERNEL_FROM_FRESH + 2; k++) {
    restartMultiplier();
    mustBeRight(k);
    expect(multiplierMemoryBytes() > 0).toBe(k >= KERNEL_FROM_FRESH);
  }
  multiplier();
  for (let k = KERNEL_FROM - 40; k <= KERNEL_FROM + 40; k++) mustBeRight(k);
});

test("powerLessThree() equals BigInt at 800 random k, and distrusts none", () => {
  multiplier();
  const before = { ...distrusted };
  for (let round = 0; round < 800; round++) mustBeRight(Math.floor(10 ** (3.9 + 1.4 * Math.random())));
  expect(distrusted).toEqual(before);
}, 300_000);

test("powerLessThree() is right beside every power of two, and where only the first bit or all bits are set", () => {
  multiplier();
  for (let bits = 13; bits <= 18; bits++) {
    for (let near = -2; near <= 2; near++) mustBeRight(2 ** bits + near);
  }
});

test("powerLessThree() is right at lengths around every change of the rings and of the limbs", () => {
  multiplier();
  for (const size of [2048, 4096]) {
    for (const ratio of [1, 1.125, 1.25, 1.5, 1.75]) {
      const k = Math.floor((5 * size * ratio) / Math.log10(2));
      for (let near = k - 48; near <= k + 24; near += 4) mustBeRight(near);
    }
  }
});

test("powerLessThree() with `borrow` gives the same digits, in the multiplier's memory", () => {
  multiplier();
  const borrowed = powerLessThree("2^k - 3", 300_001, { borrow: true });
  expect(borrowed.buffer.byteLength).toBe(multiplierMemoryBytes());
  const copy = borrowed.slice();
  const own = powerLessThree("2^k - 3", 300_001);
  expect(own).toEqual(copy);
  expect(own.buffer.byteLength).toBe(own.length);
});

test("powerLessThree() reports progress that grows to 1", () => {
  multiplier();
  const fractions: number[] = [];
  powerLessThree("2^k - 3", 1_000_000, { onProgress: (fraction) => fractions.push(fraction) });
  expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
  expect(fractions.length).toBeGreaterThan(5);
  expect(fractions.at(-1)).toBeCloseTo(1, 2);
});

test("powerLessThree() refuses what the multiplier cannot address", () => {
  expect(() => powerLessThree("2^k - 3", 6e9)).toThrow(
    /needs [\d,]+ MB of memory, more than can be addressed/,
  );
});
