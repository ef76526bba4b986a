/** Every number is the product of the factors that are found, and every one of them is a prime. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { factorize, gcd, isPrime } from "../../src/numbers/factors.ts";

const SIEVE_MAX = 200_000;
const isComposite = new Uint8Array(SIEVE_MAX);
for (let i = 2; i * i < SIEVE_MAX; i++) {
  for (let multiple = i * i; !isComposite[i] && multiple < SIEVE_MAX; multiple += i)
    isComposite[multiple] = 1;
}

const productOf = (factors: readonly [bigint, number][]): bigint =>
  factors.reduce((product, [prime, exponent]) => product * prime ** BigInt(exponent), 1n);

const factorsOf = (...primes: bigint[]): [bigint, number][] =>
  [...new Set(primes)]
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((prime) => [prime, primes.filter((other) => other === prime).length]);

const nextPrime = (from: bigint): bigint => {
  let value = from | 1n;
  while (!isPrime(value)) value += 2n;
  return value;
};

test("isPrime() and factorize() agree with a sieve", () => {
  for (let value = 2; value < SIEVE_MAX; value++) {
    if (isPrime(BigInt(value)) !== (isComposite[value] === 0)) throw new Error(`isPrime(${value})`);
    if (value % 10 !== 0) continue;
    const factors = factorize(BigInt(value));
    expect(productOf(factors)).toBe(BigInt(value));
    expect(factors.every(([prime]) => isComposite[Number(prime)] === 0)).toBe(true);
  }
  expect([0n, 1n, -7n].some((value) => isPrime(value))).toBe(false);
  expect(factorize(1n)).toEqual([]);
});

test("isPrime() is deceived by no number that passes other tests", () => {
  for (const value of [
    561n, // Carmichael's
    3_215_031_751n, // a strong pseudoprime to 2, 3, 5 and 7
    318_665_857_834_031_151_167_461n, // to the first 12 primes
    3_317_044_064_679_887_385_961_981n, // to the first 13, the least: needs the proof
    (2n ** 61n - 1n) * (2n ** 31n - 1n),
  ]) {
    expect(isPrime(value)).toBe(false);
    expect(productOf(factorize(value))).toBe(value);
  }
  expect(factorize(3_317_044_064_679_887_385_961_981n)).toEqual([
    [1_287_836_182_261n, 1],
    [2_575_672_364_521n, 1],
  ]);
});

test("isPrime() proves primes beyond those that 13 witnesses decide", () => {
  for (const prime of [2n ** 89n - 1n, 2n ** 107n - 1n, 10n ** 30n + 57n, 3_317_044_064_679_887_385_962_123n])
    expect(isPrime(prime)).toBe(true);
  expect(isPrime(10n ** 30n + 59n)).toBe(false);
});

test("factorize() finds primes around the bound of what is divided out, one by one", () => {
  // A curve that looks far finds so small ones all at once.
  const near = [16_369n, 16_381n, 16_411n, 16_417n, 16_421n, 16_427n, 16_433n];
  for (const a of near) {
    for (const b of near) expect(factorize(a * b)).toEqual(factorsOf(a, b));
  }
  expect(factorize(near.reduce((a, b) => a * b))).toEqual(factorsOf(...near));
});

test("factorize() finds the primes of products and powers of any size", () => {
  const prime = fc
    .tuple(fc.integer({ min: 2, max: 34 }), fc.bigInt({ min: 0n, max: 2n ** 34n }))
    .map(([bits, random]) => nextPrime((1n << BigInt(bits)) + (random % (1n << BigInt(bits)))));
  fc.assert(
    fc.property(
      fc.array(prime, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 3 }),
      (primes, power) => {
        const all = primes.slice(0, power === 1 ? 4 : 1).flatMap((each) => Array<bigint>(power).fill(each));
        expect(factorize(all.reduce((a, b) => a * b))).toEqual(factorsOf(...all));
      },
    ),
    { numRuns: 300 },
  );
});

test("factorize() takes the same steps each time, for the hardest of 30 digits too", () => {
  const [p, q] = [nextPrime(7n * 10n ** 14n), nextPrime(9n * 10n ** 14n)];
  const runs = [0, 0].map(() => {
    let curves = 0;
    expect(factorize(p * q, () => curves++)).toEqual(factorsOf(p, q));
    return curves;
  });
  expect(runs[0]).toBeGreaterThan(0);
  expect(runs[1]).toBe(runs[0]);
});

test("gcd() is positive", () => {
  expect([gcd(12n, 18n), gcd(-12n, 18n), gcd(0n, 5n), gcd(5n, 0n), gcd(7n, -3n)]).toEqual([
    6n,
    6n,
    5n,
    5n,
    1n,
  ]);
});
