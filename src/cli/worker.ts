/**
 * `fibserver worker --redis URL`: an executor, which computes the tasks that servers accept.
 * @module
 */
import { defineCommand } from "citty";
import { type Flags, PROCESS_FLAGS, REDIS_FLAGS, resolveConfig, TASK_FLAGS } from "../config.ts";
import { openLog } from "../log.ts";
import { onNotice } from "../notices.ts";
import { loadKernel } from "../numbers/kernel.ts";
import { Pool } from "../numbers/pool.ts";
import { usageError } from "./arguments.ts";

export const worker = defineCommand({
  meta: { name: "worker", description: "Compute the tasks that servers on the same Redis accept" },
  args: {
    ...REDIS_FLAGS,
    ...TASK_FLAGS,
    concurrency: {
      type: "string",
      valueHint: "N",
      description: "Long tasks at the same time (the number of CPUs, less one)",
    },
    ...PROCESS_FLAGS,
  },
  async run({ args }) {
    const { concurrency, ...flags } = args as unknown as Flags;
    const config = resolveConfig({ ...flags, "max-computations": concurrency }, process.env);
    if (config.redis === undefined) {
      throw usageError(
        "fibserver worker",
        "it needs a Redis",
        "fibserver worker --redis redis://127.0.0.1:6379",
      );
    }
    if (config.oneCpu) (await import("./one-cpu.ts")).useOneCpu();
    const log = await openLog(config.debug);
    onNotice((notice) => log.warn("{notice}", { notice }));
    // The queue is Redis's; nobody waits here for what is computed.
    const pool = new Pool({ threads: config.computationsMax, queueMax: 0 });
    const { openExecutor } = await import("./shared.ts");
    const executor = await openExecutor(config, config.redis, pool, log);
    log.info("Computing for {address}, {threads} long tasks at a time", {
      address: executor.address,
      threads: pool.threads,
    });
    pool.prepare();
    loadKernel();
    await endSignal();
    log.info("Stopping: what runs is given back");
    await executor.close();
    await pool.close();
  },
});

/** Resolves with the first SIGTERM or SIGINT; the second one kills. */
function endSignal(): Promise<void> {
  return new Promise((resolve) => {
    let stopping = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (stopping) process.kill(process.pid, "SIGKILL");
        stopping = true;
        resolve();
      });
    }
  });
}
