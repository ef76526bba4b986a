/**
 * The steps of a task's life in the database, and what is counted there. Each is called within a transaction of
 * store.ts, on the database's thread; those that only read also without.
 *
 * What is counted is counted by holder (the address that asked first): of the tasks that wait or run nobody has more
 * than is still free ({@link Shares}), and when finished ones have to make room, whoever has more than half of it gives
 * way, else the oldest.
 * @module
 */
import { FibError } from "../errors.ts";
import { textOf } from "../numbers/decimal.ts";
import { Shares } from "../shares.ts";
import type { Origin } from "../tracing.ts";
import { type Computable, computeShort, isShort } from "./compute.ts";
import { type Ending, type Kept, keptBytesOf, type Removed, type TaskDatabase } from "./database.ts";
import { type CancelOptions, NO_TASKS, type TaskCounts, type TaskFilter, type TaskLimits } from "./queue.ts";
import type { TaskRow } from "./row.ts";
import { isFinished, kindOf, requestOfKey, weightOf } from "./task.ts";

/** Expired tasks that one step forgets. */
const SWEEP_COUNT = 500;

/** What is asked for. */
export type Wanted = Pick<TaskRow, "id" | "request" | "sizeBytes" | "createdAtMs" | "holder"> & Origin;

const NEW = {
  state: "queued",
  attempts: 0,
  requestCount: 1,
  deaths: 0,
  startedAtMs: null,
  finishedAtMs: null,
  expiresAtMs: null,
  reason: null,
  keptBytes: 0,
} as const;

/** The steps on one database. */
export class Steps {
  /** Told of each task that a step ends. */
  onTaskEnd: (row: TaskRow) => void = () => {};
  /** Told of each task that a step removes. */
  onRemoved: (task: Removed) => void = () => {};

  readonly #database: TaskDatabase;
  readonly #limits: TaskLimits;
  #unfinished!: Shares;
  /** What gives back the share of an unfinished task. */
  #shares = new Map<string, () => void>();
  #keptBytes = 0;
  #keptBytesOf = new Map<string, number>();
  /** Who has more than half of the room, if anybody. */
  #greedy: string | undefined;

  constructor(database: TaskDatabase, limits: TaskLimits) {
    this.#database = database;
    this.#limits = limits;
  }

  /**
   * Makes a task, or finds the one for the same computation. A short one is computed here, on the thread that writes it
   * down: accepted and finished are one commit, and nothing of it waits.
   *
   * @returns The task; undefined when it is the wanted one, and queued.
   */
  create(wanted: Wanted): TaskRow | undefined {
    const found = this.#database.findReusable(wanted.request);
    if (found !== undefined && !isExpired(found))
      return isFinished(found.state) ? found : this.#database.countRequest(found.id);
    const task = { request: requestOfKey(wanted.request), sizeBytes: wanted.sizeBytes };
    const share = isShort(task) ? undefined : this.#takeShare(wanted);
    if (!isShort(task) && share === undefined) throw this.#tooMany();
    if (found !== undefined) this.forget(found.id);
    const { requestId = null, traceparent = null } = wanted;
    const row: TaskRow = { ...NEW, ...wanted, requestId, traceparent };
    if (share === undefined) return this.#createFinished(row, task);
    this.#database.insert(row);
    this.#shares.set(wanted.id, share);
    return undefined;
  }

  find(id: string): TaskRow | undefined {
    const row = this.#database.find(id);
    return row === undefined || isExpired(row) ? undefined : row;
  }

  list(filter: TaskFilter): TaskRow[] {
    return this.#database.list(filter, Date.now());
  }

