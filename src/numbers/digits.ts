/**
 * How many digits a result will have, before it is computed.
 *
 * The number of digits of v is floor(log10 v) + 1. A double decides that unless log10 v
 * is close to an integer; then logarithms in fixed point do, with 192 bits behind the
 * binary point. They leave an error below 2^-150, so only a result within 2^-128 (relatively) of
 * a power of ten would be undecided, and none is known; that is asserted, not assumed.
 * @module
 */
import { FibError } from "../errors.ts";

/** log10 of the golden ratio: F(n) has about this many digits for each n. */
export const LOG10_PHI = Math.log10((1 + Math.sqrt(5)) / 2);

/** Up to these n the digits are counted, not estimated: the formulas are asymptotic. */
const COUNTED_MAX = 1000;

/** Bits behind the binary point, over those that the size of n takes. */
const FRACTION_BITS = 192n;

/** Beyond this many bits of n, only the leading digits of the answer are exact. */
const PRECISION_BITS_MAX = 4096n;

/**
 * The number of digits of F(n): floor(n log10 phi - log10 √5) + 1.
 *
 * @param n - From 0; exact below 2^4096, and above that to 1,200 leading digits.
 */
export function fibonacciDigits(n: bigint): bigint {
  if (n <= COUNTED_MAX) return BigInt(countedFibonacci(Number(n)));
  const bits = precision(n);
  return decide(
    Number(n) * LOG10_PHI - Math.log10(5) / 2,
    () => ((n * logarithm(goldenRatio(bits), bits) - logarithm(5n << bits, bits) / 2n) << bits) / ln10(bits),
    bits,
  );
}

/**
 * The number of digits of n!, by Stirling's series.
 *
 * @param n - As for {@link fibonacciDigits}.
 */
