/**
 * `fibserver worker --redis URL`: an executor, which computes the tasks that servers accept.
 * @module
 */
import { defineCommand } from "citty";
import { type Flags, LIMITS, resolveConfig } from "../config.ts";
import { FibError } from "../errors.ts";
import { noticesTo, openLog } from "../log.ts";
import { onNotice } from "../notices.ts";
import { loadMultiplier } from "../numbers/multiplier.ts";
import { Pool } from "../numbers/pool.ts";
import { untilSignal } from "./ending.ts";
import type { Executor } from "./redis.ts";
import { usageError } from "./hints.ts";
import {
  ENVIRONMENT,
  LIMIT_FLAGS,
  PROCESS_FLAGS,
  REDIS_FLAGS,
  SERVER_FLAGS,
  TASK_FLAGS,
  WATCH_FLAGS,
} from "./flags.ts";

export const worker = defineCommand({
  meta: {
    name: "worker",
    description: "Compute the tasks that servers on the same Redis accept",
    examples: [
      "fibserver worker --redis redis://127.0.0.1:6379",
      "FIBSERVER_REDIS=redis://10.0.0.7 fibserver worker --max-computations 3",
    ],
    notes: ENVIRONMENT,
  },
  args: {
    ...REDIS_FLAGS,
    ...TASK_FLAGS,
    "max-computations": LIMIT_FLAGS["max-computations"],
    ...WATCH_FLAGS,
    "allow-host": SERVER_FLAGS["allow-host"],
    ...PROCESS_FLAGS,
  },
  async run({ args }) {
    // It has no cursor, and so nothing to do with a file that is named for the letters.
    const config = resolveConfig(args as unknown as Flags, { ...process.env, FIBSERVER_FILE: undefined });
    if (config.redis === undefined) {
      throw usageError("fibserver worker", "it needs --redis URL");
    }
    if (config.oneCpu) (await import("./one-cpu.ts")).useOneCpu();
    const log = await openLog(config.debug);
    onNotice(noticesTo(log));
    const stopping = new AbortController();
    let executor: Executor | undefined;
    const check = async () => {
      if (executor === undefined)
        throw new FibError("overloaded", "Cannot take tasks: the executor is starting");
      await executor.check();
    };
    if (config.metrics) {
      // Before a task is taken: a port that cannot be had ends the start.
      (await import("./serve-health.ts")).serveHealth(config, config.metrics, check, stopping.signal, log);
    }
    // The queue is Redis's; nobody waits here for what is computed.
    const pool = new Pool({ threads: config.computationsMax, queueMax: 0 });
    executor = await (await import("./redis.ts")).openExecutor(config, config.redis, pool, log);
    // Before the line that others wait for: what they send then must find its handler.
    const end = untilSignal();
    log.info("Computing for {address}, {threads} long tasks at a time", {
      address: executor.address,
      threads: pool.threads,
    });
    pool.prepare();
    loadMultiplier();
    await end;
    stopping.abort();
    log.info("Stopping: what runs is given back");
    const close = async () => {
      const left = await executor.close();
      if (left > 0)
        log.warn("Tasks that were not given back: {left}; others begin them when their locks have run out", {
          left,
        });
      await pool.close();
      return true;
    };
    if (!(await Promise.race([close(), Bun.sleep(LIMITS.stopTimeoutMs)])))
      log.warn("Ending at the deadline: a computation did not end");
  },
});
