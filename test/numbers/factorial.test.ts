/** n!: the reference values, BigInt at random n, the recurrence. */
import { expect, test } from "bun:test";
import { factorial } from "../../src/numbers/factorial.ts";
import { multiplier } from "../../src/numbers/multiplier.ts";
import { sha256 } from "../oracle.ts";
import reference from "../vectors/reference.json";

const text = (digits: Uint8Array): string => new TextDecoder().decode(digits);

test("factorial() gives every reference value", () => {
  multiplier();
  for (const { n, sha256: expected, bytes } of reference.factorials.list) {
    const digits = factorial(n);
    expect([n, digits.length, sha256(digits)]).toEqual([n, bytes, expected]);
  }
});

test("factorial() equals BigInt at every n to 600, and at a tenth of those to 6,000", () => {
  multiplier();
  let product = 1n;
  for (let n = 0; n <= 6000; n++) {
    if (n > 0) product *= BigInt(n);
    if (n > 600 && Math.random() > 0.1 && n % 1000 > 2) continue;
    if (text(factorial(n)) !== product.toString()) throw new Error(`${n}! is wrong`);
  }
});

test("factorial() keeps n! = n (n-1)! around a power of 2, of 5 and of 10", () => {
  multiplier();
  for (const n of [8192, 15_625, 10_000, 16_384, 20_011]) {
    expect(BigInt(text(factorial(n)))).toBe(BigInt(n) * BigInt(text(factorial(n - 1))));
  }
});

test("factorial() reports progress that grows to 1", () => {
  const fractions: number[] = [];
  factorial(100_000, { onProgress: (fraction) => fractions.push(fraction) });
  expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
  expect(fractions.length).toBeGreaterThan(5);
  expect(fractions.at(-1)).toBe(1);
});
