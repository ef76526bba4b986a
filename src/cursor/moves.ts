/**
 * What a request does to a cursor, whoever keeps that: a file, SQLite, or Redis, which has these rules once more in Lua.
 * Pure: keepers bring positions from where they are kept, and back.
 * @module
 */
import { FibError } from "../errors.ts";
import { type CursorRecord, findKey, type MoveOperation, OPERATIONS, rememberKey } from "./record.ts";

/** What somebody asks of a cursor. */
export interface CursorRequest {
  readonly operation: MoveOperation | "current" | "remove";
  /** The index to go to; for `set` alone. */
  readonly target?: number;
  /** Digest of an Idempotency-Key, 16 bytes: the same key moves the cursor once. */
  readonly keyDigest?: Uint8Array | undefined;
  /** It happens only at one of these generations; `"any"`: only where there is a cursor. */
  readonly ifGeneration?: readonly number[] | "any" | undefined;
  /** It happens only where there is no cursor yet. */
  readonly ifNone?: boolean | undefined;
}

/** Where a cursor stands after a request; behind `remove`, where it stood. */
export interface Position {
  readonly index: number;
  readonly generation: number;
  /** The move had been made before, under the same key; `generation` is not that of `index` then. */
  readonly replayed?: boolean;
  /** The request has made the cursor. */
  readonly isNew?: boolean;
  /** The cookie of a client has grown old, and is to be sent to it again; set by a keeper. */
  readonly renewsCookie?: boolean;
}

/** A request, and the cursor that it is for. */
export interface NamedRequest {
  readonly name: string;
  readonly request: CursorRequest;
}

/** A request's answer; an error leaves the position as it was. */
export type Outcome = Position | FibError;

/** A keyed move, as it is remembered: one of {@link OPERATIONS}, plus 16 where it has made its cursor, and the index that was answered. */
export interface KeyedMove {
  readonly operation: number;
  readonly index: number;
}

/** What a move that has made its cursor is remembered with. */
const MADE = 16;

/** What the rules ask of a keeper, about the cursor of a request. */
export interface Keeper {
  /** The last index that `next` and `set` may reach. */
  readonly indexMax: number;
  /** It is there for good: `remove` is refused. */
  readonly isPermanent: boolean;
  /** The move that was made under a key, as long as that is remembered. */
  findKey(digest: Uint8Array): KeyedMove | undefined;
  /** The generation of a position that is about to be; asked once for each move that is made. */
  nextGeneration(): number;
}

/** What a request comes to. */
export interface Step {
  readonly outcome: Outcome;
  /** Where the cursor is from now on, the same object as before when nothing changed; undefined when there is none. */
  readonly after: Position | undefined;
  /** What is to be remembered under the key of the request. */
  readonly keyed?: KeyedMove | undefined;
}

/** How a group of requests was made durable. */
export interface Commit {
  /** By `performance.now()`. */
  readonly startMs: number;
  readonly durationMs: number;
  /** Requests that shared it. */
  readonly count: number;
}

/** What is asked of one cursor, wherever that is kept. */
export interface CursorService {
  /** The position at once, or undefined when only {@link submit} `current` can tell. */
  current(): Position | undefined;
  /**
   * Queues a request.
   *
   * @param answer - Makes the result out of the outcome, once that is durable. It stands in for a `.then()`:
   * one promise for each request, not two.
   * @returns What `answer` returned.
   */
  submit<T>(request: CursorRequest, answer: (outcome: Outcome) => T | Promise<T>): Promise<T>;
  /**
   * Tells of each change from now on, whoever makes it; another process is noticed within 250 ms. What comes too
   * quickly may be left out, the last position never.
   *
   * @returns Ends that.
   */
  watch(listener: Listener): () => void;
  /** That of the group which is answered now: to be asked in `answer`. */
  lastCommit?(): Commit | undefined;
  /** How long its disk has been at the commit that is under way, in ms; 0 while none is. */
  committingMs?(): number;
}

/** Told where a cursor is, once that is durable; undefined when it was removed. */
export type Listener = (position: Position | undefined) => void;

/** A cursor with what has to be given back. */
export interface OpenCursor extends CursorService {
  /** Waits for what is queued; what comes later is refused. */
  close(): Promise<void>;
}

/**
 * Applies one request.
 *
 * @param at - Where the cursor stands; undefined when there is none.
 */
export function applyRequest(at: Position | undefined, request: CursorRequest, keeper: Keeper): Step {
  const { operation, keyDigest } = request;
  const still = (outcome: Outcome): Step => ({ outcome, after: at });
  if (operation === "current") return still(at ?? cursorUnknown());
  // With a cursor its keys are gone.
  const made = at && keyDigest && keeper.findKey(keyDigest);
  if (made !== undefined) return still(replay(at!, request, made));
  const refusal = refusalOf(at, request, keeper);
  if (refusal !== undefined) return still(refusal);
  if (operation === "remove") return { outcome: at!, after: undefined };
  const index = destination(operation, at?.index ?? 0, request.target ?? -1, keeper.indexMax);
  if (index instanceof FibError) return still(index);
  const isNew = at === undefined;
  const after: Position = { index, generation: keeper.nextGeneration(), ...(isNew && { isNew }) };
  const keyed = keyDigest && { operation: OPERATIONS[operation] + (isNew ? MADE : 0), index };
  return { outcome: after, after, keyed };
}

