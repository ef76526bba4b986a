/**
 * The engine of tasks that needs nothing else; `redis.ts` opens the one for many machines.
 * @module
 */
import { type Config, LIMITS } from "../config/config.ts";
import type { Pool } from "../numbers/pool.ts";
import { EmbeddedTasks } from "../tasks/embedded.ts";
import type { OnTaskEnd, TaskLimits, TaskQueue } from "../tasks/queue.ts";
import type { Tracer } from "../tracing.ts";

/** The tasks of a server. */
export interface Engine {
  readonly tasks: TaskQueue;
  /** Does what the first task would have to wait for. */
  readonly prepare?: () => void;
  /** Ends what runs; it is queued again by the next start. */
  readonly close: () => Promise<void>;
}

/** Who hears of what happens to tasks outside of requests. */
export interface EngineEvents {
  readonly notice: (message: string) => void;
  readonly onBug: (error: unknown) => void;
  readonly onTaskEnd: OnTaskEnd;
  readonly tracer: Tracer | undefined;
}

/**
 * Opens the engine. Never fails: tasks that cannot be had are answered with the reason.
 *
 * @param pool - The one that also computes for requests; to be closed after the engine.
 */
export function openEngine(config: Config, pool: Pool, events: EngineEvents): Engine {
  const path = `${config.file}.tasks`;
  const tasks = new EmbeddedTasks({ ...events, path, pool, limits: taskLimits(config) });
  return { tasks, prepare: () => tasks.prepare(), close: () => tasks.close() };
}

/** The limits of either engine. */
export function taskLimits(config: Config): TaskLimits {
  return {
    tasksMax: config.tasksMax,
    resultTtlMs: config.resultTtlMs,
    resultBytesMax: config.resultBudgetBytes,
    attemptsMax: LIMITS.taskAttemptsMax,
  };
}
