/**
 * Named cursors as the thread of their database has them: all moves of all names that wait are one transaction and one
 * sync.
 *
 * The rules are those of moves.ts. Within a group each name is read once and written once, so a thousand moves of one
 * cursor cost little more than one.
 * @module
 */
import { isClient } from "../cursor-name.ts";
import { FibError } from "../errors.ts";
import { failureOf } from "../thread.ts";
import { isFull } from "../sqlite-errors.ts";
import { type Counts, CursorDatabase, type CursorRow } from "./database.ts";
import { applyRequest, type CursorRequest, cursorUnknown, type Outcome } from "./moves.ts";
import type { CursorCounts, ListedCursor, NamedLimits, NameFilter } from "./named.ts";
import {
  EXPIRED_COUNT,
  LEAVING_COUNT_MAX,
  RENEW_MS,
  STRANGER_MS,
  tooManyClients,
  tooManyCursors,
} from "./policy.ts";
import { decodeRequest, encodeOutcome, type WireGroup, type WireOutcome, type WireRequest } from "./wire.ts";

/** An open database of named cursors. */
export class CursorStore {
  #database!: CursorDatabase;
  #open!: (isKnown: boolean) => CursorDatabase;
  #limits!: NamedLimits;
  #dataVersion = 0;

  /**
   * Opens the file, creating it when there is none, unless it must exist.
   *
   * @returns Why it may only be read, or undefined.
   * @throws {@link FibError} `cursor_io`, `cursor_locked`, `cursor_damaged`.
   */
  open(path: string, lockTimeoutMs: number, limits: NamedLimits, mustExist: boolean): string | undefined {
    this.#open = (isKnown) => new CursorDatabase(path, lockTimeoutMs, isKnown);
    this.#database = this.#open(mustExist);
    this.#limits = limits;
    return this.#database.readOnlyReason;
  }

  /**
   * Applies a group, in order.
   *
   * @param text - Its requests, as wire.ts writes them.
   * @returns A {@link WireGroup} as JSON.
   */
  apply(text: string): string {
    return JSON.stringify(this.#apply(JSON.parse(text) as WireRequest[]));
  }

  /** See `NamedCursors.list`. */
  list(filter: NameFilter): ListedCursor[] {
    return this.#inPlace(() => this.#database.read(() => this.#database.list(filter)));
  }

  /** How many there are: what is counted in the file. */
  count(): CursorCounts {
    return this.#inPlace(() => this.#database.read(() => this.#database.counts()));
  }

  /**
   * Where cursors are, when another process has written something since the last look.
   *
   * @returns For each name its index and generation, null where there is none; undefined when nobody has written.
   */
  look(names: readonly string[]): (readonly [index: number, generation: number] | null)[] | undefined {
    const look = () => {
      const version = this.#database.dataVersion();
      if (version === this.#dataVersion && this.#database.readOnlyReason === undefined) return undefined;
      this.#dataVersion = version;
      return names.map((name) => {
        const row = this.#database.find(name);
        return row === undefined ? null : ([row.position, row.generation] as const);
      });
    };
    return this.#inPlace(() => {
      // Who only watches would never meet it.
      this.#database.checkContent();
      return this.#database.read(look);
    });
  }

  close(): void {
    this.#database.close();
  }

  /** What is done with a file that is nobody's would be lost, and so would be what is done under a name that is not on disk. */
  #inPlace<T>(work: () => T): T {
    this.#renew();
    if (!this.#database.isInPlace()) throw this.#database.moved();
    const result = work();
    this.#database.syncName();
    return result;
  }

  /** What may only be read is seen as it was at its opening; by now it may be written. */
  #renew(): void {
    if (this.#database.readOnlyReason === undefined) return;
    this.#database.close();
    this.#database = this.#open(true);
  }

  #show(name: string, request: CursorRequest, reason: string): Outcome {
    if (request.operation !== "current")
      return new FibError("cursor_io", `Cannot move the cursor: ${reason}`);
    const row = this.#database.find(name);
    return row === undefined ? cursorUnknown() : { index: row.position, generation: row.generation };
  }

  #apply(wire: readonly WireRequest[]): WireGroup {
    const requests = wire.map((one) => [one[0], decodeRequest(one)] as const);
    const mayRead = () => this.#database.readOnlyReason !== undefined || wire.every(isReading);
    const startMs = performance.now();
    let [begunMs, writtenMs] = [startMs, startMs];
    const run = () => {
      begunMs = performance.now();
      const reason = this.#database.readOnlyReason;
      if (reason !== undefined) return requests.map(([name, request]) => this.#show(name, request, reason));
      const group = new Group(this.#database, this.#limits);
      const outcomes = requests.map(([name, request]) => group.apply(name, request));
      group.write();
      if (group.hasMoved) writtenMs = performance.now();
      return outcomes;
    };
    try {
      const outcomes = this.#inPlace(() =>
        mayRead() ? this.#database.read(run) : this.#database.transaction(run, true),
      );
      // SQLite waits for others before the work of a transaction, and for the disk behind it.
      return {
        outcomes: outcomes.map(encodeOutcome),
        hasFailed: false,
        ...(!mayRead() && { lockMs: begunMs - startMs }),
        ...(writtenMs > startMs && { syncMs: performance.now() - writtenMs }),
      };
    } catch (error) {
      const { code = "internal", message } = failureOf(error);
      const refusal: WireOutcome = [code, message];
      if (code !== "cursor_locked")
        return {
          outcomes: wire.map(() => refusal),
          hasFailed: !(error instanceof FibError && isFull(error.cause)),
        };
      // Who only reads needs nobody's lock; it has only waited with the others.
      const reading = wire.filter(isReading);
      const read = reading.length > 0 && reading.length < wire.length ? this.#apply(reading).outcomes : [];
      let readCount = 0;
      const outcomes = wire.map((one) => (isReading(one) ? (read[readCount++] ?? refusal) : refusal));
      return { outcomes, hasFailed: false, lockMs: performance.now() - startMs };
    }
  }
}

