/**
 * A task as a row of the database, which is also what crosses from its thread to the loop. Pure.
 * @module
 */
import type { Task } from "./task.ts";

/**
 * A task as it is stored, and as it crosses to the loop: all JSON, of which a group of 64 is made and read in a third of
 * the time that copies of objects take.
 */
export type TaskRow = Omit<
  Task,
  "progress" | "startedAtMs" | "finishedAtMs" | "expiresAtMs" | "reason" | "origin"
> & {
  /** How often its process died while it ran; `attempts` counts each time that it was begun. */
  readonly deaths: number;
  /** The address that asked first. */
  readonly holder: string;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  readonly expiresAtMs: number | null;
  readonly reason: string | null;
  readonly keptBytes: number;
  /** Of the request that made it. */
  readonly requestId: string | null;
  readonly traceparent: string | null;
};

/** The task in a row. */
export function taskOf(row: TaskRow): Task {
  return {
    id: row.id,
    request: row.request,
    sizeBytes: row.sizeBytes,
    state: row.state,
    progress: row.state === "ready" ? 1 : 0,
    attempts: row.attempts,
    requestCount: row.requestCount,
    createdAtMs: row.createdAtMs,
    startedAtMs: row.startedAtMs ?? undefined,
    finishedAtMs: row.finishedAtMs ?? undefined,
    expiresAtMs: row.expiresAtMs ?? undefined,
    reason: row.reason ?? undefined,
    origin: { requestId: row.requestId ?? undefined, traceparent: row.traceparent ?? undefined },
  };
}
