/**
 * Tasks for many machines: records in Redis, and BullMQ to bring them to executors. This is the front's side.
 *
 * A task is accepted when its record and its place in the queue are both in Redis. Should a
 * front die between the two, the record waits without a place: nobody was told of the
 * task, and it is put into the queue by the next who asks for the same, or by a front's
 * round through what waits ({@link ROUND_MS}). The same round heals a queue that lost what
 * it had: to put an id in twice is to put it in once.
 *
 * Changes come over a channel, which promises nothing: so whoever watches also looks every {@link LOOK_MS},
 * and after each new connection.
 * @module
 */
import { FibError } from "../errors.ts";
import { type ConnectionEvents, RedisConnection } from "../redis/connection.ts";
import type { RedisPlace } from "../redis/place.ts";
import { Groups } from "../groups.ts";
import { Changes } from "./changes.ts";
import { openQueue, QUEUES, queueOf } from "./delivery.ts";
import type { CancelOptions, StoredResult, TaskFilter, TaskLimits, TaskQueue } from "./queue.ts";
import { CHANGES_CHANNEL, TaskRecords } from "./records.ts";
import { isFinished, requestKey, type Task, type TaskRequest } from "./task.ts";

/** Where the two halves live; they may be one Redis. */
export interface RedisPlaces {
  /** Holds the queue: nothing in it may be lost, so `appendfsync always`. */
  readonly queueUrl: RedisPlace | string;
  /** Holds tasks and results. */
  readonly storeUrl: RedisPlace | string;
  /** All keys begin with it and a colon. */
  readonly prefix: string;
}

export interface RedisTasksOptions extends RedisPlaces {
  readonly limits: TaskLimits;
  /** Told of errors that nobody waits for. */
  readonly onError: (error: Error) => void;
  readonly events?: ConnectionEvents;
}

/** Tasks in one script call, and in one transaction of BullMQ's. */
const GROUP_COUNT_MAX = 200;
/** Tasks that may wait for their group. */
const WAITING_COUNT_MAX = 10_000;
/** A front goes through what waits this often, one front at a time. */
const ROUND_MS = 10_000;
/** How long a task may wait before a round puts it into the queue again. */
const ROUND_AGE_MS = 5000;
const ROUND_COUNT_MAX = 1000;
/** Who watches looks this often, should a message have been lost. */
const LOOK_MS = 2000;

type Queue = Awaited<ReturnType<typeof openQueue>>;
interface Created {
  readonly task: Task;
  readonly created: boolean;
}
interface Wanted {
  readonly request: TaskRequest;
  readonly sizeBytes: number;
}

