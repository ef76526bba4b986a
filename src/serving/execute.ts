/**
 * `fibserver worker`: takes tasks from Redis, computes them, and gives back what it has not finished when it stops.
 * @module
 */
import { type Config, LIMITS } from "../config/config.ts";
import type { RedisConfig } from "../config/redis.ts";
import { FibError } from "../errors.ts";
import { type Logger, noticesTo, withLog } from "../log.ts";
import { Registry } from "../metrics.ts";
import { onNotice } from "../notices.ts";
import { loadMultiplier } from "../numbers/multiplier.ts";
import { Pool } from "../numbers/pool.ts";
import { untilSignal } from "../signals.ts";
import { countComputations, countRedis, showComputations, showRedis } from "./metrics.ts";
import { openTraces } from "./open-traces.ts";
import type { Executor } from "./redis.ts";
import { openServiceManager } from "./service-manager.ts";
import { watchTaskEnds } from "./task-log.ts";

/**
 * Computes until SIGTERM or SIGINT.
 *
 * @throws {@link FibError} when it cannot start.
 */
export function execute(config: Config, redis: RedisConfig): Promise<void> {
  return withLog(config, (log) => executeWith(config, redis, log));
}

async function executeWith(config: Config, redis: RedisConfig, log: Logger): Promise<void> {
  const notice = noticesTo(log);
  onNotice(notice);
  const manager = openServiceManager(process.env, notice);
  const traces = await openTraces(process.env, log);
  const stopping = new AbortController();
  let executor: Executor | undefined;
  const check = async () => {
    if (executor === undefined)
      throw new FibError("overloaded", "Cannot take tasks: the executor is starting");
    await executor.check();
  };
  const metrics = new Registry();
  showRedis(metrics, { isConnected: () => executor?.isConnected() === true });
  if (config.metricsAt) {
    // Before a task is taken: a port that cannot be had ends the start.
    const { serveExecutorPort } = await import("./executor-port.ts");
    serveExecutorPort(config, config.metricsAt, { metrics, check, stopSignal: stopping.signal, log });
  }
  // The queue is Redis's; nobody waits here for what is computed.
  const pool = new Pool({
    threads: config.computationsMax,
    queueMax: 0,
    onComputed: countComputations(metrics),
  });
  showComputations(metrics, pool);
  const facts = { onTaskEnd: watchTaskEnds(metrics, log), onReply: countRedis(metrics) };
  executor = await (await import("./redis.ts")).openExecutor(config, redis, pool, log, facts, traces.tracer);
  // Before the line that others wait for: what they send then must find its handler.
  const end = untilSignal();
  log.info("Computing for {address}, {threads} long tasks at a time", {
    address: executor.address,
    threads: pool.threads,
  });
  manager.ready(`Computing for ${executor.address}`);
  pool.prepare();
  loadMultiplier();
  await end;
  stopping.abort();
  log.info("Stopping: what runs is given back");
  manager.stopping("Stopping: what runs is given back");
  const close = async () => {
    const left = await executor.close();
    if (left > 0)
      log.warn("Tasks that were not given back: {left}; others begin them when their locks have run out", {
        left,
      });
    await pool.close();
    await traces.close();
    return true;
  };
  if (!(await Promise.race([close(), Bun.sleep(LIMITS.stopTimeoutMs)])))
    log.warn("Ending at the deadline: a computation did not end");
}
