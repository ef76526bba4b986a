/**
 * The golden spiral of squares, as geometry: nothing here draws.
 *
 * The picture of n is a rectangle of height 1, out of which squares with sides F(n), F(n−1), … are cut, from the left, the
 * top, the right, the bottom, and again. So the newest always lies at the left, and a step is a quarter turn and a zoom
 * about one point, the eye, which is exact also where F(n)/F(n−1) is far from φ.
 *
 * Of the squares the 14 newest are kept: the next would be a third of a pixel. Sides are exact ratios up to F(78), the last
 * that a double holds, and powers of φ beyond, which are 1e-16 apart there.
 * @module
 */

import { inGroups } from "./fold.ts";

/** A square, in units of the picture's height. */
export interface Square {
  /** Its side is F(index). */
  readonly index: number;
  readonly x: number;
  readonly y: number;
  readonly side: number;
  /** The side from which it was cut. */
  readonly cut: Cut;
}

/** In the order of cutting. */
const CUTS = ["left", "top", "right", "bottom"] as const;
type Cut = (typeof CUTS)[number];

/** The picture of an index. */
export interface Spiral {
  /** From the oldest to the newest; none for 0. */
  readonly squares: readonly Square[];
  /** The height is 1. */
  readonly width: number;
  /** About which a step turns. */
  readonly eye: { readonly x: number; readonly y: number };
  /** By how much the picture of n−1 is larger: F(n)/F(n−1). */
  readonly zoom: number;
}

const SQUARES_MAX = 14;
const PHI = (1 + Math.sqrt(5)) / 2;

/** F(0) to F(78), each exact. */
const TERMS: readonly number[] = (() => {
  const terms = [0, 1];
  while (terms.length <= 78) terms.push(terms.at(-1)! + terms.at(-2)!);
  return terms;
})();

/** F(index)/F(n). */
function ratio(index: number, n: number): number {
  return n < TERMS.length ? TERMS[index]! / TERMS[n]! : PHI ** (index - n);
}

/** The picture of an index. */
export function spiralOf(n: number): Spiral {
  const width = n === 0 ? 1 : 1 + ratio(n - 1, n);
  const zoom = n < 2 ? 1 : 1 / ratio(n - 1, n);
  return { squares: squaresOf(n, width), width, eye: eyeOf(zoom, width), zoom };
}

function squaresOf(n: number, width: number): Square[] {
  const squares: Square[] = [];
  let [left, top, right, bottom] = [0, 0, width, 1];
  for (let index = n; index > Math.max(0, n - SQUARES_MAX); index--) {
    const side = ratio(index, n);
    const cut = CUTS[(n - index) % 4]!;
    const x = cut === "right" ? right - side : left;
    const y = cut === "bottom" ? bottom - side : top;
    if (cut === "left") left += side;
    else if (cut === "top") top += side;
    else if (cut === "right") right -= side;
    else bottom -= side;
    squares.push({ index, x, y, side, cut });
  }
  return squares.toReversed();
}

/**
 * The point that stays where it is while the picture of n becomes that of n−1: p → zoom · (y, −x) + move, a quarter turn
 * against the clock, which brings the upper right corner (width, 0) to the upper left one (0, 0).
 */
function eyeOf(zoom: number, width: number): { x: number; y: number } {
  const moveY = zoom * width;
  return { x: (zoom * moveY) / (1 + zoom * zoom), y: moveY / (1 + zoom * zoom) };
}

/** Where the quarter circle through a square begins, and where it ends, at the newer square. */
export function arcOf({
  x,
  y,
  side,
  cut,
}: Square): readonly [x0: number, y0: number, x1: number, y1: number] {
  if (cut === "left") return [x + side, y, x, y + side];
  if (cut === "top") return [x + side, y + side, x, y];
  if (cut === "right") return [x, y + side, x + side, y];
  return [x, y, x + side, y + side];
}

/** What a square is labelled with: its side up to F(34), which still fits; then its index, after an F. */
export function labelOf(index: number): { readonly isTerm: boolean; readonly text: string } {
  const isTerm = index <= 34;
  return { isTerm, text: isTerm ? inGroups(String(TERMS[index])) : `(${inGroups(String(index))})` };
}
