/**
 * The cursor in Redis, for several servers on several machines.
 *
 * Requests of one turn of the event loop, and those that arrive while a reply is under
 * way, go to Redis as one group: one script call applies them in order, and nothing comes
 * between. The rules are those of moves.ts, written once more in Lua because they must
 * run where the record is; a test holds the two against each other. Rejected: a script
 * for each move (a round trip and a sync each), and compare-and-set from here (fronts
 * that contend would retry, and 4 KB of record would travel with each move).
 *
 * A group that was sent and not answered, because the connection broke, may have been
 * applied: it is refused and never sent again. Who retries with an Idempotency-Key moves
 * once, as with the file.
 *
 * With `--redis-wait` a group waits once, for all its moves, until enough replicas have them.
 *
 * A cursor that is gone from Redis (evicted, flushed, restarted without its data) is not
 * made again behind its owner's back: only {@link RedisCursor.open} makes one.
 *
 *   PREFIX:cursor        hash  generation, index
 *   PREFIX:cursor:keys   hash  digest of a key, in hex → operation and index answered
 *   PREFIX:cursor:ring   list  those digests, the newest first
 * @module
 */
import { FibError } from "../errors.ts";
import { defineScript, DoubtfulError, type RedisConnection } from "../redis/connection.ts";
import { Groups } from "../groups.ts";
import {
  type CursorRequest,
  type CursorService,
  cursorMoved,
  keyReused,
  type Outcome,
  outOfRange,
  sequenceEnd,
  sequenceStart,
} from "./moves.ts";
import { RING_COUNT } from "./record.ts";

/** How a cursor in Redis is opened. */
export interface RedisCursorOptions {
  readonly redis: RedisConnection;
  /** All keys begin with it and a colon. */
  readonly prefix: string;
  /** The last index that moves may reach. */
  readonly indexMax: number;
  readonly notice: (message: string) => void;
}

/** Requests that may wait for a group; beyond it they are refused. */
const WAITING_COUNT_MAX = 100_000;
/** Requests in one script call: 2 ms, during which Redis serves nobody else. */
const GROUP_COUNT_MAX = 1000;

const keysOf = (prefix: string) => ["", ":keys", ":ring"].map((end) => `${prefix}:cursor${end}`);

/** What the script says of a request: the first of its three numbers. */
const VERDICTS = { done: 0, replayed: 1, keyReused: 2, moved: 3, end: 4, start: 5, outOfRange: 6 } as const;

/** Makes the cursor unless there is one. */
const CREATE = `if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], 'generation', 1, 'index', 0)
return 1`;

/**
 * Applies a group. ARGV: the last index, then for each request its operation, target, key digest (or "") and
 * the generations it may happen at (",7,8,", or "" for any). Returns three numbers for each: verdict, index,
 * generation; or nothing when there is no cursor. What is replayed is written once more: WAIT asks for what its own
 * connection has written, and the move may be another front's, which no replica has yet. A full Redis lets a script go on
 * that has written something which needs no memory, and that is all that PERSIST is for: a move takes none for long.
 */
const APPLY = `local found = redis.call('HMGET', KEYS[1], 'generation', 'index')
local generation, index = tonumber(found[1]), tonumber(found[2])
if not generation or not index then return false end
local last, changed, bold, reply = tonumber(ARGV[1]), false, false, {}
for at = 2, #ARGV, 4 do
  local operation, target, digest, wanted = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local verdict, answer = ${VERDICTS.done}, index
  if operation ~= 'current' then
    bold = bold or redis.call('PERSIST', KEYS[1])
    local known = digest ~= '' and redis.call('HGET', KEYS[2], digest)
    local goal = operation == 'next' and index + 1 or operation == 'previous' and index - 1 or tonumber(target)
    if known then
      local did, where = string.match(known, '^(%a+) (%d+)$')
      local same = did == operation and (did ~= 'set' or where == target)
      verdict = same and ${VERDICTS.replayed} or ${VERDICTS.keyReused}
      answer, changed = tonumber(where), changed or same
    elseif wanted ~= '' and not string.find(wanted, string.format(',%.0f,', generation), 1, true) then
      verdict = ${VERDICTS.moved}
    elseif operation == 'set' and (goal < 0 or goal > last) then
      verdict = ${VERDICTS.outOfRange}
    elseif operation == 'next' and index >= last then
      verdict = ${VERDICTS.end}
    elseif goal < 0 then
      verdict = ${VERDICTS.start}
    else
      generation, index, answer, changed = generation + 1, goal, goal, true
      if digest ~= '' then
        redis.call('HSET', KEYS[2], digest, string.format('%s %.0f', operation, index))
        if redis.call('LPUSH', KEYS[3], digest) > ${RING_COUNT} then
          redis.call('HDEL', KEYS[2], redis.call('RPOP', KEYS[3]))
        end
      end
    end
  end
  reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = verdict, answer, generation
end
if changed then
  redis.call('HSET', KEYS[1], 'generation', string.format('%.0f', generation), 'index', string.format('%.0f', index))
end
return reply`;

