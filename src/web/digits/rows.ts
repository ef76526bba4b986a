/**
 * A long text as rows of digits: which bytes are on which row. Nothing of the text itself is needed for that.
 * @module
 */

/** What is on one row. */
export interface Row {
  /** What the row belongs to, such as the index of a term. */
  readonly term: number;
  /** Which row of its term it is, from 0. */
  readonly line: number;
  /** How many digits the whole term has. */
  readonly digits: number;
  /** Where in the text the row begins, and how many digits are on it. */
  readonly byte: number;
  readonly length: number;
}

/** A text in rows of some width. */
export interface Rows {
  readonly width: number;
  readonly count: number;
  /** Of the whole text. */
  readonly sizeBytes: number;
  /** @param row - From 0 to before `count`. */
  readonly at: (row: number) => Row;
  /** The row that a byte is on; of what ends a term, its last one. */
  readonly ofByte: (byte: number) => number;
}

/** One number in rows. */
export function numberRows(digits: number, width: number): Rows {
  return {
    width,
    count: Math.ceil(digits / width),
    sizeBytes: digits,
    at: (line) => {
      const byte = line * width;
      return { term: 0, line, digits, byte, length: Math.min(width, digits - byte) };
    },
    ofByte: (byte) => Math.floor(Math.min(byte, digits - 1) / width),
  };
}
