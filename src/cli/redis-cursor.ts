/**
 * The cursors in Redis, for commands. Apart from `serving/redis.ts`, because that loads BullMQ, which a cursor does not need.
 * @module
 */
import type { CursorConfig } from "../config/config.ts";
import type { RedisConfig } from "../config/redis.ts";
import { DEFAULT_NAME } from "../cursor-name.ts";
import { Cursors, NO_CLIENTS } from "../cursor/named.ts";
import { RedisCursors } from "../cursor/redis.ts";
import type { OpenCursor } from "../cursor/moves.ts";
import { openExplained } from "../redis/explain.ts";
import { placesOf } from "../redis/place.ts";
import { warn } from "./output.ts";

/** Cursors with what has to be given back. */
export interface OpenCursors {
  readonly cursors: Cursors;
  /** Waits for what is queued; what comes later is refused. */
  readonly close: () => Promise<void>;
}

/**
 * Opens the default cursor that the servers on this Redis share, or makes it.
 *
 * @throws {@link FibError} as {@link openRedisCursors}.
 */
export async function openRedisCursor(config: CursorConfig, redis: RedisConfig): Promise<OpenCursor> {
  // It makes none with a name.
  const { cursors, close } = await openRedisCursors(config, redis, 0, true);
  return { ...cursors.default, close };
}

/**
 * Opens all cursors that the servers on this Redis share. Whether that Redis keeps what it is given is for them to say:
 * a line on each of a thousand moves would help nobody.
 *
 * @param cursorsMax - How many named ones there may be.
 * @param makes - Whether the default one is made where there is none; else the first move that makes a cursor does it.
 * @throws {@link FibError} `redis_unavailable`, `redis_unusable`.
 */
export async function openRedisCursors(
  { indexMax }: CursorConfig,
  config: RedisConfig,
  cursorsMax: number,
  makes = false,
): Promise<OpenCursors> {
  const { prefix } = config;
  const redis = await openExplained((await placesOf(config)).store);
  try {
    const options = { redis, prefix, indexMax, cursorsMax, ...NO_CLIENTS, notice: warn };
    const named = makes ? await RedisCursors.open(options) : RedisCursors.find(options);
    const close = async () => {
      await named.close();
      await redis.close();
    };
    return { cursors: new Cursors(named.at(DEFAULT_NAME), named), close };
  } catch (error) {
    await redis.close();
    throw error;
  }
}
