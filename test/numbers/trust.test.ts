/** The primes of the check are primes of the right size, and other ones each time. */
import { afterEach, expect, test } from "bun:test";
import { distrusted, onNotice } from "../../src/notices.ts";
import { Distrust, firstTrusted, powerModulo, randomPrime } from "../../src/numbers/trust.ts";

test("randomPrime() gives primes between 2^30 and 2^31", () => {
  const primes = Array.from({ length: 200 }, randomPrime);
  for (const prime of primes) {
    expect(prime).toBeWithin(2 ** 30, 2 ** 31);
    let divisor = 2;
    while (divisor * divisor <= prime && prime % divisor !== 0) divisor++;
    if (divisor * divisor <= prime) throw new Error(`${prime} is divisible by ${divisor}`);
  }
  expect(new Set(primes).size).toBeGreaterThan(195);
});

test("powerModulo() equals BigInt's power, up to the largest modulus", () => {
  for (const modulus of [1009, 2 ** 31 - 1, 2 ** 31 - 2]) {
    for (let exponent = 0; exponent < 500; exponent++) {
      const base = modulus - 1 - 7 * exponent;
      const expected = BigInt(Math.abs(base)) ** BigInt(exponent) % BigInt(modulus);
      expect(BigInt(powerModulo(Math.abs(base), exponent, modulus))).toBe(expected);
    }
  }
});

afterEach(() => onNotice(() => {}));

test("firstTrusted() tries 5 digits, 4 digits, then BigInt, counts what failed and tells what and why", () => {
  const told: string[] = [];
  onNotice((message) => told.push(message));
  const before = { ...distrusted };
  const tried: number[] = [];
  const attempt = (limbDigits: number): string => {
    tried.push(limbDigits);
    throw new Distrust(limbDigits === 5 ? "rounding" : "residue");
  };
  expect(firstTrusted<string>("F(100)", attempt, () => "exact")).toBe("exact");
  expect(tried).toEqual([5, 4]);
  expect(distrusted).toEqual({ ...before, rounding: before.rounding + 1, residue: before.residue + 1 });
  expect(told).toEqual([
    expect.stringMatching(/^F\(100\) failed its rounding check, .* memory or the CPU/),
    expect.stringMatching(/^F\(100\) failed its residue check, .* memory or the CPU/),
  ]);
});

test("firstTrusted() passes other errors on", () => {
  const bug = new Error("a bug");
  const attempt = (): never => {
    throw bug;
  };
  expect(() => firstTrusted("F(100)", attempt, () => 0)).toThrow(bug);
});
