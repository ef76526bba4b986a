/**
 * Tasks for many machines: records in Redis, and BullMQ to bring them to executors. This is the front's side.
 *
 * A short task is computed here, and ready when it is accepted: nothing of it waits. A long one is accepted when its
 * record and its place in the queue are both in Redis. Should a front die between the two, the record waits without a
 * place: nobody was told of the task, and it is put into the queue by the next who asks for the same, or by a front's
 * round ({@link Upkeep}). To put an id in twice is to put it in once.
 *
 * Changes come over a channel, which promises nothing: so whoever watches also looks every {@link LOOK_MS},
 * and after each new connection.
 * @module
 */
import { FibError } from "../errors.ts";
import { type ConnectionEvents, RedisConnection } from "../redis/connection.ts";
import { Groups } from "../groups.ts";
import type { RedisPlace } from "../redis/place.ts";
import { Changes } from "./changes.ts";
import { computeShort, isShort } from "./compute.ts";
import { openQueue } from "./delivery.ts";
import type { CancelOptions, StoredResult, TaskFilter, TaskLimits, TaskQueue } from "./queue.ts";
import { type Outcome, TaskRecords, type Wanted } from "./records.ts";
import { SharedLimits } from "./shared-limits.ts";
import { isFinished, type Task, type TaskRequest } from "./task.ts";
import { Upkeep } from "./upkeep.ts";

/** Where the two halves live; they may be one Redis. */
export interface RedisPlaces {
  /** Holds the queue: nothing in it may be lost, so `appendfsync always`. */
  readonly queueUrl: RedisPlace | string;
  /** Holds tasks and results. */
  readonly storeUrl: RedisPlace | string;
  /** What all keys and the channel begin with, before a colon. */
  readonly prefix: string;
}

export interface RedisTasksOptions extends RedisPlaces {
  readonly limits: TaskLimits;
  /** Told of errors that nobody waits for. */
  readonly onError: (error: Error) => void;
  /** Told of limits that others have set to other values. */
  readonly notice?: ((message: string) => void) | undefined;
  readonly events?: ConnectionEvents;
}

/** Tasks in one script call, and in one transaction of BullMQ's. */
const GROUP_COUNT_MAX = 200;
/** Tasks that may wait for their group. */
const WAITING_COUNT_MAX = 10_000;
/** Who watches looks this often, should a message have been lost. */
const LOOK_MS = 2000;

interface Created {
  readonly task: Task;
  readonly created: boolean;
}