/**
 * The same for the record of a file, which is always there.
 *
 * @param indexMax - The last index that `next` and `set` may reach.
 * @returns The record after it, the same object when nothing changed, and the answer.
 */
export function applyToRecord(
  record: CursorRecord,
  request: CursorRequest,
  indexMax: number,
): { record: CursorRecord; outcome: Outcome } {
  const { outcome, after, keyed } = applyRequest(record, request, {
    indexMax,
    isPermanent: true,
    findKey: (digest) => findKey(record, digest),
    nextGeneration: () => record.generation + 1,
  });
  if (after === record || after === undefined) return { record, outcome };
  const { keyedCount, ring } = record;
  const moved: CursorRecord = { generation: after.generation, index: after.index, keyedCount, ring };
  if (keyed === undefined) return { record: moved, outcome };
  return { record: rememberKey(moved, request.keyDigest!, keyed.operation), outcome };
}

function replay(at: Position, { operation, target }: CursorRequest, made: KeyedMove): Outcome {
  const isNew = made.operation >= MADE;
  const did = made.operation - (isNew ? MADE : 0);
  const same =
    did === OPERATIONS[operation as MoveOperation] && (operation !== "set" || made.index === target);
  if (!same) return keyReused();
  return { index: made.index, generation: at.generation, replayed: true, ...(isNew && { isNew }) };
}

function refusalOf(
  at: Position | undefined,
  { operation, ifNone, ifGeneration }: CursorRequest,
  { isPermanent }: Keeper,
): FibError | undefined {
  if (ifNone === true && at !== undefined) return cursorExists();
  if (ifGeneration !== undefined) {
    if (at === undefined) return cursorGone();
    if (ifGeneration !== "any" && !ifGeneration.includes(at.generation)) return cursorMoved(at.generation);
  }
  if (operation === "remove") {
    if (at === undefined) return cursorUnknown();
    if (isPermanent) return cursorPermanent();
  }
  // It begins at 0 where there is none.
  return operation === "previous" && at === undefined ? nothingBefore() : undefined;
}

function destination(
  operation: MoveOperation,
  from: number,
  target: number,
  indexMax: number,
): number | FibError {
  if (operation === "next") return from < indexMax ? from + 1 : sequenceEnd(from);
  if (operation === "previous") return from > 0 ? from - 1 : sequenceStart();
  operation satisfies "set";
  return target >= 0 && target <= indexMax ? target : outOfRange(target, indexMax);
}

/** The refusal of what needs a cursor, where there is none. */
export function cursorUnknown(): FibError {
  return new FibError("cursor_unknown", "Cannot find it: there is no cursor of this name; next makes it");
}

/** The refusal of a request with an If-Match, where there is no cursor. */
export function cursorGone(): FibError {
  return new FibError(
    "cursor_moved",
    "Cannot move: there is no cursor of this name, and so none that If-Match names",
  );
}

/** The refusal of what wants no cursor, where there is one. */
export function cursorExists(): FibError {
  return new FibError(
    "precondition_failed",
    "Cannot move: If-None-Match: * wants no cursor, and there is one",
  );
}

/** The refusal to remove the cursor that is always there. */
export function cursorPermanent(): FibError {
  return new FibError(
    "cursor_permanent",
    "Cannot remove it: the default cursor is always there; set it to 0 instead",
  );
}

/** The refusal of `previous` at index 0. */
export function sequenceStart(): FibError {
  return new FibError(
    "sequence_start",
    "Cannot move back: the cursor is at index 0, the start of the sequence",
  );
}

/** The refusal of `previous` where there is no cursor. */
export function nothingBefore(): FibError {
  return new FibError(
    "sequence_start",
    "Cannot move back: there is no cursor of this name, and one begins at index 0, the start of the sequence; next makes it",
  );
}

/** The refusal of `next` at the last index. */
export function sequenceEnd(index: number): FibError {
  return new FibError(
    "sequence_end",
    `Cannot move on: the cursor is at index ${index}; --max-index allows no more`,
  );
}

/** The refusal of `set` to an index beyond an end of the sequence. */
export function outOfRange(target: number, indexMax: number): FibError {
  return new FibError(
    "bad_argument",
    `Cannot set the cursor to ${target}: the index must be from 0 to ${indexMax}`,
  );
}

/** The refusal of a move whose If-Match names other generations. */
export function cursorMoved(generation: number): FibError {
  return new FibError(
    "cursor_moved",
    `Cannot move: the cursor is at generation ${generation}, which If-Match does not name; read it again`,
  );
}

/** The refusal of a key that another move was made under. */
export function keyReused(): FibError {
  return new FibError(
    "key_reused",
    "Cannot move: this Idempotency-Key was used for another operation; use a new key",
  );
}
