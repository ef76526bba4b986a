/**
 * Tasks and results in Redis, as calls: `script-base.ts` has what is stored, `scripts.ts` the steps.
 * @module
 */
import { FibError } from "../errors.ts";
import type { Digits } from "../numbers/decimal.ts";
import type { RedisConnection, Script } from "../redis/connection.ts";
import type { Origin } from "../tracing.ts";
import { RESULT_CHUNK_BYTES } from "./script-base.ts";
import type { CancelOptions, Created, TaskCounts, TaskFilter } from "./queue.ts";
import type { SharedLimits } from "./shared-limits.ts";
import {
  BEGIN,
  CANCEL,
  COUNT,
  CREATE,
  FIND,
  FINISH,
  FORGET,
  LIST,
  PROGRESS,
  PURGE,
  PUT_CHUNK,
  RECOUNT,
  REQUEUE,
  RESERVE,
  SWEEP,
  UNRESERVE,
} from "./scripts.ts";
import {
  requestKey,
  type Task,
  TASK_ARGUMENTS,
  TASK_STATES,
  type TaskRequest,
  type TaskState,
} from "./task.ts";

/** Pages of a round through what is open. */
const OPEN_PAGE_COUNT = 1000;

/** What is asked for; with its outcome if that is known already. */
export interface Wanted {
  readonly request: TaskRequest;
  readonly sizeBytes: number;
  /** Who asks. */
  readonly holder: string;
  /** By which request. */
  readonly origin?: Origin | undefined;
  readonly outcome?: Outcome | undefined;
}

/** What a computation came to: digits, unless it failed or is a sequence. */
export interface Outcome {
  readonly failure?: string | undefined;
  readonly digits?: Digits | undefined;
}

/** Which attempt at a task a step is made for. */
export type Attempt = Pick<Task, "id" | "attempts">;

/** A task as the scripts return it: id, key, size, state, progress, attempts, four times, reason, requests, who asked. */
type Row = readonly (string | null)[];

/** The tasks in one Redis. */
export class TaskRecords {
  readonly #redis: RedisConnection;
  /** With its colon. */
  readonly #prefix: string;
  readonly #limits: SharedLimits;

  constructor(redis: RedisConnection, prefix: string, limits: SharedLimits) {
    this.#redis = redis;
    this.#prefix = `${prefix}:`;
    this.#limits = limits;
  }

