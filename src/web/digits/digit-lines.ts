/**
 * The rows that are seen, as elements that stay: what changes is their text, so 16 rows that move 60 times a second cost
 * no layout of anything else. A row is its gutter (what it belongs to), its digits in tens, and how many digits there are
 * up to its end.
 * @module
 */
import { grouped } from "../numerals.ts";
import type { Row, Rows } from "./rows.ts";

/** Digits in a group. */
const GROUP = 10;

/** A row's elements, and what they show. */
interface Line {
  readonly element: HTMLElement;
  readonly gutter: Text;
  readonly digits: Text;
  readonly count: Text;
  row: Row | undefined;
}

/** The seen rows of a text. */
export class DigitLines {
  readonly #parent: HTMLElement;
  readonly #lines: Line[] = [];

  constructor(parent: HTMLElement) {
    this.#parent = parent;
  }

  /** Has as many elements as can be seen. */
  resize(count: number): void {
    while (this.#lines.length > count) this.#lines.pop()!.element.remove();
    while (this.#lines.length < count) {
      const line = createLine();
      this.#lines.push(line);
      this.#parent.append(line.element);
    }
  }

  /**
   * Shows the rows from one on.
   *
   * @param top - The first of which enough is seen: it says what it belongs to, as every first row of a term does.
   * @param read - The digits of a row; undefined when they are not there yet.
   * @returns The bytes that are seen, from the first to behind the last.
   */
  show(
    rows: Rows,
    first: number,
    top: number,
    read: (row: Row) => string | undefined,
  ): { from: number; to: number } {
    let [from, to] = [0, 0];
    for (const [i, line] of this.#lines.entries()) {
      const row = first + i < rows.count ? rows.at(first + i) : undefined;
      line.row = row;
      line.element.hidden = row === undefined;
      if (row === undefined) continue;
      if (i === 0) from = row.byte;
      to = row.byte + row.length;
      showRow(line, row, rows.width, first + i === top, read(row));
    }
    return { from, to };
  }

  /** The bytes that are selected, from the first to behind the last; undefined when none are. */
  selected(selection: Selection | null): { from: number; to: number } | undefined {
    if (selection === null || selection.rangeCount === 0) return undefined;
    const range = selection.getRangeAt(0);
    const touched = this.#lines.filter(
      ({ row, digits }) => row !== undefined && range.intersectsNode(digits),
    );
    const [first, last] = [touched[0], touched.at(-1)];
    if (first === undefined || last === undefined) return undefined;
    const from = range.startContainer === first.digits ? digitsBefore(range.startOffset) : 0;
    const to = range.endContainer === last.digits ? digitsBefore(range.endOffset) : last.row!.length;
    return { from: first.row!.byte + from, to: last.row!.byte + to };
  }
}

/** Of a row's text, without the gaps between groups. */
function digitsBefore(offset: number): number {
  return offset - Math.floor(offset / (GROUP + 1));
}

/** How many digits fit into some width, counted in digits. */
export function digitsThatFit(width: number): number {
  return Math.floor((width + 1) / (GROUP + 1)) * GROUP;
}

/** How wide some digits are, counted in digits. */
export function widthOf(digits: number): number {
  return digits + Math.ceil(digits / GROUP) - 1;
}

function createLine(): Line {
  const element = document.createElement("div");
  element.className = "row";
  const texts = ["gutter", "digits", "count"].map((name) => {
    const part = document.createElement("span");
    part.className = name;
    const text = new Text();
    part.append(text);
    element.append(part);
    return text;
  });
  const [gutter, digits, count] = texts as [Text, Text, Text];
  return { element, gutter, digits, count, row: undefined };
}

/** A row says what it belongs to where that begins, and at the top. */
function showRow(
  { element, gutter, digits, count }: Line,
  row: Row,
  width: number,
  isTop: boolean,
  text: string | undefined,
): void {
  const isLong = row.digits > width;
  const isFirst = row.line === 0;
  setText(gutter, isFirst || isTop ? grouped(row.term) : "");
  setText(digits, (text ?? "·".repeat(row.length)).replaceAll(/(\d{10}|·{10})(?!$)/g, "$1 "));
  setText(count, isLong ? grouped(row.line * width + row.length) : "");
  const { classList } = element;
  classList.toggle("carried", !isFirst);
  classList.toggle("first", isFirst && isLong && !isTop);
  classList.toggle("missing", text === undefined);
}

function setText(node: Text, text: string): void {
  if (node.data !== text) node.data = text;
}
