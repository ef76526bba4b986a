/**
 * How many digits a result will have, before it is computed.
 *
 * The number of digits of v is floor(log10 v) + 1. A double decides that unless log10 v is close to an integer; then
 * logarithms in fixed point do, with 192 bits behind the binary point over those of n. They leave an error below
 * 2^-128: every rounding is less than a unit, a series has less than 2^14 terms, and n and the powers of two that are
 * taken out multiply that by 2^(bits of n) and 2^13. If an integer is as near as that, they are computed again with
 * twice the bits, as often as it takes: n whose F(n) begins with 1000… or 999… for as long as n has digits are easily
 * found by continued fractions.
 *
 * That ends. No F(n) beyond 1, no L(n) beyond 1 and no n! beyond 1 is a power of ten, so log10 v is further from an
 * integer than 1 / (3 v), and by Baker's theorem much further. The formulas leave out less than that: φ^-n of F(n) and
 * L(n), which is no concern of the digits, for a power of ten is an integer and rounding does not cross it; and of n!
 * what Stirling's series leaves, which is 2^-9000 at best for n > 1000, and less for larger n.
 * @module
 */
import { FibError } from "../errors.ts";

/** log10 of the golden ratio: F(n) has about this many digits for each n. */
export const LOG10_PHI = Math.log10((1 + Math.sqrt(5)) / 2);

/** Up to these n the digits are counted, not estimated: the formulas are asymptotic. */
const COUNTED_MAX = 1000;

/** Bits behind the binary point, over those that the size of n takes, at first. */
const FRACTION_BITS = 192n;

/** Of these, what the error of a logarithm stays below. */
const ERROR_BITS = 64n;

/** Beyond this many bits of n, only the leading digits of the answer are exact. */
const PRECISION_BITS_MAX = 4096n;

/**
 * The number of digits of F(n): floor(n log10 phi - log10 √5) + 1.
 *
 * @param n - From 0; exact below 2^4096, and above that to 1,200 leading digits.
 */
export function fibonacciDigits(n: bigint): bigint {
  if (n <= COUNTED_MAX) return BigInt(countedFibonacci(Number(n)));
  return decide(
    n,
    Number(n) * LOG10_PHI - Math.log10(5) / 2,
    (bits) => n * log10Phi(bits) - (log10Five(bits) >> 1n),
  );
}

/**
 * The number of digits of L(n): floor(n log10 phi) + 1.
 *
 * @param n - As for {@link fibonacciDigits}.
 */
export function lucasDigits(n: bigint): bigint {
  if (n <= COUNTED_MAX) return BigInt(countedFibonacci(Number(n), 2n, 1n));
  return decide(n, Number(n) * LOG10_PHI, (bits) => n * log10Phi(bits));
}

/**
 * The number of digits of n!, by Stirling's series.
 *
 * @param n - As for {@link fibonacciDigits}.
 */