  /** What is in the database. */
  counts(): TaskCounts {
    const states = { ...NO_TASKS.states };
    for (const { state, count } of this.#database.states()) states[state] = count;
    const oldestAtMs = this.#database.oldestQueuedAtMs();
    const oldestQueuedMs = oldestAtMs === undefined ? 0 : Math.max(0, Date.now() - oldestAtMs);
    return { states, oldestQueuedMs, resultBytes: this.#keptBytes };
  }

  /** A ready number, and its digits unless they are in a file; undefined when there is none. */
  result(id: string): { readonly row: TaskRow; readonly digits?: string | undefined } | undefined {
    const row = this.find(id);
    if (row?.state !== "ready" || kindOf(row.request) === "sequence") return undefined;
    return { row, digits: this.#database.digits(id) };
  }

  /** Queues a ready task again whose file is gone; undefined when it is another attempt's by now, or nobody's. */
  lose(id: string, attempts: number): TaskRow | undefined {
    const row = this.find(id);
    if (row?.state !== "ready" || row.attempts !== attempts) return undefined;
    this.#keep({ ...row, keptBytes: -row.keptBytes });
    this.#shares.set(id, this.#unfinished.count(row.holder, weightOf(row.request.length)));
    return this.#database.requeue(id);
  }

  /** Says that a task runs; undefined when it is not to be run any more. */
  begin(id: string): TaskRow | undefined {
    return this.#database.begin(id, Date.now());
  }

  /** Ends a task; undefined when it had ended before. */
  end(id: string, ending: Pick<Ending, "state" | "reason" | "digits">): TaskRow | undefined {
    const row = this.#database.end(id, { ...ending, atMs: Date.now(), ttlMs: this.#limits.resultTtlMs });
    if (row === undefined) return undefined;
    this.#giveBackShare(id);
    this.#keep(row);
    this.#makeRoom(id);
    this.onTaskEnd(row);
    return row;
  }

  /** See `TaskQueue.cancel`. */
  cancel(id: string, { unlessShared = false }: CancelOptions): TaskRow | undefined {
    const row = this.find(id);
    if (row === undefined || isFinished(row.state) || (unlessShared && row.requestCount > 1)) return row;
    return this.end(id, { state: "cancelled" });
  }

  /** Removes a task, whatever its state. */
  forget(id: string): void {
    const removed = this.#database.remove(id);
    if (removed === undefined) return;
    this.#giveBackShare(id);
    this.#keep({ ...removed, keptBytes: -removed.keptBytes });
    this.onRemoved(removed);
  }

  /** Gives running tasks back as if they had never been begun. */
  giveBack(ids: readonly string[]): void {
    for (const id of ids) this.#database.giveBack(id);
  }

  /** Forgets what has expired, so many at a time. */
  sweep(): void {
    for (const row of this.#database.finished(SWEEP_COUNT)) if (isExpired(row)) this.forget(row.id);
  }

  /** See `TaskStore.recover`. */
  recover(lost: readonly string[], processDied: boolean): number {
    for (const id of lost) this.#database.requeue(id);
    this.count();
    for (const { id, state, deaths } of this.#database.unfinished()) {
      if (state !== "running") continue;
      const deathsNow = deaths + (processDied ? 1 : 0);
      const reason = `The process ended ${deathsNow} times while it was computed`;
      if (deathsNow >= this.#limits.attemptsMax) this.end(id, { state: "failed", reason });
      else this.#database.requeue(id, processDied ? 1 : 0);
    }
    // The first release wrote short ones down before it computed them.
    for (const { id, request, sizeBytes } of this.#database.queuedOfFirst()) {
      const task = { request: requestOfKey(request), sizeBytes };
      if (!isShort(task)) continue;
      const { reason, ...ending } = endingOf(task);
      this.end(id, { ...ending, ...(reason !== null && { reason }) });
    }
    return this.#shares.size;
  }

  /** Counts anew what is in the database. */
  count(): void {
    this.#unfinished = new Shares(this.#limits.tasksMax);
    this.#shares = new Map();
    // Also beyond a limit that is lower than that of the last start: what was accepted is not given up.
    for (const { id, holder, requestChars } of this.#database.unfinished())
      this.#shares.set(id, this.#unfinished.count(holder, weightOf(requestChars)));
    this.#greedy = undefined;
    this.#keptBytes = 0;
    this.#keptBytesOf = new Map();
    for (const kept of this.#database.keptBytes()) this.#keep(kept);
  }

  #createFinished(queued: TaskRow, task: Computable): TaskRow {
    const { digits, ...ending } = endingOf(task);
    const atMs = Date.now();
    const row: TaskRow = {
      ...queued,
      ...ending,
      attempts: 1,
      startedAtMs: atMs,
      finishedAtMs: atMs,
      expiresAtMs: atMs + this.#limits.resultTtlMs,
      keptBytes: keptBytesOf(queued.request, digits?.length ?? 0),
    };
    this.#database.insert(row, digits);
    this.#keep(row);
    this.#makeRoom(row.id);
    this.onTaskEnd(row);
    return row;
  }

  /** Undefined when it cannot be had. One that counts for more than there is can be had alone. */
  #takeShare({ holder, request }: Wanted): (() => void) | undefined {
    const weight = weightOf(request.length);
    return this.#shares.size === 0
      ? this.#unfinished.count(holder, weight)
      : this.#unfinished.take(holder, weight);
  }

  #giveBackShare(id: string): void {
    this.#shares.get(id)?.();
    this.#shares.delete(id);
  }

  #keep({ holder, keptBytes }: Kept): void {
    this.#keptBytes += keptBytes;
    const bytes = (this.#keptBytesOf.get(holder) ?? 0) + keptBytes;
    if (bytes > 0) this.#keptBytesOf.set(holder, bytes);
    else this.#keptBytesOf.delete(holder);
    // At most one can have more than half, so one name is enough.
    if (bytes > this.#limits.resultBytesMax / 2) this.#greedy = holder;
    else if (this.#greedy === holder) this.#greedy = undefined;
  }

  #makeRoom(endedId: string): void {
    while (this.#keptBytes > this.#limits.resultBytesMax) {
      const isOther = ({ id }: TaskRow) => id !== endedId;
      const oldest =
        this.#database.finished(2, this.#greedy).find(isOther) ?? this.#database.finished(2).find(isOther);
      if (oldest === undefined) return;
      this.forget(oldest.id);
    }
  }

  #tooMany(): FibError {
    return new FibError(
      "too_many_tasks",
      `Cannot take another task: ${this.#shares.size} wait or run, of ${this.#limits.tasksMax} at most, where long requests count as several, and one address has no more of them than are free; try again later`,
    );
  }
}

/** What a short task comes to. */
function endingOf(task: Computable) {
  try {
    const digits = computeShort(task);
    return { state: "ready", reason: null, digits: digits && textOf(digits) } as const;
  } catch (error) {
    return { state: "failed", reason: (error as Error).message, digits: undefined } as const;
  }
}

function isExpired({ expiresAtMs }: TaskRow): boolean {
  return expiresAtMs !== null && expiresAtMs <= Date.now();
}
