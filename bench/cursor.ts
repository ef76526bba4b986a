/**
 * How fast are durable moves? Against a server that does nothing, and against Redis.
 * @module
 */
import { interleave, mustBe, publish, type Row } from "./measure.ts";
import {
  has,
  peakRssMb,
  redisIncrements,
  startFibserver,
  startRaw,
  startRedis,
  withServer,
  wrk,
} from "./servers.ts";

const MOVES = "bench/next-previous.lua";
// The figures to reach, by connections.
const GOALS = { 64: { moves: 0.62, redis: 0.95 }, 1000: { moves: 0.78, redis: 1.2 } } as const;
const CURRENT_GOAL = 0.85;
const SLOW_SYNC_MS = 5;

/** Moves and reads at 64 and 1,000 connections, memory, and a slow disk. */
export async function benchCursor(rounds: number): Promise<void> {
  await check();
  for (const connections of [64, 1000] as const) await compare(rounds, connections);
  if (has("strace")) await compareSlowSync(rounds);
}

async function check(): Promise<void> {
  await using server = await startFibserver();
  const values = [];
  for (const move of ["next", "next", "next", "previous", "current"]) {
    values.push(await (await fetch(`${server.url}api0/${move}`)).text());
  }
  mustBe(
    values,
    [1, 1, 2, 1, 1].map((value) => `{"value":"${value}","status":"200"}`),
    "the cursor's answers",
  );
}

async function compare(rounds: number, connections: 64 | 1000): Promise<void> {
  const peaks: number[] = [];
  const samples = await interleave(rounds, {
    raw: () => withServer(startRaw(), (server) => wrk(server, MOVES, connections)),
    moves: () =>
      withServer(startFibserver(), async (server) => {
        const perSecond = await wrk(server, MOVES, connections);
        peaks.push(peakRssMb(server.pid));
        return perSecond;
      }),
    ...(has("redis-benchmark") && {
      redis: () => withServer(startRedis(), (server) => redisIncrements(server, connections)),
    }),
    constant: () => withServer(startRaw(), (server) => wrk(server, "/api0/current", connections)),
    current: () => withServer(startFibserver(), (server) => wrk(server, "/api0/current", connections)),
  });
  const goal = GOALS[connections];
  const moves = { name: "durable moves", unit: "/s", samples: samples.moves };
  const redis: Row[] = samples.redis
    ? [
        { name: "redis INCR, appendfsync always", unit: "/s", samples: samples.redis },
        { ...moves, against: "redis INCR, appendfsync always", goal: { ratio: goal.redis } },
      ]
    : [];
  publish({
    title: `Cursor over HTTP, ${connections} connections`,
    rows: [
      { name: "raw Bun.serve", unit: "/s", samples: samples.raw },
      { ...moves, against: "raw Bun.serve", goal: { ratio: goal.moves } },
      ...redis,
      { name: "raw Bun.serve, one path", unit: "/s", samples: samples.constant },
      {
        name: "current",
        unit: "/s",
        samples: samples.current,
        against: "raw Bun.serve, one path",
        goal: { ratio: CURRENT_GOAL },
      },
      { name: "peak memory of the moves", unit: "MB", samples: peaks },
    ],
  });
}

async function compareSlowSync(rounds: number): Promise<void> {
  const connections = 1000;
  const samples = await interleave(rounds, {
    fast: () => withServer(startFibserver(), (server) => wrk(server, MOVES, connections)),
    slow: () => withServer(startFibserver([], SLOW_SYNC_MS), (server) => wrk(server, MOVES, connections)),
  });
  publish({
    title: `A sync that takes ${SLOW_SYNC_MS} ms longer, ${connections} connections`,
    rows: [
      { name: "this disk", unit: "/s", samples: samples.fast },
      { name: "slow sync", unit: "/s", samples: samples.slow, against: "this disk", goal: { ratio: 0.8 } },
    ],
  });
}
