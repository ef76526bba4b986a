/**
 * The durable cursor: one fsync serves everyone waiting.
 *
 * Requests that arrive in one turn of the event loop, or while a sync is running, form
 * the next group, which is one commit of the record (durable.ts) and one sync.
 *
 * Where the time of a group goes, at 64 connections on one CPU: on tmpfs a group of 47 takes 0.39 ms, 0.09 to
 * gather it (two turns of the loop, in which its requests are read), 0.06 for the sync on its thread, 0.02 to settle
 * its promises, and 0.2 for the kernel to take 47 answers. On a disk with syncs of 0.24 ms nearly all gather, 63, and
 * a group takes 1.1 ms: the client reads these answers and asks again, 0.4 ms in which there is nothing to do here.
 *
 * A write or sync error ends it: a second fsync may lie. All that wait are refused, and
 * so is everything after them; the owner of the process hears of it and exits.
 *
 * Rejected: a chain of promises (1,325 syncs for 3,200 moves where this makes 50);
 * committing in the request that opens a turn (groups of one, 6,000 moves a second);
 * gathering for one turn only (8% more CPU, on tmpfs and on a disk); to wait in other ways than a promise and
 * an object for each (parallel arrays, a shared executor, one promise for the group:
 * 39 to 63 ns in place of 53, of the 7,500 that a move takes). The madvise calls of a
 * server under load are the allocator's, by time, and come once in 20 groups; to begin the next sync before a group is
 * answered (with a sync of 5 ms and 1,000 connections two groups of 460 in 14 ms, in place of one of 820 in 12.6).
 * @module
 */
import { DEFAULT_NAME } from "../cursor-name.ts";
import { FibError } from "../errors.ts";
import { type DurableOptions, DurableRecord } from "./durable.ts";
import type { GroupWatch } from "./group-watch.ts";
import type { Commit, CursorRequest, Listener, OpenCursor, Outcome, Position } from "./moves.ts";
import { openCursorFile } from "./open.ts";
import type { Run } from "./procedure.ts";
import { lookAgain, Watching } from "./watching.ts";

/** How a cursor is opened. */
export interface CursorOptions extends DurableOptions {
  /** How it waits for the disk and for other processes. */
  readonly run: Run;
  /** Called once, when an I/O error has ended the cursor. */
  readonly onFailure?: (error: FibError) => void;
  /** Hears of each group; of syncs `run` tells, which waits for them. */
  readonly groups?: Pick<GroupWatch, "answered" | "locked"> | undefined;
}

/** Requests that may wait for a commit; beyond it they are refused. */
const WAITING_COUNT_MAX = 100_000;
/** On a slow disk enough gather while the sync runs. */
const GATHER_MS_MAX = 1;

interface Waiting {
  readonly request: CursorRequest;
  readonly answer: (outcome: Outcome) => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/** An open cursor: one for each process and file. */
export class Cursor implements OpenCursor {
  readonly #options: CursorOptions;
  readonly #record: DurableRecord;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  /** What this turn of the loop has already found to be the position. */
  #seen: Position | undefined;
  #failure: FibError | undefined;
  /** What the last commit took. */
  #commitMs = 0;
  /** When it, or the one that is under way, began, and for how many. */
  #commitStartMs = 0;
  #commitCount = 0;
  #isCommitting = false;
  /** Who was in flight when the last group was answered. */
  #expectedCount = 0;
  readonly #watching = new Watching(() => lookAgain(() => this.#look()));

  private constructor(options: CursorOptions, record: DurableRecord) {
    this.#options = options;
    this.#record = record;
  }

  /**
   * Opens the file, creating it when there is none, and makes sure that its name and position are on disk.
   *
   * @throws {@link FibError} `cursor_damaged`, `cursor_io`, `cursor_locked`.
   */
  static async open(options: CursorOptions): Promise<Cursor> {
    const { path, notice, run } = options;
    const file = await run(openCursorFile(path, { notice, mayCreate: true }));
    const cursor = new Cursor(options, new DurableRecord(options, file));
    const outcome = await cursor.submit({ operation: "current" }, (position) => position);
    if (!(outcome instanceof FibError)) return cursor;
    await cursor.close();
    throw outcome;
  }

  /** How many wait for their outcome: also those whose group is under way. */
  get pendingCount(): number {
    return this.#waiting.length + (this.#isCommitting ? this.#commitCount : 0);
  }

  /** How long the commit that is under way has taken so far; see `CursorService`. */
  committingMs(): number {
    return this.#isCommitting ? performance.now() - this.#commitStartMs : 0;
  }

  /** Why everything is refused from now on, or undefined while all is well. */
  get failure(): FibError | undefined {
    return this.#failure;
  }

  /** Queues a request for the next group; see `CursorService`. */
  submit<T>(request: CursorRequest, answer: (outcome: Outcome) => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting = { request, answer, resolve: resolve as (result: unknown) => void, reject };
      if (this.#failure !== undefined) return this.#refuse([waiting], this.#failure);
      if (this.#waiting.length === WAITING_COUNT_MAX) return this.#refuse([waiting], tooManyWaiting());
      this.#waiting.push(waiting);
      this.#running ??= this.#drain();
    });
  }

