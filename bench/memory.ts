/**
 * How much memory do moves take? The peak of a new server each time, with 1,000 connections, beside the smallest program
 * that makes durable moves: most of it is what Bun keeps for a request that waits.
 * @module
 */
import { wrkMoves } from "./load.ts";
import { interleave, publish } from "./measure.ts";
import { peakRssMb, type Server, startFibserver, startLimit, withServer } from "./servers.ts";

const CONNECTIONS = 1000;
const RUNS = 3;

/** On one CPU with short values; on two with longer ones, where the collector's threads have a CPU too. */
export async function benchMemory(rounds: number): Promise<void> {
  const peak = (start: () => Promise<Server>, index: number) => () =>
    withServer(start(), async (server) => {
      for (let run = 0; run < RUNS; run++) await wrkMoves(server, index, CONNECTIONS);
      return peakRssMb(server.pid);
    });
  const samples = await interleave(rounds, {
    limit: peak(() => startLimit("disk"), 5),
    one: peak(() => startFibserver(), 5),
    two: peak(() => startFibserver({ cpus: "0,1", args: ["--max-index", "1000000"] }), 500),
  });
  publish({
    title: `Peak memory of moves, ${CONNECTIONS} connections (goals: 68 and 75 MB)`,
    rows: [
      { name: "smallest program", unit: "MB", samples: samples.limit },
      { name: "one CPU, index 5", unit: "MB", samples: samples.one },
      { name: "two CPUs, index 500", unit: "MB", samples: samples.two },
    ],
  });
}
