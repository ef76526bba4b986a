/**
 * How far each digit is from its even share, as a chart.
 * @module
 */
import { grouped } from "../numerals.ts";
import { spreadOf } from "./statistics.ts";

/** Of the drawing, in its own units. */
const COLUMN = 30;
const MIDDLE = 45;
const HEIGHT = 102;
/** One standard deviation, where nothing is further than 2.5 of them. */
const BAND = 16;
const REACH = 40;

/** The chart, with a table for who cannot see it. @param counts - Of 0, 1, … 9. */
export function DigitChart({
  title,
  counts,
}: {
  readonly title: string;
  readonly counts: readonly number[];
}) {
  const { share, distances, deviation, reach } = spreadOf(counts);
  const scale = Math.min(BAND / deviation, REACH / reach);
  const band = deviation * scale;
  return (
    <figure class="spread">
      <svg viewBox={`0 0 ${10 * COLUMN} ${HEIGHT}`} aria-hidden="true">
        <rect class="band" x={0} y={MIDDLE - band} width={10 * COLUMN} height={2 * band} />
        {distances.map((distance, digit) => (
          <g>
            <title>{`${digit}: ${grouped(counts[digit]!)}`}</title>
            <rect
              class="bar"
              x={digit * COLUMN + 6}
              y={MIDDLE - Math.max(0, distance) * scale}
              width={COLUMN - 12}
              height={Math.abs(distance) * scale}
            />
            <text x={(digit + 0.5) * COLUMN} y={HEIGHT - 5}>
              {digit}
            </text>
          </g>
        ))}
        <line x1={0} x2={10 * COLUMN} y1={MIDDLE} y2={MIDDLE} />
      </svg>
      <figcaption>
        {`How far each digit is from its even share of ${grouped(Math.round(share))}: ` +
          `${grouped(Math.min(...counts))} to ${grouped(Math.max(...counts))}. ` +
          `The band is one standard deviation of chance, ±${grouped(Math.round(deviation))}.`}
      </figcaption>
      <div class="spoken">
        <table>
          <caption>{title}</caption>
          <tbody>
            {counts.map((count, digit) => (
              <tr>
                <th scope="row">{digit}</th>
                <td>{grouped(count)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}
