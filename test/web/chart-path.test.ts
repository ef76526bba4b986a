/** The lines of charts, and how the page writes times and sizes. */
import { expect, test } from "bun:test";
import { areaPath, linePath, runsOf } from "../../src/web/chart-path.ts";
import { longTime, rounded, shortTime, sizeText } from "../../src/web/measures.ts";

const at = (...values: readonly (readonly [atMs: number, value: number | undefined])[]) =>
  values.map(([atMs, value]) => ({ atMs, value }));

test("runsOf() ends a line where nothing was measured, and where nobody looked for a while", () => {
  const points = at([0, 1], [2, 2], [4, undefined], [6, 3], [8, 4], [30, 5]);
  expect(runsOf(points, 6).map((run) => run.map(({ atMs }) => atMs))).toEqual([[0, 2], [6, 8], [30]]);
  expect(runsOf(at([0, undefined], [2, undefined]), 6)).toEqual([]);
});

test("linePath() has 0 at the bottom and the highest at the top, over the whole width; one point is a dot", () => {
  const frame = { beginMs: 0, endMs: 10, max: 8 };
  expect(linePath(at([0, 0], [5, 8], [10, 2]), frame)).toBe("M0 32L50 0L100 24");
  expect(linePath(at([10, 8]), frame)).toBe("M100 0h0");
  expect(linePath(at([0, 0], [10, 0]), { ...frame, max: 0 })).toBe("M0 32L100 32");
  expect(areaPath(at([5, 8], [10, 2]), frame)).toBe("M50 0L100 24L100 32L50 32Z");
});

const plain = (text: string) => text.replaceAll(/[\u00a0\u202f]/g, " ");

test("measures are written in the unit that people say, to two or three digits", () => {
  expect([0, 0.000_085, 0.000_21, 0.0123, 0.97, 1.44, 75].map(shortTime).map(plain)).toEqual([
    "0 µs",
    "85 µs",
    "0.21 ms",
    "12 ms",
    "970 ms",
    "1.4 s",
    "75 s",
  ]);
  expect([-3, 12.4, 59.7, 7200, 7500, 100_000, 260_000].map(longTime).map(plain)).toEqual([
    "0 s",
    "12 s",
    "1 min",
    "2 h 0 min",
    "2 h 5 min",
    "27 h 47 min",
    "3 days",
  ]);
  expect([0, 999, 61_234_567, 1_200_000_000, 104_494_866_149, 2e15].map(sizeText).map(plain)).toEqual([
    "0 bytes",
    "999 bytes",
    "61 MB",
    "1.2 GB",
    "104 GB",
    "2 000 TB",
  ]);
  expect([0, 0.034, 0.999, 1.62, 9.97, 1204.3].map(rounded).map(plain)).toEqual([
    "0",
    "0.034",
    "1",
    "1.6",
    "10",
    "1 204",
  ]);
});
