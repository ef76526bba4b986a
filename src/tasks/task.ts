/**
 * A task: a computation that somebody will fetch later.
 *
 *     queued → running → ready | failed | cancelled
 *
 * A running task goes back to queued when its executor dies. What is asked for is one line of
 * text, such as `fibonacci 1000` or `sequence 0 100`: the key by which the same
 * computation asked twice is one task, and the form in which engines keep it. Pure.
 * @module
 */
import { argumentsOf, type Job } from "../numbers/job.ts";
import type { Origin } from "../tracing.ts";

/** In the order in which a task goes through them; the last three end it. */
export const TASK_STATES = ["queued", "running", "ready", "failed", "cancelled"] as const;

export type TaskState = (typeof TASK_STATES)[number];

/** One that ends it. */
export type FinishedState = Exclude<TaskState, "queued" | "running">;

/** What can be asked for: a number, or the terms F(from) … F(from + count - 1). */
export type TaskRequest = Job | { readonly kind: "sequence"; readonly from: number; readonly count: number };

/** How many arguments each kind has: a table, so that none can be left out. */
const ARGUMENT_COUNTS: Readonly<Record<TaskRequest["kind"], number>> = {
  fibonacci: 1,
  factorial: 1,
  ackermann: 2,
  sequence: 2,
};

/** All that can be asked for. */
export const TASK_KINDS = Object.keys(ARGUMENT_COUNTS);

export interface Task {
  /** UUIDv7: in the order of creation, not to be guessed. */
  readonly id: string;
  readonly request: TaskRequest;
  /** Digits of the number, or bytes of the sequence as text: known before it is computed. */
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

/** A task as HTTP shows it: big integers as text, times as RFC 3339. */
export interface TaskJson {
  readonly id: string;
  readonly kind: TaskRequest["kind"];
  readonly m?: string;
  readonly n?: string;
  readonly from?: string;
  readonly count?: string;
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
  const [kind = "", ...values] = key.split(" ");
  const isRight =
    isKind(kind) && values.length === ARGUMENT_COUNTS[kind] && values.every((value) => /^\d+$/.test(value));
  if (!isRight) throw new Error(`'${key.slice(0, 80)}' is no task`);
  const [first, second] = values as [string, string];
  if (kind === "ackermann") return { kind, m: BigInt(first), n: BigInt(second) };
  if (kind === "sequence") return { kind, from: Number(first), count: Number(second) };
  return { kind, n: Number(first) };
}

function isKind(kind: string): kind is TaskRequest["kind"] {
  return Object.hasOwn(ARGUMENT_COUNTS, kind);
}

/** The task as HTTP shows it. */
export function taskJson(task: Task): TaskJson {
  const { id, request, sizeBytes, state, progress, attempts, requestCount, reason } = task;
  return {
    id,
    kind: request.kind,
    ...termsOrArguments(request),
    state,
    progress,
    ...(request.kind === "sequence" ? { bytes: sizeBytes } : { digits: sizeBytes }),
    attempts,
    requests: requestCount,
    createdAt: time(task.createdAtMs),
    ...(task.startedAtMs !== undefined && { startedAt: time(task.startedAtMs) }),
    ...(task.finishedAtMs !== undefined && { finishedAt: time(task.finishedAtMs) }),
    ...(task.expiresAtMs !== undefined && { expiresAt: time(task.expiresAtMs) }),
    ...(reason !== undefined && { reason }),
  };
}

function termsOrArguments(request: TaskRequest): Record<string, string> {
  return request.kind === "sequence"
    ? { from: String(request.from), count: String(request.count) }
    : argumentsOf(request);
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
