/**
 * How a value of any length is written in a few lines: whole, or its first and last digits.
 * @module
 */

/** What is shown of a value. */
export interface Folded {
  /** How many digits it has. */
  readonly count: number;
  /** All of them, or the first. */
  readonly first: string;
  /** The last; none where all are shown, or where nobody has them now. */
  readonly last: string;
}

/** A value of so many digits is shown whole: four lines on a phone. */
const WHOLE_MAX = 120;
/** How many are shown of each end of a longer one; at the front one or two fewer, so that groups begin with it. */
export const END_DIGITS = 54;

/** What is shown of a value. */
export function fold(value: string): Folded {
  if (value.length <= WHOLE_MAX) return { count: value.length, first: value, last: "" };
  return foldEnds(value.length, value.slice(0, END_DIGITS), value.slice(-END_DIGITS));
}

/** What is shown of one of which only the ends are known. */
export function foldEnds(count: number, first: string, last: string): Folded {
  // Groups are counted from the end.
  const kept = first.length - ((((first.length - count) % 3) + 3) % 3);
  return { count, first: first.slice(0, kept), last };
}

/** How many digits are not shown. */
export function hiddenCount({ count, first, last }: Folded): number {
  return count - first.length - last.length;
}

/** Digits in groups of three, between which a line may end. */
export function inGroups(digits: string): string {
  return digits.replaceAll(/\B(?=(\d{3})+$)/g, "\u2009");
}

/** A value of so many digits takes one line: that of F(92), the last of 64 bits, and a few more. */
const LINE_DIGITS = 21;
/** A longer one takes up to four, of which the last is not full. */
const LINES = 3.5;

/** How wide a line has to be, in em. More digits are never written larger. */
export function lineEms(digitCount: number): number {
  return Math.max(4, Math.min(emsOf(digitCount), Math.max(emsOf(LINE_DIGITS), emsOf(digitCount) / LINES)));
}

/** Digits are at most 0.64 em wide in the fonts that the page names, gaps 0.2. */
function emsOf(digitCount: number): number {
  return digitCount * 0.64 + (digitCount / 3) * 0.2 + 0.3;
}
