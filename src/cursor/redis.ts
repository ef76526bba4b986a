/**
 * The cursors in Redis, for several servers on several machines: the default one, and those with names.
 *
 * Requests of one turn of the event loop, and those that arrive while a reply is under
 * way, go to Redis as one group, whatever cursors they are for: one script call applies them in order, and nothing comes
 * between (redis-script.ts). Rejected: a script for each move (a round trip and a sync each), and compare-and-set from
 * here (fronts that contend would retry, and 4 KB of record would travel with each move).
 *
 * A group that was sent and not answered, because the connection broke, may have been
 * applied: it is refused and never sent again. Who retries with an Idempotency-Key moves
 * once, as with the file.
 *
 * With `--redis-wait` a group waits once, for all its moves, until enough replicas have them.
 *
 * A default cursor that is gone from Redis (evicted, flushed, restarted without its data) is not
 * made again behind its owner's back: only {@link RedisCursors.open} makes one, and behind {@link RedisCursors.find} the
 * first move that makes a cursor. Where it is gone the others are, too, so all are refused: a name that is moved then
 * would begin at 0 again.
 * @module
 */
import { FibError } from "../errors.ts";
import { DoubtfulError, type RedisConnection } from "../redis/connection.ts";
import type { GroupWatch } from "./group-watch.ts";
import {
  applyRequest,
  type CursorService,
  cursorExists,
  cursorGone,
  cursorMoved,
  cursorPermanent,
  cursorUnknown,
  keyReused,
  nothingBefore,
  type Keeper,
  type NamedRequest,
  type Outcome,
  outOfRange,
  sequenceEnd,
  sequenceStart,
} from "./moves.ts";
import { tooManyClients, tooManyCursors } from "./policy.ts";
import type { CursorCounts, ListedCursor, NamedCursors, NamedLimits, NameFilter } from "./named.ts";
import { APPLY_SCRIPT, CREATE_SCRIPT, FLAGS, LIST_SCRIPT, VERDICTS } from "./redis-script.ts";
import { listen } from "./redis-watching.ts";
import { applyArguments, channelOf, keysOf, listArguments } from "./redis-wire.ts";

import { RequestQueue } from "./request-queue.ts";
import { Watching } from "./watching.ts";

/** How cursors in Redis are opened. */
export interface RedisCursorsOptions extends NamedLimits {
  readonly redis: RedisConnection;
  /** All keys begin with it and a colon. */
  readonly prefix: string;
  readonly notice: (message: string) => void;
  /** Hears of each group; of locks and syncs there are none here. */
  readonly groups?: Pick<GroupWatch, "answered"> | undefined;
}

/** Requests in one script call, during which Redis serves nobody else: 0.5 ms for one cursor, 4 for a thousand, 8 with keys. */
const GROUP_COUNT_MAX = 1000;

/** All cursors in Redis, as one process sees them. */
export class RedisCursors implements NamedCursors {
  readonly #options: RedisCursorsOptions;
  readonly #keys: readonly string[];
  readonly #queue: RequestQueue;
  /** There was a default cursor: one that is not there is gone. */
  #wasThere = false;

  private constructor(options: RedisCursorsOptions) {
    const { redis, prefix } = options;
    this.#options = options;
    this.#keys = keysOf(prefix);
    const watching = new Watching(() =>
      listen({
        redis,
        channel: channelOf(prefix),
        watching,
        read: (name) => this.at(name).submit({ operation: "current" }, wasRead),
      }),
    );
    const apply = (group: readonly NamedRequest[]) => this.#apply(group);
    this.#queue = new RequestQueue(GROUP_COUNT_MAX, apply, watching, options.groups?.answered);
  }

  /**
   * Finds the default cursor, or makes one at index 0.
   *
   * @throws {@link FibError} `redis_unavailable`, `redis_unusable`.
   */
  static async open(options: RedisCursorsOptions): Promise<RedisCursors> {
    const cursors = new RedisCursors(options);
    await cursors.#make();
    return cursors;
  }

  /**
   * The same for those who may only look, or have mistaken the prefix: where there is no default cursor there are none,
   * until a move makes one.
   */
  static find(options: RedisCursorsOptions): RedisCursors {
    return new RedisCursors(options);
  }

  /** The cursor of a name, whether there is one or not; the default one, too. Only Redis knows where it is. */
  at(name: string): CursorService {
    return this.#queue.at(name);
  }

