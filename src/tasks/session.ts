/**
 * The tasks of one database while it is open, as the event loop has them: what is asked of its threads, in which order,
 * and who is told.
 *
 * Nothing here waits for a disk: the database has a thread, and the folder of long results another, so that a sync of
 * 20 MB does not hold up what is accepted. What arrives in one turn of the loop, and while the thread is busy, goes to
 * it as one group, and costs one sync.
 *
 * Order is everything. A task is submitted to the executor after its row is on disk; a long result is on disk before
 * its task is ready; a file is removed after its row is gone. A crash between any two leaves a task that runs again,
 * or a file that nobody owns, which the next opening removes.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { FibError } from "../errors.ts";
import { Groups } from "../groups.ts";
import { type Digits, textOf } from "../numbers/decimal.ts";
import type { Origin, Tracer } from "../tracing.ts";
import { errorOf, failureOf, type Thread } from "../thread.ts";
import type { Changes } from "./changes.ts";
import { Executor, type ExecutorOptions, type Ledger } from "./executor.ts";
import type { CancelOptions, OnTaskEnd, StoredResult, TaskCounts, TaskFilter, TaskLimits } from "./queue.ts";
import { openResultFile, type ResultFolder, resultName } from "./result-folder.ts";
import { type TaskRow, taskOf } from "./row.ts";
import type { Steps } from "./steps.ts";
import type { GroupAnswer, StepCall, StepName, TaskStore } from "./store.ts";
import { requestKey, type Task, type TaskRequest } from "./task.ts";
import type { SessionThreads } from "./threads.ts";

/**
 * Results up to this size are rows: one sync together with their state, where a file takes three. Those that have no
 * length that is known before are always rows, as HTTP takes no more than 15,000 digits: a file is known by its length.
 */
const ROW_BYTES_MAX = 16 * 1024;
/** What was queued at the start is read so many at a time. */
const QUEUED_PAGE_COUNT = 100;
/** Expired tasks are looked for this often. */
const SWEEP_MS = { min: 50, max: 30_000 } as const;
/** Steps in one commit: some 10 ms of the thread's work. */
const GROUP_COUNT_MAX = 512;
/** Steps that wait. */
const WAITING_COUNT_MAX = 100_000;

type Outcome = GroupAnswer["outcomes"][number];

/** What a session works with. */
export interface SessionOptions {
  /** The database; the folder of long results is beside it. */
  readonly path: string;
  readonly threads: SessionThreads;
  readonly pool: ExecutorOptions["pool"];
  readonly limits: TaskLimits;
  /** What runs on disk was begun by a process that is gone, and not by a session before this one. */
  readonly processDied: boolean;
  readonly changes: Changes;
  /** Each task that is computed is a span, from its acceptance to its result. */
  readonly tracer?: Tracer | undefined;
  /** Tells a person what happened. */
  readonly notice: (message: string) => void;
  /** Told of each error that is a bug. */
  readonly onBug: (error: unknown) => void;
  readonly onTaskEnd?: OnTaskEnd | undefined;
  /** Called once, when the disk has ended the session. */
  readonly onFailure: (error: Error) => void;
}

/** An open database with its results and its executor. */
export class Session {
  readonly #options: SessionOptions;
  readonly #store: Thread<TaskStore>;
  readonly #results: Thread<ResultFolder>;
  readonly #steps = new Groups<StepCall, Outcome>(GROUP_COUNT_MAX, (calls) => this.#apply(calls));
  readonly #executor: Executor;
  #sweep: Timer | undefined;
  #isClosing = false;
  #failure: Error | undefined;

  private constructor(options: SessionOptions) {
    this.#options = options;
    this.#store = options.threads.store;
    this.#results = options.threads.results;
    this.#executor = new Executor({ ...options, ledger: this.#ledger() });
  }

  /** @throws {@link FibError} `tasks_locked`, `tasks_io`. */
  static async open(options: SessionOptions): Promise<Session> {
    const session = new Session(options);
    try {
      await session.#recover();
      return session;
    } catch (error) {
      await session.#end(error as Error);
      throw error;
    }
  }

