/**
 * The tasks of one database, as its thread has them: every step of a task's life, many steps in one commit.
 *
 * The loop sends groups (see session.ts); a group is one transaction and one sync, and each step sees what the steps
 * before it have done. A step that throws a {@link FibError} has written nothing and is refused alone. When the commit
 * fails, all of its steps are refused. A full disk has then changed nothing and may pass; any other error ends the
 * store: what was written before a sync that failed may be lost as well, and opening again tells.
 * @module
 */
import { SQLiteError } from "bun:sqlite";
import { FibError } from "../errors.ts";
import { type Failure, failureOf } from "../thread.ts";
import { type Removed, TaskDatabase } from "./database.ts";
import type { TaskLimits } from "./queue.ts";
import type { TaskRow } from "./row.ts";
import { Steps } from "./steps.ts";

/** Those that write nothing: a group of them needs no transaction. */
const READING: ReadonlySet<StepName> = new Set(["find", "list", "result", "counts"]);

/** What the loop may call. */
export type StepName = Exclude<keyof Steps, "onTaskEnd" | "onRemoved" | "recover" | "count">;

/** One step, by its name, with its arguments. */
export type StepCall = { [Name in StepName]: readonly [Name, ...Parameters<Steps[Name]>] }[StepName];

/** What became of a group. */
export interface GroupAnswer {
  /** For each step what it returned, or why it was refused. */
  readonly outcomes: readonly (
    | { readonly value?: unknown; readonly failure?: never }
    | { readonly value?: never; readonly failure: Failure }
  )[];
  /** The tasks that have ended in it, or in the recovery before the first group. */
  readonly ended: readonly TaskRow[];
  /** What the group has removed, on disk by now. */
  readonly removed: readonly Removed[];
  /** Nothing can be asked of the store any more. */
  readonly hasFailed: boolean;
}

/** An open database, and what is counted in it. */
export class TaskStore {
  #database!: TaskDatabase;
  #steps!: Steps;
  /** What is to be told with the next group. */
  #ended: TaskRow[] = [];

  /**
   * Opens the file, creating it when there is none.
   *
   * @returns The ready numbers whose digits are in files.
   * @throws {@link FibError} `tasks_locked`, `tasks_io`.
   */
  open(path: string, limits: TaskLimits): readonly TaskRow[] {
    this.#database = new TaskDatabase(path);
    this.#steps = new Steps(this.#database, limits);
    this.#steps.onTaskEnd = (row) => this.#ended.push(row);
    return this.#database.read(() => this.#database.inFiles());
  }

  /**
   * Queues again what was running when its process died, and what has lost its result.
   *
   * @param lost - Ready tasks whose file is gone.
   * @param processDied - Of what runs on disk; false when only a session of this process has failed.
   * @returns How many are to be computed: all that are queued then.
   * @throws {@link FibError} `tasks_io`.
   */
  recover(lost: readonly string[], processDied: boolean): number {
    return this.#database.transaction(() => this.#steps.recover(lost, processDied));
  }

  /**
   * Runs a group.
   *
   * @param text - Its {@link StepCall}s as JSON.
   * @returns Its {@link GroupAnswer} as JSON.
   */
  apply(text: string): string {
    return JSON.stringify(this.#apply(JSON.parse(text) as StepCall[]));
  }

  close(): void {
    this.#database.close();
  }

  #apply(calls: readonly StepCall[]): GroupAnswer {
    const removed: Removed[] = [];
    this.#steps.onRemoved = (row) => removed.push(row);
    const run = () => calls.map((call) => this.#applyOne(call));
    const isReading = calls.every(([name]) => READING.has(name));
    if (!this.#database.isInPlace()) {
      const failure = failureOf(this.#database.moved());
      return { outcomes: calls.map(() => ({ failure })), ended: [], removed: [], hasFailed: true };
    }
    try {
      const outcomes = isReading ? this.#database.read(run) : this.#database.transaction(run);
      return { outcomes, ended: this.#ended.splice(0), removed, hasFailed: false };
    } catch (error) {
      const failure = failureOf(error);
      const hasFailed = !isReading && !this.#isUsableAfter(error);
      this.#ended = [];
      return { outcomes: calls.map(() => ({ failure })), ended: [], removed: [], hasFailed };
    }
  }

  #applyOne([name, ...args]: StepCall): GroupAnswer["outcomes"][number] {
    try {
      return { value: (this.#steps[name] as (...args: unknown[]) => unknown)(...args) };
    } catch (error) {
      if (!(error instanceof FibError)) throw error;
      return { failure: failureOf(error) };
    }
  }

  // What a group had counted was not written.
  #isUsableAfter(error: unknown): boolean {
    const cause = error instanceof FibError ? error.cause : undefined;
    if (!(cause instanceof SQLiteError) || cause.code !== "SQLITE_FULL") return false;
    try {
      this.#steps.count();
      return true;
    } catch {
      return false;
    }
  }
}