  /**
   * The durable position, at once, unless somebody else has moved the file: one read for all who ask in a
   * turn of the loop. While a commit of our own is running it is the position before that.
   *
   * @returns undefined when only a group can tell, or can say what is wrong: {@link submit} `current` then.
   */
  current(): Position | undefined {
    if (this.#seen !== undefined) return this.#seen;
    if (this.#failure !== undefined) return undefined;
    this.#seen = this.#record.position();
    if (this.#seen !== undefined) setImmediate(() => (this.#seen = undefined));
    return this.#seen;
  }

  /** Tells of each change; see `CursorService`. What another process has written is adopted before it is told. */
  watch(listener: Listener): () => void {
    return this.#watching.watch(DEFAULT_NAME, listener);
  }

  /** How the group that is answered now was made durable; see `CursorService`. */
  lastCommit(): Commit {
    return { startMs: this.#commitStartMs, durationMs: this.#commitMs, count: this.#commitCount };
  }

  /** Waits for what is queued, then gives the file back; what comes later is refused. */
  async close(): Promise<void> {
    // A request that comes while this waits may start another commit.
    while (this.#running !== undefined) await this.#running;
    this.#end(new FibError("cursor_io", `Cannot use ${this.#options.path}: it is closed`));
  }

  async #drain(): Promise<void> {
    do {
      await this.#gather();
      await this.#commitGroup();
    } while (this.#waiting.length > 0);
    this.#running = undefined;
  }

  /**
   * Lets the turn of the loop end, and waits on while that brings more, or those who were answered last may ask
   * again: else clients fall into two groups, each of which waits for the other's sync. Never longer than a sync.
   */
  async #gather(): Promise<void> {
    const startMs = performance.now();
    const limitMs = Math.min(this.#commitMs, GATHER_MS_MAX);
    let count: number;
    do {
      count = this.#waiting.length;
      await endOfTurn();
    } while (
      (this.#waiting.length > count || this.#waiting.length < this.#expectedCount) &&
      performance.now() - startMs < limitMs
    );
  }

  async #commitGroup(): Promise<void> {
    const { run, groups } = this.#options;
    let group: Waiting[] | undefined;
    try {
      if (this.#record.tryLock()) groups?.locked(0);
      else await this.#waitForLock();
      group = this.#takeWaiting();
      const startMs = performance.now();
      const requests = group.map(({ request }) => request);
      this.#commitStartMs = startMs;
      this.#commitCount = group.length;
      this.#isCommitting = true;
      const outcomes = await run(this.#record.apply(requests));
      this.#commitMs = performance.now() - startMs;
      this.#isCommitting = false;
      this.#unlock();
      this.#expectedCount = group.length + this.#waiting.length;
      for (let i = 0; i < group.length; i++) settle(group[i]!, outcomes[i]!);
      groups?.answered(requests, outcomes);
      if (!this.#watching.isIdle) this.#publish(group, outcomes);
    } catch (error) {
      this.#isCommitting = false;
      const reason =
        error instanceof FibError ? error : new FibError("internal", String(error), { cause: error });
      if (this.#record.isInDoubt && reason.code !== "cursor_damaged") this.#end(reason);
      this.#unlock();
      this.#refuse(group ?? this.#takeWaiting(), reason);
      if (this.#failure === reason) this.#options.onFailure?.(reason);
    }
  }

  async #waitForLock(): Promise<void> {
    const { run, groups } = this.#options;
    const startMs = performance.now();
    try {
      await run(this.#record.lock());
    } finally {
      groups?.locked(performance.now() - startMs);
    }
  }

  #refuse(group: readonly Waiting[], reason: FibError): void {
    for (const waiting of group) settle(waiting, reason);
    this.#options.groups?.answered(
      group.map(({ request }) => request),
      group.map(() => reason),
    );
  }

  async #look(): Promise<void> {
    const position = this.current();
    if (position === undefined) await this.submit({ operation: "current" }, () => {});
    else this.#watching.publish(DEFAULT_NAME, position);
  }

  #publish(group: readonly Waiting[], outcomes: readonly Outcome[]): void {
    const named = group.map(({ request }) => ({ name: DEFAULT_NAME, request }));
    this.#watching.publishGroup(named, outcomes);
  }

  #unlock(): void {
    this.#seen = undefined;
    if (this.#failure === undefined) this.#record.unlock();
  }

  #takeWaiting(): Waiting[] {
    const group = this.#waiting;
    this.#waiting = [];
    return group;
  }

  #end(reason: FibError): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    this.#seen = undefined;
    this.#watching.close();
    this.#record.close();
    this.#refuse(this.#takeWaiting(), reason);
  }
}

function settle({ answer, resolve, reject }: Waiting, outcome: Outcome): void {
  try {
    resolve(answer(outcome));
  } catch (error) {
    reject(error);
  }
}

// The requests of this turn join the group; the ones after it find a commit that is running.
function endOfTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function tooManyWaiting(): FibError {
  return new FibError("overloaded", `Cannot queue: ${WAITING_COUNT_MAX} requests wait already; try again`);
}
