/**
 * The record in a file, moved durably: lock, read, apply, write one block, sync once, unlock.
 *
 * What another process wrote is *adopted* before it is shown or built upon: written
 * again where it stands, and synced. Its writer may have been killed between write and
 * sync, or its sync may have failed, after which the page cache shows what the disk
 * lacks (fsyncgate); building on the other copy could then lose an answered move. At
 * opening everything is foreign, so start-up, recovery and sharing are one mechanism.
 *
 * Who waits gives others time, and `mv` takes no lock. So after an adoption the path is looked at again, or a move
 * would be made in a file that is nobody's; and the name is synced last, behind the move itself.
 *
 * A write or sync error leaves the disk in doubt, and a second fsync may lie: whoever gets one here closes the file
 * and asks nothing more of it.
 * @see https://wiki.postgresql.org/wiki/Fsync_Errors
 * @module
 */
import { FibError } from "../errors.ts";
import { type CursorFile, fileGone, keepsChanging } from "./file.ts";
import { applyToRecord, type CursorRequest, type Outcome, type Position } from "./moves.ts";
import { type Notice, openCursorFile } from "./open.ts";
import type { Procedure, Wait } from "./procedure.ts";
import { BLOCK_BYTES, type CursorRecord, type Decoded, encodeBlock } from "./record.ts";

/** How a record is opened. */
export interface DurableOptions {
  readonly path: string;
  /** The last index that moves may reach. */
  readonly indexMax: number;
  /** How long to wait for another process. */
  readonly lockTimeoutMs: number;
  readonly notice: Notice;
}

/** A waiter looks for the lock this often; a commit takes some 0.1 ms on a fast disk, some 5 ms on an SD card. */
const LOCK_POLL_MS = { first: 0.2, last: 5 } as const;

/** So often in a row another file is followed; more would be a fight. */
const REPLACED_COUNT_MAX = 3;

/** A record that is known to be on disk, and the copy that holds it. */
interface Durable {
  readonly record: CursorRecord;
  readonly slot: 0 | 1;
}

/** The record of one file. Only one procedure of it may run at a time. */
export class DurableRecord {
  /** Whether an error now may leave the disk in doubt: then nothing more may be asked of it. */
  isInDoubt = false;
  readonly #options: DurableOptions;
  readonly #block = new Uint8Array(BLOCK_BYTES);
  #file: CursorFile;
  #durable: Durable | undefined;
  /** Whether the path led to our file when it was looked at last. */
  #isInPlace: boolean | undefined;
  /** While we hold the lock nobody else can move, so `#durable` needs no look at the file. */
  #holding = false;

  /** @param file - Just opened; what it holds is not looked at yet. */
  constructor(options: DurableOptions, file: CursorFile) {
    this.#options = options;
    this.#file = file;
  }

