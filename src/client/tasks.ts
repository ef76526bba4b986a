/**
 * Tasks of the server: created, followed, fetched, cancelled, forgotten.
 * @module
 */
import { FibClientError } from "./error.ts";
import { followEvents } from "./events.ts";
import { openBytes } from "./resume.ts";
import type { CallOptions } from "./retry.ts";
import { type Output, pathTo } from "./routes.ts";
import {
  type NumberForm,
  type NumberForms,
  numberAs,
  type SequenceForm,
  type SequenceForms,
  sequenceAs,
} from "./terms.ts";
import type { Transport } from "./transport.ts";

/** What a task can compute. */
export type Computation =
  | { readonly kind: "fibonacci" | "factorial"; readonly n: number | bigint }
  | { readonly kind: "ackermann"; readonly m: number | bigint; readonly n: number | bigint }
  | { readonly kind: "sequence"; readonly from?: number | bigint; readonly count: number | bigint };

/** A task as the server shows it; times as RFC 3339, big integers as text. */
export interface TaskStatus {
  readonly id: string;
  readonly kind: Computation["kind"];
  readonly m?: string;
  readonly n?: string;
  readonly from?: string;
  readonly count?: string;
  readonly state: "queued" | "running" | "ready" | "failed" | "cancelled";
  /** From 0 to 1. */
  readonly progress: number;
  /** Of a number. */
  readonly digits?: number;
  /** Of a sequence as text. */
  readonly bytes?: number;
  /** How often it was begun. */
  readonly attempts: number;
  /** How often it was asked for while it waited or ran; {@link Task.events} brings no news of that alone. */
  readonly requests: number;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  /** When it is forgotten. */
  readonly expiresAt?: string;
  /** Why it failed. */
  readonly reason?: string;
}

/** Which tasks are wanted. */
export interface ListOptions extends CallOptions {
  readonly state?: TaskStatus["state"] | undefined;
  /** Begin behind this id. */
  readonly after?: string | undefined;
}

/** When a task is to be cancelled. */
export interface CancelOptions extends CallOptions {
  /** Not when it was asked for more than once: somebody else waits for it, perhaps. */
  readonly unlessShared?: boolean | undefined;
}

/** How a result is wanted. */
export interface ResultOptions<F> extends CallOptions {
  readonly as?: F | undefined;
  /** false: throw `task_not_ready` (or `task_failed`) at once instead of waiting. */
  readonly wait?: boolean | undefined;
}

/** The tasks of a server. */
export class TasksClient {
  readonly #transport: Transport;

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
    const fields = computation.kind === "sequence" ? { from: 0, ...computation } : computation;
    const body = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
    const call = { method: "POST", path: pathTo("/v1/tasks", {}), body } as const;
    const answer = await this.#transport.ask(call, options);
    return new Task(this.#transport, readStatus(answer.body));
  }

  /** A task by its id. @throws {@link FibClientError} `not_found`, and as every call does. */
  async get(id: string, options: CallOptions = {}): Promise<Task> {
    const { body } = await this.#transport.ask({ path: pathTo("/v1/tasks/:id", { id }) }, options);
    return new Task(this.#transport, readStatus(body));
  }

  /** Removes a task by its id, as {@link Task.forget} does. */
  async forget(id: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.ask({ method: "DELETE", path: pathTo("/v1/tasks/:id", { id }) }, options);
  }

  /** Tasks in the order in which they were created; asks for more when they are wanted. */
  async *list({ state, after, ...options }: ListOptions = {}): AsyncGenerator<Task, void> {
    for (let last = after; ;) {
      const path = pathTo("/v1/tasks", {}, { state, after: last });
      const { body } = await this.#transport.ask({ path }, options);
      const { tasks, next } = (body ?? {}) as Partial<TaskList>;
      if (!Array.isArray(tasks)) throw new FibClientError("bad_answer", "The server sent no list of tasks");
      for (const task of tasks) yield new Task(this.#transport, readStatus(task));
      if (next === undefined) return;
      last = next;
    }
  }
}

/** One page of a list. */
type TaskList = Output<"/v1/tasks", "$get">;

/** One task. */
export class Task {
  readonly #transport: Transport;
  #status: TaskStatus;

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
    const { body } = await this.#transport.ask({ path: pathTo("/v1/tasks/:id", { id: this.id }) }, options);
    return (this.#status = readStatus(body));
  }

  /** How it is now, and each change until it has ended; goes on after a cut. */
  async *events(options: CallOptions = {}): AsyncGenerator<TaskStatus, void> {
    const path = pathTo("/v1/tasks/:id/events", { id: this.id });
    for await (const data of followEvents(this.#transport, path, options)) {
      this.#status = readStatus(data);
      yield this.#status;
      if (isFinished(this.#status)) return;
    }
  }

  /**
   * Waits until it is ready.
   *
   * @throws {@link FibClientError} `task_failed`, `task_cancelled`, and as every call does.
   */
  async ready(options: CallOptions = {}): Promise<void> {
    if (!isFinished(this.#status)) {
      const events = this.events(options);
      while (!(await events.next()).done);
    }
    const { state, reason, id } = this.#status;
    if (state === "failed")
      throw new FibClientError("task_failed", `Task ${id} has failed: ${reason ?? "?"}`);
    if (state === "cancelled") throw new FibClientError("task_cancelled", `Task ${id} was cancelled`);
  }

  /**
   * The number, once the task is ready; of a sequence its text.
   *
   * @throws {@link FibClientError} `task_failed`, `task_cancelled`, and as every call does.
   */
  async result<F extends NumberForm = "bigint">(options: ResultOptions<F> = {}): Promise<NumberForms[F]> {
    return numberAs(await this.#open(options), options.as ?? ("bigint" as F));
  }

  /** The terms of a sequence, once the task is ready; otherwise as `FibClient.sequence` gives them. */
  terms<F extends SequenceForm = "bigint">(options: ResultOptions<F> = {}): SequenceForms[F] {
    return sequenceAs(() => this.#open(options), options.as ?? ("bigint" as F));
  }

  /**
   * Cancels it if it waits or runs, for everybody who has asked for it; one that has ended stays as it is.
   *
   * @returns What has become of it.
   */
  async cancel({ unlessShared = false, ...options }: CancelOptions = {}): Promise<TaskStatus> {
    const unless = unlessShared ? "shared" : undefined;
    const path = pathTo("/v1/tasks/:id/cancel", { id: this.id }, { unless });
    const { body } = await this.#transport.ask({ method: "POST", path }, options);
    return (this.#status = readStatus(body));
  }

  /** Removes it with its result, for everybody; one that waits or runs is ended. There need not be one any more. */
  async forget(options: CallOptions = {}): Promise<void> {
    await new TasksClient(this.#transport).forget(this.id, options);
  }

  async #open({ wait = true, ...options }: ResultOptions<unknown>) {
    if (wait) await this.ready(options);
    return openBytes(this.#transport, pathTo("/v1/tasks/:id/result", { id: this.id }), options);
  }
}

function isFinished({ state }: TaskStatus): boolean {
  return state !== "queued" && state !== "running";
}

/** What the server says of a task is what {@link TaskStatus} promises, or this does not compile. */
type ServerStatus = Output<"/v1/tasks/:id", "$get"> extends TaskStatus ? TaskStatus : never;

function readStatus(body: unknown): ServerStatus {
  const { id, state } = (body ?? {}) as Partial<TaskStatus>;
  if (typeof id === "string" && typeof state === "string") return body as ServerStatus;
  throw new FibClientError("bad_answer", "The server sent no task");
}
