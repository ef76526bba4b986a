/**
 * How many cursors there may be, and which of clients' own have to go: beside the rules of moves.ts, for each store of
 * many cursors.
 *
 * A client's cursor lives as long as its cookie, from the last time that this was set. When one comes, some that have
 * expired go. When there are too many all the same, those go that never sent their cookie back.
 * @module
 */
import { FibError } from "../errors.ts";

/** A cookie that is so old is set again by a move; so is one that has lived for half of its time. */
export const RENEW_MS = 86_400_000;
/** A client that has not sent its cookie back for so long may have to go: it keeps no cookies. */
export const STRANGER_MS = 3_600_000;
/** A client that comes takes so many expired ones of each kind with it: they grow fewer, and no step takes long. */
export const EXPIRED_COUNT = 2;
/** The same where --max-clients was lowered. */
export const LEAVING_COUNT_MAX = 100;

/** The refusal of a cursor beyond --max-cursors. */
export function tooManyCursors(countMax: number): FibError {
  return new FibError(
    "too_many_cursors",
    `Cannot make it: there are as many cursors as may be (${countMax}); remove one, or raise FIBSERVER_MAX_CURSORS (--max-cursors of a server)`,
  );
}

/** The refusal of a client beyond --max-clients. */
export function tooManyClients(countMax: number): FibError {
  return new FibError(
    "overloaded",
    `Cannot make it: as many clients as may be (${countMax}) have a cursor of their own; try again later`,
  );
}
