/**
 * What servers and executors share through Redis: opened, checked, and watched in the log.
 *
 * Loaded only by those who are given a Redis, so that nobody else pays for BullMQ.
 * @module
 */
import type { Config } from "../config/config.ts";
import type { RedisConfig } from "../config/redis.ts";
import { DEFAULT_NAME } from "../cursor-name.ts";
import type { GroupWatch } from "../cursor/group-watch.ts";
import { Cursors, type NamedLimits } from "../cursor/named.ts";
import { RedisCursors } from "../cursor/redis.ts";
import { type Logger, noticesTo } from "../log.ts";
import type { Pool } from "../numbers/pool.ts";
import { checkRedis } from "../redis/check.ts";
import { RedisConnection } from "../redis/connection.ts";
import { openExplained } from "../redis/explain.ts";
import { type Places, placesOf } from "../redis/place.ts";
import type { OnTaskEnd } from "../tasks/queue.ts";
import { RedisExecutor } from "../tasks/redis-executor.ts";
import { RedisTasks } from "../tasks/redis.ts";
import type { Tracer } from "../tracing.ts";
import { taskLimits } from "./engine.ts";
import type { Connected, CursorSource } from "./metrics.ts";
import { redisLog } from "./redis-log.ts";

/** Who hears of what a process does with Redis. */
export interface RedisFacts {
  /** Told how long each question has waited for its answer. */
  readonly onReply: (waitMs: number) => void;
  readonly onTaskEnd: OnTaskEnd;
}

/** A server's part of what Redis holds. */
export interface RedisParts extends CursorSource, Connected {
  readonly cursors: Cursors;
  readonly tasks: RedisTasks;
  /** Where it is, without passwords. */
  readonly address: string;
  readonly close: () => Promise<void>;
}

/** An executor that takes tasks. */
export interface Executor extends Pick<RedisExecutor, "check" | "close">, Connected {
  /** Where its Redis is, without passwords. */
  readonly address: string;
}

/**
 * Opens the cursors and the tasks of a server.
 *
 * @throws {@link FibError} `redis_unavailable`, `redis_unusable`, with what to do.
 */
export async function openRedis(
  config: Config,
  shared: RedisConfig,
  log: Logger,
  facts: RedisFacts & Pick<GroupWatch, "answered">,
): Promise<RedisParts> {
  const { prefix } = shared;
  const places = await placesOf(shared);
  await checkPlaces(places, log);
  const redis = await RedisConnection.open(places.store, { onReply: facts.onReply });
  const named = await RedisCursors.open({
    redis,
    prefix,
    ...cursorLimits(config),
    notice: noticesTo(log),
    groups: facts,
  });
  const cursors = new Cursors(named.at(DEFAULT_NAME), named);
  const tasks = await RedisTasks.open({ prefix, ...sharedOptions(config, places, log, facts) });
  const close = async () => {
    await named.close();
    await tasks.close();
    await redis.close();
  };
  return {
    cursors,
    tasks,
    address: addressesOf(places),
    waitingCount: () => named.pendingCount,
    count: () => named.count(),
    isConnected: () => redis.isConnected && tasks.isConnected,
    close,
  };
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
  facts: RedisFacts,
  tracer: Tracer | undefined,
): Promise<Executor> {
  const { prefix } = shared;
  const places = await placesOf(shared);
  await checkPlaces(places, log);
  const executor = await RedisExecutor.open({
    prefix,
    pool,
    tracer,
    ...sharedOptions(config, places, log, facts),
  });
  return {
    address: addressesOf(places),
    check: () => executor.check(),
    isConnected: () => executor.isConnected,
    close: () => executor.close(),
  };
}

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

function sharedOptions(config: Config, { queue, store }: Places, log: Logger, facts: RedisFacts) {
  const { events, onError } = redisLog(log, [queue, store]);
  return {
    queue,
    store,
    limits: taskLimits(config),
    notice: noticesTo(log),
    events: { ...events, onReply: facts.onReply },
    onError,
    onTaskEnd: facts.onTaskEnd,
  };
}