/** The engine of a front. */
export class RedisTasks implements TaskQueue {
  readonly #options: RedisTasksOptions;
  readonly #store: RedisConnection;
  readonly #records: TaskRecords;
  readonly #queues: Readonly<Record<keyof typeof QUEUES, Queue>>;
  readonly #changes = new Changes();
  readonly #watchCounts = new Map<string, number>();
  readonly #creating = new Groups<Wanted, Created | FibError>(GROUP_COUNT_MAX, (wanted) =>
    this.#createGroup(wanted),
  );
  #listener: RedisConnection | undefined;
  #timers: NodeJS.Timeout[] = [];
  #closed = false;

  private constructor(
    options: RedisTasksOptions,
    store: RedisConnection,
    queues: Readonly<Record<keyof typeof QUEUES, Queue>>,
  ) {
    this.#options = options;
    this.#store = store;
    this.#queues = queues;
    this.#records = new TaskRecords(store, options.limits);
  }

  /**
   * Connects to both places.
   *
   * @throws {@link FibError} `redis_unavailable`, `redis_unusable`.
   */
  static async open(options: RedisTasksOptions): Promise<RedisTasks> {
    const { storeUrl, queueUrl, onError } = options;
    const store = await RedisConnection.open(storeUrl, options.events);
    const [quick, long] = await Promise.all([
      openQueue(queueUrl, "quick", onError),
      openQueue(queueUrl, "long", onError),
    ]);
    const tasks = new RedisTasks(options, store, { quick, long });
    tasks.#listener = await RedisConnection.open(storeUrl, {}, async (client) => {
      await client.subscribe(CHANGES_CHANNEL, (message) => tasks.#onChange(message));
      tasks.#lookAtAll();
    });
    tasks.#timers = [
      setInterval(() => tasks.#lookAtAll(), LOOK_MS),
      setInterval(() => void tasks.#round(), ROUND_MS),
    ];
    for (const timer of tasks.#timers) timer.unref();
    return tasks;
  }

  async create(request: TaskRequest, sizeBytes: number): Promise<Created> {
    const { resultBytesMax } = this.#options.limits;
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
    const outcome = await new Promise<Created | FibError>((resolve) =>
      this.#creating.add({ request, sizeBytes }, resolve),
    );
    if (outcome instanceof FibError) throw outcome;
    return outcome;
  }

  find(id: string): Promise<Task | undefined> {
    return this.#records.find(id);
  }

  list(filter: TaskFilter): Promise<readonly Task[]> {
    return this.#records.list(filter);
  }

  async cancel(id: string, options: CancelOptions = {}): Promise<Task | undefined> {
    const task = await this.#records.cancel(id, options);
    if (task?.state === "cancelled") void this.#queues[queueOf(task)].remove(id);
    return task;
  }

  async forget(id: string): Promise<void> {
    const task = await this.#records.forget(id);
    if (task !== undefined && !isFinished(task.state)) void this.#queues[queueOf(task)].remove(id);
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

  async check(): Promise<void> {
    this.#mustDeliver();
    await this.#store.send("PING", []);
  }

  /** The executors go on; this front takes nothing more. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) clearInterval(timer);
    await this.#creating.idle();
    await Promise.all([this.#queues.quick.close(), this.#queues.long.close()]);
    await this.#listener?.close();
    await this.#store.close();
  }

  async #createGroup(wanted: readonly Wanted[]): Promise<(Created | FibError)[]> {
    try {
      this.#mustDeliver();
      const outcomes = await this.#records.create(wanted);
      await this.#deliver(
        outcomes.flatMap((outcome) =>
          outcome !== "full" && outcome.task.state === "queued" ? outcome.task : [],
        ),
      );
      return outcomes.map((outcome) => (outcome === "full" ? this.#tooMany() : outcome));
    } catch (error) {
      const reason = asFibError(error);
      return wanted.map(() => reason);
    }
  }

  async #deliver(tasks: readonly Task[]): Promise<void> {
    for (const name of ["quick", "long"] as const) {
      const jobs = tasks
        .filter((task) => queueOf(task) === name)
        .map(({ id, request, sizeBytes }) => ({ id, key: requestKey(request), sizeBytes }));
      if (jobs.length > 0) await this.#queues[name].add(jobs);
    }
  }

  #mustDeliver(): void {
    if (!this.#queues.quick.isConnected() || !this.#queues.long.isConnected()) {
      throw new FibError("redis_unavailable", "Cannot queue tasks: the queue's Redis is away; try again");
    }
  }

  /** Puts what waits into the queue once more; see the head of this file. */
  async #round(): Promise<void> {
    try {
      await this.#records.purge();
      const mine = await this.#store.send("SET", ["fibserver:round", "1", "NX", "PX", String(ROUND_MS - 1)]);
      if (mine === null) return;
      const before = Date.now() - ROUND_AGE_MS;
      const [queued, running] = await Promise.all(
        (["queued", "running"] as const).map((state) =>
          this.#records.list({ state, limit: ROUND_COUNT_MAX }),
        ),
      );
      await this.#deliver([...queued!, ...running!].filter(({ createdAtMs }) => createdAtMs < before));
    } catch (error) {
      // The next round is soon; a Redis that is away has been reported by its connection.
      if (asFibError(error).code !== "redis_unavailable") this.#options.onError(error as Error);
    }
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
      `Cannot take this task: ${this.#options.limits.tasksMax} wait or run already; try again`,
    );
  }
}

function asFibError(error: unknown): FibError {
  if (error instanceof FibError) return error;
  return new FibError("redis_unavailable", "Cannot queue tasks: the queue's Redis is away; try again", {
    cause: error,
  });
}

function resultGone(id: string): FibError {
  return new FibError("tasks_io", `Cannot read the result of ${id}: it was forgotten meanwhile`);
}
