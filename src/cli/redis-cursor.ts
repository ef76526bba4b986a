/**
 * The cursor in Redis, for the letters. Apart from `redis.ts`, because that loads BullMQ, which a cursor does not need.
 * @module
 */
import type { CursorConfig } from "../config.ts";
import type { RedisConfig } from "../redis-config.ts";
import type { CursorService } from "../cursor/moves.ts";
import { RedisCursor } from "../cursor/redis.ts";
import { openExplained } from "../redis/explain.ts";
import { placesOf } from "../redis/place.ts";
import { warn } from "./output.ts";

/**
 * Opens the cursor that the servers on this Redis share. Whether that Redis keeps what it is given is for them to say:
 * a line on each of a thousand moves would help nobody.
 *
 * @throws {@link FibError} `redis_unavailable`, `redis_unusable`.
 */
export async function openRedisCursor(
  { indexMax }: CursorConfig,
  config: RedisConfig,
): Promise<CursorService> {
  const { prefix } = config;
  const redis = await openExplained(placesOf(config).store);
  try {
    const cursor = await RedisCursor.open({ redis, prefix, indexMax, notice: warn });
    const close = async () => {
      await cursor.close();
      await redis.close();
    };
    return { current: () => cursor.current(), submit: (...request) => cursor.submit(...request), close };
  } catch (error) {
    await redis.close();
    throw error;
  }
}
