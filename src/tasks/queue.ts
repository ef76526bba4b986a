/**
 * What every engine of tasks can do: SQLite beside the cursor file, or Redis.
 *
 * The promises, kept by either and tested by one suite:
 * - what `create` has resolved is durable, and computed to the end: it survives kill -9 of whoever runs it;
 * - a result is visible once, whole; one that is half written never is;
 * - the same computation asked twice is one task, unless the first has failed, was cancelled or has expired;
 * - what is cancelled or forgotten while somebody asks for the same is decided in one step: who asked before has joined
 *   the task and is counted, whoever asks after that gets another one;
 * - a result that can be generated faster than read (a sequence) is not stored: `ready` says that it can be sent.
 *
 * A method that cannot reach the store throws {@link FibError}: `tasks_io`, or `tasks_locked` while another process has
 * it; on Redis `redis_unavailable`, `redis_full`, `redis_unusable` or `not_replicated`.
 * @module
 */
import type { Origin } from "../tracing.ts";
import type { Task, TaskRequest, TaskState } from "./task.ts";

/** The limits of an engine. */
export interface TaskLimits {
  /** Tasks that wait or run; more are refused with `too_many_tasks`. A long request counts as several: see `weightOf`. */
  readonly tasksMax: number;
  /** How long a finished task is kept. */
  readonly resultTtlMs: number;
  /** Room for all stored results; the oldest are forgotten when it is used up. */
  readonly resultBytesMax: number;
  /** A task that was begun so often, and whose executor died each time, fails. */
  readonly attemptsMax: number;
}

/**
 * A page of tasks ends behind the one with which what they ask for has so many characters, whatever its limit: a page may
 * be of a thousand tasks, and each of them may have 15,000.
 */
export const PAGE_CHARS_MAX = 128 * 1024;

/** Whether a page has ended for that, and there may be more. */
export function isFullPage(tasks: readonly Pick<Task, "request">[]): boolean {
  const chars = tasks.reduce((total, { request }) => total + request.length, 0);
  return chars >= PAGE_CHARS_MAX;
}

/** In the order of creation, or against it. */
export const LIST_ORDERS = ["oldest", "newest"] as const;

/** Which comes first. */
type ListOrder = (typeof LIST_ORDERS)[number];

/** Which tasks to list: at most `limit`, and fewer where {@link isFullPage}. */
export interface TaskFilter {
  readonly state?: TaskState | undefined;
  readonly limit: number;
  /** Begin behind this id, which need not exist any more. */
  readonly after?: string | undefined;
  /** The oldest, unless the newest is to come first. */
  readonly order?: ListOrder | undefined;
}

/** When a task is to be cancelled. */
export interface CancelOptions {
  /** Not when it was asked for more than once: the others want it still. */
  readonly unlessShared?: boolean | undefined;
}

/** A result that is being read. It stays readable until it is closed where the engine can do that. */
export interface StoredResult {
  readonly sizeBytes: number;
  /**
   * The bytes from `start` to before `end`: 1 to 256 KiB of them, within the result.
   *
   * @returns Memory that may be used again by the next read.
   * @throws {@link FibError} `tasks_io`, or `task_unknown`, when the result was forgotten meanwhile.
   */
  readonly read: (start: number, end: number) => Promise<Uint8Array>;
  /** May be called more than once. */
  readonly close: () => void;
}

/** What asking for a task comes to. */
export interface Created {
  readonly task: Task;
  /** false for one that was there. */
  readonly created: boolean;
}

/** What an engine holds. */
export interface TaskCounts {
  readonly states: Readonly<Record<TaskState, number>>;
  /** How long the oldest that is queued has waited, in ms; 0 when none is. */
  readonly oldestQueuedMs: number;
  /** What finished tasks take of {@link TaskLimits.resultBytesMax}. */
  readonly resultBytes: number;
}

/** An engine that has never had a task. */
export const NO_TASKS: TaskCounts = {
  states: { queued: 0, running: 0, ready: 0, failed: 0, cancelled: 0 },
  oldestQueuedMs: 0,
  resultBytes: 0,
};

/** A task that has ended: its state says how, and its reason why when it has failed. */
export type EndedTask = Pick<Task, "id" | "request" | "attempts" | "origin" | "state" | "reason">;

/** Hears of each task that this process has ended, once that is durable. */
export type OnTaskEnd = (ended: EndedTask) => void;

export interface TaskQueue {
  /**
   * Accepts a task, or finds the one that is there for the same computation, and counts that if it waits or runs.
   *
   * @param sizeBytes - As {@link Task} has it; checked against the limits by the caller.
   * @param holder - Who asks, such as a client's address. None of them uses up what there is for all.
   * @param origin - The request by which it is made, for the log and for traces; of one that is there the first stays.
   * @returns The task once it is durable.
   * @throws {@link FibError} `too_many_tasks`; `result_too_large`, when it alone exceeds the room for results.
   */
  create(request: TaskRequest, sizeBytes: number, holder?: string, origin?: Origin): Promise<Created>;

  /** The task, or undefined when there is none, or none any more. */
  find(id: string): Promise<Task | undefined>;

  list(filter: TaskFilter): Promise<readonly Task[]>;

  /**
   * Cancels a task that waits or runs, and ends its thread; a finished one stays as it is, so it is safe to repeat.
   *
   * @returns The task as it is afterwards, or undefined when there is none.
   */
  cancel(id: string, options?: CancelOptions): Promise<Task | undefined>;

  /**
   * Removes a task with its result, whatever its state; the thread of one that runs is ended. Resolves in the same way
   * when there is none.
   */
  forget(id: string): Promise<void>;

  /** The text of a ready number; undefined when there is none. Never called for a sequence. */
  openResult(id: string): Promise<StoredResult | undefined>;

  /**
   * The task as it is, then each change, and ends behind a finished state, when the task is forgotten, and with the
   * signal (without throwing). A slow reader misses what has been overtaken. No task: no values.
   */
  watch(id: string, signal: AbortSignal): AsyncIterable<Task>;

  /** What it holds. @throws {@link FibError} when that cannot be seen. */
  count(): Promise<TaskCounts>;

  /** Resolves when the engine can work. @throws {@link FibError} when it cannot. */
  check(): Promise<void>;

  /** Stops computing; what runs is queued again by the next start. */
  close(): Promise<void>;
}
