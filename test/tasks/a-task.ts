/** A task for tests that look at one thing about it. @module */
import type { Task } from "../../src/tasks/task.ts";

/** F(1), queued a moment ago, but for what the test says. */
export function aTask(known: Partial<Task> = {}): Task {
  return {
    id: "a",
    request: "fibonacci 1",
    sizeBytes: 1,
    state: "queued",
    progress: 0,
    attempts: 0,
    requestCount: 1,
    createdAtMs: 0,
    startedAtMs: undefined,
    finishedAtMs: undefined,
    expiresAtMs: undefined,
    reason: undefined,
    origin: {},
    ...known,
  };
}
