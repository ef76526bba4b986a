/**
 * A small chart: a line over the last minutes, on a baseline of 0, with what is at the top in words. It has gaps where
 * nothing was measured.
 *
 * It is an SVG of paths and nothing more. Rejected: uPlot, 20 KB of the page's 40, for axes, legends and zoom that a line
 * of this size does not need; and a second line for the slowest in 100, which squashes the first on any busy machine.
 * @module
 */
import { areaPath, type Frame, HEIGHT, linePath, type Point, runsOf, WIDTH } from "./chart-path.ts";

/** What is drawn. */
interface ChartProps {
  readonly points: readonly Point[];
  /** What it shows, for who cannot see it. */
  readonly title: string;
  /** How values are written. */
  readonly write: (value: number) => string;
  /** A longer time without a point is a gap. */
  readonly gapMs: number;
  /** At least so much time is shown, so that a line that has just begun does not race. */
  readonly spanMsMin: number;
}

/** The chart. */
export function Chart({ points, title, write, gapMs, spanMsMin }: ChartProps) {
  const max = Math.max(...points.map(({ value }) => value ?? 0), 0);
  const [beginMs, endMs] = [points[0]?.atMs ?? 0, points.at(-1)?.atMs ?? 0];
  const frame: Frame = { beginMs: Math.min(beginMs, endMs - spanMsMin), endMs, max };
  const runs = runsOf(points, gapMs);
  const top = runs.length === 0 ? "" : write(max);
  return (
    <div class="chart" role="img" aria-label={`${title}: ${top === "" ? "nothing yet" : `at most ${top}`}`}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        {runs.map((run) => (
          <>
            <path class="area" d={areaPath(run, frame)} />
            <path class="line" d={linePath(run, frame)} />
          </>
        ))}
      </svg>
      <span aria-hidden="true">{top}</span>
    </div>
  );
}
