/**
 * What servers and executors share through Redis: opened, checked, and watched in the log.
 *
 * Loaded only by those who are given a Redis, so that nobody else pays for BullMQ.
 * @module
 */
import { type Logger, noticesTo } from "../log.ts";
import type { Config } from "../config.ts";
import type { RedisConfig } from "../redis-config.ts";
import { DEFAULT_NAME } from "../cursor-name.ts";
import { Cursors, type NamedLimits } from "../cursor/named.ts";
import { RedisCursors } from "../cursor/redis.ts";
import type { Pool } from "../numbers/pool.ts";
import { checkRedis } from "../redis/check.ts";
import { openExplained } from "../redis/explain.ts";
import { RedisConnection } from "../redis/connection.ts";
import { placesOf } from "../redis/place.ts";
import { RedisExecutor } from "../tasks/redis-executor.ts";
import { RedisTasks } from "../tasks/redis.ts";
import { taskLimits } from "./engine.ts";
import { redisLog } from "./redis-log.ts";

/** A server's part of what Redis holds. */
export interface RedisParts {
  readonly cursors: Cursors;
  readonly tasks: RedisTasks;
  /** Where it is, without passwords. */
  readonly address: string;
  readonly close: () => Promise<void>;
}

/** An executor that takes tasks. */
export interface Executor extends Pick<RedisExecutor, "check" | "close"> {
  /** Where its Redis is, without passwords. */
  readonly address: string;
}

/**
 * Opens the cursors and the tasks of a server.
 *
 * @throws {@link FibError} `redis_unavailable`, `redis_unusable`, with what to do.
 */
export async function openRedis(config: Config, shared: RedisConfig, log: Logger): Promise<RedisParts> {
  const { prefix } = shared;
  const places = placesOf(shared);
  await checkPlaces(places, log);
  const redis = await RedisConnection.open(places.store);
  const named = await RedisCursors.open({ redis, prefix, ...cursorLimits(config), notice: noticesTo(log) });
  const cursors = new Cursors(named.at(DEFAULT_NAME), named);
  const tasks = await RedisTasks.open({ prefix, ...sharedOptions(config, places, log) });
  const close = async () => {
    await named.close();
    await tasks.close();
    await redis.close();
  };
  return { cursors, tasks, address: addressesOf(places), close };
}

/**
 * Opens an executor, which takes tasks from then on.
 *
 * @throws {@link FibError} as {@link openRedis}.
 */
export async function openExecutor(
  config: Config,
  shared: RedisConfig,
  pool: Pool,
  log: Logger,
): Promise<Executor> {
  const { prefix } = shared;
  const places = placesOf(shared);
  await checkPlaces(places, log);
  const executor = await RedisExecutor.open({ prefix, pool, ...sharedOptions(config, places, log) });
  return {
    address: addressesOf(places),
    check: () => executor.check(),
    close: () => executor.close(),
  };
}

type Places = ReturnType<typeof placesOf>;

async function checkPlaces({ queue, store }: Places, log: Logger): Promise<void> {
  for (const place of new Set([queue, store])) {
    const redis = await openExplained(place);
    try {
      // The queue waits for no replicas: what it loses is put into it again.
      const replicasMin = place === store ? place.replicasMin : 0;
      await checkRedis(redis, { replicasMin, warn: noticesTo(log) });
    } finally {
      await redis.close();
    }
  }
}

function cursorLimits({ indexMax, cursorsMax, clientsMax, clientTtlMs }: Config): NamedLimits {
  return { indexMax, cursorsMax, clientsMax, clientTtlMs };
}

function addressesOf({ queue, store }: Places): string {
  return [...new Set([store.address, queue.address])].join(" and ");
}

function sharedOptions(config: Config, { queue, store }: Places, log: Logger) {
  return {
    queue,
    store,
    limits: taskLimits(config),
    notice: noticesTo(log),
    ...redisLog(log, [queue, store]),
  };
}