  /** Those that can be asked for by name, without the default one. Throws as `RedisConnection.run` does. */
  async list(filter: NameFilter): Promise<readonly ListedCursor[]> {
    if (this.#queue.closed !== undefined) throw this.#queue.closed;
    const { redis } = this.#options;
    const row = (await redis.run(LIST_SCRIPT, this.#keys, listArguments(filter))) as string[] | null;
    if (row === null && !this.#wasThere) return [];
    if (row === null) throw dataGone(redis.address);
    return Array.from({ length: row.length / 3 }, (_, i) => ({
      name: row[3 * i]!,
      index: Number(row[3 * i + 1]),
      movedAtMs: Number(row[3 * i + 2]),
    }));
  }

  /** How many requests wait for their outcome. */
  get pendingCount(): number {
    return this.#queue.pendingCount;
  }

  /** How many there are, of all servers on this Redis. */
  async count(): Promise<CursorCounts> {
    const [, names, , ...clients] = this.#keys;
    const keys = [names!, ...clients.slice(0, 2)];
    const counts = await Promise.all(keys.map((key) => this.#options.redis.send("ZCARD", [key])));
    const [cursors = 0, unreturned = 0, returned = 0] = counts.map(Number);
    return { cursors, clients: unreturned + returned };
  }

  /** Waits for what is queued; what comes later is refused. The connection is its owner's to close. */
  async close(): Promise<void> {
    await this.#queue.close(new FibError("redis_unavailable", "Cannot use the cursor: it is closed"));
  }

  async #make(): Promise<void> {
    const { redis, notice } = this.#options;
    if ((await redis.run(CREATE_SCRIPT, this.#keys, [])) === 1)
      notice(`There was no cursor in Redis at ${redis.address}: a new one begins at index 0`);
    this.#wasThere = true;
  }

  async #apply(group: readonly NamedRequest[]): Promise<Outcome[]> {
    const { redis, indexMax } = this.#options;
    const isMove = group.some(({ request }) => request.operation !== "current");
    let reply: readonly number[] | null;
    let doubt: FibError | undefined;
    try {
      const args = applyArguments(group, this.#options);
      reply = (await redis.run(APPLY_SCRIPT, this.#keys, args, { replicated: isMove })) as typeof reply;
    } catch (error) {
      if (!(error instanceof DoubtfulError)) throw error;
      doubt = perhapsMoved(error);
      if (error.reply === undefined) {
        return group.map(({ request }) => (request.operation === "current" ? error : doubt!));
      }
      reply = error.reply as typeof reply;
    }
    if (reply === null && !this.#wasThere) {
      const outcomes = group.map(({ request }) => applyRequest(undefined, request, noneIn(indexMax)).outcome);
      if (outcomes.every((outcome) => outcome instanceof FibError)) return outcomes;
      await this.#make();
      return this.#apply(group);
    }
    if (reply === null) return group.map(() => dataGone(redis.address));
    this.#wasThere = true;
    return group.map(({ request }, i) => {
      const outcome = this.#outcome(reply[3 * i]!, reply[3 * i + 1]!, reply[3 * i + 2]!, request.target);
      // Who reads, or was refused, has moved nothing that could be lost.
      return request.operation === "current" || outcome instanceof FibError ? outcome : (doubt ?? outcome);
    });
  }

  #outcome(said: number, index: number, generation: number, target = -1): Outcome {
    const { redis, indexMax, cursorsMax, clientsMax } = this.#options;
    const isNew = (said & FLAGS.isNew) !== 0 && { isNew: true };
    switch (said & ~FLAGS.isNew & ~FLAGS.renewsCookie) {
      case VERDICTS.done:
        if (said === VERDICTS.done) return { index, generation };
        return { index, generation, ...(isNew || { renewsCookie: true }) };
      case VERDICTS.replayed:
        return { index, generation, replayed: true, ...isNew };
      case VERDICTS.keyReused:
        return keyReused();
      case VERDICTS.moved:
        return cursorMoved(generation);
      case VERDICTS.end:
        return sequenceEnd(index);
      case VERDICTS.start:
        return generation === 0 ? nothingBefore() : sequenceStart();
      case VERDICTS.outOfRange:
        return outOfRange(target, indexMax);
      case VERDICTS.exists:
        return cursorExists();
      case VERDICTS.gone:
        return cursorGone();
      case VERDICTS.unknown:
        return cursorUnknown();
      case VERDICTS.permanent:
        return cursorPermanent();
      case VERDICTS.tooManyCursors:
        return tooManyCursors(cursorsMax);
      case VERDICTS.tooManyClients:
        return tooManyClients(clientsMax);
      case VERDICTS.full:
        return noRoom(redis.address);
      default:
        return new FibError(
          "redis_unavailable",
          `Cannot use Redis at ${redis.address}: its answer is none of ours; try again`,
        );
    }
  }
}

/** A Redis without a cursor of ours. */
function noneIn(indexMax: number): Keeper {
  return { indexMax, isPermanent: false, findKey: () => undefined, nextGeneration: () => 1 };
}

function wasRead(outcome: Outcome): boolean {
  return !(outcome instanceof FibError) || outcome.code === "cursor_unknown";
}

function perhapsMoved({ code, message, cause }: FibError): FibError {
  return new FibError(
    code,
    `${message}: the move may have been made or not; c in its place shows where the cursor is`,
    { cause },
  );
}

function noRoom(address: string): FibError {
  return new FibError(
    "redis_full",
    `Cannot make it: Redis at ${address} is full; raise its maxmemory, or make room`,
  );
}

function dataGone(address: string): FibError {
  return new FibError(
    "redis_unusable",
    `Cannot use the cursor: it is gone from Redis at ${address}; restore its data, or start again for a new one`,
  );
}
