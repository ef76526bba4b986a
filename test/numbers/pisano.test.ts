/** The Pisano period is the one of the definition, and of PARI. */
import { expect, test } from "bun:test";
import { pisanoPeriod } from "../../src/numbers/pisano.ts";
import { fibonacciRemainder } from "../../src/numbers/remainder.ts";
import vectors from "../vectors/pisano.json";

/** Steps until F(n), F(n+1) are 0, 1 again. */
function byDefinition(m: number): number {
  let [f, next, steps] = [0, 1 % m, 0];
  do {
    const sum = f + next;
    f = next;
    next = sum >= m ? sum - m : sum;
    steps++;
  } while (f !== 0 || next !== 1 % m);
  return steps;
}

test("pisanoPeriod() is the period by definition, for m up to 20,000", () => {
  for (let m = 1; m <= 20_000; m++) {
    const period = pisanoPeriod(BigInt(m));
    if (period !== BigInt(byDefinition(m))) throw new Error(`pisano(${m}) is not ${period}`);
  }
});

test("pisanoPeriod() gives OEIS A001175", () => {
  expect(vectors.A001175.map((_, i) => Number(pisanoPeriod(BigInt(i + 1))))).toEqual(vectors.A001175);
});

test("pisanoPeriod() gives what PARI gives: random, hard, round, powers of primes, up to 10^30", () => {
  expect(vectors.cases.length).toBeGreaterThan(1000);
  for (const [m, period] of vectors.cases)
    expect(`${m}: ${pisanoPeriod(BigInt(m!))}`).toBe(`${m}: ${period}`);
});

test("pisanoPeriod() follows the laws: of 10^k, of squares of primes (Wall), of products", () => {
  for (let k = 3; k <= 30; k++) expect(pisanoPeriod(10n ** BigInt(k))).toBe(15n * 10n ** BigInt(k - 1));
  for (const prime of [2n, 3n, 5n, 7n, 11n, 65_537n, 999_999_937n, 10n ** 15n + 37n])
    expect(pisanoPeriod(prime ** 2n)).toBe(prime * pisanoPeriod(prime));
  // Of m = 2·5^k, and of no other, it is 6 m; it is never more.
  for (let k = 1; k <= 40; k++) expect(pisanoPeriod(2n * 5n ** BigInt(k))).toBe(12n * 5n ** BigInt(k));
});

test("fibonacciRemainder() of n is that of n reduced by the period", () => {
  for (const [m, period] of vectors.cases.slice(0, 100)) {
    const n = BigInt(period!) * 12_345n + 678n;
    expect(fibonacciRemainder(n, BigInt(m!))).toBe(fibonacciRemainder(678n, BigInt(m!)));
  }
});

test("pisanoPeriod() tells how far it is, and never goes back", () => {
  for (const m of [
    (10n ** 12n + 61n) * (10n ** 12n + 6189n),
    // A prime, found out without a curve; p - 1 has the two in it.
    2n * (10n ** 12n + 61n) * (10n ** 12n + 6189n) + 1n,
  ]) {
    const seen: number[] = [];
    pisanoPeriod(m, { onProgress: (fraction) => seen.push(fraction) });
    expect(seen.length, String(m)).toBeGreaterThan(0);
    expect(seen.every((fraction, i) => fraction > (seen[i - 1] ?? 0) && fraction < 1)).toBe(true);
  }
});
