/**
 * Tasks of the server: created, followed, fetched, cancelled, forgotten.
 * @module
 */
import { FibClientError } from "./error.ts";
import { followEvents } from "./events.ts";
import type { NumberForm, NumberForms, SequenceForm, SequenceForms } from "./forms.ts";
import { type DigitCounts, readDigitCounts } from "./inquiries.ts";
import { chosen, type Limits } from "./limits.ts";
import type { CallOptions } from "./options.ts";
import { readPages } from "./pages.ts";
import { openWithin, rangeOf } from "./ranges.ts";
import { type Open, openBytes } from "./resume.ts";
import { pathTo } from "./routes.ts";
import { bodyOf, type Computation, IS_FINISHED, isFinished, readStatus, type TaskStatus } from "./status.ts";
import { NUMBERS, SEQUENCES } from "./terms.ts";
import type { Transport } from "./transport.ts";

/** Which tasks are wanted. */
export interface ListOptions extends CallOptions {
  readonly state?: TaskStatus["state"] | undefined;
  /** Which comes first: the oldest, unless the newest is wanted. */
  readonly order?: "oldest" | "newest" | undefined;
  /** Begin behind this id. */
  readonly after?: string | undefined;
  /** No more than so many. */
  readonly limit?: number | undefined;
}

/** When a task is to be cancelled. */
export interface CancelOptions extends CallOptions {
  /** Not when it was asked for more than once: somebody else waits for it, perhaps. */
  readonly unlessShared?: boolean | undefined;
}

/** When a result is wanted. */
export interface WaitOptions extends CallOptions {
  /** false: throw `task_not_ready` (or `task_failed`) at once instead of waiting. */
  readonly wait?: boolean | undefined;
}

/** How a result is wanted. */
export interface ResultOptions<F> extends WaitOptions {
  readonly as?: F | undefined;
}

/** What counts as progress: so there are 100,000 steps at most, however small those are that a server tells of. */
const PROGRESS_MIN = 1 / 1000;
const ORDERS = { oldest: true, newest: true } as const;
/** A server gives a task up much earlier. */
const ATTEMPTS_MAX = 100;

/** The tasks of a server. */
export class TasksClient {
  readonly #transport: Transport;

