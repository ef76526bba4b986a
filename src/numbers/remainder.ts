/**
 * F(n) mod m, for n and m of thousands of digits: F(n) itself is never there, and the memory does not grow with n.
 *
 * m below 2^53: doubles alone, no big integer and no WASM (25 to 60 ns a bit of n). Two squares a bit take
 * (F(k), F(k-1)) to twice the index:
 *
 *     F(2k+1) = 4 F(k)^2 - F(k-1)^2 + 2 (-1)^k      F(2k-1) = F(k)^2 + F(k-1)^2      F(2k) = F(2k+1) - F(2k-1)
 *
 * All values are integers and residues lie within ±m/2. A product of two residues is at most m^2/4 < 2^104:
 * - p = fl(ab), and ab = p + e exactly, by Dekker's product on Veltkamp's halves; |e| <= 2^-53 |p| < m/4 (1 + tiny).
 * - |p/m| <= m/4 < 2^51, so fl(p/m) is off by 1/8 at most; adding 1.5·2^52 rounds it to an integer q, by 1/2 at most.
 *   So |p - qm| <= 5/8 m, and r = ab - qm = p - qm + e is below 7/8 m < 2^53.
 * - qm = h + l exactly, as above. p - h is exact: if |q| > 1 then p and h are within a factor of two (Sterbenz); if
 *   |q| = 1 then l = 0, and either that holds too or |p| < m, where integers are exact; if q = 0 then h = 0.
 *   e - l is exact: both are integers below 2^52. r = (p - h) + (e - l) is an integer below 2^53: exact.
 * - Sums are of two residues, below m, or twice one, at most m: exact.
 * Plain products for m up to 2^26.5 brought nothing: the squares of one bit wait for those of the bit before.
 *
 * Larger m: big integers. A square and a product a bit take (L(k), L(k+1)), the Lucas numbers, to twice the index:
 *
 *     L(2k) = L(k)^2 - 2 (-1)^k      L(2k+1) = L(k) L(k+1) - (-1)^k      L(2k+2) = L(k+1)^2 + 2 (-1)^k
 *
 * which is six operations and not nine (0.19 µs a bit and not 0.27, with m of 100 digits). As 5 F(n) = 2 L(n+1) - L(n),
 * they are taken modulo 5m, and the end is divided by 5. A product must be reduced (µs, a product beside it):
 *
 *     bits of m                       1,024    2,048    2,112    3,328    6,656    13,312
 *     product                          0.13      0.5      0.5      1.2      4.0        15
 *     by `%`                           0.19      0.6      2.4      5.6       15        38
 *     by folding, then Barrett                                       2.2      7.3        20
 *
 * `%` of JavaScriptCore turns four times as slow where the divisor has more than 2,048 bits. Beyond, the upper
 * quarter of the product is folded (times 2^c mod m, known before: half a product) and the rest divided by
 * Barrett's method with a reciprocal of half the length (a quarter and a half): 1.25 products, where Barrett's
 * alone takes 2 and Montgomery's too.
 *
 * m that divides a power of ten has a period of at most 6 m, so n is taken modulo a multiple of that first.
 *
 * Rejected: Karatsuba's method, three of JavaScriptCore's products of halves (19 µs at 13,288 bits, where its product of
 * the whole takes 14; it would save a fifth at 49,829, which is more than an address can hold), and the kernel's
 * transforms, for the same reason.
 * @see the GMP manual's chapter on algorithms, "Fibonacci Numbers" and "Lucas Numbers"; T. J. Dekker, "A floating-point
 * technique for extending the available precision", 1971; W. Hasenplaugh et al., "Fast modular reduction", 2007
 * @module
 */
import type { ComputeOptions } from "./decimal.ts";

/** Bits of n between two reports of progress. */
const REPORT_BITS = 64;

/** `%` is as fast as a product up to this length of the divisor, and four times as slow beyond. */
const PLAIN_BITS_MAX = 2048;

type Progress = Pick<ComputeOptions, "onProgress">;

/**
 * F(n) modulo m.
 *
 * @param n - From 0.
 * @param m - From 1.
 */
export function fibonacciRemainder(n: bigint, m: bigint, options: Progress = {}): bigint {
  const index = reducedIndex(n, m);
  if (m <= Number.MAX_SAFE_INTEGER) return BigInt(byDoubles(index, Number(m), options));
  return byBigIntegers(index, m, options);
}

/**
 * An index whose term leaves the same remainder: a shorter one if m = 2^a 5^b. The period of 2^a is 3·2^(a-1), that of
 * 5^b is 4·5^b, and 12 m is a multiple of both.
 *
 * @see D. D. Wall, "Fibonacci series modulo m", 1960
 */
function reducedIndex(n: bigint, m: bigint): bigint {
  const period = 12n * m;
  return n > period && dividesPowerOfTen(m) ? n % period : n;
}

