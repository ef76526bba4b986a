/**
 * Takes queued tasks to the worker threads, the oldest first, as many at a time as there are slots.
 *
 * Short ones (a few thousand digits, or a sequence, of which only the length is computed) need no slot: they are
 * computed between requests, {@link SHORT_TURN_MS} in each turn of the loop, and overtake the long ones.
 *
 * A task that is cancelled ends with its thread, and its slot is free again within some milliseconds.
 * @module
 */
import { FibError } from "../errors.ts";
import type { Digits } from "../numbers/decimal.ts";
import type { Pool } from "../numbers/pool.ts";
import { INLINE_DIGITS_MAX } from "../numbers/job.ts";
import { computeTask } from "./compute.ts";
import type { Task } from "./task.ts";

/** Longer would be felt by the requests in between. */
const SHORT_TURN_MS = 2;

/** A task of which nothing could be written down is tried again after this. */
const RETRY_MS = 1000;

/** Where an executor writes down what it does. */
export interface Ledger {
  /** Says that a task runs; undefined when it is not to be run any more. */
  readonly begin: (task: Task) => Promise<Task | undefined>;
  /** Keeps the result, and says that the task is ready. */
  readonly finish: (task: Task, digits: Digits | undefined) => Promise<void>;
  readonly fail: (task: Task, reason: string) => Promise<void>;
  /** Told of a task that runs and has come further. */
  readonly progressed: (task: Task) => void;
  /** Told of each error that is a bug. */
  readonly onBug: (error: unknown) => void;
}

/** How an executor works. */
export interface ExecutorOptions {
  readonly pool: Pick<Pool, "run">;
  /** Long tasks that run at the same time. */
  readonly slots: number;
  readonly ledger: Ledger;
}

interface Running {
  readonly abort: AbortController;
  progress: number;
  ended: Promise<void>;
}

/** Runs the tasks of one process. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #short = new Map<string, Task>();
  readonly #long = new Map<string, Task>();
  readonly #running = new Map<string, Running>();
  #slotsUsed = 0;
  #shortScheduled = false;
  #closed = false;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /** Takes a task that is queued durably. */
  submit(task: Task): void {
    if (this.#closed) return;
    const isShort = task.request.kind === "sequence" || task.sizeBytes <= INLINE_DIGITS_MAX;
    (isShort ? this.#short : this.#long).set(task.id, task);
    if (isShort) this.#scheduleShort();
    else this.#startLong();
  }

  /** Ends a task that waits or runs here. */
  cancel(id: string): void {
    this.#short.delete(id);
    this.#long.delete(id);
    this.#running.get(id)?.abort.abort(new FibError("task_failed", "The task was cancelled"));
  }

  /** How far a running task is, from 0 to 1. */
  progress(id: string): number | undefined {
    return this.#running.get(id)?.progress;
  }

  /**
   * Ends everything, and begins nothing any more.
   *
   * @returns The long tasks that were cut off, once their threads are ending.
   */
  async close(): Promise<string[]> {
    this.#closed = true;
    this.#short.clear();
    this.#long.clear();
    const cut = [...this.#running];
    for (const [, { abort }] of cut) abort.abort(new FibError("overloaded", "The server is stopping"));
    await Promise.all(cut.map(([, { ended }]) => ended));
    return cut.map(([id]) => id);
  }

  #scheduleShort(): void {
    if (this.#shortScheduled || this.#short.size === 0) return;
    this.#shortScheduled = true;
    setImmediate(() => {
      this.#shortScheduled = false;
      const endMs = performance.now() + SHORT_TURN_MS;
      for (const [id, task] of this.#short) {
        this.#short.delete(id);
        this.#start(task, false);
        if (performance.now() > endMs) break;
      }
      this.#scheduleShort();
    });
  }

  #startLong(): void {
    for (const [id, task] of this.#long) {
      if (this.#slotsUsed >= this.#options.slots) return;
      this.#long.delete(id);
      this.#slotsUsed++;
      this.#start(task, true);
    }
  }

  #start(task: Task, isLong: boolean): void {
    const running: Running = { abort: new AbortController(), progress: 0, ended: Promise.resolve() };
    this.#running.set(task.id, running);
    running.ended = this.#run(task, isLong, running).finally(() => {
      this.#running.delete(task.id);
      if (isLong) this.#slotsUsed--;
      this.#startLong();
    });
  }

  // The disk is full, perhaps: what was accepted is not given up for that.
  #submitLater(task: Task): void {
    setTimeout(() => this.submit(task), RETRY_MS).unref();
  }

  async #run(task: Task, isLong: boolean, running: Running): Promise<void> {
    const { pool, ledger } = this.#options;
    const { signal } = running.abort;
    let begun: Task | undefined = task;
    const onProgress = (progress: number) => {
      running.progress = progress;
      if (begun !== undefined) ledger.progressed({ ...begun, progress });
    };
    try {
      if (isLong) begun = await ledger.begin(task);
      if (begun === undefined) return;
      const digits = await computeTask(pool, task, { signal, onProgress });
      await ledger.finish(begun, digits);
    } catch (error) {
      // Whoever cancelled it has written that down.
      if (signal.aborted) return;
      if (!(error instanceof FibError)) ledger.onBug(error);
      const reason = error instanceof Error ? error.message : String(error);
      await ledger.fail(task, reason).catch(() => this.#submitLater(task));
    }
  }
}
