/**
 * What do 10,000 who watch a cursor cost those who move it? And are all of them told of the last position?
 * @module
 */
import { CLIENT_CPU, type Load, wrkMoves } from "./load.ts";
import { interleave, mustBe, publish } from "./measure.ts";
import { peakRssMb, type Server, startFibserver } from "./servers.ts";

const INDEX = 5;
const CONNECTIONS = 64;
const WATCHER_COUNT = 10_000;
/** How long the last event may take: 20,000 a second go out. */
const LAST_MS_MAX = 5000;

/** Moves with nobody watching, and with everybody. */
export async function benchWatchers(rounds: number): Promise<void> {
  // What reads the events must not take the server's CPU: it shares that of wrk, whose rate suffers.
  await Bun.$`taskset -apc ${CLIENT_CPU} ${process.pid}`.quiet();
  await using alone = await startFibserver({ medium: "tmpfs" });
  await using watched = await startFibserver({ medium: "tmpfs", args: ["--max-watchers", "100000"] });
  await using watchers = await Watchers.open(watched, WATCHER_COUNT);
  for (const server of [alone, watched]) await moves(server)();
  const samples = await interleave(rounds, {
    alone: moves(alone),
    watched: async () => {
      const load = await moves(watched)();
      await watchers.mustBeAt(await generationOf(watched));
      return load;
    },
  });
  const title = `${WATCHER_COUNT.toLocaleString("en-US")} watchers of one cursor, ${CONNECTIONS} connections that move it`;
  publish({
    title,
    rows: [
      { name: "nobody watches", unit: "/s", samples: rates(samples.alone) },
      {
        name: "all watch",
        unit: "/s",
        samples: rates(samples.watched),
        against: "nobody watches",
        goal: { ratio: 0.8 },
      },
      { name: "nobody watches, CPU for each move", unit: "µs", samples: cpu(samples.alone) },
      {
        name: "all watch, CPU for each move",
        unit: "µs",
        samples: cpu(samples.watched),
        against: "nobody watches, CPU for each move",
      },
      { name: "events for each watcher", unit: "", samples: [watchers.eventCount / WATCHER_COUNT] },
      {
        name: "peak memory, all watch",
        unit: "MB",
        samples: [peakRssMb(watched.pid)],
        goal: { median: 200, atMost: true },
      },
    ],
  });
}

const rates = (loads: readonly Load[]): number[] => loads.map(({ perSecond }) => perSecond);
const cpu = (loads: readonly Load[]): number[] => loads.map(({ cpuUs }) => cpuUs);

const moves = (server: Server) => (): Promise<Load> => wrkMoves(server, INDEX, CONNECTIONS);

async function generationOf({ url }: Server): Promise<string> {
  const { headers } = await fetch(`${url}v1/cursor`);
  return headers.get("etag")!.slice(1, -1);
}

/** Connections that are sent events; of each the id of the last one is kept. */
class Watchers implements AsyncDisposable {
  eventCount = 0;
  readonly #ids: string[] = [];
  readonly #sockets: Bun.Socket[] = [];

  static async open({ url }: Server, count: number): Promise<Watchers> {
    const watchers = new Watchers();
    const { hostname, port } = new URL(url);
    const request = `GET /v1/cursor/events HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`;
    const open = (i: number) =>
      Bun.connect({
        hostname,
        port: Number(port),
        socket: {
          open: (socket) => void socket.write(request),
          data: (_, bytes) => watchers.#heed(i, bytes.toString("latin1")),
        },
      });
    for (let i = 0; i < count; i += 100) {
      watchers.#sockets.push(...(await Promise.all(Array.from({ length: 100 }, (_, j) => open(i + j)))));
    }
    await watchers.mustBeAt(await generationOf({ url } as Server));
    return watchers;
  }

  /** Waits until all have been told of this generation. @throws when some are not in time. */
  async mustBeAt(generation: string): Promise<void> {
    const deadlineMs = performance.now() + LAST_MS_MAX;
    const late = () =>
      Array.from({ length: this.#sockets.length }, (_, i) => this.#ids[i]).filter((id) => id !== generation);
    while (late().length > 0 && performance.now() < deadlineMs) await Bun.sleep(20);
    mustBe(late().length, 0, `watchers that were not told of generation ${generation}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.end();
    return Promise.resolve();
  }

  // An event is one write of the server's, and shorter than a packet.
  #heed(i: number, text: string): void {
    const ids = text.match(/(?<=^id: )\d+$/gm);
    if (ids === null) return;
    this.eventCount += ids.length;
    this.#ids[i] = ids.at(-1)!;
  }
}
