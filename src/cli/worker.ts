/**
 * `fibserver worker --redis URL`: an executor, which computes the tasks that servers accept.
 * @module
 */
import { defineCommand } from "citty";
import { type Flags, resolveConfig } from "../config.ts";
import { noticesTo, openLog } from "../log.ts";
import { onNotice } from "../notices.ts";
import { loadMultiplier } from "../numbers/multiplier.ts";
import { Pool } from "../numbers/pool.ts";
import { untilSignal } from "./ending.ts";
import { usageError } from "./hints.ts";
import { ENVIRONMENT, LIMIT_FLAGS, PROCESS_FLAGS, REDIS_FLAGS, TASK_FLAGS } from "./flags.ts";

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
    // The queue is Redis's; nobody waits here for what is computed.
    const pool = new Pool({ threads: config.computationsMax, queueMax: 0 });
    const { openExecutor } = await import("./redis.ts");
    const executor = await openExecutor(config, config.redis, pool, log);
    // Before the line that others wait for: what they send then must find its handler.
    const end = untilSignal();
    log.info("Computing for {address}, {threads} long tasks at a time", {
      address: executor.address,
      threads: pool.threads,
    });
    pool.prepare();
    loadMultiplier();
    await end;
    log.info("Stopping: what runs is given back");
    await executor.close();
    await pool.close();
  },
});
