/**
 * Tasks and results in Redis, as calls: `scripts.ts` has what is stored, and the steps.
 * @module
 */
import type { Digits } from "../numbers/decimal.ts";
import type { RedisConnection, Script } from "../redis/connection.ts";
import type { CancelOptions, TaskFilter, TaskLimits } from "./queue.ts";
import {
  BEGIN,
  CANCEL,
  RESULT_CHUNK_BYTES,
  CHUNK_TTL_EXTRA_MS,
  CREATE,
  FIND,
  FINISH,
  FORGET,
  LIST,
  PROGRESS,
  PURGE,
  REQUEUE,
} from "./scripts.ts";
import { requestKey, requestOfKey, type Task, type TaskRequest, type TaskState } from "./task.ts";

/** Where changes are told. */
export const CHANGES_CHANNEL = "fibserver:changes";

/** What a computation came to; the text of a result of one chunk travels with it. */
export interface Finished {
  readonly id: string;
  readonly failure?: string;
  readonly digits?: Digits | undefined;
}

/** A task as the scripts return it: id, key, size, state, progress, attempts, four times, reason, requests. */
type Row = readonly (string | null)[];

/** The tasks in one Redis. */
export class TaskRecords {
  readonly #redis: RedisConnection;
  readonly #limits: TaskLimits;

  constructor(redis: RedisConnection, limits: TaskLimits) {
    this.#redis = redis;
    this.#limits = limits;
  }

  /** Makes tasks, or finds those that are there; "full" for one too many. */
  async create(
    wanted: readonly { readonly request: TaskRequest; readonly sizeBytes: number }[],
  ): Promise<({ readonly task: Task; readonly created: boolean } | "full")[]> {
    const args = [String(this.#limits.tasksMax)];
    for (const { request, sizeBytes } of wanted) {
      args.push(Bun.randomUUIDv7(), requestKey(request), String(sizeBytes));
    }
    const reply = (await this.#run(CREATE, ...args)) as [number, Row][];
    return reply.map(([made, row]) => (made < 0 ? "full" : { task: taskOf(row), created: made === 1 }));
  }

  async find(id: string): Promise<Task | undefined> {
    return found(await this.#run(FIND, id));
  }

  async list({ state, after = "", limit }: TaskFilter): Promise<Task[]> {
    const rows = (await this.#run(LIST, state ?? "", after, String(limit))) as Row[];
    return rows.map(taskOf);
  }

  /** Marks a task as running; undefined when there is nothing to compute any more. */
  async begin(id: string): Promise<Task | undefined> {
    const { attemptsMax, resultTtlMs } = this.#limits;
    return found(await this.#run(BEGIN, id, String(attemptsMax), String(resultTtlMs)));
  }

  async progress(id: string, fraction: number): Promise<void> {
    await this.#run(PROGRESS, id, String(fraction));
  }

  async requeue(id: string): Promise<void> {
    await this.#run(REQUEUE, id);
  }

  /** Writes the chunks of a long result, which nobody sees until {@link finish}. */
  async putChunks(id: string, digits: Digits): Promise<void> {
    if (digits.length <= RESULT_CHUNK_BYTES) return;
    const ttl = String(this.#limits.resultTtlMs + CHUNK_TTL_EXTRA_MS);
    for (let at = 0; at < digits.length; at += RESULT_CHUNK_BYTES) {
      await this.#redis.send("SET", [chunkKey(id, at), textAt(digits, at), "PX", ttl]);
    }
  }

  /** Ends tasks, each with all of its result in one step; one that has ended already stays as it is. */
  async finish(finished: readonly Finished[]): Promise<void> {
    const args = [String(this.#limits.resultTtlMs), String(this.#limits.resultBytesMax)];
    for (const { id, failure, digits } of finished) {
      const sizeBytes = digits?.length ?? 0;
      const chunk = digits !== undefined && sizeBytes <= RESULT_CHUNK_BYTES ? textAt(digits, 0) : "";
      args.push(id, failure === undefined ? "ready" : "failed", failure ?? "", String(sizeBytes), chunk);
    }
    await this.#run(FINISH, ...args);
  }

  /** See `TaskQueue.cancel`. */
  async cancel(id: string, { unlessShared = false }: CancelOptions): Promise<Task | undefined> {
    const spared = unlessShared ? "shared" : "";
    return found(await this.#run(CANCEL, id, String(this.#limits.resultTtlMs), spared));
  }

  /** Removes a task with its result. @returns What it was. */
  async forget(id: string): Promise<Task | undefined> {
    return found(await this.#run(FORGET, id));
  }

  /** Chunk number `at / RESULT_CHUNK_BYTES` of a stored result; undefined when it is gone. */
  async chunkAt(id: string, at: number): Promise<{ bytes: Uint8Array; start: number } | undefined> {
    const bytes = await this.#redis.bytes(chunkKey(id, at));
    return bytes && { bytes, start: Math.floor(at / RESULT_CHUNK_BYTES) * RESULT_CHUNK_BYTES };
  }

  /** Forgets what has expired, a few in each step. */
  async purge(): Promise<void> {
    while (((await this.#run(PURGE)) as number) > 0);
  }

  #run(what: Script, ...args: string[]): Promise<unknown> {
    return this.#redis.run(what, [], args);
  }
}

function chunkKey(id: string, at: number): string {
  return `fibserver:result:${id}:${Math.floor(at / RESULT_CHUNK_BYTES)}`;
}

// Digits are ASCII, and Bun's client takes text.
function textAt(digits: Digits, at: number): string {
  return Buffer.from(digits.buffer, digits.byteOffset, digits.length).toString(
    "latin1",
    at,
    at + RESULT_CHUNK_BYTES,
  );
}

function found(reply: unknown): Task | undefined {
  return reply === null ? undefined : taskOf(reply as Row);
}

function taskOf(row: Row): Task {
  const number = (at: number) => (row[at] === null || row[at] === undefined ? undefined : Number(row[at]));
  return {
    id: row[0]!,
    request: requestOfKey(row[1]!),
    sizeBytes: number(2)!,
    state: row[3] as TaskState,
    progress: number(4)!,
    attempts: number(5)!,
    // A front of an earlier version counts nothing.
    requestCount: number(11) ?? 1,
    createdAtMs: number(6)!,
    startedAtMs: number(7),
    finishedAtMs: number(8),
    expiresAtMs: number(9),
    reason: row[10] ?? undefined,
  };
}
