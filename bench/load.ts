/**
 * What loads a server, on the second CPU: its rate, and what each request costs it.
 *
 * On a machine that others use rates swing by half, and a server that is faster than its client only waits longer. The
 * CPU that a request takes says which of two is better, wherever no sync is in it.
 * @module
 */
import fs from "node:fs";
import { fibonacci } from "../src/numbers/fibonacci.ts";
import { mustBe } from "./measure.ts";
import type { Server } from "./servers.ts";

/** The CPU of what loads a server. */
export const CLIENT_CPU = "1";
const ON_CLIENT_CPU = ["taskset", "-c", CLIENT_CPU];
/** What `/proc/PID/stat` counts in; Linux has no other for programs. */
const TICK_US = 10_000;
const MOVES = "bench/next-previous.lua";

/** One run. */
export interface Load {
  readonly perSecond: number;
  /** Of all threads of the server, in user and in system mode. */
  readonly cpuUs: number;
}

/**
 * Requests by wrk.
 *
 * @param target - A path, or a Lua script that chooses paths.
 * @param args - For the script.
 * @throws when any answer was not 2xx.
 */
export async function wrk(
  server: Server,
  target: string,
  connections: number,
  seconds = 1,
  args: readonly string[] = [],
): Promise<Load> {
  const isScript = target.endsWith(".lua");
  const headers = Object.entries(server.headers ?? {}).flatMap(([name, value]) => [
    "-H",
    `${name}: ${value}`,
  ]);
  const what = isScript ? ["-s", target, server.url, "--", ...args] : [new URL(target, server.url).href];
  return withCpu(server, async () => {
    const report =
      await Bun.$`${ON_CLIENT_CPU} wrk -t1 -c${connections} -d${seconds}s ${headers} ${what}`.text();
    if (/Non-2xx|Socket errors/.test(report)) throw new Error(`wrk had errors:\n${report}`);
    return {
      count: Number(/(\d+) requests in/.exec(report)![1]),
      perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(report)![1]),
    };
  });
}

/**
 * Moves to and fro by wrk, from an index; the answers are checked before they are timed, and the position behind.
 */
export async function wrkMoves(server: Server, index: number, connections: number): Promise<Load> {
  const { headers = {} } = server;
  const body = JSON.stringify({ index: String(index) });
  await fetch(`${server.url}v1/cursor`, { method: "PUT", headers, body });
  const values = [];
  for (const move of ["next", "next", "previous", "previous", "current"]) {
    values.push(await (await fetch(`${server.url}api0/${move}`, { headers })).text());
  }
  mustBe(
    values,
    [1, 2, 1, 0, 0].map((step) => answer(index + step)),
    "the cursor's answers",
  );
  const load = await wrk(server, MOVES, connections);
  // What was asked for when the time was up has moved the cursor, too.
  const near = Array.from({ length: 2 * connections }, (_, i) =>
    answer(Math.max(0, index - connections + i)),
  );
  const last = await (await fetch(`${server.url}api0/current`, { headers })).text();
  mustBe(near.includes(last), true, `the position behind the moves, ${last}`);
  return load;
}

/** The same requests to a server that keeps nothing. */
export function wrkMovesRaw(server: Server, connections: number): Promise<Load> {
  return wrk(server, MOVES, connections);
}

/** INCR commands by redis-benchmark, for a second or so. */
export async function redisIncrements(server: Server, connections: number, count = 80_000): Promise<Load> {
  const port = new URL(server.url).port;
  const last = async () => Number((await Bun.$`redis-cli -p ${port} GET n`.text()).trim());
  const before = await last();
  const load = await withCpu(server, async () => {
    const command = ["redis-benchmark", "--csv", "-p", port, "-c", String(connections), "-n", String(count)];
    const report = await Bun.$`${ON_CLIENT_CPU} ${command} INCR n`.text();
    return {
      count,
      perSecond: Number(report.trim().split("\n").at(-1)!.split(",")[1]!.replaceAll('"', "")),
    };
  });
  mustBe((await last()) - before, count, "redis-server's counter");
  return load;
}

async function withCpu(
  { pid }: Server,
  run: () => Promise<{ count: number; perSecond: number }>,
): Promise<Load> {
  const before = cpuTicks(pid);
  const { count, perSecond } = await run();
  return { perSecond, cpuUs: ((cpuTicks(pid) - before) * TICK_US) / count };
}

function cpuTicks(pid: number): number {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
  // Behind the name, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

const answer = (index: number): string =>
  `{"value":"${Buffer.from(fibonacci(index)).toString()}","status":"200"}`;
