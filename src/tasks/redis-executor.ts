/**
 * The executor: takes long tasks from the queue, computes them on threads, and writes results.
 *
 * Nothing is computed on this thread: it renews the locks by which the others know that this executor lives. A Redis
 * that is away or full while a result is ready is waited for. Should another executor have begun the same task
 * meanwhile (this one was stopped, or cut off for longer than a lock), the task is the other's: each step names the
 * attempt that it is made for, and the first that is refused ends this one's.
 *
 * What only a newer version can compute is not begun: its delivery ends, and the next round of a front ({@link Upkeep})
 * makes another, until an executor has it that knows the kind. Given back to the queue it would be the next again.
 * @module
 */
import { WaitingError } from "bullmq";
import { FibError, isPassing } from "../errors.ts";
import type { Digits } from "../numbers/decimal.ts";
import type { Pool } from "../numbers/pool.ts";
import type { Tracer } from "../tracing.ts";
import { computeLong } from "./compute.ts";
import { type Delivery, openWorker } from "./delivery.ts";
import type { OnTaskEnd } from "./queue.ts";
import { type Attempt, isChunked, type Outcome, stateOf } from "./records.ts";
import { SharedStore, type SharedStoreOptions } from "./shared-store.ts";
import { beginTaskSpan } from "./task-span.ts";
import { isFinished, type Task, type TaskState } from "./task.ts";

export interface RedisExecutorOptions extends SharedStoreOptions {
  /** Computes the tasks, as many at the same time as it has threads. */
  readonly pool: Pick<Pool, "run" | "threads">;
  readonly onError: (error: Error) => void;
  readonly onTaskEnd?: OnTaskEnd | undefined;
  readonly tracer?: Tracer | undefined;
}

/** Progress is written this often. */
const PROGRESS_MS = 100;
/** Pause before Redis is asked again for what must not get lost. */
const RETRY_MS = 250;
/** What has not been given back after this, when the executor ends, is found by the others when its lock is. */
const CLOSE_TIMEOUT_MS = 3000;

/** One executor: as many as you like share the queue. */
export class RedisExecutor {
  readonly #options: Pick<RedisExecutorOptions, "pool" | "onTaskEnd" | "tracer">;
  readonly #running = new Map<string, AbortController>();
  // Set by open().
  #shared!: SharedStore;
  #worker!: Awaited<ReturnType<typeof openWorker>>;
  #closing = false;
  /** Tasks that could not be given back. */
  #keptCount = 0;

  private constructor(options: RedisExecutorOptions) {
    this.#options = options;
  }

