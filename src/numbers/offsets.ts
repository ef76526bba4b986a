/**
 * Byte ↔ term of a sequence's text, by formula: nothing that comes before is generated. What terms have in digits,
 * one or all up to an index, is known by term-lengths.ts; here the texts around them are added.
 * @module
 */
import { FibError } from "../errors.ts";
import type { SequenceLayout } from "./layouts.ts";
import type { Start } from "./start.ts";
import { INDEX_MAX, type TermLengths, termLengths } from "./term-lengths.ts";

/** The number of digits of a term, for an index below {@link INDEX_MAX}. */
export const termDigits = (index: number, start?: Start): number => termLengths(start).at(index);

/** The digits of 0, 1, … count - 1 together. */
function digitsOfFirstIndices(count: number): number {
  let digits = count;
  for (let power = 10; power < count; power *= 10) digits += count - power;
  return digits;
}

/** The bytes of the records of the first terms, each with its separator. */
function bytesOfFirstRecords(layout: SequenceLayout, lengths: TermLengths, count: number): bigint {
  const { prefix, infix, suffix, separator } = layout;
  const pieces = prefix.length + (infix?.length ?? 0) + suffix.length + separator.length;
  const indexDigits = infix === undefined ? 0 : digitsOfFirstIndices(count);
  return lengths.ofFirst(count) + BigInt(count) * BigInt(pieces) + BigInt(indexDigits);
}

/**
 * Where in the text of the terms from an index on the record of a later term begins.
 *
 * The first record is at 0: the head counts as a part of it, as the tail counts as a part of the last.
 */
export class SequenceOffsets {
  readonly sizeBytes: number;
  readonly #layout: SequenceLayout;
  readonly #lengths: TermLengths;
  readonly #from: number;
  readonly #count: number;
  readonly #bytesBefore: bigint;

  /**
   * @param from - The first index.
   * @param count - How many terms; from + count is at most {@link INDEX_MAX}.
   * @param start - Of another sequence than F.
   * @throws {@link FibError} `result_too_large`, when offsets would not be safe integers. A million terms
   * up to F(10^8) are 2·10^13 bytes, and below 2^53 up to F(4·10^10).
   */
  constructor(layout: SequenceLayout, from: number, count: number, start?: Start) {
    this.#layout = layout;
    this.#lengths = termLengths(start);
    this.#from = from;
    this.#count = count;
    if (from + count > INDEX_MAX) throw tooLarge(count, from, `a sequence ends below ${INDEX_MAX}`);
    const frameBytes = layout.head.length + layout.tail.length;
    this.#bytesBefore = bytesOfFirstRecords(layout, this.#lengths, from);
    this.sizeBytes =
      count === 0 ? frameBytes : frameBytes + this.#recordsBytes(count) - layout.separator.length;
    if (!Number.isSafeInteger(this.sizeBytes))
      throw tooLarge(count, from, "the text would be too long to be addressed by byte");
  }

  /** The offset of a record: 0 is the first; for `count`, the end of the last and its separator. */
  offsetOf(position: number): number {
    return position === 0 ? 0 : this.#layout.head.length + this.#recordsBytes(position);
  }

  /** Where a record ends, with its separator; that of the last with the tail. */
  endOf(position: number): number {
    return position === this.#count - 1 ? this.sizeBytes : this.offsetOf(position + 1);
  }

  /** Which record the byte at `offset` belongs to: the last one that starts at or before it. */
  positionOf(offset: number): number {
    let [low, high] = [0, this.#count];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.offsetOf(middle) <= offset) low = middle;
      else high = middle;
    }
    return low;
  }

  #recordsBytes(count: number): number {
    return Number(bytesOfFirstRecords(this.#layout, this.#lengths, this.#from + count) - this.#bytesBefore);
  }
}

function tooLarge(count: number, from: number, why: string): FibError {
  return new FibError("result_too_large", `Cannot write ${count} terms from index ${from}: ${why}`);
}
