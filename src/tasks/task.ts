/**
 * A task: a computation that somebody will fetch later.
 *
 *     queued → running → ready | failed | cancelled
 *
 * A running task goes back to queued when its executor dies. What is asked for is one line of
 * text, such as `fibonacci 1000` or `sequence 0 100`: the key by which the same computation asked twice is one task, and
 * the form in which engines keep it and tell of it. It is read where it is computed or sent, and only there: it may have
 * 15,000 digits, and a page or a start thousands of them. Pure.
 * @module
 */
import { argumentsOf, isNumberJob, type Job, JOB_ARGUMENTS, jobOf } from "../numbers/job.ts";
import { type Start, startText } from "../numbers/start.ts";
import type { Origin } from "../tracing.ts";

/** In the order in which a task goes through them; the last three end it. */
export const TASK_STATES = ["queued", "running", "ready", "failed", "cancelled"] as const;

export type TaskState = (typeof TASK_STATES)[number];

/** One that ends it. */
export type FinishedState = Exclude<TaskState, "queued" | "running">;

/** The terms of index from … from + count - 1, of F or of a sequence with another start. */
export interface SequenceRequest {
  readonly kind: "sequence";
  readonly from: number;
  readonly count: number;
  readonly start?: Start | undefined;
}

/** What can be asked for: what a thread computes, or terms. */
export type TaskRequest = Job | SequenceRequest;

/** All that can be asked for, with what each takes. */
export const TASK_ARGUMENTS = { ...JOB_ARGUMENTS, sequence: ["from", "count"] } as const;

export interface Task {
  /** UUIDv7: in the order of creation, not to be guessed. */
  readonly id: string;
  /** What is asked for, as {@link requestKey} writes it. */
  readonly request: string;
  /** Digits of the number, bytes of the sequence as text, or of anything else the most that it can have: known before it is computed. */
  readonly sizeBytes: number;
  readonly state: TaskState;
  /** From 0 to 1. */
  readonly progress: number;
  /** How often it was begun; more than once when an executor died. */
  readonly attempts: number;
  /** How often it was asked for while it waited or ran. A watcher is not told when this alone changes. */
  readonly requestCount: number;
  readonly createdAtMs: number;
  /** Of the last attempt. */
  readonly startedAtMs: number | undefined;
  readonly finishedAtMs: number | undefined;
  /** When it is forgotten. */
  readonly expiresAtMs: number | undefined;
  /** Why it failed. */
  readonly reason: string | undefined;
  /** The request that made it, for the log and for traces: what it has become is told to others, too, and this is not. */
  readonly origin: Origin;
}

/** Characters of a request that count as one task. */
export const WEIGHT_CHARS = 750;

/** A task as HTTP shows it: big integers as text, times as RFC 3339. */
export interface TaskJson {
  readonly id: string;
  readonly kind: TaskRequest["kind"];
  readonly m?: string;
  readonly n?: string;
  readonly mod?: string;
  readonly from?: string;
  readonly count?: string;
  /** Of another sequence than F, such as `2,1`. */
  readonly start?: string;
  readonly state: TaskState;
  readonly progress: number;
  /** Of a number. */
  readonly digits?: number;
  /** Of a sequence as text. */
  readonly bytes?: number;
  readonly attempts: number;
  readonly requests: number;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly expiresAt?: string;
  readonly reason?: string;
}

/** Nothing changes any more, except that the task is forgotten. */
export function isFinished(state: TaskState): state is FinishedState {
  return state !== "queued" && state !== "running";
}

/** The request as one line, the same for the same computation. */
export function requestKey(request: TaskRequest): string {
  return [request.kind, ...Object.values(termsOrArguments(request))].join(" ");
}

/**
 * The inverse of {@link requestKey}.
 *
 * @throws {@link Error} for what requestKey() does not write.
 */
export function requestOfKey(key: string): TaskRequest {
  const [kind = "", ...values] = key.split(/[ ,]/);
  const isRight =
    isKind(kind) &&
    (values.length === TASK_ARGUMENTS[kind].length || (kind === "sequence" && values.length === 4)) &&
    values.every((value) => /^\d+$/.test(value));
  if (!isRight) throw new Error(`'${key.slice(0, 80)}' is no task`);
  if (kind !== "sequence") return jobOf(kind, values);
  const [from, count, ...start] = values;
  const terms = { kind, from: Number(from), count: Number(count) } as const;
  return start.length === 0 ? terms : { ...terms, start: start.map(BigInt) as [bigint, bigint] };
}

/**
 * As how many tasks a request counts while it waits: Redis keeps a short one in 1.8 KB, and of a long one each character
 * twice, so that ten thousand take 18 MB, however long they are.
 */
export function weightOf(requestChars: number): number {
  return Math.max(1, Math.ceil(requestChars / WEIGHT_CHARS));
}

/** Of a request as {@link requestKey} writes it; of a newer version it may be one that is not known here. */
export function kindOf(request: string): string {
  return request.split(" ", 1)[0]!;
}

/** Whether this version knows such. */
export function isKind(kind: string): kind is TaskRequest["kind"] {
  return Object.hasOwn(TASK_ARGUMENTS, kind);
}

/** The task as HTTP shows it. */
export function taskJson(task: Task): TaskJson {
  const { id, request, sizeBytes, state, progress, attempts, requestCount, reason } = task;
  const kind = kindOf(request);
  return {
    id,
    kind: kind as TaskRequest["kind"],
    ...givenIn(request),
    state,
    progress,
    ...(kind === "sequence" && { bytes: sizeBytes }),
    ...(kind !== "sequence" && isNumberJob({ kind } as Job) && { digits: sizeBytes }),
    attempts,
    requests: requestCount,
    createdAt: time(task.createdAtMs),
    ...(task.startedAtMs !== undefined && { startedAt: time(task.startedAtMs) }),
    ...(task.finishedAtMs !== undefined && { finishedAt: time(task.finishedAtMs) }),
    ...(task.expiresAtMs !== undefined && { expiresAt: time(task.expiresAtMs) }),
    ...(reason !== undefined && { reason }),
  };
}

/** What the request gives, by name; nothing of a kind that is not known here. */
function givenIn(request: string): Record<string, string> {
  const [kind = "", ...values] = request.split(" ");
  const names: readonly string[] = isKind(kind) ? [...TASK_ARGUMENTS[kind], "start"] : [];
  return Object.fromEntries(names.slice(0, values.length).map((name, i) => [name, values[i]!]));
}

function termsOrArguments(request: TaskRequest): Record<string, string> {
  if (request.kind !== "sequence") return argumentsOf(request);
  const { from, count, start } = request;
  return { from: String(from), count: String(count), ...(start && { start: startText(start) }) };
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
