/** A pane of ten million pixels, which stands for any number of rows. */
import { expect, test } from "bun:test";
import { RowScroll } from "../../src/web/digits/row-scroll.ts";

const LINE = 24;
const BOX = 384;
const ROWS = 1_300_000_000;
const TEXT = ROWS * LINE;
const PANE_END = 10_000_000 - BOX;

test("RowScroll of a short text is the pane itself", () => {
  const scroll = new RowScroll(40, LINE, BOX);
  expect(scroll.paneHeight).toBe(40 * LINE);
  for (const pane of [0, 13.5, 100, 40 * LINE - BOX]) {
    scroll.scrolled(pane);
    expect(scroll.text).toBe(pane);
    expect(scroll.rest()).toBeUndefined();
  }
  expect(scroll.goTo(Infinity)).toBe(40 * LINE - BOX);
  expect(new RowScroll(3, LINE, BOX).goTo(Infinity)).toBe(0);
});

test("RowScroll follows small steps to the pixel, and large ones in proportion", () => {
  const scroll = new RowScroll(ROWS, LINE, BOX);
  expect(scroll.paneHeight).toBe(10_000_000);
  const middle = 700_000_000 * LINE;
  let pane = scroll.goTo(middle);
  for (let step = 1; step <= 100; step++) scroll.scrolled((pane += 100));
  expect(scroll.text).toBe(middle + 10_000);
  expect(scroll.scrolled(0.25 * PANE_END)).toBe(true);
  expect(scroll.row).toBe(0.25 * (ROWS - BOX / LINE));
  expect(scroll.text).toBe(scroll.row * LINE);
  expect(scroll.scrolled(0.3123 * PANE_END)).toBe(true);
  expect(scroll.text % LINE).toBe(0);
  // The first row of which at least half is seen.
  scroll.goTo(1.6 * LINE);
  expect(scroll.row).toBe(2);
  for (const [from, by, end] of [
    [100, -300, 0],
    [TEXT - BOX - 100, 300, TEXT - BOX],
  ] as const) {
    scroll.scrolled(scroll.goTo(from) + by);
    expect(scroll.text).toBe(end);
  }
});

test("RowScroll has exact ends, and comes away from them step by step", () => {
  const scroll = new RowScroll(ROWS, LINE, BOX);
  scroll.scrolled(PANE_END - 0.5);
  expect(scroll.text).toBe(TEXT - BOX);
  expect(scroll.rest()).toBe(PANE_END);
  scroll.scrolled(PANE_END - LINE);
  expect(scroll.text).toBe(TEXT - BOX - LINE);
  // One row from the end there is room to go on up and down.
  expect(scroll.rest()).toBeLessThan(PANE_END - 10_000);
  scroll.scrolled(0);
  expect(scroll.text).toBe(0);
  scroll.scrolled(LINE);
  expect(scroll.text).toBe(LINE);
  expect(scroll.rest()).toBeGreaterThan(10_000);
});

test("RowScroll leaves the pane where it is, unless it has drifted far or is near an end", () => {
  const scroll = new RowScroll(ROWS, LINE, BOX);
  let pane = scroll.goTo(TEXT / 2);
  for (let step = 1; step <= 190; step++) scroll.scrolled((pane += 100));
  expect(scroll.rest()).toBeUndefined();
  for (let step = 1; step <= 20; step++) scroll.scrolled((pane += 100));
  const text = TEXT / 2 + 21_000;
  expect(scroll.text).toBe(text);
  expect(scroll.rest()).toBe(Math.round((text / (TEXT - BOX)) * PANE_END));
  expect(scroll.text).toBe(text);
});
