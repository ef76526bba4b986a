/**
 * What do longer values cost a move? At index 500 (105 digits) and 5,000 (1,045), against index 5.
 * @module
 */
import { type Load, wrkMoves } from "./load.ts";
import { interleave, publish } from "./measure.ts";
import { media, startFibserver } from "./servers.ts";

const CONNECTIONS = 64;
const INDEX_MAX = "1000000";
const GOALS = { 500: 0.95, 5000: 0.9 } as const;

/** Rate and CPU, in memory where there is a tmpfs: a sync would hide them. */
export async function benchDepth(rounds: number): Promise<void> {
  const medium = media()[0]!;
  await using server = await startFibserver({ medium, args: ["--max-index", INDEX_MAX] });
  const at = (index: number) => () => wrkMoves(server, index, CONNECTIONS);
  await at(5)();
  const samples = await interleave(rounds, { 5: at(5), 500: at(500), 5000: at(5000) });
  const title = `Moves by index, ${medium}, ${CONNECTIONS} connections`;
  const rows = (unit: string, figure: (load: Load) => number, goal: (index: 500 | 5000) => object) => [
    { name: "index 5", unit, samples: samples[5].map(figure) },
    { name: "index 500", unit, samples: samples[500].map(figure), against: "index 5", ...goal(500) },
    { name: "index 5000", unit, samples: samples[5000].map(figure), against: "index 5", ...goal(5000) },
  ];
  publish({
    title,
    rows: rows(
      "/s",
      ({ perSecond }) => perSecond,
      (index) => ({ goal: { ratio: GOALS[index] } }),
    ),
  });
  publish({
    title: `${title}, CPU for each`,
    rows: rows(
      "µs",
      ({ cpuUs }) => cpuUs,
      () => ({}),
    ),
  });
}
