/** A store of tasks on a file of its own, its steps, and what they have answered. @module */
import { onTestFinished } from "bun:test";
import path from "node:path";
import type { TaskLimits } from "../../src/tasks/queue.ts";
import type { TaskRow } from "../../src/tasks/row.ts";
import { type GroupAnswer, type StepCall, TaskStore } from "../../src/tasks/store.ts";
import { temporaryFolder } from "../temporary.ts";

const LIMITS: TaskLimits = {
  tasksMax: 1000,
  resultTtlMs: 3_600_000,
  resultBytesMax: 2 ** 30,
  attemptsMax: 3,
};
/** What a finished task without digits takes. */
export const RECORD_BYTES = 4096;

/** A store on a file of its own. */
export function open(
  limits: Partial<TaskLimits> = {},
  file = path.join(temporaryFolder(), "c.tasks"),
  processDied = true,
) {
  const store = new TaskStore();
  store.open(file, { ...LIMITS, ...limits });
  store.recover([], processDied);
  onTestFinished(() => store.close());
  const apply = (...calls: StepCall[]) => JSON.parse(store.apply(JSON.stringify(calls))) as GroupAnswer;
  return {
    store,
    file,
    apply,
    /** What is to be computed. */
    get pending() {
      return apply(["list", { state: "queued", limit: 1000 }]).outcomes[0]!.value as TaskRow[];
    },
  };
}

type Create = Extract<StepCall, readonly ["create", ...unknown[]]>;

/** F(n), n beyond what is computed at once: it stays queued. */
export function long(n: number, holder = ""): Create {
  return [
    "create",
    { id: Bun.randomUUIDv7(), request: `fibonacci ${n}`, sizeBytes: 50_000, createdAtMs: 1, holder },
  ];
}

/** F(100), with its right size or a wrong one. */
export function short(sizeBytes: number): Create {
  return [
    "create",
    { id: Bun.randomUUIDv7(), request: "fibonacci 100", sizeBytes, createdAtMs: 1, holder: "" },
  ];
}

/** A sequence: ready at once, and nothing but a record. */
export function quick(count: number, holder = ""): Create {
  // `0 1 1 2 3 5 8` … one a line: two bytes each, up to F(6).
  const sizeBytes = 2 * count;
  return [
    "create",
    { id: Bun.randomUUIDv7(), request: `sequence 0 ${count}`, sizeBytes, createdAtMs: 1, holder },
  ];
}

export function rowOf({ outcomes }: GroupAnswer, at = 0): TaskRow | undefined {
  return outcomes[at]?.value as TaskRow | undefined;
}

export function codesOf({ outcomes }: GroupAnswer): (string | undefined)[] {
  return outcomes.map(({ failure }) => failure?.code);
}
