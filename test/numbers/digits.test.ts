/** The number of digits is known before the result, exactly, also next to powers of ten. */
import { expect, test } from "bun:test";
import {
  ackermannDigits,
  factorialDigits,
  fibonacciDigits,
  lnFactorial,
  lucasDigits,
} from "../../src/numbers/digits.ts";
import { pairByBigInt } from "../../src/numbers/big-integers.ts";
import { fibonacciEnds } from "../../src/numbers/ends.ts";
import ends from "../vectors/ends.json";
import reference from "../vectors/reference.json";

const length = (value: bigint): bigint => BigInt(value.toString().length);

test("fibonacciDigits() is right for the first 6,000 terms", () => {
  let [f, next] = [0n, 1n];
  for (let n = 0n; n < 6000n; n++) {
    if (fibonacciDigits(n) !== length(f)) throw new Error(`wrong for F(${n})`);
    [f, next] = [next, f + next];
  }
});

test("fibonacciDigits() is right on both sides of a power of ten", () => {
  // The first index whose term has more than d digits, by bisection, and the one below it.
  for (let d = 1n; d < 40_000n; d = (d * 17n) / 10n + 1n) {
    let [low, high] = [0n, 5n * d + 10n];
    while (low < high) {
      const middle = (low + high) / 2n;
      if (fibonacciDigits(middle) > d) high = middle;
      else low = middle + 1n;
    }
    expect(length(pairByBigInt(Number(low))[0])).toBe(d + 1n);
    expect(length(pairByBigInt(Number(low - 1n))[0])).toBe(d);
  }
});

test("fibonacciDigits(), factorialDigits() agree with the reference values", () => {
  for (const { n, bytes } of reference.fibonacci) expect(fibonacciDigits(BigInt(n))).toBe(BigInt(bytes));
  for (const { n, bytes } of reference.factorials.list)
    expect(factorialDigits(BigInt(n))).toBe(BigInt(bytes));
});

test("fibonacciDigits(), factorialDigits() answer for absurd n", () => {
  // By Python's decimal at 120 digits.
  expect(fibonacciDigits(10n ** 30n)).toBe(208987640249978733769272089238n);
  expect(factorialDigits(10n ** 30n)).toBe(29565705518096748172348871081099n);
  expect(length(fibonacciDigits(10n ** 3000n))).toBe(3000n);
  expect(length(factorialDigits(10n ** 3000n))).toBe(3004n);
});

test("factorialDigits() is right for the first 2,500 factorials", () => {
  let product = 1n;
  for (let n = 0n; n < 2500n; n++) {
    if (n > 0n) product *= n;
    if (factorialDigits(n) !== length(product)) throw new Error(`wrong for ${n}!`);
  }
});

test("ackermannDigits() is right up to A(3,5000) and for A(4,2)", () => {
  for (let n = 0n; n < 5000n; n++) {
    if (ackermannDigits(3n, n) !== length(2n ** (n + 3n) - 3n)) throw new Error(`wrong for A(3,${n})`);
  }
  expect([0n, 1n, 2n].map((m) => ackermannDigits(m, 98n))).toEqual([2n, 3n, 3n]);
  expect([0n, 1n, 2n].map((n) => ackermannDigits(4n, n))).toEqual([2n, 5n, 19_729n]);
  expect(ackermannDigits(5n, 0n)).toBe(5n);
  expect(ackermannDigits(3n, 10n ** 30n)).toBe(301029995663981195213738894726n);
});

test("fibonacciDigits(), lucasDigits(), factorialDigits() decide for n that were made to come close to 10^k", () => {
  const counters = { fibonacci: fibonacciDigits, lucas: lucasDigits, factorial: factorialDigits };
  for (const { kind, n, digits } of ends.digits) {
    expect(counters[kind as keyof typeof counters](BigInt(n))).toBe(BigInt(digits));
    if (kind === "fibonacci") expect(fibonacciEnds(BigInt(n), 1, 0).digits).toBe(BigInt(digits));
  }
});

test("factorialDigits(), ackermannDigits() decide where a double is on the wrong side of an integer", () => {
  // By PARI's lngamma at 60 digits.
  for (const [n, digits] of [
    [252_283_808_609_466n, 3_523_798_037_680_400n],
    [7_949_799_509_902n, 99_102_691_146_924n],
    [11_777_351_319_622n, 148_827_481_367_982n],
  ] as const) {
    expect(factorialDigits(n)).toBe(digits);
  }
  for (const [n, digits] of [
    [2_690_137_710_234_368n, 809_812_143_247_366n],
    [889_848_247_453_343n, 267_871_014_072_483n],
    [582_854_574_443_293n, 175_456_710_017_397n],
  ] as const) {
    expect(ackermannDigits(3n, n)).toBe(digits);
  }
});

test("lnFactorial() is as exact as its bits say, also where Stirling's series needs many terms", () => {
  for (const { n, bits, ln } of ends.factorials) {
    const error = lnFactorial(BigInt(n), BigInt(bits)) - BigInt(ln);
    // The bits of n and 64 are left to errors.
    const bound = 1n << BigInt(BigInt(n).toString(2).length + 64);
    if (error > bound || error < -bound) throw new Error(`ln ${n}! to ${bits} bits is off by ${error}`);
  }
});

test("lucasDigits() is right for the first 6,000 Lucas numbers", () => {
  let [lucas, next] = [2n, 1n];
  for (let n = 0n; n < 6000n; n++) {
    if (lucasDigits(n) !== length(lucas)) throw new Error(`wrong for L(${n})`);
    [lucas, next] = [next, lucas + next];
  }
});
