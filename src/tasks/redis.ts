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
import { Groups } from "../groups.ts";
import { kindOf } from "../redis/client.ts";
import type { Origin } from "../tracing.ts";
import { Changes } from "./changes.ts";
import { type Computable, computeShort, isShort } from "./compute.ts";
import { openQueue } from "./delivery.ts";
import type {
  CancelOptions,
  Created,
  OnTaskEnd,
  StoredResult,
  TaskCounts,
  TaskFilter,
  TaskQueue,
} from "./queue.ts";
import type { Outcome, Wanted } from "./records.ts";
import { RESULT_CHUNK_BYTES } from "./script-base.ts";
import { SharedStore, type SharedStoreOptions } from "./shared-store.ts";
import { isFinished, kindOf as requestKind, type Task, type TaskRequest } from "./task.ts";
import { Upkeep } from "./upkeep.ts";

export interface RedisTasksOptions extends SharedStoreOptions {
  /** Told of errors that nobody waits for. */
  readonly onError: (error: Error) => void;
  /** Told of what ends here: a short one, or one that was cancelled. */
  readonly onTaskEnd?: OnTaskEnd | undefined;
}

/** Tasks in one script call, and in one transaction of BullMQ's. */
const GROUP_COUNT_MAX = 200;
/** Tasks that may wait for their group. */
const WAITING_COUNT_MAX = 10_000;
/** Who watches looks this often, should a message have been lost. */
const LOOK_MS = 2000;

type Queue = Awaited<ReturnType<typeof openQueue>>;

