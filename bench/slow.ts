/**
 * What is left of the rate when a sync takes 5 ms longer, by strace? Against the same disk without it.
 * @module
 */
import { wrkMoves } from "./load.ts";
import { interleave, publish } from "./measure.ts";
import { startFibserver, startLimit } from "./servers.ts";

const CONNECTIONS = 1000;
const SYNC_DELAY_MS = 5;

/** Moves on a disk, and on a slow one. */
export async function benchSlow(rounds: number): Promise<void> {
  await using fast = await startFibserver();
  await using slow = await startFibserver({ syncDelayMs: SYNC_DELAY_MS });
  await using limit = await startLimit("disk");
  await using slowLimit = await startLimit("disk", SYNC_DELAY_MS);
  const moves = [fast, slow, limit, slowLimit].map(
    (server) => async () => (await wrkMoves(server, 5, CONNECTIONS)).perSecond,
  );
  for (const load of moves) await load();
  const samples = await interleave(rounds, {
    fast: moves[0]!,
    slow: moves[1]!,
    limit: moves[2]!,
    slowLimit: moves[3]!,
  });
  publish({
    title: `A sync that takes ${SYNC_DELAY_MS} ms longer, ${CONNECTIONS.toLocaleString("en-US")} connections`,
    rows: [
      { name: "this disk", unit: "/s", samples: samples.fast },
      { name: "slow sync", unit: "/s", samples: samples.slow, against: "this disk", goal: { ratio: 0.85 } },
      { name: "smallest program, this disk", unit: "/s", samples: samples.limit },
      {
        name: "smallest program, slow sync",
        unit: "/s",
        samples: samples.slowLimit,
        against: "smallest program, this disk",
      },
    ],
  });
}
