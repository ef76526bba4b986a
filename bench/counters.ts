/**
 * What would one use instead, for a counter that several share? A server in Go that writes a file at each move, as the
 * earlier one did, and Redis; all beside fibserver on the disk, which answers a move when it is synced.
 *
 * Redis is asked in its own protocol, which takes less of both sides than HTTP.
 * @module
 */
import { type Load, redisIncrements, wrkMoves } from "./load.ts";
import { versionOf } from "./machine.ts";
import { interleave, publish, type Row } from "./measure.ts";
import { buildGo, has, type Server, startFibserver, startGo, startRedis } from "./servers.ts";

const CONNECTIONS = 64;
/** In the middle of those whose values fit into Go's 64 bits: moves to and fro must not reach an end. */
const INDEX = 46;
const OURS = "fibserver";

interface Trial {
  readonly name: string;
  readonly load: () => Promise<Load>;
  readonly headline?: string;
}

/** Moves and increments, their rate and CPU. */
export async function benchCounters(rounds: number): Promise<void> {
  await using servers = new AsyncDisposableStack();
  const trials: readonly Trial[] = [
    {
      name: OURS,
      load: moves(servers.use(await startFibserver())),
      headline: `moves over HTTP, each on disk before its answer, ${CONNECTIONS} connections`,
    },
    ...(await startGoTrials(servers)),
    ...(await startRedisTrials(servers)),
  ];
  for (const { load } of trials) await load();
  const samples = await interleave(rounds, Object.fromEntries(trials.map(({ name, load }) => [name, load])));
  const rowOf = ({ name }: Trial, unit: string, figure: (load: Load) => number): Row => ({
    name,
    unit,
    samples: samples[name]!.map(figure),
    against: name === OURS ? undefined : OURS,
  });
  const title = `A counter that is shared, ${CONNECTIONS} connections`;
  const beside = [
    ...(has("go") ? [versionOf("Go", ["go", "version"])] : []),
    ...(has("redis-server") ? [versionOf("Redis", ["redis-server", "--version"])] : []),
  ].join(", ");
  publish({
    title,
    beside,
    rows: trials.map((trial) => ({
      ...rowOf(trial, "/s", ({ perSecond }) => perSecond),
      headline: trial.headline,
    })),
  });
  publish({
    title: `${title}, CPU of the server for each`,
    beside,
    rows: trials.map((trial) => rowOf(trial, "µs", ({ cpuUs }) => cpuUs)),
  });
}

function moves(server: Server): Trial["load"] {
  return () => wrkMoves(server, INDEX, CONNECTIONS);
}

async function startGoTrials(servers: AsyncDisposableStack): Promise<Trial[]> {
  const program = buildGo();
  if (program === undefined) {
    console.log("\nA server in Go is not measured beside fibserver: install golang-go");
    return [];
  }
  return [
    { name: "Go, a file written at each move", load: moves(servers.use(await startGo(program, false))) },
    {
      name: "Go, a file written and synced at each move",
      load: moves(servers.use(await startGo(program, true))),
      headline: "the same of a server in Go that writes and syncs a file at each move",
    },
  ];
}

async function startRedisTrials(servers: AsyncDisposableStack): Promise<Trial[]> {
  if (!has("redis-server")) {
    console.log("\nRedis is not measured beside fibserver: install redis-server");
    return [];
  }
  const trials: Trial[] = [];
  for (const appendfsync of ["always", "everysec", "no"] as const) {
    const server = servers.use(await startRedis(appendfsync));
    trials.push({
      name: `Redis INCR, appendfsync ${appendfsync}`,
      load: () => redisIncrements(server, CONNECTIONS),
      ...(appendfsync === "always" && { headline: "Redis: INCR, as durable (appendfsync always)" }),
    });
  }
  return trials;
}
