/**
 * The durable cursor: one fsync serves everyone waiting.
 *
 * Requests that arrive in one turn of the event loop, or while a sync is running, form
 * the next group. A group locks the file, reads it (another process may have moved it),
 * applies its requests in order, writes one block, syncs once, unlocks and answers all.
 *
 * Where the time of a group goes, at 64 connections on one CPU: on tmpfs a group of 47 takes 0.39 ms, 0.09 to
 * gather it (two turns of the loop, in which its requests are read), 0.06 for the sync on its thread, 0.02 to settle
 * its promises, and 0.2 for the kernel to take 47 answers. On a disk with syncs of 0.24 ms nearly all gather, 63, and
 * a group takes 1.1 ms: the client reads these answers and asks again, 0.4 ms in which there is nothing to do here.
 *
 * What another process wrote is *adopted* before it is shown or built upon: written
 * again where it stands, and synced. Its writer may have been killed between write and
 * sync, or its sync may have failed, after which the page cache shows what the disk
 * lacks (fsyncgate); building on the other copy could then lose an answered move. At
 * opening everything is foreign, so start-up, recovery and sharing are one mechanism.
 *
 * A write or sync error ends it: a second fsync may lie. All that wait are refused, and
 * so is everything after them; the owner of the process hears of it and exits.
 *
 * Rejected: a chain of promises (1,325 syncs for 3,200 moves where this makes 50);
 * committing in the request that opens a turn (groups of one, 6,000 moves a second);
 * gathering for one turn only (8% more CPU, on tmpfs and on a disk); to wait in other ways than a promise and
 * an object for each (parallel arrays, a shared executor, one promise for the group:
 * 39 to 63 ns in place of 53, of the 7,500 that a move takes). The madvise calls of a
 * server under load are the allocator's, by time, and come once in 20 groups.
 * @see https://wiki.postgresql.org/wiki/Fsync_Errors
 * @module
 */
import { FibError } from "../errors.ts";
import { type CursorFile, fileGone } from "./file.ts";
import {
  applyRequest,
  type CursorRequest,
  type CursorService,
  type Outcome,
  type Position,
} from "./moves.ts";
import { type Notice, openCursorFile } from "./open.ts";
import { BLOCK_BYTES, type CursorRecord, encodeBlock } from "./record.ts";
import type { Syncs } from "./syncs.ts";

/** How a cursor is opened. */
export interface CursorOptions {
  readonly path: string;
  /** The last index that moves may reach. */
  readonly indexMax: number;
  /** How long a group waits for another process. */
  readonly lockTimeoutMs: number;
  readonly syncs: Syncs;
  readonly notice: Notice;
  /** Called once, when an I/O error has ended the cursor. */
  readonly onFailure?: (error: FibError) => void;
}

/** Requests that may wait for a commit; beyond it they are refused. */
const WAITING_COUNT_MAX = 100_000;
/** A waiter looks for the lock this often; a commit takes some 0.1 ms on a fast disk, some 5 ms on an SD card. */
const LOCK_POLL_MS = { first: 0.2, last: 5 } as const;
/** On a slow disk enough gather while the sync runs. */
const GATHER_MS_MAX = 1;

interface Waiting {
  readonly request: CursorRequest;
  readonly answer: (outcome: Outcome) => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/** A record that is known to be on disk, and the copy that holds it. */
interface Durable {
  readonly record: CursorRecord;
  readonly slot: 0 | 1;
}

/** An open cursor: one for each process and file. */
export class Cursor implements CursorService {
  readonly #options: CursorOptions;
  readonly #block = new Uint8Array(BLOCK_BYTES);
  #file: CursorFile;
  #durable: Durable | undefined;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  /** While a commit of ours holds the lock nobody else can move, so `#durable` needs no look at the file. */
  #holding = false;
  /** What this turn of the loop has already found to be the position. */
  #seen: Position | undefined;
  #failure: FibError | undefined;
  #syncMs = 0;
  /** Who was in flight when the last group was answered. */
  #expectedCount = 0;

  private constructor(options: CursorOptions, file: CursorFile) {
    this.#options = options;
    this.#file = file;
  }

  /**
   * Opens the file, creating it when there is none, and makes sure that its name and position are on disk.
   *
   * @throws {@link FibError} `cursor_damaged`, `cursor_io`, `cursor_locked`.
   */
  static async open(options: CursorOptions): Promise<Cursor> {
    const cursor = new Cursor(options, await openCursorFile(options.path, { ...options, mayCreate: true }));
    const outcome = await cursor.submit({ operation: "current" }, (position) => position);
    if (!(outcome instanceof FibError)) return cursor;
    await cursor.close();
    throw outcome;
  }

  /** Why everything is refused from now on, or undefined while all is well. */
  get failure(): FibError | undefined {
    return this.#failure;
  }

