/**
 * A gigabyte of terms over HTTP beside a constant one, and the cursor's latency beside heavy work.
 * @module
 */
import { createHash } from "node:crypto";
import { interleave, mustBe, publish } from "./measure.ts";
import { FIRST_TERMS_BYTES, FIRST_TERMS_SHA256 } from "./sequence.ts";
import { peakRssMb, type Server, startFibserver, startRaw, withServer } from "./servers.ts";

const TERMS = "?sn=100000";
const AT_ONCE = 6;

/** The first 100,000 terms through loopback, alone and six at once. */
export async function benchStreams(rounds: number): Promise<void> {
  await check();
  const peaks: number[] = [];
  const spreads: number[] = [];
  const samples = await interleave(rounds, {
    constant: () => withServer(startRaw(), (server) => fetchSeconds(server, `stream/${FIRST_TERMS_BYTES}`)),
    terms: () => withServer(startFibserver(), (server) => fetchSeconds(server, TERMS)),
    six: () =>
      withServer(startFibserver(), async (server) => {
        const seconds = await Promise.all(Array.from({ length: AT_ONCE }, () => fetchSeconds(server, TERMS)));
        spreads.push(Math.max(...seconds) / Math.min(...seconds));
        peaks.push(peakRssMb(server.pid));
        return Math.max(...seconds);
      }),
  });
  publish({
    title: "The first 100,000 terms (1.045 GB) over HTTP",
    rows: [
      { name: "constant stream, raw Bun.serve", unit: "s", samples: samples.constant },
      {
        name: "terms",
        unit: "s",
        samples: samples.terms,
        against: "constant stream, raw Bun.serve",
        speedup: true,
        goal: { ratio: 0.75 },
        headline: "the first 100,000 terms over HTTP, 1.045 GB",
      },
      { name: `${AT_ONCE} at once, the last one`, unit: "s", samples: samples.six },
      { name: `${AT_ONCE} at once, last / first`, unit: "×", samples: spreads },
      { name: "peak memory", unit: "MB", samples: peaks },
    ],
  });
}

/** p99 of `/api0/current`, alone and while F(10^8), 10^6! and two streams run again and again. */
export async function benchLatency(rounds: number): Promise<void> {
  const samples = await interleave(rounds, {
    idle: () => withServer(startFibserver(), p99Ms),
    busy: () =>
      withServer(startFibserver(), async (server) => {
        await using _work = keepBusy(server, [
          "v1/fibonacci/100000000",
          "v1/factorial/1000000",
          TERMS,
          TERMS,
        ]);
        return await p99Ms(server);
      }),
  });
  publish({
    title: "p99 of /api0/current",
    rows: [
      { name: "idle", unit: "ms", samples: samples.idle },
      {
        name: "beside heavy work",
        unit: "ms",
        samples: samples.busy,
        against: "idle",
        goal: { ratio: 5, atMost: true },
      },
    ],
  });
}

async function check(): Promise<void> {
  await using server = await startFibserver();
  const digest = createHash("sha256");
  const { body } = await fetch(server.url + TERMS);
  for await (const chunk of body!) digest.update(chunk);
  mustBe(digest.digest("hex"), FIRST_TERMS_SHA256, "the terms over HTTP");
}

async function fetchSeconds(server: Server, target: string): Promise<number> {
  const report =
    await Bun.$`taskset -c 1 curl -s -o /dev/null -w ${"%{size_download} %{time_total}"} ${server.url + target}`.text();
  const [bytes, seconds] = report.split(" ").map(Number);
  mustBe(bytes, FIRST_TERMS_BYTES, "the length of the stream");
  return seconds!;
}

/** 2,000 requests, one after the other, as a program would. */
async function p99Ms(server: Server): Promise<number> {
  const times: number[] = [];
  for (let request = 0; request < 2000; request++) {
    const startMs = performance.now();
    const response = await fetch(`${server.url}api0/current`);
    await response.text();
    times.push(performance.now() - startMs);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)]!;
}

function keepBusy(server: Server, targets: readonly string[]): AsyncDisposable {
  const end = new AbortController();
  const work = targets.map(async (target) => {
    while (!end.signal.aborted) await Bun.$`curl -s -o /dev/null ${server.url + target}`.nothrow().quiet();
  });
  return {
    [Symbol.asyncDispose]: async () => {
      end.abort();
      await Promise.all(work);
    },
  };
}