  /** See `TaskQueue.create`. */
  async create(
    request: TaskRequest,
    sizeBytes: number,
    holder: string,
    origin: Origin,
  ): Promise<{ task: Task; created: boolean }> {
    const task = newTask(requestKey(request), sizeBytes, origin);
    const { id, createdAtMs } = task;
    const row = await this.#ask("create", {
      id,
      request: task.request,
      sizeBytes,
      createdAtMs,
      holder,
      ...origin,
    });
    if (row !== undefined) return { task: this.#current(row), created: row.id === id };
    this.#executor.submit(task);
    return { task, created: true };
  }

  async find(id: string): Promise<Task | undefined> {
    const row = await this.#ask("find", id);
    return row && this.#current(row);
  }

  async list(filter: TaskFilter): Promise<Task[]> {
    const rows: TaskRow[] = await this.#ask("list", filter);
    return rows.map((row) => this.#current(row));
  }

  /** See `TaskQueue.count`. */
  count(): Promise<TaskCounts> {
    return this.#ask("counts");
  }

  /** See `TaskQueue.cancel`. */
  async cancel(id: string, options: CancelOptions): Promise<Task | undefined> {
    const row = await this.#ask("cancel", id, options);
    if (row?.state === "cancelled") {
      this.#executor.cancel(id);
      this.#options.changes.publish(taskOf(row));
    }
    return row && this.#current(row);
  }

  /** See `TaskQueue.forget`. */
  async forget(id: string): Promise<void> {
    await this.#ask("forget", id);
    this.#executor.cancel(id);
  }

  /** See `TaskQueue.openResult`. */
  async openResult(id: string): Promise<StoredResult | undefined> {
    const found = await this.#ask("result", id);
    if (found === undefined) return undefined;
    const { row, digits: text } = found;
    if (text === undefined) return await this.#openFile(row);
    const digits = Buffer.from(text, "latin1");
    return {
      sizeBytes: digits.length,
      read: async (start, end) => digits.subarray(start, end),
      close: () => {},
    };
  }

  /** Stops computing. What was running is queued, as if it had not been begun. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#sweep);
    const cut = await this.#executor.close();
    // A commit that fails changes nothing for the worse: what is running on disk is queued again by the next start.
    if (cut.length > 0) await this.#ask("giveBack", cut).catch(() => {});
    await this.#steps.idle();
    await this.#endThreads();
  }

  async #openFile(row: TaskRow): Promise<StoredResult | undefined> {
    const file = path.join(this.#folder, resultName(row));
    try {
      return await openResultFile(file);
    } catch (error) {
      if (fs.existsSync(file)) throw error;
      // It was forgotten a moment ago, or somebody has removed the file.
      const lost = await this.#ask("lose", row.id, row.attempts);
      if (lost === undefined) return undefined;
      this.#options.notice(`The result of ${row.id} is gone: computing it again`);
      this.#executor.submit(taskOf(lost));
      throw new FibError(
        "task_not_ready",
        `Cannot send the result of ${row.id}: its file is gone; it is computed again`,
      );
    }
  }

  get #folder(): string {
    return `${this.#options.path}.results`;
  }

  async #recover(): Promise<void> {
    const { path: file, limits, notice, processDied } = this.#options;
    const inFiles = await this.#store.call("open", [file, limits]);
    const owners = inFiles.map(({ id, attempts, sizeBytes }) => ({ id, attempts, sizeBytes }));
    const lost = await this.#results.call("open", [this.#folder, owners]);
    const pending = await this.#store.call("recover", [lost, processDied]);
    if (lost.length > 0) notice(`The results of ${lost.length} tasks are gone: computing them again`);
    if (pending > 0) notice(`Going on with ${pending} tasks`);
    // What cannot be read now has ended the session, and is read by the next.
    void this.#submitQueued().catch(() => {});
    const { min, max } = SWEEP_MS;
    const sweepMs = Math.min(Math.max(limits.resultTtlMs / 2, min), max);
    // What a sweep cannot do now the next one does.
    this.#sweep = setInterval(() => void this.#ask("sweep").catch(() => {}), sweepMs);
    this.#sweep.unref();
  }

  /** Takes what is queued to the executor, page by page: 10,000 requests of 15,000 digits are 1.3 s of the loop. */
  async #submitQueued(): Promise<void> {
    let after: string | undefined = "";
    while (after !== undefined && this.#failure === undefined && !this.#isClosing) {
      const rows: TaskRow[] = await this.#ask("list", { state: "queued", limit: QUEUED_PAGE_COUNT, after });
      for (const row of rows) {
        this.#executor.submit(taskOf(row));
        await setImmediate();
      }
      after = rows.at(-1)?.id;
    }
  }

  #ledger(): Ledger {
    const { changes, notice, onBug } = this.#options;
    return {
      begin: async ({ id }) => {
        const row = await this.#ask("begin", id);
        const begun = row && taskOf(row);
        // Not without the progress that it has made meanwhile: who watches may know that already.
        if (row) changes.publish(this.#current(row));
        return begun;
      },
      finish: (task, digits) => this.#finish(task, digits),
      fail: async ({ id }, reason) => void (await this.#writeEnd(id, { state: "failed", reason })),
      progressed: (task) => changes.publish(task),
      onBug,
      onFault: ({ message }) => notice(message),
    };
  }

  async #finish(task: Task, digits: Digits): Promise<void> {
    if (digits.length <= ROW_BYTES_MAX) {
      await this.#writeEnd(task.id, { state: "ready", digits: textOf(digits) });
      return;
    }
    await this.#results.call("put", [resultName(task), digits], [digits.buffer]);
    let isReady = false;
    try {
      isReady = await this.#writeEnd(task.id, { state: "ready" });
    } finally {
      // Not when nobody knows what has become of the commit: what is nobody's is removed by the next opening.
      if (!isReady && this.#failure === undefined) this.#removeFile(task);
    }
  }

  /** Ends a task; false when it had ended before. */
  async #writeEnd(...args: Parameters<Steps["end"]>): Promise<boolean> {
    const row = await this.#ask("end", ...args);
    if (row !== undefined) this.#options.changes.publish(taskOf(row));
    return row !== undefined;
  }

  /** Calls a step with the next group. */
  async #ask<Name extends StepName>(
    name: Name,
    ...args: Parameters<Steps[Name]>
  ): Promise<ReturnType<Steps[Name]>> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#steps.waitingCount >= WAITING_COUNT_MAX)
      throw new FibError("overloaded", `Cannot queue: ${WAITING_COUNT_MAX} steps wait already; try again`);
    const outcome = await new Promise<Outcome>((resolve) =>
      this.#steps.add([name, ...args] as unknown as StepCall, resolve),
    );
    if (outcome.failure !== undefined) throw errorOf(outcome.failure);
    return outcome.value as ReturnType<Steps[Name]>;
  }

  /** Sends a group; what it has removed loses its file and its watchers. */
  async #apply(calls: StepCall[]): Promise<readonly Outcome[]> {
    const refused = (error: unknown) => calls.map(() => ({ failure: failureOf(error) }));
    if (this.#failure !== undefined) return refused(this.#failure);
    try {
      const answer = await this.#store.call("apply", [JSON.stringify(calls)]);
      const { outcomes, ended, removed, hasFailed } = JSON.parse(answer) as GroupAnswer;
      for (const row of ended) this.#options.onTaskEnd?.(taskOf(row));
      for (const { id, attempts, hasFile } of removed) {
        this.#options.changes.forget(id);
        if (hasFile) this.#removeFile({ id, attempts });
      }
      if (hasFailed) this.#fail(errorOf(outcomes[0]!.failure!));
      return outcomes;
    } catch (error) {
      this.#fail(error as Error);
      return refused(this.#failure);
    }
  }

  #removeFile(task: Pick<Task, "id" | "attempts">): void {
    // One that is left is removed by the next opening.
    void this.#results.call("remove", [resultName(task)]).catch(() => {});
  }

  #current(row: TaskRow): Task {
    const task = taskOf(row);
    const progress = task.state === "running" ? this.#executor.progress(task.id) : undefined;
    return progress === undefined ? task : { ...task, progress };
  }

  #fail(error: Error): void {
    if (this.#failure === undefined) void this.#endAndTell(error);
  }

  // Told when its threads have let go of the database: before that nobody could open it.
  async #endAndTell(error: Error): Promise<void> {
    await this.#end(error);
    this.#options.onFailure(error);
  }

  async #end(error: Error): Promise<void> {
    this.#failure = error;
    clearInterval(this.#sweep);
    // What it computes ends later, and is not written any more.
    void this.#executor.close();
    await this.#endThreads();
  }

  async #endThreads(): Promise<void> {
    await this.#store.call("close", []).catch(() => {});
    this.#store.end();
    this.#results.end();
  }
}

function newTask(request: string, sizeBytes: number, origin: Origin): Task {
  return {
    id: Bun.randomUUIDv7(),
    request,
    sizeBytes,
    state: "queued",
    progress: 0,
    attempts: 0,
    requestCount: 1,
    createdAtMs: Date.now(),
    startedAtMs: undefined,
    finishedAtMs: undefined,
    expiresAtMs: undefined,
    reason: undefined,
    origin,
  };
}
