/** The primes of the check are good ones, attempts follow each other, and numbers keep off what base 10^5 can carry. */
import { afterAll, afterEach, expect, test } from "bun:test";
import { distrusted, onNotice } from "../../src/notices.ts";
import { ackermann } from "../../src/numbers/ackermann.ts";
import { type ComputeOptions, type Digits, textOf } from "../../src/numbers/decimal.ts";
import { factorial } from "../../src/numbers/factorial.ts";
import { fibonacci } from "../../src/numbers/fibonacci.ts";
import { lucas } from "../../src/numbers/lucas.ts";
import { multiplier, restartMultiplier } from "../../src/numbers/multiplier.ts";
import { Registers } from "../../src/numbers/registers.ts";
import {
  Distrust,
  checkText,
  drawExpected,
  firstTrusted,
  powerModulo,
  randomPrime,
} from "../../src/numbers/trust.ts";

// Lest the files after this one run with 741 MB in their process.
afterAll(restartMultiplier);

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

test("isPrime() tells primes from others, also from those that pass the test to some of its bases", () => {
  const { isPrime } = multiplier();
  const isComposite = new Uint8Array(200_000);
  for (let i = 3; i * i < isComposite.length; i += 2) {
    for (let multiple = i * i; multiple < isComposite.length; multiple += i) isComposite[multiple] = 1;
  }
  for (let i = 9; i < isComposite.length; i += 2) {
    if (isPrime(i) === isComposite[i]) throw new Error(`${i} is taken for what it is not`);
  }
  // Strong pseudoprimes to the base 2; to 2 and 3; to 2, 3 and 5, the last of them from the range that is drawn from.
  for (const pseudoprime of [2047, 1_373_653, 25_326_001, 161_304_001, 1_157_839_381]) {
    expect(isPrime(pseudoprime)).toBe(0);
  }
  expect([isPrime(2 ** 31 - 1), isPrime(2 ** 30 + 3), isPrime(2 ** 31 - 3)]).toEqual([1, 1, 0]);
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

/** What no big integer would be quicker for. */
const LONG = { what: "F(100)", size: 2, crossover: { fresh: 1, warm: 1 } };

test("firstTrusted() tries 5 digits twice, 4 digits, then BigInt, counts what failed and tells what and why", () => {
  const told: string[] = [];
  onNotice((message) => told.push(message));
  const before = { ...distrusted };
  const tried: number[] = [];
  const attempt = (limbDigits: number): string => {
    tried.push(limbDigits);
    throw new Distrust(limbDigits === 5 ? "rounding" : "residue");
  };
  expect(firstTrusted<string>({ ...LONG, attempt, exact: () => "exact" })).toBe("exact");
  expect(tried).toEqual([5, 5, 4]);
  expect(distrusted).toEqual({ ...before, rounding: before.rounding + 2, residue: before.residue + 1 });
  expect(told).toEqual([
    expect.stringMatching(/^F\(100\) failed its rounding check/),
    expect.stringMatching(/^F\(100\) failed its rounding check .* memory or the CPU/),
    expect.stringMatching(/^F\(100\) failed its residue check .* memory or the CPU/),
  ]);
});

test("firstTrusted() says which number there was no room for", () => {
  expect(() =>
    firstTrusted({ ...LONG, attempt: () => new Uint8Array(2 ** 60), exact: () => new Uint8Array() }),
  ).toThrow(
    expect.objectContaining({ code: "result_too_large", message: expect.stringContaining("F(100)") }),
  );
});

test("firstTrusted() passes other errors on", () => {
  const bug = new Error("a bug");
  const attempt = (): never => {
    throw bug;
  };
  expect(() => firstTrusted({ ...LONG, attempt, exact: () => 0 })).toThrow(bug);
});

/** Computes at base 10^5, and looks at every coefficient before it is rounded. */
function observe(compute: (options: ComputeOptions) => Digits) {
  let [roundingError, coefficient] = [0, 0];
  const fault: ComputeOptions["fault"] = (stage, base, data) => {
    if (stage !== "product") return;
    expect(base).toBe(100_000);
    for (const value of data) {
      roundingError = Math.max(roundingError, Math.abs(value - Math.round(value)));
      coefficient = Math.max(coefficient, Math.abs(value));
    }
  };
  return { digits: compute({ borrow: true, fault }), roundingError, coefficient };
}

function expectHalfTheLimits({ roundingError, coefficient }: ReturnType<typeof observe>): void {
  expect(roundingError).toBeWithin(1e-6, 0.25 / 2);
  // The carry needs less than half of the base's cube.
  expect(coefficient).toBeWithin(1e9, 1e15 / 2 / 2);
}

// 25 million digits each, what a server computes unless it is told otherwise.
for (const [name, compute] of [
  ["F(119,620,000)", (options) => fibonacci(119_620_000, options)],
  ["L(119,620,000)", (options) => lucas(119_620_000, options)],
  ["4,000,000!", (options) => factorial(4_000_000, options)],
  ["A(3, 83,048,190)", (options) => ackermann(3n, 83_048_190n, options)],
] as const satisfies readonly (readonly [string, (options: ComputeOptions) => Digits])[]) {
  test(`${name} keeps to half the limits of the rounding error and of the coefficients`, () => {
    expectHalfTheLimits(observe(compute));
  }, 300_000);
}

test.skipIf(process.env["SLOW"] === undefined)(
  "F(10^9) keeps to half the limits, and has 208,987,640 digits and the known ends",
  () => {
    const observed = observe((options) => fibonacci(1e9, options));
    expectHalfTheLimits(observed);
    expect(observed.digits.length).toBe(208_987_640);
    expect(textOf(observed.digits.subarray(0, 20))).toBe("79523178745546834678");
    // F has the period 1,500,000 modulo 10^6, so these are the last digits of F(10^6).
    expect(textOf(observed.digits.subarray(-6))).toBe("546875");
  },
  60_000,
);

test("two primes, others each time", () => {
  const { x } = new Registers(100, 0, 5);
  const text = new Uint8Array(multiplier().memory.buffer, x.address, 70).fill(0x37);
  const primes: number[] = [];
  for (let i = 0; i < 2; i++) {
    const expected = drawExpected((prime) => {
      primes.push(prime);
      return BigInt("7".repeat(70)) % BigInt(prime);
    });
    checkText(text, expected);
  }
  expect([primes.length, new Set(primes).size]).toEqual([4, 4]);
});

test("primes come from the whole range", () => {
  const primes = Array.from({ length: 200 }, randomPrime);
  expect(Math.max(...primes)).toBeGreaterThan(0.9 * 2 ** 31);
  expect(Math.min(...primes)).toBeLessThan(1.1 * 2 ** 30);
});
