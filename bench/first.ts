/**
 * What does the first request wait for? Each is the first one of a fresh server, half a second after its start.
 * @module
 */
import { type Contender, interleave, mustBe, publish } from "./measure.ts";
import { peakRssMb, startFibserver } from "./servers.ts";

/** Kernels and threads are loaded by then. */
const SETTLE_MS = 500;

const TASK = JSON.stringify({ kind: "fibonacci", n: "100000" });

const REQUESTS: Readonly<Record<string, RequestInit>> = {
  "/livez": {},
  "/api0/next": {},
  "/v1/fibonacci/10000": {},
  // The first one is computed on the loop, the second on a thread.
  "/v1/fibonacci/23000": {},
  "/v1/fibonacci/25000": {},
  "/v1/fibonacci/1000000": {},
  "/v1/sequence?from=149999&count=10": {},
  "/v1/sequence?count=1000": {},
  "/?sn=1000": {},
  "/fib/100": {},
  "/v1/index/6765": {},
  "/v1/fibonacci/100000": { method: "HEAD" },
  "/v1/tasks": { method: "POST", body: TASK },
};

/** Milliseconds until the whole answer is there. */
async function firstRequest(route: string, request: RequestInit): Promise<number> {
  await using server = await startFibserver();
  await Bun.sleep(SETTLE_MS);
  const startMs = performance.now();
  const response = await fetch(new URL(route, server.url), request);
  await response.arrayBuffer();
  const ms = performance.now() - startMs;
  mustBe(response.ok, true, `the first ${route}`);
  return ms;
}

/** Milliseconds until a server says that it serves. */
async function start(): Promise<number> {
  const startMs = performance.now();
  await using _server = await startFibserver();
  return performance.now() - startMs;
}

async function memory(): Promise<number> {
  await using server = await startFibserver();
  await Bun.sleep(SETTLE_MS);
  return peakRssMb(server.pid);
}

/** First requests, the start, and the memory of a server that nobody has asked. */
export async function benchFirst(rounds: number): Promise<void> {
  const contenders: Record<string, Contender> = { start, memory };
  for (const [route, request] of Object.entries(REQUESTS)) {
    contenders[route] = () => firstRequest(route, request);
  }
  const samples = await interleave(rounds * 2, contenders);
  const rows = Object.entries(REQUESTS).map(([route, { method = "GET" }]) => ({
    name: `${method} ${route}`,
    unit: "ms",
    samples: samples[route]!,
  }));
  publish({
    title: "First requests",
    rows: [
      ...rows,
      { name: "from exec to serving", unit: "ms", samples: samples["start"]! },
      { name: "memory", unit: "MB", samples: samples["memory"]! },
    ],
  });
}
