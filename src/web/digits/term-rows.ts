/**
 * The text of F(0), F(1), …, one a line, in rows of some width: each term begins on a row of its own.
 *
 * F(k) has floor(line(k)) digits (src/numbers/term-lengths.ts), and is on ceil(digits / width) rows. As
 * floor((floor(x) + width - 1) / width) = floor((x + width - 1) / width), the rows before a term are one more sum of floors
 * along a line, 20 steps for a million terms, and nothing has to be kept: a look-up of any row or byte takes 0.1 ms. The
 * digits before a term are its rows of width 1.
 * @module
 */
import { floorSum, FRACTION_BITS, INTERCEPT_SCALED, LOG10_PHI_SCALED } from "../../numbers/floor-sum.ts";
import type { Rows } from "./rows.ts";

/** F(0) and F(1), of which the line knows nothing: for them it is below 1, so they are counted with no row at all. */
const COUNTED = 2;

/** Where a term stands. */
interface Term {
  readonly index: number;
  readonly digits: number;
  readonly firstRow: number;
  readonly firstByte: number;
}

/** The digits of F(index). */
export function digitsOf(index: number): number {
  if (index < COUNTED) return 1;
  return Number((LOG10_PHI_SCALED * BigInt(index) + INTERCEPT_SCALED) >> FRACTION_BITS);
}

/** How many rows of some width the first terms are. */
function rowsOfFirst(count: number, width: number): number {
  const whole = BigInt(width - 1) << FRACTION_BITS;
  const modulus = BigInt(width) << FRACTION_BITS;
  const rows = floorSum(BigInt(count), modulus, LOG10_PHI_SCALED, INTERCEPT_SCALED + whole);
  return Number(rows) + Math.min(count, COUNTED);
}

/** How many bytes the first terms are, each with the end of its line. */
export function bytesOfFirst(count: number): number {
  return rowsOfFirst(count, 1) + count;
}

/**
 * The rows of the first terms.
 *
 * @param count - At least 1, and so many that all bytes are below 2^53.
 */
export function termRows(count: number, width: number): Rows {
  const total = rowsOfFirst(count, width);
  const sizeBytes = bytesOfFirst(count);
  const linesOf = (index: number) => Math.ceil(digitsOf(index) / width);
  /** Rows are asked for one after the other, so the term of the last one is most often that of the next. */
  let last = termAt(0);

  function termAt(index: number): Term {
    return {
      index,
      digits: digitsOf(index),
      firstRow: rowsOfFirst(index, width),
      firstByte: bytesOfFirst(index),
    };
  }

  function termOfRow(row: number): Term {
    const next = last.firstRow + linesOf(last.index);
    if (row >= last.firstRow && row < next) return last;
    if (row === next) return (last = termAt(last.index + 1));
    return (last = termAt(find(row, total, count, (index) => rowsOfFirst(index, width), linesOf)));
  }

  return {
    width,
    count: total,
    sizeBytes,
    at: (row) => {
      const { index, digits, firstRow, firstByte } = termOfRow(row);
      const line = row - firstRow;
      const length = Math.min(width, digits - line * width);
      return { term: index, line, digits, byte: firstByte + line * width, length };
    },
    ofByte: (byte) => {
      const index = find(byte, sizeBytes, count, bytesOfFirst, (each) => digitsOf(each) + 1);
      const { digits, firstRow, firstByte } = termAt(index);
      return firstRow + Math.floor(Math.min(byte - firstByte, digits - 1) / width);
    },
  };
}

/**
 * The term that a place is in, by Newton's steps from a first guess: places grow with the square of the index, so these are
 * three or four. What each step rules out bounds the next.
 *
 * @param before - How many places are before a term.
 * @param of - How many a term has.
 */
function find(
  place: number,
  total: number,
  count: number,
  before: (index: number) => number,
  of: (index: number) => number,
): number {
  let [low, high] = [0, count - 1];
  let index = Math.floor(high * Math.sqrt(place / total));
  for (;;) {
    const off = place - before(index);
    const size = of(index);
    if (off < 0) high = index - 1;
    else if (off >= size) low = index + 1;
    else return index;
    index = Math.max(low, Math.min(high, index + Math.floor(off / size)));
  }
}
