/** What the cursor's picture, ratio and digits are, before anything is drawn. */
import { describe, expect, test } from "bun:test";
import { END_DIGITS, fold, foldEnds, hiddenCount, inGroups, lineEms } from "../../src/web/cursor/fold.ts";
import { PHI, ratioOf } from "../../src/web/cursor/ratio.ts";
import { arcOf, labelOf, spiralOf } from "../../src/web/cursor/spiral.ts";

const INDICES = [...Array(100).keys(), 1000, 99_999, 1e8];

describe("spiralOf()", () => {
  test("tiles the rectangle: squares lie within it, none on another, and nothing is left but the eye", () => {
    for (const n of INDICES.slice(1)) {
      const { squares, width } = spiralOf(n);
      expect(squares.length).toBe(Math.min(n, 14));
      const isInside = squares.every(
        ({ x, y, side }) => x > -1e-12 && y > -1e-12 && x + side < width + 1e-12 && y + side < 1 + 1e-12,
      );
      expect([n, isInside]).toEqual([n, true]);
      for (const [at, a] of squares.entries()) {
        for (const b of squares.slice(at + 1)) {
          const overlapX = Math.min(a.x + a.side, b.x + b.side) - Math.max(a.x, b.x);
          const overlapY = Math.min(a.y + a.side, b.y + b.side) - Math.max(a.y, b.y);
          expect(Math.min(overlapX, overlapY)).toBeLessThan(1e-12);
        }
      }
      const [oldest, next] = squares;
      const eye = n > 14 ? oldest!.side * (next!.side - oldest!.side) : 0;
      const area = squares.reduce((sum, { side }) => sum + side ** 2, eye);
      expect(area).toBeCloseTo(width, 12);
    }
  });

  test("the newest square is the left one, as high as the whole; 0 has none", () => {
    for (const n of INDICES.slice(1))
      expect(spiralOf(n).squares.at(-1)).toEqual({ index: n, x: 0, y: 0, side: 1, cut: "left" });
    expect(spiralOf(0)).toEqual({ squares: [], width: 1, eye: expect.anything(), zoom: 1 });
  });

  test("a quarter turn and a zoom about the eye bring each square to where it was a step before", () => {
    for (const n of INDICES.slice(2)) {
      const { squares, eye, zoom } = spiralOf(n);
      const turned = (x: number, y: number) => [eye.x + zoom * (y - eye.y), eye.y - zoom * (x - eye.x)];
      for (const before of spiralOf(n - 1).squares) {
        const now = squares.find(({ index }) => index === before.index);
        if (now === undefined) continue;
        const [x, y] = turned(now.x + now.side / 2, now.y + now.side / 2);
        expect(x).toBeCloseTo(before.x + before.side / 2, 9);
        expect(y).toBeCloseTo(before.y + before.side / 2, 9);
        expect(now.side * zoom).toBeCloseTo(before.side, 9);
      }
    }
  });

  test("the quarter circles are one line", () => {
    for (const n of INDICES.slice(2)) {
      const arcs = spiralOf(n).squares.map(arcOf);
      for (const [at, [x, y]] of arcs.slice(1).entries()) {
        expect(x).toBeCloseTo(arcs[at]![2], 9);
        expect(y).toBeCloseTo(arcs[at]![3], 9);
      }
    }
  });
});

test("labelOf() is the side, and from F(35) on the index", () => {
  expect([1, 21, 34].map((index) => labelOf(index).text)).toEqual([
    "1",
    "10\u2009946",
    "5\u2009702\u2009887",
  ]);
  expect(labelOf(99_999)).toEqual({ isTerm: false, text: "(99\u2009999)" });
});

test("ratioOf() sets apart the digits that are φ's, more and more of them", () => {
  expect([ratioOf(0), ratioOf(1)]).toEqual([undefined, undefined]);
  expect(ratioOf(2)).toEqual({ agreed: "1.", rest: "000\u2009000\u2009000\u2009000\u2009000\u2009000" });
  expect(ratioOf(3)!.agreed).toBe("");
  expect(ratioOf(21)).toEqual({ agreed: "1.618\u2009033\u20099", rest: "98\u2009521\u2009803\u2009399" });
  for (const n of [60, 92, 1e8]) expect(ratioOf(n)).toEqual({ agreed: PHI, rest: "" });
  // Every second ratio is above φ.
  const counts = [...Array(46).keys()].map((at) => ratioOf(2 * at + 4)!.agreed.length);
  expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  expect(PHI.replaceAll("\u2009", "")).toBe("1.618033988749894848");
});

const digits = (count: number) => "1234567890".repeat(count / 10 + 1).slice(0, count);

describe("fold()", () => {
  test("shows what is short as a whole, and of the rest both ends and how much is between", () => {
    for (const count of [1, 19, 120])
      expect(fold(digits(count))).toEqual({ count, first: digits(count), last: "" });
    for (const count of [121, 122, 123, 2000]) {
      const value = digits(count);
      const folded = fold(value);
      const between = value.slice(folded.first.length, count - folded.last.length);
      expect(folded.first + between + folded.last).toBe(value);
      expect(hiddenCount(folded)).toBe(between.length);
      // The groups of the whole, and of what is shown of it.
      expect(inGroups(value).startsWith(`${inGroups(folded.first)}\u2009`)).toBe(true);
      expect(inGroups(value).endsWith(`\u2009${inGroups(folded.last)}`)).toBe(true);
    }
  });

  test("is the same from the ends alone", () => {
    const value = digits(2000);
    expect(foldEnds(2000, value.slice(0, END_DIGITS), value.slice(-END_DIGITS))).toEqual(fold(value));
  });

  test("more digits are never written larger, and F(92) takes one line", () => {
    const sizes = [...Array(120).keys()].map((at) => lineEms(at + 1));
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
    expect(lineEms(19)).toBeGreaterThan(19 * 0.64 + 6 * 0.2);
  });
});
