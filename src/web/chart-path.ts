/**
 * The lines of a small chart, as paths of an SVG. Pure.
 *
 * The picture is as wide as the time that it shows, and one high; the browser stretches it over its place.
 * @module
 */

/** What was measured, and when. */
export interface Point {
  readonly atMs: number;
  /** undefined where there was nothing to measure: a gap in the line. */
  readonly value: number | undefined;
}

/** How wide the picture is. */
export const WIDTH = 100;
/** How high. */
export const HEIGHT = 32;

/** What a chart shows of its points. */
export interface Frame {
  readonly beginMs: number;
  readonly endMs: number;
  /** What is at the top. */
  readonly max: number;
}

/** Where what belongs together ends: at a point without a value, and where none was measured for a while. */
export function runsOf(points: readonly Point[], gapMs: number): Point[][] {
  const runs: Point[][] = [];
  let last: Point | undefined;
  for (const point of points) {
    if (point.value !== undefined) {
      const goesOn = last?.value !== undefined && point.atMs - last.atMs <= gapMs;
      if (goesOn) runs.at(-1)!.push(point);
      else runs.push([point]);
    }
    last = point;
  }
  return runs;
}

/** The line through a run; a single point is a dot, as the ends of the stroke are round. */
export function linePath(run: readonly Point[], frame: Frame): string {
  const at = run.map((point) => `${xOf(point, frame)} ${yOf(point, frame)}`);
  return `M${at.join("L")}${run.length === 1 ? "h0" : ""}`;
}

/** What is below it. */
export function areaPath(run: readonly Point[], frame: Frame): string {
  const [first, last] = [xOf(run[0]!, frame), xOf(run.at(-1)!, frame)];
  return `${linePath(run, frame)}L${last} ${HEIGHT}L${first} ${HEIGHT}Z`;
}

function xOf({ atMs }: Point, { beginMs, endMs }: Frame): string {
  return short((WIDTH * (atMs - beginMs)) / (endMs - beginMs));
}

// What is 0 lies on the baseline, also when everything is.
function yOf({ value }: Point, { max }: Frame): string {
  return short(max === 0 ? HEIGHT : HEIGHT * (1 - value! / max));
}

function short(value: number): string {
  return String(Math.round(value * 100) / 100);
}
