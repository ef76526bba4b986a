/**
 * The default engine: SQLite beside the cursor file, worker threads of this process.
 *
 * Nothing is created before the first task. A database that is there is opened at the start, and what it holds is
 * computed to the end. When it cannot be had (another server has it, or its disk refused something) requests are told
 * why, and it is tried again every {@link RETRY_MS}; the cursor does not depend on it.
 *
 * Two servers may share one cursor file, and then the first one has the tasks: the second answers them with 503
 * `tasks_locked` until the first has ended. Rejected: sharing the database as well. It works in SQLite, but a task would
 * have to be taken, watched and cancelled by polling; who wants several executors has Redis for it.
 * @module
 */
import fs from "node:fs";
import { FibError } from "../errors.ts";
import { RecentFailure } from "../recent-failure.ts";
import type { Origin } from "../tracing.ts";
import { Changes } from "./changes.ts";
import {
  type CancelOptions,
  NO_TASKS,
  type StoredResult,
  type TaskCounts,
  type TaskFilter,
  type TaskQueue,
} from "./queue.ts";
import { Session, type SessionOptions } from "./session.ts";
import type { Task, TaskRequest } from "./task.ts";
import { type SessionThreads, startThreads } from "./threads.ts";

/** How long a database that cannot be used is left alone. */
const RETRY_MS = 2000;

/** What the embedded engine needs. */
export type EmbeddedOptions = Omit<SessionOptions, "changes" | "onFailure" | "processDied" | "threads">;

/** The tasks of one server. */
export class EmbeddedTasks implements TaskQueue {
  readonly #options: EmbeddedOptions;
  readonly #changes = new Changes();
  #session: Promise<Session> | undefined;
  /** Those of the first session, when they have been started before it. */
  #threads: SessionThreads | undefined;
  /** Why there is none for a while; a promise rejects with it. */
  #unusable: Error | undefined;
  readonly #failed = new RecentFailure();
  #retry: Timer | undefined;
  /** What was last said about why it cannot be used. */
  #told: string | undefined;
  /** No session of this process has been open yet. */
  #isFirst = true;
  #closed = false;

  constructor(options: EmbeddedOptions) {
    this.#options = options;
    this.#resume();
  }

  /** Starts the threads that the first task would have to wait for: 8 of its 14 ms. They hold 4 MB. */
  prepare(): void {
    if (this.#session === undefined && !this.#closed) this.#threads ??= startThreads();
  }

  async create(
    request: TaskRequest,
    sizeBytes: number,
    holder = "",
    origin: Origin = {},
  ): ReturnType<TaskQueue["create"]> {
    const { resultBytesMax } = this.#options.limits;
    if (request.kind !== "sequence" && sizeBytes > resultBytesMax) {
      throw new FibError(
        "result_too_large",
        `Cannot keep this: it has ${sizeBytes} digits, and the room for all results is ${resultBytesMax} bytes`,
      );
    }
    const session = await this.#open();
    try {
      const created = await session.create(request, sizeBytes, holder, origin);
      if (created.created) this.#failed.clear();
      return created;
    } catch (error) {
      // Without room only this is refused, and the session goes on.
      if (error instanceof FibError && error.code === "tasks_io") this.#failed.note(error);
      throw error;
    }
  }

  async find(id: string): Promise<Task | undefined> {
    return (await this.#openExisting())?.find(id);
  }

  async list(filter: TaskFilter): Promise<readonly Task[]> {
    return (await (await this.#openExisting())?.list(filter)) ?? [];
  }

  async count(): Promise<TaskCounts> {
    return (await (await this.#openExisting())?.count()) ?? NO_TASKS;
  }

  async cancel(id: string, options: CancelOptions = {}): Promise<Task | undefined> {
    return (await this.#openExisting())?.cancel(id, options);
  }

  async forget(id: string): Promise<void> {
    await (await this.#openExisting())?.forget(id);
  }

  async openResult(id: string): Promise<StoredResult | undefined> {
    return (await this.#openExisting())?.openResult(id);
  }

  watch(id: string, signal: AbortSignal): AsyncIterable<Task> {
    return this.#changes.watch(id, signal, () => this.find(id));
  }

  /** Throws also, for a minute, what ended the last session, such as a full disk: everything can be read then. */
  async check(): Promise<void> {
    await this.count();
    this.#failed.check();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    const session = await this.#session?.catch(() => undefined);
    this.#session = undefined;
    await session?.close();
    for (const thread of Object.values(this.#threads ?? {})) thread.end();
  }

  #openExisting(): Promise<Session> | undefined {
    return (
      this.#session ??
      (this.#unusable !== undefined || fs.existsSync(this.#options.path) ? this.#open() : undefined)
    );
  }

  /** The session; opened when there is none, by one at a time. Refused for a while after a failure. */
  #open(): Promise<Session> {
    if (this.#session !== undefined) return this.#session;
    if (this.#unusable !== undefined) return Promise.reject(this.#unusable);
    if (this.#closed)
      return Promise.reject(new FibError("overloaded", "Cannot take tasks: the server is stopping"));
    return (this.#session = this.#openAnew());
  }

  async #openAnew(): Promise<Session> {
    try {
      const session = await Session.open({
        ...this.#options,
        threads: this.#takeThreads(),
        processDied: this.#isFirst,
        changes: this.#changes,
        onFailure: (error) => {
          this.#failed.note(error);
          this.#onFailure(error);
        },
      });
      this.#isFirst = false;
      this.#told = undefined;
      return session;
    } catch (error) {
      this.#onFailure(error as Error);
      throw error;
    }
  }

  #takeThreads(): SessionThreads {
    const threads = this.#threads ?? startThreads();
    this.#threads = undefined;
    return threads;
  }

  #resume(): void {
    // What is wrong has been said, and is said to whoever asks.
    this.#openExisting()?.catch(() => {});
  }

  #onFailure(error: Error): void {
    if (!(error instanceof FibError)) this.#options.onBug(error);
    else if (error.message !== this.#told) this.#options.notice(error.message);
    if (error instanceof FibError) this.#told = error.message;
    if (this.#closed) return;
    this.#session = undefined;
    this.#unusable = error;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      this.#unusable = undefined;
      this.#resume();
    }, RETRY_MS);
    this.#retry.unref();
  }
}
