/**
 * Which engine runs the tasks: the one place that chooses.
 * @module
 */
import { type Config, LIMITS } from "../config.ts";
import { Pool } from "../numbers/pool.ts";
import { EmbeddedTasks } from "../tasks/embedded.ts";
import type { TaskQueue } from "../tasks/queue.ts";

/** The tasks of a server, with what computes them. */
export interface Engine {
  readonly tasks: TaskQueue;
  /** Ends what runs; it is queued again by the next start. */
  readonly close: () => Promise<void>;
}

/** Who hears of what happens to tasks outside of requests. */
export interface EngineEvents {
  readonly notice: (message: string) => void;
  readonly onBug: (error: unknown) => void;
}

/**
 * Opens the engine. Never fails: tasks that cannot be had are answered with the reason.
 */
export function openEngine(config: Config, events: EngineEvents): Engine {
  const slots = config.computationsMax;
  // Threads of their own: a request that waits for its number does not queue behind tasks.
  const pool = new Pool({ threads: slots, queueMax: slots });
  const tasks = new EmbeddedTasks({
    ...events,
    path: `${config.file}.tasks`,
    pool,
    slots,
    limits: {
      tasksMax: config.tasksMax,
      resultTtlMs: config.resultTtlMs,
      resultBytesMax: config.resultBudgetBytes,
      attemptsMax: LIMITS.taskAttemptsMax,
    },
  });
  const close = async () => {
    await tasks.close();
    await pool.close();
  };
  return { tasks, close };
}
