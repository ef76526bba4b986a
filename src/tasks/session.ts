/**
 * The tasks of one database while it is open: what is written, in which order, and who is told.
 *
 * Order is everything here. A task is submitted to the executor after its row is on disk; a long result is on disk
 * before its task is ready; a file is removed after its row is gone. A crash between any two leaves a task that runs
 * again, or a file that nobody owns, which the next opening removes.
 * @module
 */
import { FibError } from "../errors.ts";
import type { Changes } from "./changes.ts";
import { Commits } from "./commits.ts";
import { type Ending, TaskDatabase } from "./database.ts";
import { Executor, type ExecutorOptions, type Ledger } from "./executor.ts";
import { ResultFiles } from "./files.ts";
import type { StoredResult, TaskFilter, TaskLimits, TaskQueue } from "./queue.ts";
import { isFinished, requestKey, type Task, type TaskRequest } from "./task.ts";

/** Results up to this size are rows: one sync together with their state, where a file takes three. */
const ROW_BYTES_MAX = 16 * 1024;
/** Expired tasks are looked for this often at most, and forgotten so many at a time. */
const SWEEP_MS = { min: 50, max: 30_000 } as const;
const SWEEP_COUNT = 500;

type Outcome = Pick<Ending, "state" | "reason" | "digits">;

/** What a session works with. */
export interface SessionOptions {
  /** The database; the folder of long results is beside it. */
  readonly path: string;
  readonly pool: ExecutorOptions["pool"];
  readonly limits: TaskLimits;
  readonly changes: Changes;
  /** Tells a person what happened. */
  readonly notice: (message: string) => void;
  /** Told of each error that is a bug. */
  readonly onBug: (error: unknown) => void;
  /** Called once, when the disk has ended the session. */
  readonly onFailure: (error: unknown) => void;
}

/** An open database with its results and its executor. */
export class Session {
  readonly #options: SessionOptions;
  readonly #database: TaskDatabase;
  readonly #files: ResultFiles;
  readonly #commits: Commits;
  readonly #executor: Executor;
  readonly #sweep: Timer;
  #unfinishedCount = 0;
  #keptBytes = 0;

