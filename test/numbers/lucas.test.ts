/** L(n): every reference value, thousands of n against BigInt, identities. */
import { expect, test } from "bun:test";
import { fibonacciDigits, lucasDigits } from "../../src/numbers/digits.ts";
import { fibonacci, fibonacciMemoryBytes } from "../../src/numbers/fibonacci.ts";
import { lucas, lucasMemoryBytes } from "../../src/numbers/lucas.ts";
import { multiplier, multiplierMemoryBytes } from "../../src/numbers/multiplier.ts";
import { distrusted } from "../../src/notices.ts";
import { bigPair, bigTerms, sha256 } from "../oracle.ts";
import reference from "../vectors/lucas.json";

/** Indices from here are computed in the multiplier, once it is loaded. */
const KERNEL_FROM = 8000;

const text = (digits: Uint8Array): string => new TextDecoder().decode(digits);
const random = (from: number, to: number): number => from + Math.floor(Math.random() * (to - from));

/** L(n) = 2 F(n+1) - F(n). */
function bigLucas(n: number): string {
  const [f, next] = bigPair(n);
  return String(2n * next - f);
}

function expectRight(indices: Iterable<number>): void {
  multiplier();
  const before = { ...distrusted };
  for (const n of indices) if (text(lucas(n)) !== bigLucas(n)) throw new Error(`L(${n}) is wrong`);
  expect(distrusted).toEqual(before);
}

/** L(10^8) takes its time to hash. */
const isSlow = process.env["SLOW"] !== undefined;

test("lucas() gives every reference value", () => {
  multiplier();
  for (const { n, sha256: expected, bytes } of reference.lucas.filter((one) => isSlow || one.n < 1e8)) {
    const digits = lucas(n);
    expect([n, digits.length, sha256(digits)]).toEqual([n, bytes, expected]);
    expect(lucasDigits(BigInt(n))).toBe(BigInt(bytes));
  }
  expect(reference.small.map((_, n) => text(lucas(n)))).toEqual(reference.small);
});

test("lucas() is right for every n up to 2,000", () => {
  expect(Array.from({ length: 2001 }, (_, n) => text(lucas(n)))).toEqual(bigTerms(0, 2001, [2n, 1n]));
});

test("lucas() equals BigInt at 2,000 random n, and at every n around the crossovers", () => {
  const indices = Array.from({ length: 2000 }, () => Math.floor(KERNEL_FROM * 10 ** Math.random()));
  for (const crossover of [KERNEL_FROM, 200_000]) {
    for (let offset = -5; offset <= 5; offset++) indices.push(crossover + offset);
  }
  expectRight(indices);
}, 300_000);

test("lucas() is right wherever its squares begin: at 2^k times a number around that from which BigInt takes over", () => {
  const indices: number[] = [];
  for (let twos = 5; twos <= 14; twos++) {
    for (const odd of [1, 3, 299, 301, 599, 601, 1199]) indices.push(odd * 2 ** twos);
  }
  expectRight(indices.filter((n) => n >= KERNEL_FROM && n < 300_000));
});

test("lucas() is right at lengths around every change of the rings", () => {
  for (const ratio of [1, 1.125, 1.25, 1.5, 1.75]) {
    const n = Math.floor((5 * 4096 * ratio) / 0.20898764);
    expectRight([-40, -33, -26, -19, -12, -5, 2, 9, 16].map((offset) => n + offset));
  }
});

test("lucas() keeps L(n)^2 - 5 F(n)^2 = 4 (-1)^n", () => {
  multiplier();
  for (let round = 0; round < 20; round++) {
    const n = random(KERNEL_FROM, 60_000);
    const [l, f] = [lucas(n), fibonacci(n)].map((digits) => BigInt(text(digits)));
    expect(l! * l! - 5n * f! * f!).toBe(n % 2 === 0 ? 4n : -4n);
  }
});

for (const n of [1_000_000, 1_000_001]) {
  test(`lucas(${n}) reports progress that grows to 1`, () => {
    multiplier();
    const fractions: number[] = [];
    lucas(n, { onProgress: (fraction) => fractions.push(fraction) });
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(fractions.length).toBeGreaterThan(5);
    expect(fractions.at(-1)).toBeCloseTo(1, 2);
  });

  test(`lucas(${n}) with \`borrow\` gives the same digits, in the multiplier's memory`, () => {
    const borrowed = lucas(n, { borrow: true });
    expect(borrowed.buffer.byteLength).toBe(multiplierMemoryBytes());
    const copy = borrowed.slice();
    expect(lucas(n)).toEqual(copy);
  });
}

test("lucasMemoryBytes() is known for every n, and less than F's where there are squares alone", () => {
  multiplier();
  expect(lucasMemoryBytes(1e9)).toBeLessThan(0.9 * fibonacciMemoryBytes(1e9));
  expect(lucasMemoryBytes(1e9 + 1)).toBe(fibonacciMemoryBytes(1e9 + 1));
  expect(lucasMemoryBytes(1e9)).toBeGreaterThan(2 * Number(fibonacciDigits(1_000_000_000n)));
  expect(lucasMemoryBytes(1e30)).toBeGreaterThan(1e29);
});

test("lucas() refuses what the multiplier cannot address", () => {
  expect(() => lucas(8e9)).toThrow(/Cannot compute L\(8000000000\): it needs [\d,]+ MB of memory/);
});