/** The engine of a front. */
export class RedisTasks implements TaskQueue {
  readonly #store: RedisConnection;
  /** The Redis of the queue: the same connection when there is one for both. */
  readonly #queueStore: RedisConnection;
  readonly #prefix: string;
  readonly #limits: SharedLimits;
  readonly #records: TaskRecords;
  readonly #queue: Awaited<ReturnType<typeof openQueue>>;
  readonly #upkeep: Upkeep;
  readonly #changes = new Changes();
  readonly #watchCounts = new Map<string, number>();
  readonly #creating = new Groups<Wanted, Created | FibError>(GROUP_COUNT_MAX, (wanted) =>
    this.#createGroup(wanted),
  );
  #listener: RedisConnection | undefined;
  #looking: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(
    options: RedisTasksOptions,
    store: RedisConnection,
    queueStore: RedisConnection,
    queue: Awaited<ReturnType<typeof openQueue>>,
  ) {
    const { prefix, onError } = options;
    this.#store = store;
    this.#queueStore = queueStore;
    this.#prefix = prefix;
    this.#queue = queue;
    this.#limits = new SharedLimits(store, `${prefix}:`, options.limits, options.notice);
    this.#records = new TaskRecords(store, `${prefix}:`, this.#limits);
    this.#upkeep = new Upkeep({
      store,
      queue: queueStore,
      prefix,
      records: this.#records,
      limits: this.#limits,
      deliver: (ids) => this.#deliver(ids),
      onError,
    });
  }

  /**
   * Connects to both places.
   *
   * @throws {@link FibError} `redis_unavailable`, `redis_unusable`.
   */
  static async open(options: RedisTasksOptions): Promise<RedisTasks> {
    const { storeUrl, queueUrl, prefix, onError, events } = options;
    const store = await RedisConnection.open(storeUrl, events);
    const queueStore = queueUrl === storeUrl ? store : await RedisConnection.open(queueUrl, events);
    const tasks = new RedisTasks(options, store, queueStore, await openQueue(queueUrl, prefix, onError));
    await tasks.#limits.agree();
    tasks.#listener = await RedisConnection.open(storeUrl, {}, async (client) => {
      await client.subscribe(`${prefix}:changes`, (message) => tasks.#onChange(message));
      tasks.#lookAtAll();
    });
    tasks.#looking = setInterval(() => tasks.#lookAtAll(), LOOK_MS);
    tasks.#looking.unref();
    return tasks;
  }

  async create(request: TaskRequest, sizeBytes: number, holder = ""): Promise<Created> {
    const { resultBytesMax } = this.#limits.current;
    if (request.kind !== "sequence" && sizeBytes > resultBytesMax) {
      throw new FibError(
        "result_too_large",
        `Cannot store this: it has ${sizeBytes} digits, and there is room for ${resultBytesMax}`,
      );
    }
    if (this.#closed) throw new FibError("overloaded", "Cannot take tasks: the server is stopping");
    if (this.#creating.waitingCount >= WAITING_COUNT_MAX) {
      throw new FibError("overloaded", `Cannot queue: ${WAITING_COUNT_MAX} tasks wait to be accepted`);
    }
    const short = isShort({ request, sizeBytes });
    if (!short) this.#mustDeliver();
    const wanted = {
      request,
      sizeBytes,
      holder,
      outcome: short ? outcomeOf({ request, sizeBytes }) : undefined,
    };
    const created = await new Promise<Created | FibError>((resolve) => this.#creating.add(wanted, resolve));
    if (created instanceof FibError) throw created;
    return created;
  }

  find(id: string): Promise<Task | undefined> {
    return this.#records.find(id);
  }

  list(filter: TaskFilter): Promise<readonly Task[]> {
    return this.#records.list(filter);
  }

  async cancel(id: string, options: CancelOptions = {}): Promise<Task | undefined> {
    const task = await this.#records.cancel(id, options);
    if (task?.state === "cancelled") void this.#queue.remove(id);
    return task;
  }

  async forget(id: string): Promise<void> {
    const task = await this.#records.forget(id);
    if (task !== undefined && !isFinished(task.state)) void this.#queue.remove(id);
  }

  async openResult(id: string): Promise<StoredResult | undefined> {
    const task = await this.#records.find(id);
    if (task?.state !== "ready" || task.request.kind === "sequence") return undefined;
    let chunk: { readonly bytes: Uint8Array; readonly start: number } | undefined;
    const read = async (start: number, end: number) => {
      if (chunk === undefined || start < chunk.start || start >= chunk.start + chunk.bytes.length) {
        chunk = await this.#records.chunkAt(id, start);
      }
      if (chunk === undefined) throw resultGone(id);
      const first = chunk.bytes.subarray(start - chunk.start, end - chunk.start);
      if (first.length === end - start) return first;
      const bytes = new Uint8Array(end - start);
      bytes.set(first);
      chunk = await this.#records.chunkAt(id, end - 1);
      if (chunk === undefined) throw resultGone(id);
      bytes.set(chunk.bytes.subarray(0, end - chunk.start), first.length);
      return bytes;
    };
    return { sizeBytes: task.sizeBytes, read, close: () => {} };
  }

  async *watch(id: string, signal: AbortSignal): AsyncGenerator<Task, void, undefined> {
    this.#watchCounts.set(id, (this.#watchCounts.get(id) ?? 0) + 1);
    try {
      yield* this.#changes.watch(id, signal, () => this.#records.find(id));
    } finally {
      const count = this.#watchCounts.get(id)! - 1;
      if (count > 0) this.#watchCounts.set(id, count);
      else this.#watchCounts.delete(id);
    }
  }

  /** Writes: a Redis that is full, a replica or without enough replicas is of no use. */
  async check(): Promise<void> {
    this.#mustDeliver();
    for (const redis of new Set([this.#store, this.#queueStore])) {
      await redis.send("SET", [`${this.#prefix}:ready`, "1"]);
    }
  }

  /** The executors go on; this front takes nothing more. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#upkeep.stop();
    clearInterval(this.#looking);
    await this.#creating.idle();
    await this.#queue.close();
    await this.#listener?.close();
    for (const redis of new Set([this.#store, this.#queueStore])) await redis.close();
  }

  async #createGroup(wanted: readonly Wanted[]): Promise<(Created | FibError)[]> {
    try {
      const made = await this.#records.create(wanted);
      const waiting = made.flatMap((each) =>
        each !== "full" && each.task.state === "queued" ? each.task.id : [],
      );
      const failure = await this.#deliver(waiting).then(() => undefined, asFibError);
      return made.map((each) => {
        if (each === "full") return this.#tooMany();
        return each.task.state === "queued" && failure !== undefined ? failure : each;
      });
    } catch (error) {
      const reason = asFibError(error);
      return wanted.map(() => reason);
    }
  }

  async #deliver(ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length; at += GROUP_COUNT_MAX) {
      await this.#queue.add(ids.slice(at, at + GROUP_COUNT_MAX));
    }
  }

  #mustDeliver(): void {
    if (!this.#queue.isConnected()) throw queueAway();
  }

  #onChange(message: string): void {
    const [id = ""] = message.split(" ", 1);
    if (this.#watchCounts.has(id)) void this.#look(id);
  }

  #lookAtAll(): void {
    for (const id of this.#watchCounts.keys()) void this.#look(id);
  }

  async #look(id: string): Promise<void> {
    try {
      const task = await this.#records.find(id);
      if (task === undefined) this.#changes.forget(id);
      else this.#changes.publish(task);
    } catch {
      // Redis is away: there is another look when it is back.
    }
  }

  #tooMany(): FibError {
    return new FibError(
      "too_many_tasks",
      `Cannot take another task: ${this.#limits.current.tasksMax} may wait or run, and one address has no more of them than are free; try again later`,
    );
  }
}

/** What a short task comes to. */
function outcomeOf(task: Pick<Task, "request" | "sizeBytes">): Outcome {
  try {
    return { digits: computeShort(task) };
  } catch (error) {
    return { failure: (error as Error).message };
  }
}

// BullMQ throws what Redis says, and what its connection says.
function asFibError(error: unknown): FibError {
  if (error instanceof FibError) return error;
  return /^OOM\b/.test((error as Error).message)
    ? new FibError("redis_full", "Cannot queue tasks: the queue's Redis is full", { cause: error })
    : queueAway(error);
}

function queueAway(cause?: unknown): FibError {
  return new FibError("redis_unavailable", "Cannot queue tasks: the queue's Redis is away; try again", {
    cause,
  });
}

function resultGone(id: string): FibError {
  return new FibError("tasks_io", `Cannot read the result of ${id}: it was forgotten meanwhile`);
}
