/**
 * How many digits a term has, and all terms up to an index together, by formula.
 *
 * G(k) = A φ^k + B ψ^k with A = (G(0)/φ + G(1)) / √5 and ψ = -1/φ, so from some index on it has
 * floor(k log10 φ + log10 A) + 1 digits. floor-sum.ts adds such floors.
 *
 * F(k) is the integer closest to φ^k / √5: a power of ten is an integer, and none beyond F(2) = 1 is a Fibonacci number,
 * so it is at least 1/2 away from φ^k / √5, and rounding does not cross it. Its slope and intercept are rounded down. That
 * could spoil a floor only if k log10 φ - log10 √5 came within k / 2^128 of an integer. It does not for any k below
 * {@link INDEX_MAX}: the sum with both rounded up is the same, and as no term of one sum is above its
 * counterpart in the other, each term is the same (test/numbers/offsets.test.ts does this, and derives the constants).
 *
 * Of any other start the same is found out when it is first met. The first 8·bits terms are counted. Beyond, B ψ^k
 * moves log10 G(k) by less than φ^-(16·bits) < 2^-(11·bits), as |B/A| is at most φ^2; that, and what fixed point leaves out,
 * lies between slope and intercept rounded down and rounded up. If these have the same sum, up to INDEX_MAX, either is right.
 * Else there are more bits, until they have. Of starts that nobody has chosen, one in 2^32 needs more than 128. One of 128
 * digits can be so chosen that A φ^k lies 10^-255 beside a power of ten; by all of them and all k some 2^-900 can be
 * reached, which 1024 bits tell apart from 0. A term that is a power of ten itself is counted once enough terms are.
 * Measured: 0.1 ms for a start of 128 digits, 1.4 ms for one that was built to need 1024 bits.
 *
 * Rejected: a table of offsets (it must be built, and kept), and doubles, which cannot tell on which
 * side of a power of ten a value is when the first eight digits agree.
 * @module
 */
import { goldenRatio, logarithm, squareRoot } from "./digits.ts";
import { floorSum, FRACTION_BITS, INTERCEPT_SCALED, LOG10_PHI_SCALED } from "./floor-sum.ts";
import { isZeroStart, type Start, startText } from "./start.ts";

/** The formulas are exact for indices below this; F(k) there has up to 6·10^13 digits. */
export const INDEX_MAX = 2 ** 48;

/** floor((slope k + intercept) / 2^bits) for every k. */
interface Line {
  readonly bits: bigint;
  readonly slope: bigint;
  readonly intercept: bigint;
}

/** The lengths of the terms of one sequence. */
export class TermLengths {
  /** Digits of the first terms together: of none, of one, … */
  readonly #counted: Float64Array;
  readonly #line: Line;

  constructor(counted: Float64Array, line: Line) {
    this.#counted = counted;
    this.#line = line;
  }

  /** The number of digits of a term, for an index below {@link INDEX_MAX}. */
  at(index: number): number {
    const { bits, slope, intercept } = this.#line;
    if (index + 1 < this.#counted.length) return this.#counted[index + 1]! - this.#counted[index]!;
    return Number((slope * BigInt(index) + intercept) >> bits);
  }

  /** The digits of the first `count` terms together. */
  ofFirst(count: number): bigint {
    const last = this.#counted.length - 1;
    if (count <= last) return BigInt(this.#counted[count]!);
    return BigInt(this.#counted[last]!) + sumOfLine(this.#line, last, count);
  }
}

function sumOfLine({ bits, slope, intercept }: Line, from: number, to: number): bigint {
  return floorSum(BigInt(to - from), 1n << bits, slope, intercept + slope * BigInt(from));
}

const OF_FIBONACCI = new TermLengths(Float64Array.of(0, 1, 2), {
  bits: FRACTION_BITS,
  slope: LOG10_PHI_SCALED,
  intercept: INTERCEPT_SCALED,
});

const OF_ZEROS = new TermLengths(Float64Array.of(0), { bits: 0n, slope: 0n, intercept: 1n });

/** Starts whose lengths are kept, those used last: a page of requests for ranges pays once. 8 KB each. */
const KEPT_MAX = 32;

const kept = new Map<string, TermLengths>();

/** The lengths of the terms of a sequence, of F if there is no start. */
export function termLengths(start?: Start): TermLengths {
  if (start === undefined) return OF_FIBONACCI;
  const name = startText(start);
  const lengths = kept.get(name) ?? findLengths(start);
  kept.delete(name);
  kept.set(name, lengths);
  if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value!);
  return lengths;
}

function findLengths(start: Start): TermLengths {
  if (isZeroStart(start)) return OF_ZEROS;
  for (let bits = FRACTION_BITS; ; bits *= 8n) {
    const countedMax = 8 * Number(bits);
    const [low, high] = linesAround(start, bits);
    if (sumOfLine(low, countedMax, INDEX_MAX) === sumOfLine(high, countedMax, INDEX_MAX)) {
      return new TermLengths(countDigits(start, countedMax), low);
    }
  }
}

/** Digits of the first terms together, counted: of none, of one, … of `count`. */
function countDigits([first, second]: Start, count: number): Float64Array {
  const sums = new Float64Array(count + 1);
  let digits = 1;
  let power = 10n;
  for (let k = 0, [term, next] = [first, second]; k < count; k++) {
    // Terms fall only from G(0) to G(1).
    if (k === 1) [digits, power] = [1, 10n];
    for (; term >= power; power *= 10n) digits++;
    sums[k + 1] = sums[k]! + digits;
    [term, next] = [next, term + next];
  }
  return sums;
}

/** Bits more than asked for, while logarithms are computed. */
const GUARD_BITS = 64n;

/**
 * The line of k log10 φ + log10 A + 1, rounded down and rounded up by more than what its computation can be off by: sums of
 * some hundred terms, of which each loses less than 1, times 450 at most (bits of the start), are below 2^32.
 */
function linesAround([first, second]: Start, bits: bigint): [Line, Line] {
  const fine = bits + GUARD_BITS;
  const phi = goldenRatio(fine);
  const [lnPhi, ln10] = [logarithm(phi, fine), logarithm(10n << fine, fine)];
  const lnSqrt5 = logarithm(squareRoot(5n << (2n * fine)), fine);
  // A √5 φ = G(0) + G(1) φ is 1 at least.
  const lnA = logarithm((first << fine) + second * phi, fine) - lnPhi - lnSqrt5;
  const off = 1n << (GUARD_BITS / 2n);
  const [slope, intercept] = [lnPhi, lnA + ln10].map((ln) => (ln << fine) / ln10) as [bigint, bigint];
  const round = (isUp: bigint): Line => ({
    bits,
    slope: ((slope - off + 2n * isUp * off) >> GUARD_BITS) + isUp,
    intercept: ((intercept - off + 2n * isUp * off) >> GUARD_BITS) + isUp,
  });
  return [round(0n), round(1n)];
}