/** Whether there are no primes in m but 2 and 5: 0.1 ms for 7,500 digits, as it may have to be told for each task. */
function dividesPowerOfTen(m: bigint): boolean {
  const odd = m >> BigInt(bitLength(m & -m) - 1);
  if (odd % 5n !== 0n) return odd === 1n;
  return odd === 5n ** BigInt(Math.floor(bitLength(odd) / Math.log2(5)));
}

const bitLength = (value: bigint): number => value.toString(2).length;

/** Multiplied with this, a double's upper half is left when the product less the double is taken off (Veltkamp). */
const SPLITTER = 2 ** 27 + 1;

/** Added and taken off again, it rounds a double below 2^51 to an integer. */
const ROUNDER = 1.5 * 2 ** 52;

function byDoubles(n: bigint, m: number, { onProgress }: Progress): number {
  const half = m / 2;
  const balance = (x: number): number => (x > half ? x - m : x < -half ? x + m : x);
  const upperM = upperHalf(m);
  const lowerM = m - upperM;
  const square = (a: number): number => {
    const upper = upperHalf(a);
    const lower = a - upper;
    const p = a * a;
    const e = lower * lower - (p - upper * upper - 2 * (upper * lower));
    const q = p / m + ROUNDER - ROUNDER;
    const upperQ = upperHalf(q);
    const lowerQ = q - upperQ;
    const h = q * m;
    const l = lowerQ * lowerM - (h - upperQ * upperM - lowerQ * upperM - upperQ * lowerM);
    return balance(p - h + (e - l));
  };
  const two = balance(2 % m);
  const bits = n.toString(2);
  // F(k) and F(k-1), from k = 0.
  let [f, before, isOdd] = [0, balance(1 % m), false];
  for (let i = 0; i < bits.length; i++) {
    const [ff, bb] = [square(f), square(before)];
    const below = balance(ff + bb);
    const difference = balance(balance(2 * balance(2 * ff)) - bb);
    const above = balance(isOdd ? difference - two : difference + two);
    const middle = balance(above - below);
    isOdd = bits[i] === "1";
    f = isOdd ? above : middle;
    before = isOdd ? middle : below;
    if (i % REPORT_BITS === 0) onProgress?.(i / bits.length);
  }
  return f < 0 ? f + m : f;
}

function upperHalf(x: number): number {
  const scaled = x * SPLITTER;
  return scaled - (scaled - x);
}

function byBigIntegers(n: bigint, m: bigint, { onProgress }: Progress): bigint {
  const modulus = 5n * m;
  const reduce = bitLength(modulus) <= PLAIN_BITS_MAX ? (x: bigint) => x % modulus : reducerBy(modulus);
  const bits = n.toString(2);
  // L(k) and L(k+1), from k = 0.
  let [lucas, next, isOdd] = [2n, 1n, false];
  for (let i = 0; i < bits.length; i++) {
    const sign = isOdd ? -1n : 1n;
    const middle = reduce(lucas * next) - sign;
    isOdd = bits[i] === "1";
    if (isOdd) [lucas, next] = [middle, reduce(next * next) + 2n * sign];
    else [lucas, next] = [reduce(lucas * lucas) - 2n * sign, middle];
    if (i % REPORT_BITS === 0) onProgress?.(i / bits.length);
  }
  const fiveTimes = (2n * next - lucas) % modulus;
  return (fiveTimes < 0n ? fiveTimes + modulus : fiveTimes) / 5n;
}

/**
 * Takes x to a number from 0 to 1.25 m that leaves the same remainder; |x| <= 2 m^2, and x >= -4 m.
 *
 * With k bits of m and c of 1.5 k, y = (x >> c) (2^c mod m) + (x mod 2^c) is at least 0, also for such a negative x, and
 * below 2^t with t = max(c, 3k + 1 - c) + 2. Of y / m the quotient q = ((y >> s) u) >> (t + 3 - s), where
 * u = floor(2^(t+3) / m), is never too large, and too small by at most 1 + 2^s / m + y / 2^(t+3) <= 1.25 with s = k - 4.
 */
function reducerBy(m: bigint): (x: bigint) => bigint {
  const k = bitLength(m);
  // In whole words, which are cut faster.
  const c = 192 * Math.ceil(k / 128);
  const t = Math.max(c, 3 * k + 1 - c) + 2;
  const [cut, shift, rest] = [BigInt(c), BigInt(k - 4), BigInt(t + 3 - (k - 4))];
  const folded = (1n << cut) % m;
  const reciprocal = (1n << BigInt(t + 3)) / m;
  return (x) => {
    const y = (x >> cut) * folded + BigInt.asUintN(c, x);
    return y - (((y >> shift) * reciprocal) >> rest) * m;
  };
}
