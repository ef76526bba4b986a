/** F(n): every reference value, a thousand n against BigInt, identities. */
import { expect, test } from "bun:test";
import { pairByBigInt } from "../../src/numbers/big-integers.ts";
import { fibonacci, fibonacciMemoryBytes } from "../../src/numbers/fibonacci.ts";
import { multiplier, multiplierMemoryBytes } from "../../src/numbers/multiplier.ts";
import { termPair } from "../../src/numbers/term-pair.ts";
import { sha256 } from "../oracle.ts";
import reference from "../vectors/reference.json";

/** Indices from here are computed in the multiplier, once it is loaded. */
const KERNEL_FROM = 8000;

const text = (digits: Uint8Array): string => new TextDecoder().decode(digits);
const random = (from: number, to: number): number => from + Math.floor(Math.random() * (to - from));

const lastDigits = (n: number, count: number): bigint => BigInt(text(fibonacci(n).subarray(-count)));

test("fibonacci() in a fresh thread and in a warm one gives the same", () => {
  const fresh = fibonacci(KERNEL_FROM + 7);
  multiplier();
  expect(text(fibonacci(KERNEL_FROM + 7))).toBe(text(fresh));
});

test("fibonacci() gives every reference value", () => {
  multiplier();
  for (const { n, sha256: expected, bytes } of reference.fibonacci) {
    const digits = fibonacci(n);
    expect([n, digits.length, sha256(digits)]).toEqual([n, bytes, expected]);
  }
  expect(reference.small.map((_, n) => text(fibonacci(n)))).toEqual(reference.small);
});

test("fibonacci() equals BigInt at 800 random n, and at every n around the crossovers", () => {
  multiplier();
  const indices = Array.from({ length: 800 }, () => Math.floor(KERNEL_FROM * 10 ** (1.4 * Math.random())));
  for (const crossover of [KERNEL_FROM, 200_000]) {
    for (let offset = -3; offset <= 3; offset++) indices.push(crossover + offset);
  }
  for (const n of indices) {
    if (text(fibonacci(n)) !== pairByBigInt(n)[0].toString()) throw new Error(`F(${n}) is wrong`);
  }
}, 300_000);

test("fibonacci() is right at lengths around every change of the rings", () => {
  multiplier();
  // A product of c limbs of five digits belongs to n = 5 c / log10(phi).
  for (const size of [4096, 8192]) {
    for (const ratio of [1, 1.125, 1.25, 1.5, 1.75]) {
      const n = Math.floor((5 * size * ratio) / 0.20898764);
      for (let near = n - 40; near <= n + 16; near += 7) {
        if (text(fibonacci(near)) !== pairByBigInt(near)[0].toString())
          throw new Error(`F(${near}) is wrong`);
      }
    }
  }
});

test("fibonacci() keeps Cassini's identity F(n-1) F(n+1) - F(n)^2 = (-1)^n", () => {
  multiplier();
  for (let round = 0; round < 20; round++) {
    const n = random(KERNEL_FROM, 60_000);
    const [before, at, after] = [n - 1, n, n + 1].map((index) => BigInt(text(fibonacci(index))));
    expect(before! * after! - at! * at!).toBe(n % 2 === 0 ? 1n : -1n);
  }
});

test("fibonacci() keeps gcd(F(m), F(n)) = F(gcd(m, n))", () => {
  multiplier();
  const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));
  for (let round = 0; round < 5; round++) {
    const common = random(100, 2000);
    const [m, n] = [common * random(8, 12), common * random(13, 20)];
    const index = Number(gcd(BigInt(m), BigInt(n)));
    expect(gcd(BigInt(text(fibonacci(m))), BigInt(text(fibonacci(n))))).toBe(pairByBigInt(index)[0]);
  }
});

test("fibonacci() has the Pisano periods of 10, 1000 and 10^6", () => {
  multiplier();
  for (const [count, period] of [
    [1, 60],
    [3, 1500],
    [6, 1_500_000],
  ] as const) {
    const n = random(2_000_000, 3_000_000);
    expect(lastDigits(n, count)).toBe(lastDigits(n + period, count));
  }
});

test("termPair() without a start gives F(n) and F(n+1)", () => {
  multiplier();
  const indices = [0, 1, 2, 92, 9999, 10_000, 10_001, 131_071, 131_072, 131_073];
  for (let round = 0; round < 80; round++) indices.push(random(KERNEL_FROM, 200_000));
  for (const n of indices) {
    expect(termPair(n).map(text), `n = ${n}`).toEqual(pairByBigInt(n).map(String));
  }
});

test("fibonacci() reports progress that grows to 1", () => {
  multiplier();
  const fractions: number[] = [];
  fibonacci(1_000_000, { onProgress: (fraction) => fractions.push(fraction) });
  expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
  expect(fractions.length).toBeGreaterThan(5);
  expect(fractions.at(-1)).toBeCloseTo(1, 2);
});

test("fibonacciMemoryBytes() is known for every n", () => {
  // What it predicts is held against processes in test/memory.test.ts.
  expect(fibonacciMemoryBytes(1e9)).toBeLessThan(1e9);
  expect(fibonacciMemoryBytes(1e30)).toBeGreaterThan(1e29);
});

test("fibonacci() with `borrow` gives the same digits, in the multiplier's memory", () => {
  const borrowed = fibonacci(200_000, { borrow: true });
  expect(borrowed.buffer.byteLength).toBe(multiplierMemoryBytes());
  const copy = borrowed.slice();
  expect(fibonacci(200_000)).toEqual(copy);
});

test("fibonacci() refuses what the multiplier cannot address", () => {
  expect(() => fibonacci(8e9)).toThrow(/needs [\d,]+ MB of memory, more than can be addressed/);
});

test("2,000 computations do not grow the multiplier's memory", () => {
  fibonacci(KERNEL_FROM + 10_000);
  const before = multiplierMemoryBytes();
  for (let i = 0; i < 2000; i++) fibonacci(KERNEL_FROM + i);
  expect(multiplierMemoryBytes()).toBe(before);
}, 300_000);
