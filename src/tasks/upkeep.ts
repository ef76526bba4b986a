/**
 * What the fronts on one Redis do every few seconds, besides answering: agree on limits, forget what has expired, and
 * (one of them for all) put what the queue has lost into it again, and look for results that belong to nobody.
 *
 * A task whose front died before it was in the queue is one that the queue has lost. What is missing is asked for by
 * name, so that neither the age of a task nor anybody's clock matters: 10,000 tasks that wait cost Redis 5 ms a round.
 * @module
 */
import { FibError } from "../errors.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { deliveryKey } from "./delivery.ts";
import type { TaskRecords } from "./records.ts";
import { AGREE_EVERY_MS, type SharedLimits } from "./shared-limits.ts";

/** What the work is done on. */
export interface UpkeepOptions {
  readonly store: RedisConnection;
  /** The Redis of the queue; the same when there is one for both. */
  readonly queue: RedisConnection;
  readonly prefix: string;
  readonly records: TaskRecords;
  readonly limits: SharedLimits;
  /** Puts tasks into the queue. */
  readonly deliver: (ids: readonly string[]) => Promise<void>;
  /** Told of errors that do not pass by themselves. */
  readonly onError: (error: Error) => void;
}

const ROUND_MS = 4000;
/** Parts of the key space in one round, of some 500 keys each. */
const SWEEP_COUNT = 4;

/** The rounds of one front. */
export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #timers: readonly NodeJS.Timeout[];
  #sweptTo = "0";

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#timers = [
      setInterval(() => void this.#try(() => options.limits.agree()), AGREE_EVERY_MS),
      setInterval(() => void this.#try(() => this.#round()), ROUND_MS),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  /** Begins no further round. */
  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  async #round(): Promise<void> {
    const { store, prefix, records } = this.#options;
    await records.purge();
    const mine = await store.send("SET", [`${prefix}:round`, "1", "NX", "PX", String(ROUND_MS - 1)]);
    if (mine === null) return;
    await this.#heal();
    for (let count = 0; count < SWEEP_COUNT; count++) {
      this.#sweptTo = await records.sweep(this.#sweptTo);
      if (this.#sweptTo === "0") return;
    }
  }

  async #heal(): Promise<void> {
    const { queue, prefix, records, deliver } = this.#options;
    for await (const ids of records.openIds()) {
      const keys = ids.map((id) => deliveryKey(prefix, id));
      if ((await queue.send("EXISTS", keys)) !== ids.length) await deliver(ids);
    }
  }

  // The next round is soon; a Redis that is away or full has been reported, by its connection and to those who ask.
  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const passes = error instanceof FibError && ["redis_unavailable", "redis_full"].includes(error.code);
      if (!passes) this.#options.onError(error as Error);
    }
  }
}
