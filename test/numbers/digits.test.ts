/** The number of digits is known before the result, exactly, also next to powers of ten. */
import { expect, test } from "bun:test";
import { ackermannDigits, factorialDigits, fibonacciDigits } from "../../src/numbers/digits.ts";
import { pairByBigInt } from "../../src/numbers/big-integers.ts";
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
