/**
 * What has happened in the last minute: the difference between the counts of now and those of a minute ago.
 *
 * The metrics count since the start, and who asks how it is wants to know about now. So the counts are noted every five
 * seconds (20 µs where there are 200 kinds of answers), in a ring of a minute, and nothing is counted twice. Rejected:
 * averages that fade as those of `uptime` do, because they say less plainly what they are, and would be a second set of
 * counters.
 * @module
 */
import type { Counter, Histogram, Total } from "../metrics.ts";

const STEP_MS = 5000;
const MINUTE_MS = 60_000;

/** The metrics that it looks at. */
export interface Counted {
  /** By method, route and status. */
  readonly requests: Histogram;
  /** By operation and outcome. */
  readonly moves: Counter;
  /** How many moves were taken together. */
  readonly groups: Histogram;
  /** Undefined on Redis, where there is no disk to wait for. */
  readonly syncs: Histogram | undefined;
}

/** What half, nine in ten and 99 in 100 did not exceed, in seconds; null when nothing was measured. */
interface Quantiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
}

/** The last minute; soon after the start, what there was of it. */
export interface Minute {
  /** How long it was. */
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly movesPerSecond: number;
  /** Answers with 5xx, but for 507: the end of the sequence is no failure. */
  readonly errorsPerSecond: number;
  readonly requestSeconds: Quantiles;
  readonly syncSeconds: Quantiles;
  /** How many moves were taken together, on average: they share a sync, or a call of Redis. Null when there were none. */
  readonly groupSize: number | null;
}

/** Counts since the start. */
interface Counts {
  readonly atMs: number;
  readonly moves: number;
  readonly errors: number;
  readonly requests: Times;
  readonly syncs: Times;
  readonly groups: Total;
}

/** How many took how long, by the bounds of a histogram. */
type Times = Pick<Total, "bounds" | "counts">;

const NOTHING: Times = { bounds: [], counts: new Float64Array(0) };

/** The ring. */
export class LastMinute {
  readonly #counted: Counted;
  readonly #now: () => number;
  /** One for each step of a minute, and one that is older. */
  readonly #ring: Counts[];

  /** @param now - A clock that never goes back, in milliseconds. */
  constructor(counted: Counted, now: () => number = () => performance.now()) {
    this.#counted = counted;
    this.#now = now;
    this.#ring = [this.#count()];
  }

  /** Notes the counts from now on, by a timer that keeps no process. */
  start(): void {
    setInterval(() => this.note(), STEP_MS).unref();
  }

  /** Notes the counts of now. */
  note(): void {
    const counts = this.#count();
    this.#ring.push(counts);
    // The first is the last of those that are a minute old.
    while (this.#ring[1]!.atMs <= counts.atMs - MINUTE_MS) this.#ring.shift();
  }

  /** What there is between the oldest counts and now. */
  read(): Minute {
    const [now, then] = [this.#count(), this.#ring[0]!];
    const seconds = (now.atMs - then.atMs) / 1000;
    const perSecond = (count: number) => (seconds === 0 ? 0 : count / seconds);
    const [requests, syncs] = [difference(now.requests, then.requests), difference(now.syncs, then.syncs)];
    return {
      seconds,
      requestsPerSecond: perSecond(countOf(requests)),
      movesPerSecond: perSecond(now.moves - then.moves),
      errorsPerSecond: perSecond(now.errors - then.errors),
      requestSeconds: quantilesOf(requests),
      syncSeconds: quantilesOf(syncs),
      groupSize: mean(now.groups, then.groups),
    };
  }

  #count(): Counts {
    const { requests, moves, syncs, groups } = this.#counted;
    return {
      atMs: this.#now(),
      moves: moves.total(([operation, outcome]) => isMove(operation!, outcome!)).sum,
      errors: countOf(requests.total(([, , status]) => isError(status!))),
      requests: requests.total(),
      syncs: syncs?.total() ?? NOTHING,
      groups: groups.total(),
    };
  }
}

function isError(status: string): boolean {
  return status.startsWith("5") && status !== "507";
}

/** Whether a cursor was moved: to read it is none, nor is what was refused. */
function isMove(operation: string, outcome: string): boolean {
  return outcome === "ok" && ["next", "previous", "set"].includes(operation);
}

function difference(now: Times, then: Times): Times {
  return { bounds: now.bounds, counts: now.counts.map((count, i) => count - (then.counts[i] ?? 0)) };
}

function countOf({ counts }: Times): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Of what came between. */
function mean(now: Total, then: Total): number | null {
  const count = countOf(now) - countOf(then);
  return count === 0 ? null : (now.sum - then.sum) / count;
}

function quantilesOf(times: Times): Quantiles {
  return { p50: quantile(0.5, times), p90: quantile(0.9, times), p99: quantile(0.99, times) };
}

/**
 * As Prometheus's `histogram_quantile` has it, so that both say the same: evenly spread between two bounds, and what
 * lies beyond the last bound is that bound.
 */
function quantile(part: number, times: Times): number | null {
  const rank = part * countOf(times);
  let below = 0;
  for (const [i, count] of times.counts.entries()) {
    if (count === 0 || below + count < rank) {
      below += count;
      continue;
    }
    const low = times.bounds[i - 1] ?? 0;
    const high = times.bounds[i] ?? low;
    return low + ((high - low) * (rank - below)) / count;
  }
  return null;
}