  /**
   * Connects, and takes tasks from then on.
   *
   * @throws {@link FibError} `redis_unavailable`, `redis_unusable`.
   */
  static async open(options: RedisExecutorOptions): Promise<RedisExecutor> {
    const { queue, prefix, pool, onError } = options;
    const executor = new RedisExecutor(options);
    executor.#shared = await SharedStore.open(options, {
      onChange: (id, state) => executor.#onChange(id, state),
      onListening: () => {
        for (const id of executor.#running.keys()) void executor.#lookAt(id);
      },
    });
    const process = (job: Delivery, token: string) => executor.#do(job, token);
    executor.#worker = await openWorker(queue, prefix, pool.threads, process, onError);
    return executor;
  }

  /** Whether both halves of its Redis can be asked now. */
  get isConnected(): boolean {
    return this.#shared.isConnected && this.#worker.isConnected();
  }

  /** @throws {@link FibError} when it cannot take tasks now. */
  async check(): Promise<void> {
    if (this.#closing) throw new FibError("overloaded", "Cannot take tasks: the executor is stopping");
    if (!this.#worker.isConnected())
      throw new FibError("redis_unavailable", "Cannot take tasks: the queue's Redis is away; try again");
    await this.#shared.check();
  }

  /**
   * Gives back what it computes, at once, and ends.
   *
   * @returns How many tasks could not be given back in time: others begin them when their locks have run out.
   */
  async close(): Promise<number> {
    if (this.#closing) return 0;
    this.#closing = true;
    for (const abort of this.#running.values()) abort.abort(new Error("the executor ends"));
    await Promise.race([this.#worker.close(), Bun.sleep(CLOSE_TIMEOUT_MS)]);
    const left = this.#running.size + this.#keptCount;
    await this.#shared.close();
    return left;
  }

  async #do(delivery: Delivery, token: string): Promise<void> {
    const { id = "" } = delivery;
    const abort = new AbortController();
    // Brought again because its lock was lost: the attempt before may write nothing any more.
    this.#running.get(id)?.abort(new Error("it is begun again"));
    this.#running.set(id, abort);
    try {
      const begun = await this.#insist(() => this.#shared.records.begin(id));
      if (begun?.state === "failed") this.#options.onTaskEnd?.(begun);
      const task = begun?.state === "running" ? begun : undefined;
      if (task !== undefined) await this.#compute(task, abort);
      if (!this.#closing || !abort.signal.aborted) return;
      if (task !== undefined) await this.#shared.records.requeue(task);
      await delivery.moveToWait(token);
    } catch (error) {
      // The queue brings it again at once; when this executor ends, once its lock has run out.
      if (this.#closing) this.#keptCount++;
      else await Bun.sleep(RETRY_MS);
      throw error;
    } finally {
      if (this.#running.get(id) === abort) this.#running.delete(id);
    }
    throw new WaitingError();
  }

  async #compute(task: Task, abort: AbortController): Promise<void> {
    const { signal } = abort;
    const { pool, onTaskEnd, tracer } = this.#options;
    const span = beginTaskSpan(tracer, task);
    let toldAtMs = -Infinity;
    const onProgress = (fraction: number) => {
      if (performance.now() - toldAtMs < PROGRESS_MS) return;
      toldAtMs = performance.now();
      this.#shared.records.progress(task, fraction).then(
        (goesOn) => goesOn || abort.abort(new Error("it is another's")),
        () => {},
      );
    };
    try {
      const digits = await computeLong(pool, task, { background: true, signal, onProgress, span });
      let ended: "done" | "over" | "torn";
      do {
        if (isChunked(digits) && !(await this.#write(task, digits, signal))) return;
        ended = await this.#finish(task, { digits });
      } while (ended === "torn");
      if (ended !== "done") return;
      // By now it may be aborted, because it has heard itself that the task has ended.
      span?.end();
      onTaskEnd?.({ ...task, state: "ready" });
    } catch (error) {
      // Cancelled, another's, or this executor ends: there is nothing to write.
      if (signal.aborted) return;
      const reason = (error as Error).message;
      span?.end(reason);
      const ended = await this.#finish(task, { failure: reason });
      if (ended === "done") onTaskEnd?.({ ...task, state: "failed", reason });
    } finally {
      span?.end(signal.aborted ? (signal.reason as Error).message : undefined);
    }
  }

  /**
   * Writes the chunks of a result. Room that cannot be filled is given back before it is asked for again: several that hold a part of
   * a full Redis would wait for each other for ever.
   *
   * @returns false when the task is not this attempt's any more.
   */
  async #write(attempt: Attempt, digits: Digits, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      signal.throwIfAborted();
      const reserved = await this.#insist(() => this.#shared.records.reserve(attempt, digits));
      if (reserved === "over") return false;
      try {
        if (reserved) return await this.#shared.records.putChunks(attempt, digits, signal);
      } catch (error) {
        if (signal.aborted || !isPassing(error)) throw error;
        await this.#insist(() => this.#shared.records.unreserve(attempt));
      }
      // Not all at the same time again.
      await Bun.sleep(RETRY_MS * (1 + Math.random()));
    }
  }

  /**
   * Ends an attempt. "done" also when that was done before, and the answer that said so was lost: nobody else ends a task
   * so by this attempt.
   */
  async #finish(task: Task, outcome: Outcome): Promise<"done" | "over" | "torn"> {
    const { records } = this.#shared;
    const ended = await this.#insist(() => records.finish(task, outcome));
    if (ended !== "over") return ended;
    const found = await this.#insist(() => records.find(task.id));
    const isOurs = found?.attempts === task.attempts && found.state === stateOf(outcome);
    return isOurs && found.reason === outcome.failure ? "done" : "over";
  }

  /** Asks until Redis is there; throws what does not pass by itself, and everything once this executor ends. */
  async #insist<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!isPassing(error) || this.#closing) throw error;
        await Bun.sleep(RETRY_MS);
      }
    }
  }

  #onChange(id: string, state: TaskState | "forgotten"): void {
    if (state === "forgotten" || isFinished(state)) this.#running.get(id)?.abort(new Error(`it is ${state}`));
  }

  async #lookAt(id: string): Promise<void> {
    const task = await this.#shared.records.find(id).catch(() => "unknown" as const);
    if (task === "unknown") return;
    if (task === undefined || isFinished(task.state)) this.#running.get(id)?.abort(new Error("it has ended"));
  }
}
