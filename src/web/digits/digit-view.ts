/**
 * A pane of digits at work, on the elements that the component has made: it measures, scrolls, fetches and draws. It works
 * on the DOM itself, since a frame has 16 ms, and what changes in it is the text of some rows.
 * @module
 */
import type { Server } from "../server.ts";
import { grouped } from "../numerals.ts";
import { ByteChunks } from "./byte-chunks.ts";
import { DigitLines, digitsThatFit, widthOf } from "./digit-lines.ts";
import { RowScroll } from "./row-scroll.ts";
import type { Row, Rows } from "./rows.ts";

/** Fewer digits would be no row, more can hardly be followed with the eye. */
const WIDTH_MIN = 20;
const WIDTH_MAX = 100;

/** Without its style sheet a pane is as high as its text: 10 million pixels, which would be 3 GB of rows. */
const ROWS_MAX = 100;

/** Of the column that counts digits, and of what is beside the digits otherwise; in digits. */
const COUNT_WIDTH = 14;
const MARGIN_WIDTH = 3;

/** So long after the last movement it has come to rest. Safari takes 100 changes of the address in 30 s. */
const REST_MS = 350;

/** The elements. */
export interface PaneElements {
  /** What scrolls. */
  readonly box: HTMLElement;
  /** What is scrolled: as high as a browser can. */
  readonly pane: HTMLElement;
  /** What has the rows, in what stays in sight. */
  readonly lines: HTMLElement;
  /** A hundred digits, to be measured. */
  readonly probe: HTMLElement;
}

/** A text, and who is told of what is seen of it. */
export interface Viewed {
  readonly server: Server;
  readonly path: string;
  readonly rows: (width: number) => Rows;
  readonly hasGutter: boolean;
  /** The row at the top is another one. */
  readonly onPlace: (row: Row, width: number) => void;
  /** It has come to rest at another place, by hand or as it was asked. */
  readonly onRest: (row: Row, width: number, isByHand: boolean) => void;
  /** Something has failed, or does no longer. */
  readonly onError: (error: unknown) => void;
}

/** Keeps a pane going until it is closed. */
export class DigitView {
  readonly #elements: PaneElements;
  readonly #viewed: Viewed;
  readonly #lines: DigitLines;
  readonly #chunks: ByteChunks;
  readonly #closing = new AbortController();
  readonly #sizes = new ResizeObserver(() => this.#measure());
  #rows: Rows;
  #scroll = new RowScroll(0, 1, 0);
  #linePx = 1;
  /** What was at the top when somebody moved last: a width and back again leads to the same row. */
  #byte = 0;
  #hasJumped = false;
  #shown: Row | undefined;
  #frame = 0;
  #rest: ReturnType<typeof setTimeout> | undefined;