export function factorialDigits(n: bigint): bigint {
  if (n <= COUNTED_MAX) return BigInt(countedFactorial(Number(n)));
  const x = Number(n);
  const bits = precision(n);
  return decide(
    ((x + 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + 1 / (12 * x)) / Math.LN10,
    () => (lnFactorial(n, bits) << bits) / ln10(bits),
    bits,
  );
}

/**
 * The number of digits of A(m, n).
 *
 * @throws {@link FibError} `result_too_large`, when A(m, n) has so many that the number of
 * digits cannot be written down either: A(4,3), A(5,1), A(6,0) and all beyond.
 */
export function ackermannDigits(m: bigint, n: bigint): bigint {
  if (m === 0n) return decimalLength(n + 1n);
  if (m === 1n) return decimalLength(n + 2n);
  if (m === 2n) return decimalLength(2n * n + 3n);
  if (m === 3n) return digitsOfPowerOfTwo(n + 3n);
  if (m === 4n && n === 0n) return 2n;
  if ((m === 4n && n === 1n) || (m === 5n && n === 0n)) return 5n;
  if (m === 4n && n === 2n) return digitsOfPowerOfTwo(65_536n);
  throw new FibError(
    "result_too_large",
    `Cannot compute A(${m},${n}): it cannot be written down. A(4,2) has 19729 digits; the number of digits of ` +
      "A(4,3) has itself 19728 digits, and every value beyond is larger.",
  );
}

/** Digits of 2^k, and of 2^k - 3: for k >= 3 no power of ten lies between them. */
function digitsOfPowerOfTwo(k: bigint): bigint {
  if (k <= COUNTED_MAX) return decimalLength(2n ** k - 3n);
  const bits = precision(k);
  const exact = (): bigint => ((k * logarithm(2n << bits, bits)) << bits) / ln10(bits);
  return decide(Number(k) * Math.LOG10E * Math.LN2, exact, bits);
}

const decimalLength = (value: bigint): bigint => BigInt(value.toString().length);

function countedFibonacci(n: number): number {
  let [f, next] = [0n, 1n];
  for (let i = 0; i < n; i++) [f, next] = [next, f + next];
  return f.toString().length;
}

function countedFactorial(n: number): number {
  let product = 1n;
  for (let i = 2n; i <= n; i++) product *= i;
  return product.toString().length;
}

/**
 * floor(log) + 1, by the double if it is clear of the integers, else by fixed point.
 *
 * @param approximate - The decimal logarithm as a double; assumed right to 16 of its units in the last place.
 * @param exact - The same in fixed point with `bits` bits behind the point.
 */
function decide(approximate: number, exact: () => bigint, bits: bigint): bigint {
  const uncertainty = 16 * Number.EPSILON * approximate;
  const clear = approximate - Math.floor(approximate);
  if (clear > uncertainty && 1 - clear > uncertainty) return BigInt(Math.floor(approximate)) + 1n;
  const log = exact();
  const one = 1n << bits;
  const distance = log & (one - 1n);
  const closest = bits === PRECISION_BITS_MAX + FRACTION_BITS ? 0n : one >> 128n;
  if (distance < closest || one - distance < closest)
    throw new Error("a result too close to a power of ten to count");
  return (log >> bits) + 1n;
}

// Fixed point: an integer v stands for v / 2^bits.

function precision(n: bigint): bigint {
  const bits = BigInt(n.toString(16).length * 4);
  return (bits < PRECISION_BITS_MAX ? bits : PRECISION_BITS_MAX) + FRACTION_BITS;
}

/** (1 + √5) / 2. */
const goldenRatio = (bits: bigint): bigint => ((1n << bits) + squareRoot(5n << (2n * bits))) >> 1n;

const ln10 = (bits: bigint): bigint => logarithm(10n << bits, bits);

/** The integer square root, by Newton's method from above. */
function squareRoot(value: bigint): bigint {
  let root = 1n << BigInt(value.toString(16).length * 2);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** ln(v) = ln(2^k) + ln(z) with z = v / 2^k in [1, 2), and ln(z) = 2 artanh((z - 1) / (z + 1)); v from 1. */
function logarithm(value: bigint, bits: bigint): bigint {
  const twos = BigInt(value.toString(2).length - 1) - bits;
  const power = 1n << (bits + twos);
  return artanhSeries(((value - power) << bits) / (value + power), bits) + twos * ln2(bits);
}

const ln2 = (bits: bigint): bigint => artanhSeries((1n << bits) / 3n, bits);

/** 2 artanh(t) = 2 (t + t^3/3 + t^5/5 + …). */
function artanhSeries(t: bigint, bits: bigint): bigint {
  const square = (t * t) >> bits;
  let sum = 0n;
  let power = t;
  for (let i = 1n; power !== 0n; i += 2n) {
    sum += power / i;
    power = (power * square) >> bits;
  }
  return 2n * sum;
}

/** π by Machin: 16 arctan(1/5) - 4 arctan(1/239). */
function pi(bits: bigint): bigint {
  const arctanOfInverse = (inverse: bigint): bigint => {
    let sum = 0n;
    let power = (1n << bits) / inverse;
    for (let i = 1n; power !== 0n; i += 2n) {
      sum += i % 4n === 1n ? power / i : -(power / i);
      power /= inverse * inverse;
    }
    return sum;
  };
  return 16n * arctanOfInverse(5n) - 4n * arctanOfInverse(239n);
}

/** B(2i) / (2i (2i-1)) for i = 1, 2, …: the coefficients of Stirling's series, as fractions. */
const STIRLING = [
  [1n, 12n],
  [-1n, 360n],
  [1n, 1260n],
  [-1n, 1680n],
  [1n, 1188n],
  [-691n, 360_360n],
  [1n, 156n],
  [-3617n, 122_400n],
  [43_867n, 244_188n],
  [-174_611n, 125_400n],
  [77_683n, 5796n],
] as const;

/** ln n! = (n + 1/2) ln n - n + ln(2π)/2 + 1/(12n) - …; above n = 1000 what is left out is below 10^-66. */
function lnFactorial(n: bigint, bits: bigint): bigint {
  let sum =
    ((2n * n + 1n) * logarithm(n << bits, bits)) / 2n - (n << bits) + logarithm(2n * pi(bits), bits) / 2n;
  let power = n;
  for (const [numerator, denominator] of STIRLING) {
    sum += (numerator << bits) / (denominator * power);
    power *= n * n;
  }
  return sum;
}
