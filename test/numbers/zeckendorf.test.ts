/** Zeckendorf's representation: the indices fall by two or more, and the terms add up to the value. */
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { pairByBigInt } from "../../src/numbers/big-integers.ts";
import { zeckendorf } from "../../src/numbers/zeckendorf.ts";
import vectors from "../vectors/zeckendorf.json";

const TERMS_MAX = 8000;
const terms: bigint[] = [0n, 1n];
while (terms.length <= TERMS_MAX) terms.push(terms.at(-1)! + terms.at(-2)!);

function greedily(value: bigint): number[] {
  const indices: number[] = [];
  let index = terms.findIndex((term) => term > value);
  for (let rest = value; rest > 0n; index--) {
    if (terms[index]! > rest) continue;
    indices.push(index);
    rest -= terms[index]!;
  }
  return indices;
}

const isStrict = (indices: readonly number[]): boolean =>
  indices.every((index, i) => index >= 2 && (i === 0 || indices[i - 1]! - index >= 2));

/** As many digits as wanted, the same each time. */
function digitsOf(seed: number, count: number): bigint {
  let text = "";
  for (let i = 0; text.length < count; i++) {
    const block = createHash("sha256").update(`${seed} ${i}`).digest("hex");
    text += BigInt(`0x1${block}`).toString().slice(1);
  }
  return BigInt(`${(seed % 9) + 1}${text.slice(0, count - 1)}`);
}

/** The sums of F(i) and of F(i-1) over descending indices; each half is moved down, so that small numbers are multiplied. */
function sumsOf(indices: readonly number[], base = 0): [sum: bigint, lowered: bigint] {
  if (indices.length < 200) {
    const sum = (offset: number): bigint => indices.reduce((total, i) => total + terms[i - offset]!, 0n);
    return [sum(base), sum(base + 1)];
  }
  const middle = indices.length >> 1;
  const shift = indices[middle]! - base;
  const [high, highLowered] = sumsOf(indices.slice(0, middle), base + shift);
  const [low, lowLowered] = sumsOf(indices.slice(middle), base);
  // F(i + shift) = F(i) F(shift + 1) + F(i - 1) F(shift).
  const [f, next] = pairByBigInt(shift);
  return [high * next + highLowered * f + low, high * f + highLowered * (next - f) + lowLowered];
}

test("zeckendorf() gives OEIS A014417", () => {
  for (const [value, word] of vectors.A014417.entries()) {
    const ones = word.split("").flatMap((digit, i) => (digit === "1" ? [word.length + 1 - i] : []));
    expect(zeckendorf(BigInt(value))).toEqual(ones);
  }
});

test("zeckendorf() gives what PARI gives, greedily", () => {
  for (const { value, indices } of vectors.cases) expect(zeckendorf(BigInt(value))).toEqual(indices);
});

test("zeckendorf() is what the greedy way gives, for values up to 100,000", () => {
  for (let value = 0n; value <= 100_000n; value++) {
    const [found, expected] = [zeckendorf(value), greedily(value)];
    if (found.length !== expected.length || found.some((index, i) => index !== expected[i]))
      throw new Error(`zeckendorf(${value}) is not ${found.join(" ")}`);
  }
});

test("zeckendorf() of F(n) is one index, of F(n) - 1 every other one, of F(n) + 1 two", () => {
  for (let n = 5; n < 2300; n++) {
    expect(zeckendorf(terms[n]!)).toEqual([n]);
    expect(zeckendorf(terms[n]! + 1n)).toEqual([n, 2]);
    const below = zeckendorf(terms[n]! - 1n);
    expect([below[0], below.at(-1), below.length]).toEqual([n - 1, 2 + ((n + 1) % 2), (n - 1) >> 1]);
    expect(isStrict(below)).toBe(true);
  }
});

test("zeckendorf() is what the greedy way gives around every index at which values are split", () => {
  for (let index = 64; index < TERMS_MAX - 70; index *= 2) {
    for (let n = index - 2; n <= index + 5; n++) {
      for (const [i, other] of [1n, 2n, 3n, 4n, 5n, 7n].entries()) {
        for (const value of [terms[n]! - other, terms[n]! + other, terms[n]! * other + digitsOf(n + i, 5)])
          expect(zeckendorf(value)).toEqual(greedily(value));
      }
    }
  }
});

test("zeckendorf() of random values is what the greedy way gives", () => {
  for (let digits = 1; digits <= 1500; digits += digits < 100 ? 1 : 37) {
    const value = digitsOf(digits, digits);
    expect(zeckendorf(value)).toEqual(greedily(value));
  }
});

test("zeckendorf() adds up to the value: 2,000, 10,000, 20,000 and 300,000 digits", () => {
  for (const digits of [2000, 10_000, 20_000, 300_000]) {
    const value = digitsOf(digits, digits);
    const seen: number[] = [];
    const indices = zeckendorf(value, { onProgress: (fraction) => seen.push(fraction) });
    expect(isStrict(indices)).toBe(true);
    expect(sumsOf(indices)[0] === value).toBe(true);
    expect(seen.every((fraction, i) => fraction >= (seen[i - 1] ?? 0) && fraction <= 1)).toBe(true);
    // From the first numbers on that values are split by.
    if (digits === 300_000) expect([seen[0]! < 0.01, seen.at(-1)! > 0.9]).toEqual([true, true]);
  }
});
