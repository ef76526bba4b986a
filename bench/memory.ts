/**
 * How much memory do moves take? The peak of a new server each time, with 1,000 connections, beside the smallest program
 * that makes durable moves.
 *
 * Of the peak 25 to 45 MB are the mapped binary, and that differs from run to run; so what is the server's own stands
 * beside.
 * @module
 */
import { wrkMoves } from "./load.ts";
import { interleave, publish } from "./measure.ts";
import { ownMb, peakRssMb, type Server, startFibserver, startLimit, withServer } from "./servers.ts";

const CONNECTIONS = 1000;
const RUNS = 3;

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
  const rows = (part: string, figure: (sample: { peak: number; own: number }) => number) => [
    { name: `smallest program, ${part}`, unit: "MB", samples: samples.limit.map(figure) },
    { name: `one CPU, index 5, ${part}`, unit: "MB", samples: samples.one.map(figure) },
    { name: `two CPUs, index 500, ${part}`, unit: "MB", samples: samples.two.map(figure) },
  ];
  publish({
    title: `Memory of moves, ${CONNECTIONS} connections (goals for the peaks: 68 and 75 MB)`,
    rows: [...rows("peak", ({ peak }) => peak), ...rows("its own at the end", ({ own }) => own)],
  });
}
