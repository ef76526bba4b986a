/**
 * What the log of a server or an executor says of its Redis while it is away: that it is, why, and that it is back.
 *
 * A lost connection does not say why: a password that was changed looks like a process that is gone. So a Redis that
 * stays away is asked as at the start, again and again, because the reason may change: it is started anew, and wants
 * another password then.
 * @module
 */
import { FibError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { ConnectionEvents } from "../redis/connection.ts";
import { openExplained } from "../redis/explain.ts";
import type { RedisPlace } from "../redis/place.ts";

/** Pauses before it is asked, doubled from the first to the last; a restart is over by then. */
const ASK_MS = { first: 1500, last: 30_000 } as const;

/** What BullMQ says when a connection is lost. The last is its adapter's, which answers null while a connection ends. */
const LOST = /connection|socket|^(UNBLOCKED|READONLY) |^null is not an object/i;

/**
 * The log of all places of a process.
 *
 * @returns `events` for its connections, and `onError` for what BullMQ has to say.
 */
export function redisLog(
  log: Logger,
  places: readonly RedisPlace[],
): { readonly events: ConnectionEvents; readonly onError: (error: Error) => void } {
  const outages = new Map<string, Outage>();
  const end = (address: string) => {
    outages.get(address)?.end();
    outages.delete(address);
  };
  const told = new Set<string>();
  return {
    events: {
      onLost: (address, reason) => {
        log.warn("Redis at {address} is away ({reason}): trying again until it is back", { address, reason });
        end(address);
        const place = places.find((each) => each.address === address);
        if (place) outages.set(address, new Outage(place, log));
      },
      onBack: (address) => {
        end(address);
        told.clear();
        log.info("Redis at {address} is back", { address });
      },
    },
    // It tells of each command that a lost connection cost, thirty times a second; that it was lost is said above.
    onError: (error) => {
      if (!(error instanceof FibError) && !LOST.test(error.message)) {
        log.warn("The queue: {error}", { error: error.message });
      } else if (!told.has(error.message)) {
        told.add(error.message);
        log.debug("The queue: {error}", { error: error.message });
      }
    },
  };
}

/** From a loss until it is back. */
class Outage {
  readonly #place: RedisPlace;
  readonly #log: Logger;
  #said = "";
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(place: RedisPlace, log: Logger) {
    this.#place = place;
    this.#log = log;
    this.#askIn(ASK_MS.first);
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #askIn(pauseMs: number): void {
    this.#timer = setTimeout(() => void this.#ask(pauseMs), pauseMs);
    this.#timer.unref();
  }

  async #ask(pauseMs: number): Promise<void> {
    try {
      await (await openExplained(this.#place)).close();
    } catch (error) {
      const { message } = error as Error;
      if (!this.#isOver && message !== this.#said)
        this.#log.warn("Still away. {reason}", { reason: message });
      this.#said = message;
    }
    if (!this.#isOver) this.#askIn(Math.min(2 * pauseMs, ASK_MS.last));
  }
}