/** The engine of a front. */
export class RedisTasks implements TaskQueue {
  readonly #shared: SharedStore;
  readonly #queue: Queue;
  readonly #upkeep: Upkeep;
  readonly #onTaskEnd: OnTaskEnd | undefined;
  readonly #changes = new Changes();
  readonly #watchCounts = new Map<string, number>();
  readonly #creating = new Groups<Wanted, Created | FibError>(GROUP_COUNT_MAX, (wanted) =>
    this.#createGroup(wanted),
  );
  readonly #looking: NodeJS.Timeout;
  #closed = false;

  private constructor(shared: SharedStore, queue: Queue, { onError, onTaskEnd }: RedisTasksOptions) {
    this.#shared = shared;
    this.#queue = queue;
    this.#onTaskEnd = onTaskEnd;
    this.#upkeep = new Upkeep({ shared, deliver: (ids) => this.#deliver(ids), onError });
    this.#looking = setInterval(() => this.#lookAtAll(), LOOK_MS);
    this.#looking.unref();
  }

  /**
   * Connects to both places.
   *
   * @throws {@link FibError} `redis_unavailable`, `redis_unusable`.
   */
  static async open(options: RedisTasksOptions): Promise<RedisTasks> {
    let tasks: RedisTasks | undefined;
    const shared = await SharedStore.open(options, {
      onChange: (id) => tasks && tasks.#onChange(id),
      onListening: () => tasks && tasks.#lookAtAll(),
    });
    const { prefix, onError } = options;
    tasks = new RedisTasks(shared, await openQueue(options.queue, prefix, onError), options);
    return tasks;
  }

  async create(request: TaskRequest, sizeBytes: number, holder = "", origin: Origin = {}): Promise<Created> {
    const { resultBytesMax } = this.#shared.limits.current;
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
      origin,
      outcome: short ? outcomeOf({ request, sizeBytes }) : undefined,
    };
    const created = await new Promise<Created | FibError>((resolve) => this.#creating.add(wanted, resolve));
    if (created instanceof FibError) throw created;
    return created;
  }

  find(id: string): Promise<Task | undefined> {
    return this.#shared.records.find(id);
  }

  list(filter: TaskFilter): Promise<readonly Task[]> {
    return this.#shared.records.list(filter);
  }

  count(): Promise<TaskCounts> {
    return this.#shared.records.count();
  }

  async cancel(id: string, options: CancelOptions = {}): Promise<Task | undefined> {
    const { task, hasEnded } = await this.#shared.records.cancel(id, options);
    if (hasEnded && task !== undefined) this.#onTaskEnd?.(task);
    if (task?.state === "cancelled") void this.#queue.remove(id);
    return task;
  }

  async forget(id: string): Promise<void> {
    const task = await this.#shared.records.forget(id);
    if (task !== undefined && !isFinished(task.state)) void this.#queue.remove(id);
  }

  async openResult(id: string): Promise<StoredResult | undefined> {
    const { records } = this.#shared;
    const task = await records.find(id);
    if (task?.state !== "ready" || requestKind(task.request) === "sequence") return undefined;
    // Read before anything is promised: the result may just have given way to another.
    let chunk = await records.chunkAt(id, 0);
    if (chunk === undefined) return undefined;
    const chunkAt = async (at: number) => {
      const { start, bytes } = chunk!;
      if (at < start || at >= start + bytes.length) chunk = await records.chunkAt(id, at);
      if (chunk === undefined) throw resultGone(id);
      return chunk;
    };
    const read = async (start: number, end: number) => {
      const first = await chunkAt(start);
      const part = first.bytes.subarray(start - first.start, end - first.start);
      if (part.length === end - start) return part;
      const bytes = new Uint8Array(end - start);
      bytes.set(part);
      const next = await chunkAt(start + part.length);
      bytes.set(next.bytes.subarray(0, end - next.start), part.length);
      return bytes;
    };
    // One that is no longer than a chunk is all there: of what has no known length this is it.
    const sizeBytes = chunk.bytes.length < RESULT_CHUNK_BYTES ? chunk.bytes.length : task.sizeBytes;
    return { sizeBytes, read, close: () => {} };
  }

  async *watch(id: string, signal: AbortSignal): AsyncGenerator<Task, void, undefined> {
    this.#watchCounts.set(id, (this.#watchCounts.get(id) ?? 0) + 1);
    try {
      yield* this.#changes.watch(id, signal, () => this.#shared.records.find(id));
    } finally {
      const count = this.#watchCounts.get(id)! - 1;
      if (count > 0) this.#watchCounts.set(id, count);
      else this.#watchCounts.delete(id);
    }
  }

  /** Whether both halves of its Redis can be asked now. */
  get isConnected(): boolean {
    return this.#shared.isConnected && this.#queue.isConnected();
  }

  async check(): Promise<void> {
    this.#mustDeliver();
    await this.#shared.check();
  }

  /** The executors go on; this front takes nothing more. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#upkeep.stop();
    clearInterval(this.#looking);
    await this.#creating.idle();
    await this.#queue.close();
    await this.#shared.close();
  }

  async #createGroup(wanted: readonly Wanted[]): Promise<(Created | FibError)[]> {
    try {
      const made = await this.#shared.records.create(wanted);
      for (const each of made) {
        if (each !== "full" && each.created && isFinished(each.task.state)) this.#onTaskEnd?.(each.task);
      }
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

  #onChange(id: string): void {
    if (this.#watchCounts.has(id)) void this.#look(id);
  }

  #lookAtAll(): void {
    for (const id of this.#watchCounts.keys()) void this.#look(id);
  }

  async #look(id: string): Promise<void> {
    try {
      const task = await this.#shared.records.find(id);
      if (task === undefined) this.#changes.forget(id);
      else this.#changes.publish(task);
    } catch {
      // Redis is away: there is another look when it is back.
    }
  }

  #tooMany(): FibError {
    return new FibError(
      "too_many_tasks",
      `Cannot take another task: ${this.#shared.limits.current.tasksMax} may wait or run, where long requests count as several, and one address has no more of them than are free; try again later`,
    );
  }
}

/** What a short task comes to. */
function outcomeOf(task: Computable): Outcome {
  try {
    return { digits: computeShort(task) };
  } catch (error) {
    return { failure: (error as Error).message };
  }
}

// BullMQ throws what Redis says, such as WRONGTYPE, and what its connection says.
function asFibError(error: unknown): FibError {
  if (error instanceof FibError) return error;
  const { message } = error as Error;
  const kind = kindOf(message);
  const code = kind === "OOM" ? "redis_full" : "redis_unusable";
  if (kind !== "OOM" && kind !== "WRONGTYPE" && kind !== "NOPERM") return queueAway(error);
  return new FibError(code, `Cannot queue tasks: the queue's Redis says ${message}`, { cause: error });
}

function queueAway(cause?: unknown): FibError {
  return new FibError("redis_unavailable", "Cannot queue tasks: the queue's Redis is away; try again", {
    cause,
  });
}

function resultGone(id: string): FibError {
  return new FibError(
    "task_unknown",
    `Cannot read the result of ${id}: it was forgotten, or gave way to others`,
  );
}
