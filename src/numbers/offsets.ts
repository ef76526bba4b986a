/**
 * Byte ↔ term of a sequence's text, by formula: nothing that comes before is generated.
 *
 * F(k) is the integer closest to φ^k / √5, so for k >= 2 it has floor(k log10 φ - log10 √5) + 1
 * digits: a power of ten is an integer, and none beyond F(2) = 1 is a Fibonacci number, so it is at
 * least 1/2 away from φ^k / √5, and rounding does not cross it. The length of a text is a sum of
 * such floors over an arithmetic progression: floor((A k + C) / 2^128), with log10 φ = A / 2^128.
 * Swapping the roles of k and the floor reduces it like Euclid's algorithm, in some twenty steps
 * for 10^8 terms.
 *
 * A and C are rounded down. That could spoil a floor only if k log10 φ - log10 √5 came within
 * k / 2^128 of an integer. It does not for any k below {@link INDEX_MAX}: the sum with A and C
 * rounded up is the same, and as no term of one sum is above its counterpart in the other,
 * each term is the same (test/numbers/offsets.test.ts does this, and derives the constants).
 *
 * Rejected: a table of offsets (it must be built, and kept), and doubles, which cannot tell on which
 * side of a power of ten a value is when the first eight digits agree.
 * Source of the sum of floors: AtCoder Library, `floor_sum`.
 * @module
 */
import { FibError } from "../errors.ts";
import type { SequenceLayout } from "./layouts.ts";

/** The formulas are exact for indices below this; written one after the other, all of those are 2^52 digits. */
export const INDEX_MAX = 2 ** 48;

const FRACTION_BITS = 128n;

/** floor(2^128 log10 φ). */
export const LOG10_PHI_SCALED = 0x358036c82451b7f365d3db23845599f5n;

/** floor(2^128 (1 - log10 √5)). */
export const INTERCEPT_SCALED = 0xa68826a13ef3fde623e2566b02df245en;

/**
 * The sum of floor((slope k + intercept) / modulus) for k = 0 … count - 1; all of them are positive.
 *
 * Each turn takes out the whole parts, and then counts the points under the line by rows, not columns.
 */
export function floorSum(count: bigint, modulus: bigint, slope: bigint, intercept: bigint): bigint {
  let sum = 0n;
  let [n, m, a, b] = [count, modulus, slope, intercept];
  while (n > 0n) {
    sum += ((n * (n - 1n)) / 2n) * (a / m) + n * (b / m);
    const top = (a % m) * n + (b % m);
    [n, m, a, b] = [top / m, a % m, m, top % m];
  }
  return sum;
}

/** The number of digits of F(index), for an index below {@link INDEX_MAX}. */
export function termDigits(index: number): number {
  return index < 2 ? 1 : Number((LOG10_PHI_SCALED * BigInt(index) + INTERCEPT_SCALED) >> FRACTION_BITS);
}

/** The digits of F(0), F(1), … F(count - 1) together. F(0) and F(1) have one, where the formula says 0. */
function digitsOfFirstTerms(count: number): bigint {
  const formula = floorSum(BigInt(count), 1n << FRACTION_BITS, LOG10_PHI_SCALED, INTERCEPT_SCALED);
  return formula + BigInt(Math.min(count, 2));
}

/** The digits of 0, 1, … count - 1 together. */
function digitsOfFirstIndices(count: number): number {
  let digits = count;
  for (let power = 10; power < count; power *= 10) digits += count - power;
  return digits;
}

/** The bytes of the records of F(0) … F(count - 1), each with its separator. */
function bytesOfFirstRecords(layout: SequenceLayout, count: number): bigint {
  const { prefix, infix, suffix, separator } = layout;
  const pieces = prefix.length + (infix?.length ?? 0) + suffix.length + separator.length;
  const indexDigits = infix === undefined ? 0 : digitsOfFirstIndices(count);
  return digitsOfFirstTerms(count) + BigInt(count) * BigInt(pieces) + BigInt(indexDigits);
}

/**
 * Where in the text of the terms from F(from) the record of a later term begins.
 *
 * The first record is at 0: the head counts as a part of it, as the tail counts as a part of the last.
 */
export class SequenceOffsets {
  readonly sizeBytes: number;
  readonly #layout: SequenceLayout;
  readonly #from: number;
  readonly #count: number;
  readonly #bytesBefore: bigint;

  /**
   * @param from - The first index.
   * @param count - How many terms; from + count is at most {@link INDEX_MAX}.
   * @throws {@link FibError} `result_too_large`, when offsets would not be safe integers. A million terms
   * up to F(10^8) are 2·10^13 bytes, and below 2^53 up to F(4·10^10).
   */
  constructor(layout: SequenceLayout, from: number, count: number) {
    this.#layout = layout;
    this.#from = from;
    this.#count = count;
    if (from + count > INDEX_MAX) throw tooLarge(from, count);
    const frameBytes = layout.head.length + layout.tail.length;
    this.#bytesBefore = bytesOfFirstRecords(layout, from);
    this.sizeBytes =
      count === 0 ? frameBytes : frameBytes + this.#recordsBytes(count) - layout.separator.length;
    if (!Number.isSafeInteger(this.sizeBytes)) throw tooLarge(from, count);
  }

  /** The offset of a record: 0 is the first; for `count`, the end of the last and its separator. */
  start(position: number): number {
    return position === 0 ? 0 : this.#layout.head.length + this.#recordsBytes(position);
  }

  /** Which record the byte at `offset` belongs to: the last one that starts at or before it. */
  positionOf(offset: number): number {
    let [low, high] = [0, this.#count];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.start(middle) <= offset) low = middle;
      else high = middle;
    }
    return low;
  }

  #recordsBytes(count: number): number {
    return Number(bytesOfFirstRecords(this.#layout, this.#from + count) - this.#bytesBefore);
  }
}

function tooLarge(from: number, count: number): FibError {
  const what = `${count} terms from F(${from})`;
  return new FibError(
    "result_too_large",
    `Cannot write ${what}: the text would be too long to be addressed by byte`,
  );
}