const CREATE_SCRIPT = defineScript(CREATE);
const APPLY_SCRIPT = defineScript(APPLY);

/** The cursor in Redis, as one process sees it. */
export class RedisCursor implements CursorService {
  readonly #redis: RedisConnection;
  readonly #keys: readonly string[];
  readonly #indexMax: number;
  readonly #groups = new Groups<CursorRequest, Outcome>(GROUP_COUNT_MAX, (requests) => this.#apply(requests));
  #closed: FibError | undefined;

  private constructor({ redis, prefix, indexMax }: RedisCursorOptions) {
    this.#redis = redis;
    this.#keys = keysOf(prefix);
    this.#indexMax = indexMax;
  }

  /**
   * Finds the cursor, or makes one at index 0.
   *
   * @throws {@link FibError} `redis_unavailable`, `redis_unusable`.
   */
  static async open(options: RedisCursorOptions): Promise<RedisCursor> {
    const { redis, prefix, notice } = options;
    if ((await redis.run(CREATE_SCRIPT, keysOf(prefix), [])) === 1) {
      notice(`There was no cursor in Redis at ${redis.address}: a new one begins at index 0`);
    }
    return new RedisCursor(options);
  }

  /** Queues a request for the next group; see `CursorService`. */
  submit<T>(request: CursorRequest, answer: (outcome: Outcome) => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome) => {
        try {
          resolve(answer(outcome));
        } catch (error) {
          reject(error);
        }
      };
      if (this.#closed !== undefined) return settle(this.#closed);
      if (this.#groups.waitingCount >= WAITING_COUNT_MAX) return settle(tooManyWaiting());
      this.#groups.add(request, settle);
    });
  }

  /** Only Redis knows where the cursor is. */
  current(): undefined {
    return undefined;
  }

  /** Waits for what is queued; what comes later is refused. The connection is its owner's to close. */
  async close(): Promise<void> {
    await this.#groups.idle();
    this.#closed ??= new FibError("redis_unavailable", "Cannot use the cursor: it is closed");
  }

  async #apply(requests: readonly CursorRequest[]): Promise<Outcome[]> {
    const args = [String(this.#indexMax)];
    for (const { operation, target, keyDigest, ifGeneration } of requests) {
      args.push(
        operation,
        String(target ?? -1),
        keyDigest === undefined ? "" : keyDigest.toHex(),
        ifGeneration === undefined ? "" : `,${ifGeneration.join(",")},`,
      );
    }
    const isMove = requests.some(({ operation }) => operation !== "current");
    let reply: readonly number[] | null;
    let doubt: FibError | undefined;
    try {
      reply = (await this.#redis.run(APPLY_SCRIPT, this.#keys, args, { replicated: isMove })) as typeof reply;
    } catch (error) {
      const reason =
        error instanceof FibError ? error : new FibError("internal", String(error), { cause: error });
      if (!(error instanceof DoubtfulError)) return requests.map(() => reason);
      doubt = perhapsMoved(error);
      if (error.reply === undefined) {
        return requests.map(({ operation }) => (operation === "current" ? error : doubt!));
      }
      reply = error.reply as typeof reply;
    }
    if (reply === null) return requests.map(() => cursorGone(this.#redis.address));
    return requests.map(({ operation, target }, i) => {
      const outcome = this.#outcome(reply[3 * i]!, reply[3 * i + 1]!, reply[3 * i + 2]!, target);
      // Who reads, or was refused, has moved nothing that could be lost.
      return operation === "current" || outcome instanceof FibError ? outcome : (doubt ?? outcome);
    });
  }

  #outcome(verdict: number, index: number, generation: number, target = -1): Outcome {
    switch (verdict) {
      case VERDICTS.done:
        return { index, generation };
      case VERDICTS.replayed:
        return { index, generation, replayed: true };
      case VERDICTS.keyReused:
        return keyReused();
      case VERDICTS.moved:
        return cursorMoved(generation);
      case VERDICTS.end:
        return sequenceEnd(index);
      case VERDICTS.start:
        return sequenceStart();
      case VERDICTS.outOfRange:
        return outOfRange(target, this.#indexMax);
      default:
        return new FibError(
          "redis_unavailable",
          `Cannot use Redis at ${this.#redis.address}: its answer is none of ours; try again`,
        );
    }
  }
}

function perhapsMoved({ code, message, cause }: FibError): FibError {
  return new FibError(
    code,
    `${message}: the move may have been made or not; fibserver c shows where the cursor is`,
    { cause },
  );
}

function tooManyWaiting(): FibError {
  return new FibError(
    "overloaded",
    `Cannot queue: ${WAITING_COUNT_MAX} requests wait for the cursor; try again`,
  );
}

function cursorGone(address: string): FibError {
  return new FibError(
    "redis_unusable",
    `Cannot use the cursor: it is gone from Redis at ${address}; restore its data, or start again for a new one`,
  );
}