  /** @throws {@link FibError} `tasks_locked`, `tasks_io`. */
  constructor(options: SessionOptions) {
    this.#options = options;
    this.#database = new TaskDatabase(options.path);
    this.#files = new ResultFiles(`${options.path}.results`);
    this.#commits = new Commits(this.#database, {
      onFailure: (error) => this.#end(error),
      // What the group had counted was not written.
      onFullDisk: () => this.#count(),
    });
    this.#executor = new Executor({ ...options, ledger: this.#ledger() });
    let pending: readonly Task[];
    try {
      pending = this.#recover();
      this.#count();
    } catch (error) {
      this.#database.close();
      throw error;
    }
    for (const task of pending) this.#executor.submit(task);
    const { min, max } = SWEEP_MS;
    const sweepMs = Math.min(Math.max(options.limits.resultTtlMs / 2, min), max);
    this.#sweep = setInterval(() => this.#forgetExpired(), sweepMs);
    this.#sweep.unref();
  }

  /** See {@link TaskQueue.create}. */
  async create(request: TaskRequest, sizeBytes: number): Promise<{ task: Task; created: boolean }> {
    const { tasksMax } = this.#options.limits;
    const answer = await this.#write(({ forget }) => {
      const found = this.#database.findReusable(requestKey(request));
      if (found !== undefined && !isExpired(found)) return { task: found, created: false };
      if (this.#unfinishedCount >= tasksMax) {
        throw new FibError(
          "too_many_tasks",
          `Cannot take another task: ${tasksMax} are waiting or running already; try again later`,
        );
      }
      if (found !== undefined) forget(found.id);
      const task = newTask(request, sizeBytes);
      this.#database.insert(task);
      this.#unfinishedCount++;
      return { task, created: true };
    });
    if (answer.created) this.#executor.submit(answer.task);
    return { ...answer, task: this.#current(answer.task) };
  }

  find(id: string): Task | undefined {
    const task = this.#database.read(() => this.#database.find(id));
    return task === undefined || isExpired(task) ? undefined : this.#current(task);
  }

  list(filter: TaskFilter): Task[] {
    const tasks = this.#database.read(() => this.#database.list(filter, Date.now()));
    return tasks.map((task) => this.#current(task));
  }

  /** See {@link TaskQueue.remove}. */
  async remove(id: string): ReturnType<TaskQueue["remove"]> {
    const answer = await this.#write(({ forget }) => {
      const task = this.#database.find(id);
      if (task === undefined || isExpired(task)) return undefined;
      if (isFinished(task.state)) {
        forget(id);
        return { task, outcome: "forgotten" } as const;
      }
      const cancelled = this.#writeEnd(task, { state: "cancelled" }, forget);
      return { task: cancelled!, outcome: "cancelled" } as const;
    });
    if (answer?.outcome === "cancelled") {
      this.#executor.cancel(id);
      this.#options.changes.publish(answer.task);
    }
    return answer;
  }

  /** See {@link TaskQueue.openResult}. */
  openResult(id: string): StoredResult | undefined {
    const task = this.find(id);
    if (task?.state !== "ready" || task.request.kind === "sequence") return undefined;
    const digits = this.#database.read(() => this.#database.digits(id));
    if (digits === undefined) return this.#files.open(id);
    return {
      sizeBytes: digits.length,
      read: async (start, end) => digits.subarray(start, end),
      close: () => {},
    };
  }

  /** Stops computing. What was running is queued, as if it had not been begun. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    const cut = await this.#executor.close();
    const givenBack = this.#commits.write(() => {
      for (const id of cut) this.#database.giveBack(id);
    });
    this.#commits.end();
    // A commit that fails changes nothing for the worse: what is running on disk is queued again by the next start.
    await givenBack.catch(() => {});
    this.#database.close();
  }

  #recover(): Task[] {
    const { notice, limits } = this.#options;
    const inFiles = this.#database.read(() => this.#database.inFiles());
    const lost = this.#files.reconcile(new Map(inFiles.map(({ id, sizeBytes }) => [id, sizeBytes])));
    const pending = this.#database.transaction(() => {
      for (const id of lost) this.#database.requeue(id);
      for (const task of this.#database.unfinished()) {
        if (task.state === "running" && task.attempts >= limits.attemptsMax) {
          const reason = `It was begun ${task.attempts} times, and the process ended each time`;
          this.#database.end(task, this.#ending({ state: "failed", reason }));
        } else if (task.state === "running") this.#database.requeue(task.id);
      }
      return this.#database.unfinished();
    });
    if (lost.length > 0) notice(`The results of ${lost.length} tasks are gone: computing them again`);
    if (pending.length > 0) notice(`Going on with ${pending.length} tasks`);
    return pending;
  }

  #ledger(): Ledger {
    const { changes, onBug } = this.#options;
    return {
      begin: async (task) => {
        const begun = await this.#commits.write(() =>
          this.#database.begin(task.id, Date.now()) ? this.#database.find(task.id) : undefined,
        );
        if (begun) changes.publish(begun);
        return begun;
      },
      finish: async (task, digits) => {
        const isLong = digits !== undefined && digits.length > ROW_BYTES_MAX;
        if (isLong) await this.#files.put(task.id, digits);
        let isReady = false;
        try {
          isReady = await this.#finish(task, { state: "ready", digits: isLong ? undefined : digits });
        } finally {
          if (isLong && !isReady) await this.#files.remove(task.id);
        }
      },
      fail: async (task, reason) => void (await this.#finish(task, { state: "failed", reason })),
      progressed: (task) => changes.publish(task),
      onBug,
    };
  }

  async #finish(task: Task, ending: Outcome): Promise<boolean> {
    const ended = await this.#write(({ forget }) => this.#writeEnd(task, ending, forget));
    if (ended !== undefined) this.#options.changes.publish(ended);
    return ended !== undefined;
  }

  // Inside of a commit: ends a task and makes room for its result.
  #writeEnd(task: Task, ending: Outcome, forget: (id: string) => void): Task | undefined {
    const keptBytes = this.#database.end(task, this.#ending(ending));
    if (keptBytes === undefined) return undefined;
    this.#unfinishedCount--;
    this.#keptBytes += keptBytes;
    while (this.#keptBytes > this.#options.limits.resultBytesMax) {
      const oldest = this.#database.finished(2).find(({ id }) => id !== task.id);
      if (oldest === undefined) break;
      forget(oldest.id);
    }
    return this.#database.find(task.id);
  }

  #ending(ending: Outcome): Ending {
    return { ...ending, atMs: Date.now(), ttlMs: this.#options.limits.resultTtlMs };
  }

  #forgetExpired(): void {
    const isDue = () => this.#database.finished(1).some(isExpired);
    try {
      if (!this.#database.read(isDue)) return;
    } catch {
      // The disk: whoever asks for something is told.
      return;
    }
    const forgotten = this.#write(({ forget }) => {
      for (const task of this.#database.finished(SWEEP_COUNT)) if (isExpired(task)) forget(task.id);
    });
    // The next round tries again.
    forgotten.catch(() => {});
  }

  /** Writes with the next commit; what was forgotten in it loses its file and its watchers once it is on disk. */
  async #write<T>(apply: (within: { forget: (id: string) => void }) => T): Promise<T> {
    const forgotten: string[] = [];
    const forget = (id: string) => {
      this.#keptBytes -= this.#database.forget(id)?.keptBytes ?? 0;
      forgotten.push(id);
    };
    const value = await this.#commits.write(() => apply({ forget }));
    for (const id of forgotten) {
      this.#options.changes.forget(id);
      void this.#files.remove(id);
    }
    return value;
  }

  #current(task: Task): Task {
    const progress = task.state === "running" ? this.#executor.progress(task.id) : undefined;
    return progress === undefined ? task : { ...task, progress };
  }

  #count(): void {
    this.#unfinishedCount = this.#database.read(() => this.#database.unfinishedCount());
    this.#keptBytes = this.#database.read(() => this.#database.keptBytes());
  }

  #end(error: unknown): void {
    clearInterval(this.#sweep);
    this.#options.onFailure(error);
    // Its threads end later; nothing of it writes any more.
    void this.#executor.close();
    this.#database.close();
  }
}

function newTask(request: TaskRequest, sizeBytes: number): Task {
  return {
    id: Bun.randomUUIDv7(),
    request,
    sizeBytes,
    state: "queued",
    progress: 0,
    attempts: 0,
    createdAtMs: Date.now(),
    startedAtMs: undefined,
    finishedAtMs: undefined,
    expiresAtMs: undefined,
    reason: undefined,
  };
}

function isExpired({ expiresAtMs = Infinity }: Task): boolean {
  return expiresAtMs <= Date.now();
}