/** Whether a request only reads. A client that reads is one that has come back, which is written down. */
function isReading([name, operation]: WireRequest): boolean {
  return operation === "current" && !isClient(name);
}

/** One transaction: what it has read, and what it has to write. */
class Group {
  readonly #database: CursorDatabase;
  readonly #limits: NamedLimits;
  readonly #nowMs = Date.now();
  readonly #counts: Counts;
  readonly #rows = new Map<string, CursorRow | undefined>();
  /** What is to be written at the end. */
  readonly #changed = new Map<string, "inserted" | "moved">();
  /** Whether what is counted has changed. */
  #hasCounted = false;

  constructor(database: CursorDatabase, limits: NamedLimits) {
    this.#database = database;
    this.#limits = limits;
    this.#counts = database.counts();
  }

  apply(name: string, request: CursorRequest): Outcome {
    const row = this.#find(name);
    const at = row && { index: row.position, generation: row.generation };
    const { outcome, after, keyed } = applyRequest(at, request, {
      indexMax: this.#limits.indexMax,
      isPermanent: false,
      findKey: (digest) => this.#database.findKey(name, digest),
      nextGeneration: () => this.#counts.generation + 1,
    });
    if (after === at)
      return row !== undefined && isClient(name) ? this.#welcome(row, outcome, false) : outcome;
    if (after === undefined) {
      this.#remove(name);
      return outcome;
    }
    if (row === undefined) {
      const refusal = this.#makeRoom(name);
      if (refusal !== undefined) return refusal;
    }
    this.#hasCounted = true;
    this.#counts.generation = after.generation;
    const keyedCount = row?.keyedCount ?? 0;
    if (keyed !== undefined) this.#database.rememberKey(name, keyedCount, request.keyDigest!, keyed);
    const moved: CursorRow = {
      name,
      generation: after.generation,
      position: after.index,
      keyedCount: keyedCount + (keyed === undefined ? 0 : 1),
      movedAtMs: this.#nowMs,
      renewedAtMs: row?.renewedAtMs ?? (isClient(name) ? this.#nowMs : null),
      isBack: row?.isBack ?? 0,
    };
    this.#rows.set(name, moved);
    if (row === undefined) this.#changed.set(name, "inserted");
    else if (!this.#changed.has(name)) this.#changed.set(name, "moved");
    return row !== undefined && isClient(name) ? this.#welcome(moved, outcome, true) : outcome;
  }

  /** Writes each cursor that has changed, once. */
  write(): void {
    for (const [name, change] of this.#changed) {
      const row = this.#rows.get(name)!;
      if (change === "inserted") this.#database.insert(row);
      else this.#database.move(row);
    }
    if (this.#hasCounted) this.#database.writeCounts(this.#counts);
  }

  /** Whether a cursor was made, moved or removed: there is something to be synced. */
  get hasMoved(): boolean {
    return this.#hasCounted;
  }

  #find(name: string): CursorRow | undefined {
    if (this.#rows.has(name)) return this.#rows.get(name);
    const row = this.#database.find(name);
    this.#rows.set(name, row);
    if (row === undefined || row.renewedAtMs === null || row.renewedAtMs > this.#expiredMs) return row;
    this.#remove(name);
    return undefined;
  }

  get #expiredMs(): number {
    return this.#nowMs - this.#limits.clientTtlMs;
  }

  #remove(name: string): void {
    // One that this group has made is in no table yet, but its keys are.
    this.#database.remove(name);
    this.#changed.delete(name);
    this.#rows.set(name, undefined);
    this.#counts[isClient(name) ? "clients" : "cursors"]--;
    this.#hasCounted = true;
  }

  /** A client that is known has sent its cookie back; by a move it gets that again once it is old. */
  #welcome(row: CursorRow, outcome: Outcome, hasMoved: boolean): Outcome {
    const ageMs = this.#nowMs - row.renewedAtMs!;
    const renews = hasMoved && ageMs >= Math.min(RENEW_MS, this.#limits.clientTtlMs / 2);
    if (row.isBack === 1 && !renews) return outcome;
    const renewed = { ...row, isBack: 1, renewedAtMs: renews ? this.#nowMs : row.renewedAtMs };
    this.#rows.set(row.name, renewed);
    this.#database.renew(renewed);
    return renews ? ({ ...(outcome as object), renewsCookie: true } as Outcome) : outcome;
  }

  #makeRoom(name: string): FibError | undefined {
    const { cursorsMax, clientsMax } = this.#limits;
    if (!isClient(name)) {
      if (this.#counts.cursors >= cursorsMax) return tooManyCursors(cursorsMax);
      this.#counts.cursors++;
      return undefined;
    }
    for (const isBack of [false, true])
      this.#leave(isBack, this.#expiredMs, Math.max(EXPIRED_COUNT, this.#tooManyCount));
    if (this.#tooManyCount > 0) this.#leave(false, this.#nowMs - STRANGER_MS, this.#tooManyCount);
    if (this.#tooManyCount > 0) return tooManyClients(clientsMax);
    this.#counts.clients++;
    return undefined;
  }

  /** How many clients have to go before one more may come. */
  get #tooManyCount(): number {
    return Math.min(LEAVING_COUNT_MAX, this.#counts.clients - this.#limits.clientsMax + 1);
  }

  #leave(isBack: boolean, untilMs: number, count: number): void {
    for (const { name } of this.#database.oldestClients(isBack, untilMs, count)) this.#remove(name);
  }
}
