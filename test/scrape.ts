/**
 * What `/metrics` says, as a test reads it: each sample by the name and the labels that its line begins with.
 *
 * Nothing of `src/` is imported here.
 * @module
 */
import { expect } from "bun:test";
import { until } from "./binary.ts";

/** The design's table, without what HTTP and the process tell, by who has it. */
export const NAMES = {
  /** Whoever computes. */
  computing: [
    "fibserver_computation_seconds",
    "fibserver_computations",
    "fibserver_digits_total",
    "fibserver_distrusted_total",
    "fibserver_tasks_finished_total",
  ],
  server: [
    "fibserver_clients",
    "fibserver_cursor_group_size",
    "fibserver_cursor_moves_total",
    "fibserver_cursor_waiting",
    "fibserver_cursors",
    "fibserver_result_bytes",
    "fibserver_streams",
    "fibserver_task_age_seconds",
    "fibserver_tasks",
    "fibserver_watchers",
  ],
  /** A server with files. */
  files: ["fibserver_cursor_lock_seconds", "fibserver_cursor_sync_seconds"],
  /** Servers and executors on Redis. */
  redis: ["fibserver_redis_request_seconds", "fibserver_redis_up"],
} as const;

/** The samples of one scrape, such as `fibserver_watchers{what="tasks"}`. */
export class Scrape {
  readonly #samples: ReadonlyMap<string, number>;
  /** The names of all families, sorted. */
  readonly names: readonly string[];

  constructor(text: string) {
    const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    this.#samples = new Map(lines.map((line) => sampleOf(line)));
    this.names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!).toSorted();
  }

  /** Those that this program alone has, but for what its process tells. */
  get ownNames(): readonly string[] {
    return this.names.filter((name) => /^fibserver_(?!build_info|eventloop_)/.test(name));
  }

  /** A sample; undefined when it is not there. */
  get(series: string): number | undefined {
    return this.#samples.get(series);
  }

  /** All samples of a family with labels, by these, as they are written. */
  by(name: string): Record<string, number> {
    const found = [...this.#samples].filter(([series]) => series.startsWith(`${name}{`));
    return Object.fromEntries(found.map(([series, value]) => [series.slice(name.length + 1, -1), value]));
  }

  /** Those of {@link by} that something was counted under. */
  counted(name: string): Record<string, number> {
    return Object.fromEntries(Object.entries(this.by(name)).filter(([, value]) => value !== 0));
  }

  /** How many observations a histogram without labels has, and how many of them up to a bound. */
  histogram(
    name: string,
    bound: string,
  ): { readonly count: number; readonly sum: number; readonly upTo: number } {
    const [count, sum, upTo] = ["_count", "_sum", `_bucket{le="${bound}"}`].map((end) =>
      this.get(name + end),
    );
    expect([count, sum, upTo]).not.toContain(undefined);
    return { count: count!, sum: sum!, upTo: upTo! };
  }
}

/** Asks for the metrics of a server or an executor. */
export async function scrape({ url }: { readonly url: string }): Promise<Scrape> {
  const response = await fetch(`${url}/metrics`);
  expect(response.status).toBe(200);
  return new Scrape(await response.text());
}

/** Asks again and again until what is told is as it should be. */
export async function untilScrape(
  program: { readonly url: string },
  what: string,
  holds: (found: Scrape) => boolean,
): Promise<Scrape> {
  let found: Scrape;
  await until(what, async () => holds((found = await scrape(program))));
  return found!;
}

function sampleOf(line: string): [series: string, value: number] {
  const at = line.lastIndexOf(" ");
  return [line.slice(0, at), Number(line.slice(at + 1))];
}
