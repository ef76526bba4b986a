/**
 * How much memory do moves take? The peak of a new server each time, with 1,000 connections, beside the smallest program
 * that makes durable moves.
 *
 * Of the peak 25 to 45 MB are the mapped binary, and that differs from run to run; so what is the server's own stands
 * beside.
 * @module
 */
import { wrkMoves } from "./load.ts";
import { interleave, publish, type Row } from "./measure.ts";
import { ownMb, peakRssMb, type Server, startFibserver, startLimit, withServer } from "./servers.ts";

const CONNECTIONS = 1000;
const RUNS = 3;
/** On one CPU, and on two. */
const PEAK_GOALS_MB = [68, 75] as const;

interface Memory {
  readonly peak: number;
  readonly own: number;
}

/** On one CPU with short values; on two with longer ones, where the collector's threads have a CPU too. */
export async function benchMemory(rounds: number): Promise<void> {
  const memory = (start: () => Promise<Server>, index: number) => () =>
    withServer(start(), async (server) => {
      for (let run = 0; run < RUNS; run++) await wrkMoves(server, index, CONNECTIONS);
      return { peak: peakRssMb(server.pid), own: ownMb(server.pid) };
    });
  const samples = await interleave(rounds, {
    limit: memory(() => startLimit("disk"), 5),
    one: memory(() => startFibserver(), 5),
    two: memory(() => startFibserver({ cpus: "0,1", args: ["--max-index", "1000000"] }), 500),
  });
  const title = `moves, ${CONNECTIONS.toLocaleString("en-US")} connections`;
  publish({
    title: `Peak memory of ${title}`,
    rows: [
      { name: "smallest program", unit: "MB", samples: samples.limit.map(peak) },
      row("one CPU, index 5", samples.one.map(peak), PEAK_GOALS_MB[0]),
      row("two CPUs, index 500", samples.two.map(peak), PEAK_GOALS_MB[1]),
    ],
  });
  publish({
    title: `What of it is the process's own, at the end of ${title}`,
    rows: [
      { name: "smallest program", unit: "MB", samples: samples.limit.map(own) },
      row("one CPU, index 5", samples.one.map(own)),
      row("two CPUs, index 500", samples.two.map(own)),
    ],
  });
}

const peak = (sample: Memory): number => sample.peak;
const own = (sample: Memory): number => sample.own;

function row(name: string, samples: number[], goalMb?: number): Row {
  const goal = goalMb === undefined ? undefined : { median: goalMb, atMost: true };
  return { name, unit: "MB", samples, against: "smallest program", goal };
}
