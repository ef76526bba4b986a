/**
 * `fibserver worker --redis URL`: an executor, which computes the tasks that servers accept.
 * @module
 */
import { defineCommand } from "citty";
import { type Flags, resolveConfig } from "../config/config.ts";
import { usageError } from "./hints.ts";
import {
  ENVIRONMENT,
  LIMIT_FLAGS,
  PROCESS_FLAGS,
  REDIS_FLAGS,
  SERVER_FLAGS,
  TASK_FLAGS,
  METRICS_FLAGS,
} from "./flags.ts";

export const worker = defineCommand({
  meta: {
    name: "worker",
    description: "Compute the tasks that servers on the same Redis accept",
    examples: [
      "fibserver worker --redis redis://127.0.0.1:6379 --max-computations 3",
      "fibserver worker --redis redis://127.0.0.1:6379 --metrics 9091  # for Prometheus",
    ],
    notes: ENVIRONMENT,
  },
  args: {
    ...REDIS_FLAGS,
    ...TASK_FLAGS,
    "max-computations": LIMIT_FLAGS["max-computations"],
    ...METRICS_FLAGS,
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
    await (await import("../serving/execute.ts")).execute(config, config.redis);
  },
});