  /** @internal */
  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Asks for a computation; one that was asked for already is the same task, also if somebody else did.
   *
   * @returns The task, which from now on survives whatever happens to the server.
   * @throws {@link FibClientError} `result_too_large`, `too_many_tasks`, and as every call does.
   */
  async create(computation: Computation, options: CallOptions = {}): Promise<Task> {
    const body = bodyOf(computation);
    const call = { method: "POST", path: pathTo("/v1/tasks", {}), body } as const;
    const answer = await this.#transport.ask(call, options);
    return new Task(this.#transport, readStatus(answer.body, { start: undefined, ...body }));
  }

  /** A task by its id. @throws {@link FibClientError} `task_unknown`, and as every call does. */
  async get(id: string, options: CallOptions = {}): Promise<Task> {
    const { body } = await this.#transport.ask({ path: pathTo("/v1/tasks/:id", { id }) }, options);
    return new Task(this.#transport, readStatus(body, { id }));
  }

  /** Cancels a task by its id, as {@link Task.cancel} does. */
  async cancel(id: string, { unlessShared = false, ...options }: CancelOptions = {}): Promise<TaskStatus> {
    const unless = unlessShared ? "shared" : undefined;
    const path = pathTo("/v1/tasks/:id/cancel", { id }, { unless });
    const { body } = await this.#transport.ask({ method: "POST", path }, options);
    return readStatus(body, { id });
  }

  /** Removes a task by its id, as {@link Task.forget} does. */
  async forget(id: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.ask({ method: "DELETE", path: pathTo("/v1/tasks/:id", { id }) }, options);
  }

  /**
   * Tasks in the order in which they were created, or against it; asks for more when they are wanted.
   *
   * @throws RangeError or TypeError, at once, for options that are wrong.
   */
  list({ state, order, after, limit, ...options }: ListOptions = {}): AsyncGenerator<Task, void> {
    if (state !== undefined) chosen(IS_FINISHED, state, "state");
    if (order !== undefined) chosen(ORDERS, order, "order");
    const pathOf = (page: object) => pathTo("/v1/tasks", {}, { state, order, ...page });
    const read = (entry: unknown) => new Task(this.#transport, readStatus(entry));
    const listed = { what: "tasks", pathOf, read, after, limit };
    return readPages(this.#transport, listed, this.#transport.limits(options));
  }
}

/** One task. */
export class Task {
  readonly #transport: Transport;
  #status: TaskStatus;

  /** @internal */
  constructor(transport: Transport, status: TaskStatus) {
    this.#transport = transport;
    this.#status = status;
  }

  get id(): string {
    return this.#status.id;
  }

  /** What is known of it; {@link events} and {@link refresh} bring news. */
  get status(): TaskStatus {
    return this.#status;
  }

  /** Asks how it is. */
  async refresh(options: CallOptions = {}): Promise<TaskStatus> {
    const { status } = await this.#tasks.get(this.id, options);
    return (this.#status = status);
  }

  /**
   * How it is now, and each change until it has ended; goes on after a cut.
   *
   * What counts as progress is that it has come further by 1/1000, or that a connection has held for 5 s with the server still
   * there: after `retriesMax` cuts without either it gives up.
   *
   * @throws RangeError, at once, for limits that are none.
   */
  events(options: CallOptions = {}): AsyncGenerator<TaskStatus, void> {
    return this.#events(this.#transport.limits(options));
  }

  async *#events(limits: Limits): AsyncGenerator<TaskStatus, void> {
    const attempts = this.#transport.attempts(limits);
    const path = pathTo("/v1/tasks/:id/events", { id: this.id });
    let counted = -1;
    for await (const { data } of followEvents(this.#transport, path, ["message"], attempts)) {
      const status = readStatus(data, { id: this.id });
      // An executor that gives it back takes an attempt off. A server that never tells of more than it did repeats itself.
      const reached = Math.min(status.attempts, ATTEMPTS_MAX) + status.progress;
      if (reached >= counted + PROGRESS_MIN) {
        attempts.progress();
        counted = reached;
      }
      this.#status = status;
      yield status;
      if (isFinished(status)) return;
    }
  }

  /**
   * Waits until it is ready.
   *
   * @throws {@link FibClientError} `task_failed`, `task_cancelled`, and as every call does.
   */
  async ready(options: CallOptions = {}): Promise<void> {
    await this.#ready(this.#transport.limits(options));
  }

  /**
   * The number, once the task is ready; of a sequence its text. Statistics are no number: {@link digitCounts} has them.
   *
   * @throws {@link FibClientError} `task_failed`, `task_cancelled`, and as every call does.
   */
  async result<F extends NumberForm = "bigint">(options: ResultOptions<F> = {}): Promise<NumberForms[F]> {
    const { as = "bigint" as F, wait = true, ...call } = options;
    const read = chosen(NUMBERS, as, "as");
    if (as === "bigint" && this.#status.kind === "sequence")
      throw new TypeError(
        "Cannot use bigint for as: a sequence is many numbers; call terms(), or take the text",
      );
    if (this.#status.kind === "statistics")
      throw new TypeError("Cannot hand out a number: statistics are ten; call digitCounts()");
    const range = rangeOf(this.#status);
    const open: Open = (own) => this.#open(wait, own);
    return read(range === undefined ? open : openWithin(open, range), this.#transport.limits(call));
  }

  /** The terms of a sequence, once the task is ready; otherwise as `FibClient.sequence` gives them. */
  terms<F extends SequenceForm = "bigint">(options: ResultOptions<F> = {}): SequenceForms[F] {
    const { as = "bigint" as F, wait = true, ...call } = options;
    const read = chosen(SEQUENCES, as, "as");
    return read((own) => this.#open(wait, own), this.#transport.limits(call));
  }

  /**
   * What statistics have found, once the task is ready.
   *
   * @throws TypeError for another kind; {@link FibClientError} as {@link result} does.
   */
  async digitCounts({ wait = true, ...call }: WaitOptions = {}): Promise<DigitCounts> {
    const { kind, id } = this.#status;
    if (kind !== "statistics") throw new TypeError(`Cannot count digits: this is a task of kind ${kind}`);
    if (wait) await this.ready(call);
    const path = pathTo("/v1/tasks/:id/result", { id }, { format: "json" });
    return readDigitCounts((await this.#transport.ask({ path }, call)).body);
  }

  /**
   * Cancels it if it waits or runs, for everybody who has asked for it; one that has ended stays as it is.
   *
   * @returns What has become of it.
   */
  async cancel(options: CancelOptions = {}): Promise<TaskStatus> {
    return (this.#status = await this.#tasks.cancel(this.id, options));
  }

  /** Removes it with its result, for everybody; one that waits or runs is ended. There need not be one any more. */
  async forget(options: CallOptions = {}): Promise<void> {
    await this.#tasks.forget(this.id, options);
  }

  get #tasks(): TasksClient {
    return new TasksClient(this.#transport);
  }

  async #ready(limits: Limits): Promise<void> {
    if (!isFinished(this.#status)) {
      const events = this.#events(limits);
      while (!(await events.next()).done);
    }
    const { state, reason, id } = this.#status;
    if (state === "failed")
      throw new FibClientError("task_failed", `Task ${id} has failed: ${reason ?? "?"}`);
    if (state === "cancelled") throw new FibClientError("task_cancelled", `Task ${id} was cancelled`);
  }

  async #open(wait: boolean, limits: Limits) {
    if (wait) await this.#ready(limits);
    const { kind, digits, bytes } = this.#status;
    const hasLines = kind === "sequence";
    const path = pathTo("/v1/tasks/:id/result", { id: this.id });
    return openBytes(this.#transport, { path, hasLines, sizeBytes: hasLines ? bytes : digits }, limits);
  }
}
