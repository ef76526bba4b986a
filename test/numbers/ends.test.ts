/** The ends of F(n) against exact digits, and where they are hardest to tell. */
import { expect, test } from "bun:test";
import { textOf } from "../../src/numbers/decimal.ts";
import { LOG10_PHI } from "../../src/numbers/digits.ts";
import { type Ends, fibonacciEnds } from "../../src/numbers/ends.ts";
import { fibonacci } from "../../src/numbers/fibonacci.ts";
import vectors from "../vectors/ends.json";

const endsOf = (text: string, first: number, last = first): Ends => ({
  digits: BigInt(text.length),
  first: text.slice(0, first),
  last: text.slice(Math.max(0, text.length - last)),
});

/** With these bits to spare at first, the answer must be the same: what they do not decide takes more. */
const GUARDS_BITS = [0, 1, 2, 5, 10, 64];

test("fibonacciEnds() is exact for F(0) to F(6000), with fewer and more digits than there are", () => {
  let [f, next] = [0n, 1n];
  for (let n = 0n; n <= 6000n; n++) {
    // All around the index from which on the digits are not all computed.
    if (n < 300n || n % 97n === 0n || (n > 4985n && n < 5015n)) {
      const text = f.toString();
      for (const count of [0, 1, 2, 30, text.length - 1, text.length, text.length + 1, 1000]) {
        if (count <= 1000) expect(fibonacciEnds(n, count, count)).toEqual(endsOf(text, count));
      }
      expect(fibonacciEnds(n, 7, 0)).toEqual(endsOf(text, 7, 0));
      expect(fibonacciEnds(n, 0, 7)).toEqual(endsOf(text, 0, 7));
    }
    [f, next] = [next, f + next];
  }
});

/** The last 30 digits of each term by addition, and bounds of its first 60: [low, high] of F(n) and of F(n+1). */
test("fibonacciEnds() is right for every n up to 100,000", () => {
  const [modulus, limit] = [10n ** 30n, 10n ** 60n];
  let [low, lowNext, high, highNext] = [0n, 1n, 0n, 1n];
  let [last, lastNext, dropped] = [0n, 1n, 0];
  for (let n = 0n; n <= 100_000n; n++) {
    const count = [1, 2, 17, 30][Number(n % 4n)]!;
    const [text, highText] = [low.toString(), high.toString()];
    const first = text.slice(0, count);
    if (highText.slice(0, count) !== first || highText.length !== text.length)
      throw new Error(`F(${n}) needs more digits`);
    const digits = text.length + dropped;
    const wanted = last.toString().padStart(Math.min(digits, 30), "0").slice(-count);
    const found = fibonacciEnds(n, count, count);
    if (found.first !== first || found.last !== wanted || found.digits !== BigInt(digits))
      throw new Error(`F(${n}) begins with ${first}, ends in ${wanted} and has ${digits} digits`);
    [low, lowNext] = [lowNext, low + lowNext];
    [high, highNext] = [highNext, high + highNext];
    [last, lastNext] = [lastNext, (last + lastNext) % modulus];
    if (lowNext > limit) {
      [low, lowNext, high, highNext] = [low / 10n, lowNext / 10n, high / 10n + 1n, highNext / 10n + 1n];
      dropped++;
    }
  }
});

for (const n of process.env["SLOW"] === "1" ? [1e6, 1e7, 1e8] : [1e6, 1e7]) {
  test(`fibonacciEnds() is right for F(${n})`, () => {
    const text = textOf(fibonacci(n));
    for (const count of [1, 30, 1000])
      expect(fibonacciEnds(BigInt(n), count, count)).toEqual(endsOf(text, count));
  });
}

/** Those of the n up to a million whose digits behind the k-th are closest to 000… or 999… */
function closest(k: number, howMany: number): number[] {
  const found: { n: number; distance: number }[] = [];
  for (let n = 5001; n <= 1e6; n++) {
    const log = n * LOG10_PHI - Math.log10(5) / 2;
    const leading = 10 ** (log - Math.floor(log) + k - 1);
    const distance = Math.abs(leading - Math.round(leading));
    if (distance < 1e-4) found.push({ n, distance });
  }
  return found
    .toSorted((a, b) => a.distance - b.distance)
    .slice(0, howMany)
    .map(({ n }) => n);
}

test("fibonacciEnds() is right for the n up to a million that come closest to a boundary", () => {
  for (const k of [1, 2, 3, 4]) {
    for (const n of closest(k, 10)) {
      const text = textOf(fibonacci(n));
      expect(text.slice(k, k + 2)).toMatch(/00|99/);
      for (const guardBits of GUARDS_BITS)
        expect(fibonacciEnds(BigInt(n), k, k, guardBits)).toEqual(endsOf(text, k));
    }
  }
});

test("fibonacciEnds() is right for n of up to 999 digits that were made to come close", () => {
  for (const { n, digits, first, last } of vectors.ends) {
    const wanted = { digits: BigInt(digits), first, last };
    for (const guardBits of n.length < 200 ? GUARDS_BITS : [0, 64])
      expect(fibonacciEnds(BigInt(n), first.length, last.length, guardBits)).toEqual(wanted);
  }
});

test("fibonacciEnds() says the same of a number however few bits it has at first", () => {
  for (let i = 0; i < 300; i++) {
    const n = 5001n + BigInt(Math.floor(Math.random() * 2 ** 53)) ** BigInt(1 + (i % 4));
    const [count, wanted] = [1 + (i % 40), fibonacciEnds(n, 60, 60)];
    for (const guardBits of GUARDS_BITS) {
      expect(fibonacciEnds(n, count, count, guardBits)).toEqual({
        digits: wanted.digits,
        first: wanted.first.slice(0, count),
        last: wanted.last.slice(-count),
      });
    }
  }
});
