/**
 * The executor: takes tasks from the queue, computes them on threads, and writes results.
 *
 * Nothing is computed on this thread that takes longer than 0.4 ms: it renews the locks by which
 * the others know that this executor lives. A Redis that is away while a result is ready is
 * waited for; should another executor have begun the same task meanwhile, whoever is first
 * ends it, and both have computed the same digits.
 * @module
 */
import { WaitingError } from "bullmq";
import { FibError } from "../errors.ts";
import type { Pool } from "../numbers/pool.ts";
import { type ConnectionEvents, RedisConnection } from "../redis/connection.ts";
import { Groups } from "../groups.ts";
import { computeLong, computeShort } from "./compute.ts";
import { type Delivery, openWorker } from "./delivery.ts";
import type { TaskLimits } from "./queue.ts";
import { CHANGES_CHANNEL, type Finished, TaskRecords } from "./records.ts";
import type { RedisPlaces } from "./redis.ts";
import { isFinished, requestOfKey, type Task } from "./task.ts";

export interface RedisExecutorOptions extends RedisPlaces {
  readonly limits: TaskLimits;
  /** Computes the long tasks, as many at the same time as it has threads. */
  readonly pool: Pick<Pool, "run" | "threads">;
  readonly onError: (error: Error) => void;
  readonly events?: ConnectionEvents;
}

/** Quick tasks that are under way at the same time: they wait for Redis and not for the CPU. */
const QUICK_CONCURRENCY = 50;
const GROUP_COUNT_MAX = 100;
/** Progress is written this often. */
const PROGRESS_MS = 100;
/** Pause before Redis is asked again for what must not get lost. */
const RETRY_MS = 250;
/** What has not been given back after this, when the executor ends, is found by the others when its lock is. */
const CLOSE_TIMEOUT_MS = 3000;

/** One executor: as many as you like share the queue. */
export class RedisExecutor {
  readonly #options: RedisExecutorOptions;
  readonly #store: RedisConnection;
  readonly #records: TaskRecords;
  readonly #running = new Map<string, AbortController>();
  readonly #finishing = new Groups<Finished, Error | undefined>(GROUP_COUNT_MAX, async (finished) => {
    const error = await this.#records.finish(finished).catch((reason: Error) => reason);
    return finished.map(() => error ?? undefined);
  });
  #listener: RedisConnection | undefined;
  #workers: ReturnType<typeof openWorker>[] = [];
  #closing = false;

  private constructor(options: RedisExecutorOptions, store: RedisConnection) {
    this.#options = options;
    this.#store = store;
    this.#records = new TaskRecords(store, options.limits);
  }

  /**
   * Connects, and takes tasks from then on.
   *
   * @throws {@link FibError} `redis_unavailable`, `redis_unusable`.
   */
  static async open(options: RedisExecutorOptions): Promise<RedisExecutor> {
    const { storeUrl, queueUrl, pool, onError } = options;
    const store = await RedisConnection.open(storeUrl, options.events);
    const executor = new RedisExecutor(options, store);
    executor.#listener = await RedisConnection.open(storeUrl, {}, async (client) => {
      await client.subscribe(CHANGES_CHANNEL, (message) => executor.#onChange(message));
      // What was said while nobody listened.
      for (const id of executor.#running.keys()) void executor.#lookAt(id);
    });
    executor.#workers = [
      openWorker(queueUrl, "quick", QUICK_CONCURRENCY, (delivery) => executor.#doQuick(delivery), onError),
      openWorker(queueUrl, "long", pool.threads, (job, token) => executor.#doLong(job, token), onError),
    ];
    return executor;
  }

  /** Gives back what it computes, at once, and ends. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    for (const abort of this.#running.values()) abort.abort(new Error("the executor ends"));
    const closed = Promise.all(this.#workers.map((worker) => worker.close()));
    await Promise.race([closed, Bun.sleep(CLOSE_TIMEOUT_MS)]);
    await this.#listener?.close();
    await this.#store.close();
  }

  async #doQuick({ id = "", data }: Delivery): Promise<void> {
    let finished: Finished;
    try {
      const task = { request: requestOfKey(data.key), sizeBytes: data.sizeBytes };
      finished = { id, digits: computeShort(task) };
    } catch (error) {
      finished = { id, failure: (error as Error).message };
    }
    await this.#finish(finished);
  }

  async #doLong(delivery: Delivery, token: string): Promise<void> {
    const { id = "" } = delivery;
    const abort = new AbortController();
    this.#running.set(id, abort);
    try {
      const task = await this.#insist(() => this.#records.begin(id));
      if (task !== undefined) await this.#compute(task, abort.signal);
    } finally {
      this.#running.delete(id);
    }
    if (this.#closing && abort.signal.aborted) {
      await this.#records.requeue(id);
      await delivery.moveToWait(token);
      throw new WaitingError();
    }
  }

  async #compute(task: Task, signal: AbortSignal): Promise<void> {
    let toldAtMs = -Infinity;
    const onProgress = (fraction: number) => {
      if (performance.now() - toldAtMs < PROGRESS_MS) return;
      toldAtMs = performance.now();
      this.#records.progress(task.id, fraction).catch(() => {});
    };
    let finished: Finished;
    try {
      const digits = await computeLong(this.#options.pool, task, { background: true, signal, onProgress });
      await this.#insist(() => this.#records.putChunks(task.id, digits));
      finished = { id: task.id, digits };
    } catch (error) {
      // Cancelled, ended by another executor, or this one ends: there is nothing to write.
      if (signal.aborted) return;
      finished = { id: task.id, failure: (error as Error).message };
    }
    await this.#finish(finished);
  }

  async #finish(finished: Finished): Promise<void> {
    await this.#insist(async () => {
      const error = await new Promise<Error | undefined>((resolve) => this.#finishing.add(finished, resolve));
      if (error) throw error;
    });
  }

  /** Asks until Redis is there; throws what does not pass by itself, and everything once this executor ends. */
  async #insist<T>(ask: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        const passes = error instanceof FibError && error.code === "redis_unavailable";
        if (!passes || this.#closing) throw error;
        await Bun.sleep(RETRY_MS);
      }
    }
  }

  #onChange(message: string): void {
    const [id = "", state = ""] = message.split(" ");
    if (state !== "queued" && state !== "running") this.#running.get(id)?.abort(new Error(`it is ${state}`));
  }

  async #lookAt(id: string): Promise<void> {
    const task = await this.#records.find(id).catch(() => "unknown" as const);
    if (task === "unknown") return;
    if (task === undefined || isFinished(task.state)) this.#running.get(id)?.abort(new Error("it has ended"));
  }
}
