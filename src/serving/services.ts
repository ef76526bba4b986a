/**
 * All that answers in a server: cursors, numbers and tasks, each with those who are told of what it does.
 * @module
 */
import { type Config, LIMITS } from "../config/config.ts";
import type { FibError } from "../errors.ts";
import type { Services } from "../http/app.ts";
import { RequestMetrics } from "../http/metrics.ts";
import { Streams, Watchers } from "../http/streams.ts";
import { bugsTo, faultsTo, type Logger, noticesTo } from "../log.ts";
import { Registry } from "../metrics.ts";
import { returnAdder, takeAdder } from "../numbers/adder.ts";
import { loadMultiplier } from "../numbers/multiplier.ts";
import { Neighbours } from "../numbers/neighbours.ts";
import { Pool } from "../numbers/pool.ts";
import { Results } from "../numbers/results.ts";
import { showProcess } from "../process-metrics.ts";
import type { Tracer } from "../tracing.ts";
import { type Engine, openEngine } from "./engine.ts";
import { openFileCursors } from "./file-cursors.ts";
import { countFileWaits, countRedis, countServer, showServer } from "./metrics.ts";
import { openStatusServices } from "./status.ts";
import { watchTaskEnds } from "./task-log.ts";

/**
 * The kernels and three threads are loaded after this, for the first requests that need them: 30 ms of a CPU, of which
 * 2 are the loop's. Not at once: whoever waits for the line with the address asks then.
 */
const PREPARE_AFTER_MS = 100;

/** What the services of a server tell, and whom. */
interface ServicesOptions {
  readonly log: Logger;
  readonly tracer: Tracer | undefined;
  /** Aborted when a stop has begun. */
  readonly stopSignal: AbortSignal;
  /** Told once why the default cursor can be used no more. */
  readonly onFailure: (error: FibError) => void;
}

/** A server without its port. */
export interface OpenedServices {
  readonly services: Services;
  /** Counts requests, which nobody but the port sees. */
  readonly requests: RequestMetrics;
  /** The cursor's file, or Redis's address without passwords. */
  readonly place: string;
  /** Does soon what the first requests would have to wait for. */
  readonly prepareSoon: () => void;
  /** Refuses what waits for a thread. */
  readonly refuseWaiting: () => void;
  readonly close: () => Promise<void>;
}

/**
 * Opens them.
 *
 * @throws {@link FibError} of the cursor's file, or of Redis.
 */
export async function openServices(
  config: Config,
  { log, tracer, stopSignal, onFailure }: ServicesOptions,
): Promise<OpenedServices> {
  const notice = noticesTo(log);
  const metrics = new Registry();
  const facts = countServer(metrics);
  const onTaskEnd = watchTaskEnds(metrics, log);
  const redis =
    config.redis &&
    (await openRedisParts(config, config.redis, log, { ...facts, onTaskEnd, onReply: countRedis(metrics) }));
  const fileFacts = redis ? undefined : countFileWaits(metrics);
  const files = fileFacts && (await openFileCursors(config, notice, onFailure, { ...facts, ...fileFacts }));
  const opened = redis ?? files!;
  const { computationsMax: threads, queueMax } = config;
  const pool = new Pool({ threads, queueMax, onComputed: facts.onComputed });
  const onBug = bugsTo(log);
  const events = { notice, onBug, onTaskEnd, tracer };
  const engine: Engine = redis ?? openEngine(config, pool, events);
  const requests = new RequestMetrics(metrics);
  const { sentBytes } = requests;
  const neighbours = new Neighbours(pool);
  const services: Services = {
    metrics,
    sentBytes,
    cursors: opened.cursors,
    status: openStatusServices(
      config,
      { requests: requests.durations, moves: facts.moves, groups: facts.groups, syncs: fileFacts?.syncs },
      pool,
    ),
    perClient: config.perClient ? { ttlMs: config.clientTtlMs } : undefined,
    basePath: config.basePath,
    indexMax: config.indexMax,
    valueAt: (index) => neighbours.at(index),
    results: new Results(pool, LIMITS.resultBytesMax),
    streams: new Streams(config.streamsMax, sentBytes),
    watchers: new Watchers(config.watchersMax, "tasks"),
    cursorWatchers: new Watchers(config.watchersMax, "cursors"),
    digitsMax: config.digitsMax,
    pisanoMax: config.pisanoMax,
    termsMax: config.termsMax,
    earlierTermsMax: config.earlierTermsMax,
    tasks: engine.tasks,
    stopSignal,
    onBug,
    onFault: faultsTo(log),
  };
  showProcess(metrics);
  showServer(metrics, { ...services, pool, redis, cursors: opened });
  const prepare = () => {
    loadMultiplier();
    returnAdder(takeAdder(1));
    pool.prepare();
    engine.prepare?.();
    files?.prepare();
  };
  return {
    services,
    requests,
    place: redis?.address ?? config.file,
    prepareSoon: () => void setTimeout(prepare, PREPARE_AFTER_MS).unref(),
    refuseWaiting: () => pool.refuseWaiting(),
    close: async () => {
      await Promise.all([engine.close().then(() => pool.close()), files?.close()]);
    },
  };
}

const openRedisParts: typeof import("./redis.ts").openRedis = async (...options) =>
  (await import("./redis.ts")).openRedis(...options);
