/**
 * The first and the last digits of F(n), and how many it has, where nobody can write the number down.
 *
 * The last ones are F(n) mod 10^k. The first ones are those of φ^n / √5, which is computed in fixed point: X / 2^b
 * stands for φ^j / 10^e, in [1, 10), and every bit of n takes j to 2j or 2j + 1. Written one = 2^b and u = 2^-b:
 *
 * - Every rounding is down: of φ and √5, of X^2 / one, X φ / one, X / 10, and 2 X √5 / one, which is 10 X / √5. So X is
 *   never above what it stands for.
 * - X >= one always: it starts at one, a square and a product with φ do not take it below, and it is divided by ten
 *   from 10 one on; 2 √5 X is above one as well. And one division is enough: 10^2 < 100, 10 φ < 100, 10·10 / √5 < 100.
 *   So each rounding takes less than 1 from at least one: a factor above 1 - u.
 * - Let X be off by at most c such factors. A square doubles c and adds one for its rounding and one for a division; a
 *   set bit adds three, for φ, the product, and a division. So c' <= 2c + 5, and after the B bits of n
 *   c <= 5 (2^B - 1). √5, its product, and a division add three: c < 5·2^B.
 * - (1 - u)^-c <= 1 + 2cu while cu <= 1/2, which b >= B + 4 sees to. As X < 10 one, what it stands for is less than
 *   2cuX < 100·2^B above it.
 * - |F(n) - φ^n / √5| < 1/2, which is one / (2·10^e) of these units.
 *
 * So F(n) / 10^e lies between X less the last, and X and both of these. If both bounds have the same first k digits,
 * those are the digits, and there are e + 1 in all. If not, nothing is guessed: it is computed again with twice the
 * bits. That ends: as b grows, the bounds close in on F(n) ± 0.6, and between these there is a number whose digits
 * behind the k-th are all zero only if it is F(n) itself. F(n) ends in z > 2 zeros only if n is a multiple of
 * 75·10^(z-2); here z = digits - k is above 40, and n is below 5 (z + k).
 *
 * Rejected: 10^frac(n log10 φ - log10 √5), which takes two series more and a proof for each.
 * @module
 */
import { fibonacciByBigInt } from "./big-integers.ts";
import { fibonacciDigits, squareRoot } from "./digits.ts";
import { fibonacciRemainder } from "./remainder.ts";

/** Digits of n, and of either end. */
export const ENDS_INDEX_DIGITS_MAX = 1000;
export const ENDS_DIGITS_MAX = 1000;

/** What is known of F(n). */
export interface Ends {
  /** How many digits it has. */
  readonly digits: bigint;
  /** As many of the first as were wanted, or all that there are. */
  readonly first: string;
  /** Likewise; with their leading zeros. */
  readonly last: string;
}

/** Indices up to here are computed as they are, in 20 µs. F(5001) has 1,045 digits: more than either end may have. */
const EXACT_INDEX_MAX = 5000n;

/** Bits behind those that are needed: one F(n) in 2^60 or so is computed again. */
const GUARD_BITS = 64;

/**
 * The ends of F(n).
 *
 * @param firstCount - Digits that are wanted, from 0 to {@link ENDS_DIGITS_MAX}; `lastCount` likewise.
 * @param guardBits - From 0. For tests: the answer does not depend on it.
 */
export function fibonacciEnds(
  n: bigint,
  firstCount: number,
  lastCount: number,
  guardBits: number = GUARD_BITS,
): Ends {
  if (n <= EXACT_INDEX_MAX) {
    const text = fibonacciByBigInt(Number(n)).toString();
    return {
      digits: BigInt(text.length),
      first: text.slice(0, firstCount),
      last: text.slice(Math.max(0, text.length - lastCount)),
    };
  }
  const last = lastCount === 0 ? "" : fibonacciRemainder(n, 10n ** BigInt(lastCount)).toString();
  return { ...leading(n, firstCount, guardBits), last: last.padStart(lastCount, "0") };
}

function leading(n: bigint, count: number, guardBits: number): Omit<Ends, "last"> {
  if (count === 0) return { digits: fibonacciDigits(n), first: "" };
  const indexBits = n.toString(2);
  const neededBits = indexBits.length + Math.ceil(count * Math.log2(10));
  const power = 10n ** BigInt(count - 1);
  for (let bits = neededBits + guardBits; ; bits *= 2) {
    const { low, high, exponent } = bounds(indexBits, BigInt(bits));
    const first = (low * power) >> BigInt(bits);
    // low < 10 one and high > one, so that what is equal has neither one digit more nor one less.
    if (first === (high * power) >> BigInt(bits)) return { digits: exponent + 1n, first: first.toString() };
  }
}

/** What F(n) / 10^exponent lies between, with so many bits behind the point. */
function bounds(indexBits: string, bits: bigint): { low: bigint; high: bigint; exponent: bigint } {
  const one = 1n << bits;
  const ten = 10n * one;
  const root = squareRoot(5n << (2n * bits));
  const phi = (one + root) >> 1n;
  let [x, exponent] = [one, 0n];
  const normalize = () => {
    if (x < ten) return;
    x /= 10n;
    exponent++;
  };
  for (const bit of indexBits) {
    x = (x * x) >> bits;
    exponent *= 2n;
    normalize();
    if (bit === "0") continue;
    x = (x * phi) >> bits;
    normalize();
  }
  x = (2n * x * root) >> bits;
  exponent--;
  normalize();
  // A power of ten beyond 2^bits is not written down: that half is then less than a unit.
  const half = exponent < bits ? one / (2n * 10n ** exponent) + 1n : 1n;
  return { low: x - half, high: x + half + (100n << BigInt(indexBits.length)), exponent };
}
