/**
 * How fast are durable moves, and what CPU does each take? Against a server that does nothing, the smallest program that
 * makes durable moves, and Redis.
 *
 * On tmpfs the CPU of requests is compared. A sync of a disk costs CPU too, where the disk is a virtual one: there
 * redis-server pays the same.
 * @module
 */
import { type Load, redisIncrements, wrk, wrkMoves, wrkMovesRaw } from "./load.ts";
import { interleave, publish, type Row } from "./measure.ts";
import {
  has,
  media,
  type Medium,
  type Server,
  startFibserver,
  startLimit,
  startRaw,
  startRedis,
} from "./servers.ts";

const INDEX = 5;
const RAW = "raw Bun.serve";
const RAW_ONE_PATH = "raw Bun.serve, one path";
const REDIS = "redis INCR, appendfsync always";

type Connections = 64 | 1000;
type Goals = Readonly<Record<Connections, { readonly rate: number; readonly cpu?: number }>>;

const MOVES_GOALS: Record<Medium, Goals> = {
  tmpfs: { 64: { rate: 0.88, cpu: 1.18 }, 1000: { rate: 0.8, cpu: 1.3 } },
  disk: { 64: { rate: 0.9 }, 1000: { rate: 1 } },
};
const CURRENT_GOALS: Goals = { 64: { rate: 0.92 }, 1000: { rate: 0.92 } };

/** One line of the tables: a server that is up in all rounds, and what loads it. */
interface Trial {
  readonly name: string;
  readonly server: Server;
  readonly load: (server: Server, connections: Connections) => Promise<Load>;
  readonly against?: string;
  readonly goals?: Goals;
}

const moves: Trial["load"] = (server, connections) => wrkMoves(server, INDEX, connections);
const current: Trial["load"] = (server, connections) => wrk(server, "/api0/current", connections);

/** Moves and reads at 64 and 1,000 connections. */
export async function benchCursor(rounds: number): Promise<void> {
  await using servers = new AsyncDisposableStack();
  const trials = await startAll(servers);
  for (const { server, load } of trials) await load(server, 64);
  for (const connections of [64, 1000] as const) await compare(rounds, connections, trials);
}

async function startAll(servers: AsyncDisposableStack): Promise<Trial[]> {
  const raw = servers.use(await startRaw());
  const trials: Trial[] = [
    { name: RAW, server: raw, load: wrkMovesRaw },
    { name: RAW_ONE_PATH, server: raw, load: current },
  ];
  for (const medium of media()) {
    const against = medium === "disk" && has("redis-server") ? REDIS : RAW;
    const limit = servers.use(await startLimit(medium));
    const fibserver = servers.use(await startFibserver({ medium }));
    trials.push(
      { name: `smallest program, ${medium}`, server: limit, load: moves, against },
      {
        name: `durable moves, ${medium}`,
        server: fibserver,
        load: moves,
        against,
        goals: MOVES_GOALS[medium],
      },
      {
        name: `current, ${medium}`,
        server: fibserver,
        load: current,
        against: RAW_ONE_PATH,
        goals: CURRENT_GOALS,
      },
    );
  }
  if (has("redis-server")) {
    trials.push({ name: REDIS, server: servers.use(await startRedis()), load: redisIncrements });
  }
  return trials;
}

async function compare(rounds: number, connections: Connections, trials: readonly Trial[]): Promise<void> {
  const samples = await interleave(
    rounds,
    Object.fromEntries(trials.map(({ name, server, load }) => [name, () => load(server, connections)])),
  );
  const title = `Cursor over HTTP, ${connections.toLocaleString("en-US")} connections`;
  publish({
    title,
    rows: trials.map(({ name, against, goals }): Row => {
      const rates = samples[name]!.map(({ perSecond }) => perSecond);
      return { name, unit: "/s", samples: rates, against, goal: goals && { ratio: goals[connections].rate } };
    }),
  });
  publish({
    title: `${title}, CPU for each request`,
    rows: trials.map(({ name, against, goals }): Row => {
      const cpu = goals?.[connections].cpu;
      const goal = cpu === undefined ? undefined : { ratio: cpu, atMost: true };
      return { name, unit: "µs", samples: samples[name]!.map(({ cpuUs }) => cpuUs), against, goal };
    }),
  });
}
