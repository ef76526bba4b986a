/**
 * What the fronts on one Redis do every few seconds, besides answering: forget what has expired, and (one of them for
 * all) count anew what waits, put what the queue has lost into it again, and look for results that belong to nobody.
 *
 * A task whose front died before it was in the queue is one that the queue has lost. What is missing is asked for by
 * name, so that neither the age of a task nor anybody's clock matters: 10,000 tasks that wait cost Redis 5 ms a round.
 * @module
 */
import { isPassing } from "../errors.ts";
import { lostDeliveries } from "./lost-deliveries.ts";
import type { SharedStore } from "./shared-store.ts";

/** What the work is done on. */
export interface UpkeepOptions {
  readonly shared: SharedStore;
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
  readonly #timer: NodeJS.Timeout;
  #sweptTo = "0";

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#tryRound(), ROUND_MS);
    this.#timer.unref();
  }

  /** Begins no further round. */
  stop(): void {
    clearInterval(this.#timer);
  }

  // The next round is soon; a Redis that is away or full has been reported, by its connection and to those who ask.
  async #tryRound(): Promise<void> {
    try {
      await this.#round();
    } catch (error) {
      if (!isPassing(error)) this.#options.onError(error as Error);
    }
  }

  async #round(): Promise<void> {
    const { deliver, shared } = this.#options;
    const { store, queue, prefix, records } = shared;
    await records.purge();
    const mine = await store.send("SET", [`${prefix}:round`, "1", "NX", "PX", String(ROUND_MS - 1)]);
    if (mine === null) return;
    await records.recount();
    for await (const ids of lostDeliveries(queue, prefix, () => records.openIds())) await deliver(ids);
    for (let count = 0; count < SWEEP_COUNT; count++) {
      this.#sweptTo = await records.sweep(this.#sweptTo);
      if (this.#sweptTo === "0") return;
    }
  }
}