export function factorialDigits(n: bigint): bigint {
  if (n <= COUNTED_MAX) return BigInt(countedFactorial(Number(n)));
  const x = Number(n);
  return decide(
    n,
    ((x + 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + 1 / (12 * x)) / Math.LN10,
    (bits) => (lnFactorial(n, bits) << bits) / ln10(bits),
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
  return decide(k, Number(k) * Math.LOG10E * Math.LN2, (bits) => ((k * ln2(bits)) << bits) / ln10(bits));
}

const decimalLength = (value: bigint): bigint => BigInt(value.toString().length);

function countedFibonacci(n: number, first = 0n, second = 1n): number {
  let [f, next] = [first, second];
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
 * @param n - What the logarithm is about proportional to.
 * @param approximate - The decimal logarithm as a double; assumed right to 16 of its units in the last place.
 * @param exact - The same in fixed point with `bits` bits behind the point.
 */
function decide(n: bigint, approximate: number, exact: (bits: bigint) => bigint): bigint {
  const uncertainty = 16 * Number.EPSILON * approximate;
  const clear = approximate - Math.floor(approximate);
  if (clear > uncertainty && 1 - clear > uncertainty) return BigInt(Math.floor(approximate)) + 1n;
  const indexBits = BigInt(bitLength(n));
  if (indexBits > PRECISION_BITS_MAX) {
    const bits = PRECISION_BITS_MAX + FRACTION_BITS;
    return (exact(bits) >> bits) + 1n;
  }
  const error = 1n << (indexBits + ERROR_BITS);
  for (let bits = indexBits + FRACTION_BITS; ; bits *= 2n) {
    const log = exact(bits);
    const whole = (log - error) >> bits;
    if (whole === (log + error) >> bits) return whole + 1n;
  }
}

const bitLength = (value: bigint): number => value.toString(2).length;

// Fixed point: an integer v stands for v / 2^bits.

type Constant = (bits: bigint) => bigint;

/** A constant, kept with the most bits that were asked for: for n of 1,000 digits they take 5 ms together. */
function keep(compute: Constant): Constant {
  let [keptBits, kept] = [0n, 0n];
  return (bits) => {
    if (bits > keptBits) [keptBits, kept] = [bits, compute(bits)];
    return kept >> (keptBits - bits);
  };
}

/** (1 + √5) / 2. */
export const goldenRatio = (bits: bigint): bigint => ((1n << bits) + squareRoot(5n << (2n * bits))) >> 1n;

const ln2 = keep((bits) => artanhSeries((1n << bits) / 3n, bits));
const ln10 = keep((bits) => logarithm(10n << bits, bits));
const log10Phi = keep((bits) => (logarithm(goldenRatio(bits), bits) << bits) / ln10(bits));
const log10Five = keep((bits) => (logarithm(5n << bits, bits) << bits) / ln10(bits));

/** The integer square root, by Newton's method from above. */
export function squareRoot(value: bigint): bigint {
  let root = 1n << BigInt(value.toString(16).length * 2);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** ln(v) = ln(2^k) + ln(z) with z = v / 2^k in [1, 2), and ln(z) = 2 artanh((z - 1) / (z + 1)); v from 1. */
export function logarithm(value: bigint, bits: bigint): bigint {
  const twos = BigInt(bitLength(value) - 1) - bits;
  const power = 1n << (bits + twos);
  return artanhSeries(((value - power) << bits) / (value + power), bits) + twos * ln2(bits);
}

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

/**
 * The tangent numbers T(1) … T(count): 1, 2, 16, 272, …
 *
 * @see R. P. Brent, D. Harvey, "Fast computation of Bernoulli, tangent and secant numbers", algorithm TangentNumbers
 */
function tangentNumbers(count: number): bigint[] {
  const numbers = [1n];
  for (let k = 1; k < count; k++) numbers.push(BigInt(k) * numbers[k - 1]!);
  for (let k = 1; k < count; k++) {
    for (let j = k; j < count; j++)
      numbers[j] = BigInt(j - k) * numbers[j - 1]! + BigInt(j - k + 2) * numbers[j]!;
  }
  return numbers;
}

/**
 * ln n! = (n + 1/2) ln n - n + ln(2π)/2 + the sum of B(2i) / (2i (2i-1) n^(2i-1)), for n > 1000.
 *
 * B(2i) is ±2i T(i) / (4^i (4^i - 1)). What is left out is less than the next term. At first a term takes twice the bits
 * of n off and more, later ones less, so there are twice as many: at n = 1001 that is enough for 6,000 bits.
 *
 * @returns With `bits` bits behind the point. For tests.
 */
export function lnFactorial(n: bigint, bits: bigint): bigint {
  let sum =
    ((2n * n + 1n) * logarithm(n << bits, bits)) / 2n - (n << bits) + logarithm(2n * pi(bits), bits) / 2n;
  const indexBits = Math.min(bitLength(n), Number(bits) - 1);
  let [power, fours, oddFactor] = [n, 4n, 1n];
  for (const tangent of tangentNumbers(Math.ceil((2 * (Number(bits) - indexBits)) / indexBits))) {
    const term = (tangent << bits) / (oddFactor * fours * (fours - 1n) * power);
    sum += oddFactor % 4n === 1n ? term : -term;
    power *= n * n;
    fours *= 4n;
    oddFactor += 2n;
  }
  return sum;
}