  /** Where the cursor surely stands, or undefined when only {@link apply} can tell. */
  position(): (Position & CursorRecord) | undefined {
    if (this.#durable === undefined) return undefined;
    return this.#holding || this.#isUnchanged() ? this.#durable.record : undefined;
  }

  /**
   * Takes the lock of the file that is at the path now, if it is free and that file is the one that is open.
   *
   * @throws {@link FibError} `cursor_io`.
   */
  tryLock(): boolean {
    const locked = this.#file.tryLock();
    this.#isInPlace = this.#file.isInPlace();
    if (this.#isInPlace === undefined) throw fileGone(this.#options.path);
    return locked && this.#isInPlace;
  }

  /**
   * Waits for that lock, and opens the file that somebody has put in the place of ours.
   *
   * @throws {@link FibError} `cursor_locked`, `cursor_io`.
   */
  *lock(): Procedure<void> {
    const deadlineMs = performance.now() + this.#options.lockTimeoutMs;
    let reopenedCount = 0;
    for (let pauseMs: number = LOCK_POLL_MS.first; !this.tryLock(); pauseMs *= 2) {
      if (!this.#isInPlace) {
        if (++reopenedCount > REPLACED_COUNT_MAX) throw keepsChanging(this.#options.path);
        yield* this.#reopen();
      } else if (performance.now() >= deadlineMs) {
        throw new FibError(
          "cursor_locked",
          `Cannot lock ${this.#options.path}: another process has held it for ${this.#options.lockTimeoutMs} ms; try again`,
        );
      } else {
        // Jitter, or two servers on one file could keep missing the same gap.
        yield { pauseMs: Math.min(pauseMs, LOCK_POLL_MS.last) * (0.5 + Math.random()) };
      }
    }
  }

  /**
   * Applies requests in their order; all are on disk when it is done. Call it with the lock.
   *
   * @throws {@link FibError} `cursor_damaged`, `cursor_io`.
   */
  *apply(requests: readonly CursorRequest[]): Procedure<Outcome[]> {
    this.isInDoubt = true;
    const isWritable = () => this.#file.readOnlyReason === undefined;
    for (let round = 0; this.#durable === undefined || !this.#file.isUnchanged(); round++) {
      this.#durable = undefined;
      if (round > REPLACED_COUNT_MAX) {
        this.isInDoubt = false;
        throw keepsChanging(this.#options.path);
      }
      if (isWritable()) yield* this.#file.syncName();
      const found = this.#file.read();
      const kept = keptOf(found);
      if (isWritable()) yield this.#startWrite(kept);
      this.#tellOfDamage(found);
      // `mv` takes no lock: while this waited it may have put another file there, and this one would be nobody's.
      this.isInDoubt = false;
      if (this.tryLock()) this.#durable = kept;
      else yield* this.lock();
      this.isInDoubt = true;
    }
    const before = this.#durable;
    this.#holding = true;
    let { record } = before;
    const outcomes: Outcome[] = [];
    for (const request of requests) {
      if (request.operation !== "current" && !isWritable()) {
        const reason = `Cannot move the cursor: ${this.#file.readOnlyReason}`;
        outcomes.push(new FibError("cursor_io", reason));
        continue;
      }
      const step = applyToRecord(record, request, this.#options.indexMax);
      record = step.record;
      outcomes.push(step.outcome);
    }
    const after = record === before.record ? before : { record, slot: otherThan(before.slot) };
    if (after !== before) yield this.#startWrite(after);
    // Last: whoever moved the file away and back meanwhile has left its name to be synced.
    if (isWritable()) yield* this.#file.syncName();
    this.#durable = after;
    this.isInDoubt = false;
    return outcomes;
  }

  /**
   * One request alone, as a shell command makes it; a server, whose requests share a lock and a sync, calls the three
   * that this is made of. A lock that is free is taken without {@link lock}: each generator that is not begun saves a
   * fresh process 10 to 70 µs.
   *
   * @throws {@link FibError} as {@link lock} and {@link apply} do; only {@link close} is left then.
   */
  *request(request: CursorRequest): Procedure<Outcome> {
    if (!this.tryLock()) yield* this.lock();
    const [outcome] = yield* this.apply([request]);
    this.unlock();
    return outcome!;
  }

  /** Gives the lock back, if it is held. */
  unlock(): void {
    this.#holding = this.isInDoubt = false;
    this.#file.unlock();
  }

  /** Gives the file back, and with it the lock. */
  close(): void {
    this.#holding = false;
    this.#file.close();
  }

  #isUnchanged(): boolean {
    try {
      return this.#file.isInPlace() === true && this.#file.isUnchanged();
    } catch {
      return false;
    }
  }

  /** Writes one copy. @returns The sync that makes it durable, to be yielded. */
  #startWrite({ record, slot }: Durable): Wait {
    this.#file.write(slot, encodeBlock(record, this.#block));
    return this.#file.dataSync;
  }

  #tellOfDamage({ otherFault }: Decoded): void {
    if (otherFault === undefined) return;
    const what =
      this.#file.readOnlyReason === undefined
        ? "was half damaged and is repaired; what was wrong"
        : "is half damaged";
    this.#options.notice(`${this.#file.path} ${what}: ${otherFault}. ${MAY_BE_UNDONE}`);
  }

  *#reopen(): Procedure<void> {
    const { path, notice } = this.#options;
    const file = yield* openCursorFile(path, { notice, mayCreate: false });
    notice(`${path} was replaced by another file: using that one from now on`);
    this.#file.close();
    this.#file = file;
    this.#durable = undefined;
  }
}

/**
 * What is to be on disk before it is shown. In place: were it torn, the other copy still holds the last position that
 * can have been answered. Where the other copy is bad, there: it has nothing to lose, and a torn rewrite of the good
 * one could leave none.
 */
function keptOf({ record, slot, otherFault }: Decoded): Durable {
  if (otherFault === undefined) return { record, slot };
  return { record: { ...record, generation: record.generation + 1 }, slot: otherThan(slot) };
}

function otherThan(slot: 0 | 1): 0 | 1 {
  return slot === 0 ? 1 : 0;
}

// A damaged copy does not tell whether it was the newer one.
const MAY_BE_UNDONE =
  "If that was the newer copy, the last moves are undone, answered ones too: check the position";