  constructor(elements: PaneElements, viewed: Viewed) {
    this.#elements = elements;
    this.#viewed = viewed;
    const { box, lines, probe } = elements;
    this.#lines = new DigitLines(lines);
    this.#rows = viewed.rows(WIDTH_MIN);
    this.#chunks = new ByteChunks(viewed.server, viewed.path, this.#rows.sizeBytes, () => {
      viewed.onError(this.#chunks.error);
      this.#drawSoon();
    });
    const { signal } = this.#closing;
    box.addEventListener("scroll", () => this.#scrolled(), { passive: true, signal });
    box.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    box.addEventListener("copy", (event) => this.#copied(event), { signal });
    this.#measure();
    this.#sizes.observe(box);
    this.#sizes.observe(probe);
  }

  /** Leads to the row of a byte. */
  goTo(byte: number): void {
    this.#byte = byte;
    this.#moveTo(this.#rows.ofByte(byte) * this.#linePx);
    this.#moved(false);
  }

  /** Ends everything that is going on. */
  close(): void {
    this.#closing.abort();
    this.#sizes.disconnect();
    this.#chunks.close();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#rest);
    this.#lines.resize(0);
  }

  /** Lays the rows out anew for the width that there is. How high the box is depends on how many rows that makes. */
  #measure(): void {
    const { box, pane, probe } = this.#elements;
    const { width: probePx, height: linePx } = probe.getBoundingClientRect();
    const digitPx = probePx / 100;
    const boxPx = box.clientWidth;
    if (digitPx === 0 || boxPx === 0) return;
    const last = this.#rows.at(this.#rows.count - 1);
    const gutter = this.#viewed.hasGutter ? Math.max(4, grouped(last.term).length + 1) + 1.5 : 0;
    const free = boxPx / digitPx - gutter - MARGIN_WIDTH;
    const width = Math.max(WIDTH_MIN, Math.min(WIDTH_MAX, digitsThatFit(free)));
    const isCounted = free - widthOf(width) >= COUNT_WIDTH;
    this.#linePx = linePx;
    this.#rows = this.#viewed.rows(width);
    box.style.setProperty("--rows", String(this.#rows.count));
    box.style.setProperty("--gutter", `${gutter}ch`);
    box.classList.toggle("counted", isCounted);
    const boxHeight = box.clientHeight;
    this.#scroll = new RowScroll(this.#rows.count, linePx, boxHeight);
    pane.style.height = `${this.#scroll.paneHeight}px`;
    this.#lines.resize(Math.min(this.#rows.count, Math.ceil(boxHeight / linePx) + 1, ROWS_MAX));
    this.#moveTo(this.#rows.ofByte(this.#byte) * linePx);
    this.#draw();
  }

  #scrolled(): void {
    const before = this.#scroll.text;
    this.#hasJumped = this.#scroll.scrolled(this.#elements.box.scrollTop);
    if (this.#scroll.text === before) return;
    this.#byte = this.#rows.at(this.#scroll.row).byte;
    this.#moved(true);
  }

  #moveTo(text: number): void {
    this.#elements.box.scrollTop = this.#scroll.goTo(text);
  }

  #moved(isByHand: boolean): void {
    this.#drawSoon();
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#rested(isByHand), REST_MS);
  }

  #rested(isByHand: boolean): void {
    const pane = this.#scroll.rest();
    if (pane !== undefined) this.#elements.box.scrollTop = pane;
    this.#hasJumped = false;
    this.#draw();
    this.#viewed.onRest(this.#rows.at(this.#scroll.row), this.#rows.width, isByHand);
  }

  #pressed(event: KeyboardEvent): void {
    const step = this.#stepOf(event);
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.#moveTo(this.#scroll.row * this.#linePx + step);
    this.#byte = this.#rows.at(this.#scroll.row).byte;
    this.#moved(true);
  }

  /** How far a key leads. A page leaves one row of the last one in sight. */
  #stepOf({ key, shiftKey }: KeyboardEvent): number | undefined {
    const pagePx = (Math.floor(this.#scroll.boxHeight / this.#linePx) - 1) * this.#linePx;
    const steps: Readonly<Record<string, number>> = {
      ArrowUp: -this.#linePx,
      ArrowDown: this.#linePx,
      PageUp: -pagePx,
      PageDown: pagePx,
      " ": shiftKey ? -pagePx : pagePx,
      Home: -Infinity,
      End: Infinity,
    };
    return steps[key];
  }

  /** What is copied is the text itself: a line ends where a number does, and not where a row does. */
  #copied(event: ClipboardEvent): void {
    const selected = this.#lines.selected(getSelection());
    if (selected === undefined) return;
    const text = this.#chunks.read(selected.from, selected.to - selected.from);
    if (text === undefined) return;
    event.preventDefault();
    event.clipboardData!.setData("text/plain", text);
  }

  #drawSoon(): void {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const { row, text } = this.#scroll;
    const first = Math.floor(text / this.#linePx);
    const { from, to } = this.#lines.show(this.#rows, first, row, ({ byte, length }) =>
      this.#chunks.read(byte, length),
    );
    this.#elements.lines.style.transform = `translateY(${first * this.#linePx - text}px)`;
    this.#chunks.want(from, to, !this.#hasJumped);
    const top = this.#rows.at(row);
    if (top.byte === this.#shown?.byte && top.length === this.#shown.length) return;
    this.#shown = top;
    this.#viewed.onPlace(top, this.#rows.width);
  }
}
