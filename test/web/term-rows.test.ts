/** The rows of the sequence: by formula, as somebody would count them. */
import { expect, test } from "bun:test";
import { SequenceOffsets, termDigits } from "../../src/numbers/offsets.ts";
import { LAYOUTS } from "../../src/numbers/layouts.ts";
import type { Row } from "../../src/web/digits/rows.ts";
import { termRows } from "../../src/web/digits/term-rows.ts";

const WIDTHS = [1, 20, 30, 70, 100];
const MILLION = 1_000_000;

/** Counted one after the other. */
function countedRows(count: number, width: number): Row[] {
  const rows: Row[] = [];
  let [byte, term, next] = [0, 0n, 1n];
  for (let k = 0; k < count; k++) {
    const digits = String(term).length;
    for (let at = 0; at < digits; at += width)
      rows.push({ term: k, line: at / width, digits, byte: byte + at, length: Math.min(width, digits - at) });
    byte += digits + 1;
    [term, next] = [next, term + next];
  }
  return rows;
}

test("termRows() has every row of small counts, from both ends, for each width", () => {
  for (const width of WIDTHS) {
    for (const count of [1, 2, 3, 4, 7, 50, 1200]) {
      const counted = countedRows(count, width);
      const rows = termRows(count, width);
      const last = counted.at(-1)!;
      expect(rows.count).toBe(counted.length);
      expect(rows.sizeBytes).toBe(last.byte + last.length + 1);
      expect(counted.map((_, row) => rows.at(row))).toEqual(counted);
      for (let row = counted.length - 1; row >= 0; row--) expect(rows.at(row)).toEqual(counted[row]!);
    }
  }
});

test("termRows() finds the row of every byte; the end of a line is on the last row of its term", () => {
  for (const width of WIDTHS) {
    const counted = countedRows(300, width);
    const rows = termRows(300, width);
    const expected = counted.flatMap(({ line, digits, length }, row) => {
      const isLast = line * width + length === digits;
      return Array<number>(isLast ? length + 1 : length).fill(row);
    });
    expect(expected.map((_, byte) => rows.ofByte(byte))).toEqual(expected);
  }
});

test("termRows() agrees with the server's offsets on random rows of the million, and row and byte lead to one another", () => {
  const offsets = new SequenceOffsets(LAYOUTS.text, 0, MILLION);
  for (const width of WIDTHS) {
    const rows = termRows(MILLION, width);
    expect(rows.sizeBytes).toBe(offsets.sizeBytes);
    const random = Array.from({ length: 300 }, () => Math.floor(Math.random() * rows.count));
    for (const row of [0, 1, ...random, rows.count - 1]) {
      const { term, line, digits, byte, length } = rows.at(row);
      expect(term).toBe(offsets.positionOf(byte));
      expect(byte).toBe(offsets.offsetOf(term) + line * width);
      expect(digits).toBe(termDigits(term));
      expect(length).toBe(Math.min(width, digits - line * width));
      expect(rows.ofByte(byte)).toBe(row);
      expect(rows.ofByte(byte + length - 1)).toBe(row);
    }
  }
});