  /** Queues a request for the next group; see `CursorService`. */
  submit<T>(request: CursorRequest, answer: (outcome: Outcome) => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting = { request, answer, resolve: resolve as (result: unknown) => void, reject };
      if (this.#failure !== undefined) return settle(waiting, this.#failure);
      if (this.#waiting.length === WAITING_COUNT_MAX) return settle(waiting, tooManyWaiting());
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
    if (this.#durable === undefined || this.#failure !== undefined) return undefined;
    if (!this.#holding && !this.#isUnchanged()) return undefined;
    this.#seen = this.#durable.record;
    setImmediate(() => (this.#seen = undefined));
    return this.#seen;
  }

  /** Waits for what is queued, then gives the file back; what comes later is refused. */
  async close(): Promise<void> {
    // A request that comes while this waits may start another commit.
    while (this.#running !== undefined) await this.#running;
    this.#end(new FibError("cursor_io", `Cannot use ${this.#options.path}: it is closed`));
  }

  #isUnchanged(): boolean {
    try {
      return this.#file.isInPlace() === true && this.#file.isUnchanged();
    } catch {
      return false;
    }
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
    const limitMs = Math.min(this.#syncMs, GATHER_MS_MAX);
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
    let group: Waiting[] | undefined;
    try {
      await this.#lock();
      group = this.#takeWaiting();
      const outcomes = await this.#commit(group);
      this.#unlock();
      this.#expectedCount = group.length + this.#waiting.length;
      for (let i = 0; i < group.length; i++) settle(group[i]!, outcomes[i]!);
    } catch (error) {
      const reason =
        error instanceof FibError ? error : new FibError("internal", String(error), { cause: error });
      // Only what went wrong after the lock was taken can have left the disk in doubt.
      if (group !== undefined && reason.code !== "cursor_damaged") this.#end(reason);
      this.#unlock();
      for (const waiting of group ?? this.#takeWaiting()) settle(waiting, reason);
      if (this.#failure === reason) this.#options.onFailure?.(reason);
    }
  }

  async #commit(group: readonly Waiting[]): Promise<Outcome[]> {
    const before = await this.#readDurable();
    this.#durable = before;
    this.#holding = true;
    let { record } = before;
    const outcomes = group.map(({ request }) => {
      if (request.operation !== "current" && this.#file.readOnlyReason !== undefined) {
        return new FibError("cursor_io", `Cannot move the cursor: ${this.#file.readOnlyReason}`);
      }
      const step = applyRequest(record, request, this.#options.indexMax);
      record = step.record;
      return step.outcome;
    });
    if (record !== before.record) {
      const slot = before.slot === 0 ? 1 : 0;
      await this.#put(record, slot);
      this.#durable = { record, slot };
    }
    return outcomes;
  }

  /** The file's record once it is surely on disk; adopts what another process wrote. */
  async #readDurable(): Promise<Durable> {
    if (this.#file.readOnlyReason === undefined) await this.#file.syncName();
    if (this.#durable !== undefined && this.#file.isUnchanged()) return this.#durable;
    this.#durable = undefined;
    const { record, slot, otherFault } = this.#file.read();
    if (this.#file.readOnlyReason !== undefined) {
      if (otherFault !== undefined)
        this.#options.notice(`${this.#file.path} is half damaged: ${otherFault}. ${MAY_BE_UNDONE}`);
      return { record, slot };
    }
    if (otherFault === undefined) {
      // In place: were it torn, the other copy still holds the last position that can have been answered.
      await this.#put(record, slot);
      return { record, slot };
    }
    // Into the bad copy, which has nothing to lose; a torn rewrite of the good one could leave none.
    const repaired = { ...record, generation: record.generation + 1 };
    const badSlot = slot === 0 ? 1 : 0;
    await this.#put(repaired, badSlot);
    this.#options.notice(
      `${this.#file.path} was half damaged and is repaired; what was wrong: ${otherFault}. ${MAY_BE_UNDONE}`,
    );
    return { record: repaired, slot: badSlot };
  }

  async #put(record: CursorRecord, slot: 0 | 1): Promise<void> {
    this.#file.write(slot, encodeBlock(record, this.#block));
    const startMs = performance.now();
    await this.#file.sync();
    this.#syncMs = performance.now() - startMs;
  }

  /** Takes the lock of the file that is at the path now. */
  async #lock(): Promise<void> {
    const deadlineMs = performance.now() + this.#options.lockTimeoutMs;
    for (let pauseMs: number = LOCK_POLL_MS.first; ; pauseMs = Math.min(pauseMs * 2, LOCK_POLL_MS.last)) {
      const locked = this.#file.tryLock();
      const inPlace = this.#file.isInPlace();
      if (inPlace === undefined) throw fileGone(this.#options.path);
      if (locked && inPlace) return;
      if (!inPlace) {
        await this.#reopen();
      } else if (performance.now() >= deadlineMs) {
        throw new FibError(
          "cursor_locked",
          `Cannot lock ${this.#options.path}: another process has held it for ${this.#options.lockTimeoutMs} ms; try again`,
        );
      } else {
        // Jitter, or two servers on one file could keep missing the same gap.
        await Bun.sleep(pauseMs * (0.5 + Math.random()));
      }
    }
  }

  #unlock(): void {
    this.#holding = false;
    this.#seen = undefined;
    if (this.#failure === undefined) this.#file.unlock();
  }

  async #reopen(): Promise<void> {
    const { path, notice } = this.#options;
    const file = await openCursorFile(path, { ...this.#options, mayCreate: false });
    notice(`${path} was replaced by another file: using that one from now on`);
    this.#file.close();
    this.#file = file;
    this.#durable = undefined;
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
    this.#file.close();
    for (const waiting of this.#takeWaiting()) settle(waiting, reason);
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

// A damaged copy does not tell whether it was the newer one.
const MAY_BE_UNDONE =
  "If that was the newer copy, the last moves are undone, answered ones too: check the position";

function tooManyWaiting(): FibError {
  return new FibError("overloaded", `Cannot queue: ${WAITING_COUNT_MAX} requests wait already; try again`);
}
