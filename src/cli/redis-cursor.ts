/**
 * The cursor in Redis, for the letters. Apart from `redis.ts`, because that loads BullMQ, which a cursor does not need.
 * @module
 */
import type { Config } from "../config.ts";
import type { RedisConfig } from "../redis-config.ts";
import type { CursorService } from "../cursor/moves.ts";
import { RedisCursor } from "../cursor/redis.ts";
import { FibError } from "../errors.ts";
import { explainFailure } from "../redis/explain.ts";
import { RedisConnection } from "../redis/connection.ts";
import { placesOf, type RedisPlace } from "../redis/place.ts";
import { warn } from "./output.ts";

/** A connection that failed later than this was not refused: asking once more would only take as long again. */
const SILENT_MS = 1000;

/**
 * Opens the cursor that the servers on this Redis share. Whether that Redis keeps what it is given is for them to say:
 * a line on each of a thousand moves would help nobody.
 *
 * @throws {@link FibError} `redis_unavailable`, `redis_unusable`.
 */
export async function openRedisCursor({ indexMax }: Config, config: RedisConfig): Promise<CursorService> {
  const { prefix } = config;
  const redis = await connect(placesOf(config).store);
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

async function connect(place: RedisPlace): Promise<RedisConnection> {
  const startMs = performance.now();
  try {
    return await RedisConnection.open(place);
  } catch (error) {
    // One that does not answer to TLS may do without.
    const isSilent = performance.now() - startMs > SILENT_MS && !place.isTls;
    throw error instanceof FibError && !isSilent ? await explainFailure(place, error) : error;
  }
}