  /** Makes tasks, or finds those that are there; "full" for one too many. */
  async create(wanted: readonly Wanted[]): Promise<(Created | "full")[]> {
    const args = [String(this.#limits.current.tasksMax), ...this.#keeping()];
    for (const { request, sizeBytes, holder, origin, outcome } of wanted) {
      const { failure, digits } = outcome ?? {};
      const state = outcome === undefined ? "" : stateOf(outcome);
      const text = digits === undefined ? "" : textAt(digits, 0);
      const { requestId = "", traceparent = "" } = origin ?? {};
      args.push(requestKey(request), String(sizeBytes), holder, randomPart(), state, failure ?? "", text);
      args.push(requestId, traceparent);
    }
    const reply = (await this.#promise(CREATE, ...args)) as [number, Row][];
    return reply.map(([made, row]) => (made < 0 ? "full" : { task: taskOf(row), created: made === 1 }));
  }

  async find(id: string): Promise<Task | undefined> {
    return found(await this.#run(FIND, id));
  }

  async list({ state, after = "", limit, order = "oldest" }: TaskFilter): Promise<Task[]> {
    const rows = (await this.#run(LIST, state ?? "", after, String(limit), order)) as Row[];
    return rows.map(taskOf);
  }

  /** The ids of what waits or runs, page by page. */
  async *openIds(): AsyncGenerator<readonly string[], void> {
    for (const state of ["queued", "running"]) {
      let page: string[];
      let from = "-";
      do {
        const args = [
          `${this.#prefix}tasks:${state}`,
          from,
          "+",
          "BYLEX",
          "LIMIT",
          "0",
          `${OPEN_PAGE_COUNT}`,
        ];
        page = (await this.#redis.send("ZRANGE", args)) as string[];
        if (page.length > 0) yield page;
        from = `(${page.at(-1)}`;
      } while (page.length === OPEN_PAGE_COUNT);
    }
  }

  /**
   * Marks a task as running, or as failed when it was begun too often.
   *
   * @returns undefined when it has ended before, and when its kind is one of a newer version.
   */
  async begin(id: string): Promise<Task | undefined> {
    const args = [id, String(this.#limits.current.attemptsMax), ...this.#keeping()];
    const reply = await this.#run(BEGIN, ...args, ...Object.keys(TASK_ARGUMENTS));
    return reply === 0 ? undefined : found(reply);
  }

  /** @returns Whether this attempt is to go on. */
  async progress({ id, attempts }: Attempt, fraction: number): Promise<boolean> {
    return (await this.#run(PROGRESS, id, String(attempts), String(fraction))) === 1;
  }

  /** Gives a task back as if it had not been begun. @returns false when the attempt was over. */
  async requeue({ id, attempts }: Attempt): Promise<boolean> {
    return (await this.#run(REQUEUE, id, String(attempts))) === 1;
  }

  /** Takes the room for a result that {@link isChunked}. @returns false when others who write theirs have it. */
  async reserve({ id, attempts }: Attempt, digits: Digits): Promise<boolean | "over"> {
    const room = String(this.#limits.current.resultBytesMax);
    let reply: unknown;
    do reply = await this.#run(RESERVE, id, String(attempts), String(digits.length), room);
    while (reply === -2);
    return reply === 0 ? "over" : reply === 1;
  }

  /** Gives that room back, with what is written. */
  async unreserve({ id, attempts }: Attempt): Promise<void> {
    await this.#run(UNRESERVE, id, String(attempts));
  }

  /** Writes the chunks of a result that {@link reserve} has room for; nobody sees them until {@link finish}. */
  async putChunks({ id, attempts }: Attempt, digits: Digits, signal: AbortSignal): Promise<boolean> {
    for (let at = 0; at < digits.length; at += RESULT_CHUNK_BYTES) {
      signal.throwIfAborted();
      const args = [id, String(attempts), String(at / RESULT_CHUNK_BYTES), textAt(digits, at)];
      if ((await this.#run(PUT_CHUNK, ...args)) !== 1) return false;
    }
    return true;
  }

  /**
   * Ends a task, with all of its result at once.
   *
   * @returns "over" when the attempt was, "torn" when not all chunks are there: they are to be written again.
   */
  async finish({ id, attempts }: Attempt, outcome: Outcome): Promise<"done" | "over" | "torn"> {
    const { failure = "", digits } = outcome;
    const text = digits === undefined || isChunked(digits) ? "" : textAt(digits, 0);
    const size = String(digits?.length ?? 0);
    const args = [id, String(attempts), stateOf(outcome), failure, size, text, ...this.#keeping()];
    const reply = await this.#promise(FINISH, ...args);
    return reply === -1 ? "torn" : reply === 1 ? "done" : "over";
  }

  /** See `TaskQueue.count`. */
  async count(): Promise<TaskCounts> {
    const reply = (await this.#run(COUNT, ...TASK_STATES)) as number[];
    const states = Object.fromEntries(TASK_STATES.map((state, i) => [state, reply[i]!]));
    const [oldestQueuedMs = 0, resultBytes = 0] = reply.slice(TASK_STATES.length);
    return { states: states as TaskCounts["states"], oldestQueuedMs, resultBytes };
  }

  /** See `TaskQueue.cancel`, and whether it is this that has ended it. */
  async cancel(
    id: string,
    { unlessShared = false }: CancelOptions,
  ): Promise<{ readonly task: Task | undefined; readonly hasEnded: boolean }> {
    const args = [id, unlessShared ? "shared" : "", ...this.#keeping()];
    const [row, ended] = (await this.#promise(CANCEL, ...args)) as [Row | null, number];
    return { task: found(row), hasEnded: ended === 1 };
  }

  /** Removes a task with its result. @returns What it was. */
  async forget(id: string): Promise<Task | undefined> {
    return found(await this.#promise(FORGET, id));
  }

  /** The chunk of a stored result in which a byte is; undefined when it is gone. */
  async chunkAt(id: string, at: number): Promise<{ bytes: Uint8Array; start: number } | undefined> {
    const chunk = Math.floor(at / RESULT_CHUNK_BYTES);
    const bytes = await this.#redis.bytes(`${this.#prefix}result:${id}:${chunk}`);
    return bytes && { bytes, start: chunk * RESULT_CHUNK_BYTES };
  }

  /** Mends the count of what waits and runs. */
  async recount(): Promise<void> {
    await this.#run(RECOUNT);
  }

  /** Forgets what has expired, or is more than there is room for, a few in each step. */
  async purge(): Promise<void> {
    while ((await this.#run(PURGE, String(this.#limits.current.resultBytesMax))) === 1);
  }

  /**
   * Looks at a part of all keys for chunks that belong to nobody.
   *
   * @param from - What the last call returned; "0" to begin, and when all was seen.
   */
  async sweep(from: string): Promise<string> {
    return (await this.#run(SWEEP, from)) as string;
  }

  /** How long what is finished is kept, and how much room there is. */
  #keeping(): [ttlMs: string, roomBytes: string] {
    const { resultTtlMs, resultBytesMax } = this.#limits.current;
    return [String(resultTtlMs), String(resultBytesMax)];
  }

  #run(what: Script, ...args: string[]): Promise<unknown> {
    return this.#redis.run(what, [this.#prefix], args);
  }

  /** For a step after which somebody is told that it is done. */
  #promise(what: Script, ...args: string[]): Promise<unknown> {
    return this.#redis.run(what, [this.#prefix], args, { replicated: true });
  }
}

/** Whether a result is written before its task is finished; any other is written with that. */
export function isChunked(digits: Digits): boolean {
  return digits.length > RESULT_CHUNK_BYTES;
}

/** What a task comes to by an outcome. */
export function stateOf({ failure }: Outcome): TaskState {
  return failure === undefined ? "ready" : "failed";
}

// The end of a UUIDv7, which the script begins with Redis's time: 62 random bits.
function randomPart(): string {
  return crypto.randomUUID().slice(19);
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

/** What a request looks like, of whatever kind. */
const REQUEST = /^[a-z]+( [\d,]+)*$/;

// What cannot be read was damaged on its way: a network without TLS can do that.
function taskOf(row: Row): Task {
  try {
    return read(row);
  } catch (cause) {
    throw new FibError("redis_unavailable", "Cannot read what Redis has answered; try again", { cause });
  }
}

function read(row: Row): Task {
  const number = (at: number) => {
    const text = row[at] ?? undefined;
    if (text !== undefined && !(Number(text) >= 0)) throw new Error(`'${text}' is no number`);
    return text === undefined ? undefined : Number(text);
  };
  const request = row[1]!;
  if (!REQUEST.test(request)) throw new Error(`'${request.slice(0, 80)}' is no task`);
  return {
    id: row[0]!,
    request,
    sizeBytes: number(2)!,
    state: row[3] as TaskState,
    progress: number(4)!,
    attempts: number(5)!,
    requestCount: number(11)!,
    createdAtMs: number(6)!,
    startedAtMs: number(7),
    finishedAtMs: number(8),
    expiresAtMs: number(9),
    reason: row[10] ?? undefined,
    origin: { requestId: row[12] ?? undefined, traceparent: row[13] ?? undefined },
  };
}
