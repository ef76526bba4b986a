/**
 * Takes long tasks to the threads that compute, and writes down what becomes of them. Short ones are computed by
 * whoever writes them down (steps.ts), and never get here.
 *
 * Tasks wait in the pool, behind the answers for which somebody waits; the pool says when one starts. That it
 * runs is written while it is computed, and its thread is free once it is: a disk that stalls holds no thread. Results
 * that it has not taken hold up the next tasks from {@link UNWRITTEN_BYTES_MAX} on.
 *
 * A task that is cancelled leaves the pool's queue, or ends with its thread.
 * @module
 */
import { FibError, isFault, toldOf } from "../errors.ts";
import type { Digits } from "../numbers/decimal.ts";
import type { Pool } from "../numbers/pool.ts";
import type { Tracer } from "../tracing.ts";
import { computeLong } from "./compute.ts";
import type { Task } from "./task.ts";
import { beginTaskSpan } from "./task-span.ts";

/** Digits that are computed and not yet on disk, from which on no task starts: three of the longest results. */
const UNWRITTEN_BYTES_MAX = 64 * 2 ** 20;

/** A task of which nothing could be written down is tried again after this. */
const RETRY_MS = 1000;

/** Where an executor writes down what it does. */
export interface Ledger {
  /** Says that a task runs; undefined when it is not to be run any more. */
  readonly begin: (task: Task) => Promise<Task | undefined>;
  /** Keeps the result, and says that the task is ready. */
  readonly finish: (task: Task, digits: Digits) => Promise<void>;
  readonly fail: (task: Task, reason: string) => Promise<void>;
  /** Told of a task that runs and has come further. */
  readonly progressed: (task: Task) => void;
  /** Told of each error that is a bug. */
  readonly onBug: (error: unknown) => void;
  /** Told of each that those who run the server have to put right. */
  readonly onFault: (error: FibError) => void;
}

/** How an executor works. */
export interface ExecutorOptions {
  readonly pool: Pick<Pool, "run" | "holdBackground">;
  readonly ledger: Ledger;
  readonly tracer?: Tracer | undefined;
}

/** A task that waits for a thread, runs, or is being written down. */
interface Held {
  readonly abort: AbortController;
  progress: number;
  /** Settles when it is written down that it runs; undefined until it does. */
  begin: Promise<Task> | undefined;
  /** As that says it. */
  begun: Task | undefined;
  ended: Promise<void>;
}

/** Runs the tasks of one process. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #held = new Map<string, Held>();
  #unwrittenBytes = 0;
  #closed = false;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /** Takes a task that is queued durably, once. */
  submit(task: Task): void {
    if (this.#closed || this.#held.has(task.id)) return;
    const held: Held = {
      abort: new AbortController(),
      progress: 0,
      begin: undefined,
      begun: undefined,
      ended: Promise.resolve(),
    };
    this.#held.set(task.id, held);
    held.ended = this.#run(task, held).finally(() => this.#held.delete(task.id));
  }

  /** Ends a task that waits or runs here. */
  cancel(id: string): void {
    this.#held.get(id)?.abort.abort(new FibError("task_failed", "The task was cancelled"));
  }

  /** How far a running task is, from 0 to 1. */
  progress(id: string): number | undefined {
    return this.#held.get(id)?.progress;
  }

  /**
   * Ends everything, and begins nothing any more.
   *
   * @returns The tasks that had begun and were cut off, once their threads are ending.
   */
  async close(): Promise<string[]> {
    this.#closed = true;
    const held = [...this.#held];
    for (const [, { abort }] of held) abort.abort(new FibError("overloaded", "The server is stopping"));
    await Promise.all(held.map(([, { ended }]) => ended));
    // A thread ends sooner than a write.
    for (const [, { begin }] of held) await begin?.catch(() => {});
    return held.filter(([, { begin }]) => begin !== undefined).map(([id]) => id);
  }

  async #run(task: Task, held: Held): Promise<void> {
    const { pool, ledger, tracer } = this.#options;
    const { signal } = held.abort;
    const span = beginTaskSpan(tracer, task);
    const onStart = () => {
      held.begin = this.#begin(task, held);
      // Looked at when the digits are there.
      held.begin.catch(() => {});
    };
    const onProgress = (progress: number) => {
      held.progress = progress;
      if (held.begun !== undefined) ledger.progressed({ ...held.begun, progress });
    };
    try {
      const digits = await computeLong(pool, task, { background: true, signal, onStart, onProgress, span });
      await this.#finish(digits, held);
      span?.end();
    } catch (error) {
      // Whoever cancelled it has written that down.
      if (signal.aborted) return span?.end("cancelled");
      const reason = error instanceof Error ? error.message : String(error);
      span?.end(reason);
      if (!(error instanceof FibError)) ledger.onBug(error);
      else if (isFault(error)) ledger.onFault(error);
      // Whoever asks for the task is told this.
      const told = error instanceof FibError ? toldOf(error) : reason;
      await ledger.fail(task, told).catch(() => this.#submitLater(task));
    }
  }

  async #begin(task: Task, held: Held): Promise<Task> {
    held.begun = await this.#options.ledger.begin(task);
    if (held.begun !== undefined) return held.begun;
    const reason = new FibError("task_failed", "The task has ended already");
    held.abort.abort(reason);
    throw reason;
  }

  /** Writes the result, once it is written that the task runs. */
  async #finish(digits: Digits, { begin }: Held): Promise<void> {
    const sizeBytes = digits.length;
    this.#countUnwritten(sizeBytes);
    try {
      await this.#options.ledger.finish(await begin!, digits);
    } finally {
      this.#countUnwritten(-sizeBytes);
    }
  }

  #countUnwritten(bytes: number): void {
    const wasFull = this.#unwrittenBytes >= UNWRITTEN_BYTES_MAX;
    this.#unwrittenBytes += bytes;
    const isFull = this.#unwrittenBytes >= UNWRITTEN_BYTES_MAX;
    if (isFull !== wasFull) this.#options.pool.holdBackground(isFull);
  }

  // The disk is full, perhaps: what was accepted is not given up for that.
  #submitLater(task: Task): void {
    setTimeout(() => this.submit(task), RETRY_MS).unref();
  }
}
