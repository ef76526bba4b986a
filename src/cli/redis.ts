/**
 * What servers and executors share through Redis: opened, checked, and watched in the log.
 *
 * Loaded only by those who are given a Redis, so that nobody else pays for BullMQ.
 * @module
 */
import { type Logger, noticesTo } from "../log.ts";
import type { Config, RedisConfig } from "../config.ts";
import { RedisCursor } from "../cursor/redis.ts";
import { FibError } from "../errors.ts";
import type { Pool } from "../numbers/pool.ts";
import { checkRedis, explainFailure } from "../redis/check.ts";
import { type ConnectionEvents, RedisConnection } from "../redis/connection.ts";
import { placesOf, type RedisPlace } from "../redis/place.ts";
import { RedisExecutor } from "../tasks/redis-executor.ts";
import { type RedisPlaces, RedisTasks } from "../tasks/redis.ts";
import { taskLimits } from "./engine.ts";

/** A server's part of what Redis holds. */
export interface RedisParts {
  readonly cursor: RedisCursor;
  readonly tasks: RedisTasks;
  /** Where it is, without passwords. */
  readonly address: string;
  readonly close: () => Promise<void>;
}

/**
 * Opens the cursor and the tasks of a server.
 *
 * @throws {@link FibError} `redis_unavailable`, `redis_unusable`, with what to do.
 */
export async function openRedis(config: Config, places: RedisConfig, log: Logger): Promise<RedisParts> {
  const { indexMax } = config;
  const parts = partsOf(places);
  await checkPlaces(parts, log);
  const redis = await RedisConnection.open(parts.storeUrl, connectionLog(log));
  const { prefix } = places;
  const notice = noticesTo(log);
  const cursor = await RedisCursor.open({ redis, prefix, indexMax, notice });
  const tasks = await RedisTasks.open({
    ...parts,
    limits: taskLimits(config),
    notice,
    onError: queueLog(log),
  });
  const close = async () => {
    await cursor.close();
    await tasks.close();
    await redis.close();
  };
  return { cursor, tasks, address: addressesOf(parts), close };
}

/**
 * Opens an executor, which takes tasks from then on.
 *
 * @throws {@link FibError} as {@link openRedis}.
 */
export async function openExecutor(
  config: Config,
  places: RedisConfig,
  pool: Pool,
  log: Logger,
): Promise<{ readonly address: string; readonly close: () => Promise<number> }> {
  const parts = partsOf(places);
  await checkPlaces(parts, log);
  const executor = await RedisExecutor.open({
    ...parts,
    pool,
    limits: taskLimits(config),
    notice: noticesTo(log),
    onError: queueLog(log),
    events: connectionLog(log),
  });
  return { address: addressesOf(parts), close: () => executor.close() };
}

type Parts = Omit<RedisPlaces, "queueUrl" | "storeUrl"> & {
  readonly [place in "queueUrl" | "storeUrl"]: RedisPlace;
};

async function checkPlaces({ queueUrl, storeUrl }: Parts, log: Logger): Promise<void> {
  for (const place of new Set([queueUrl, storeUrl])) {
    try {
      const redis = await RedisConnection.open(place);
      try {
        await checkRedis(redis, noticesTo(log));
      } finally {
        await redis.close();
      }
    } catch (error) {
      throw error instanceof FibError ? await explainFailure(place, error) : error;
    }
  }
}

function partsOf(config: RedisConfig): Parts {
  const { queue, store } = placesOf(config);
  return { queueUrl: queue, storeUrl: store, prefix: config.prefix };
}

function addressesOf({ queueUrl, storeUrl }: Parts): string {
  return [...new Set([storeUrl.address, queueUrl.address])].join(" and ");
}

function connectionLog(log: Logger): ConnectionEvents {
  return {
    onLost: (address, reason) =>
      log.warn("Redis at {address} is away ({reason}): trying again until it is back", { address, reason }),
    onBack: (address) => log.info("Redis at {address} is back", { address }),
  };
}

// BullMQ tells of each command that a lost connection cost; that it was lost is logged once, above.
function queueLog(log: Logger): (error: Error) => void {
  return (error) => {
    const isAway =
      error instanceof FibError || /connection|socket|^(UNBLOCKED|READONLY) /i.test(error.message);
    if (isAway) log.debug("The queue: {error}", { error: error.message });
    else log.warn("The queue: {error}", { error: error.message });
  };
}
