/**
 * What a request does to a record. Pure: `durable.ts` brings records from disk and back.
 * @module
 */
import { FibError } from "../errors.ts";
import { type CursorRecord, findKey, type MoveOperation, OPERATIONS, rememberKey } from "./record.ts";

/** What somebody asks of the cursor. */
export interface CursorRequest {
  readonly operation: MoveOperation | "current";
  /** The index to go to; for `set` alone. */
  readonly target?: number;
  /** Digest of an Idempotency-Key, 16 bytes: the same key moves the cursor once. */
  readonly keyDigest?: Uint8Array | undefined;
  /** The move happens only at one of these generations. */
  readonly ifGeneration?: readonly number[] | undefined;
}

/** Where the cursor stands after a request. */
export interface Position {
  readonly index: number;
  readonly generation: number;
  /** The move had been made before, under the same key; `generation` is not that of `index` then. */
  readonly replayed?: boolean;
}

/** A request's answer; an error leaves the position as it was. */
export type Outcome = Position | FibError;

/** What a server asks of a cursor, wherever that is kept. */
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
  /** Waits for what is queued; what comes later is refused. */
  close(): Promise<void>;
}

/**
 * Applies one request to a record.
 *
 * @param record - Where the cursor stands.
 * @param indexMax - The last index that `next` and `set` may reach.
 * @returns The record after it, the same object when nothing changed, and the answer.
 */
export function applyRequest(
  record: CursorRecord,
  request: CursorRequest,
  indexMax: number,
): { record: CursorRecord; outcome: Outcome } {
  const { operation, keyDigest, ifGeneration } = request;
  const still = (outcome: Outcome) => ({ record, outcome });
  if (operation === "current") return still(record);
  if (keyDigest !== undefined) {
    const made = findKey(record, keyDigest);
    if (made !== undefined) {
      const same =
        made.operation === OPERATIONS[operation] && (operation !== "set" || made.index === request.target);
      return still(same ? { index: made.index, generation: record.generation, replayed: true } : keyReused());
    }
  }
  if (ifGeneration !== undefined && !ifGeneration.includes(record.generation))
    return still(cursorMoved(record.generation));
  const index = destination(record, request, indexMax);
  if (index instanceof FibError) return still(index);
  let moved: CursorRecord = {
    generation: record.generation + 1,
    index,
    keyedCount: record.keyedCount,
    ring: record.ring,
  };
  if (keyDigest !== undefined) moved = rememberKey(moved, keyDigest, operation);
  return { record: moved, outcome: moved };
}

function destination(record: CursorRecord, request: CursorRequest, indexMax: number): number | FibError {
  switch (request.operation) {
    case "next":
      return record.index < indexMax ? record.index + 1 : sequenceEnd(record.index);
    case "previous":
      return record.index > 0 ? record.index - 1 : sequenceStart();
    default: {
      const target = request.target ?? -1;
      return target >= 0 && target <= indexMax ? target : outOfRange(target, indexMax);
    }
  }
}

/** The refusal of `previous` at index 0. */
export function sequenceStart(): FibError {
  return new FibError(
    "sequence_start",
    "Cannot move back: the cursor is at index 0, the start of the sequence",
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
