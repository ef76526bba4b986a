/**
 * rename(2) that replaces nothing by surprise: between the look at a name and the rename somebody else, who takes no
 * lock of ours (`mv`), may have put another file there.
 * @see renameat2(2)
 * @module
 */
import { remove, rename, renameWith } from "../naming-calls.ts";
import { statAt } from "../system-calls.ts";

const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

/**
 * Gives a file a name that nobody has.
 *
 * @returns false when somebody has it; nothing is changed then.
 * @throws the system's error.
 */
export function renameToFree(from: string, to: string): boolean {
  const isDone = renameWith(from, to, RENAME_NOREPLACE);
  if (isDone !== undefined) return isDone;
  // The best that such a file system offers.
  if (statAt(to) !== undefined) return false;
  rename(from, to);
  return true;
}

/**
 * Puts a file in the place of another one, and of no other.
 *
 * @param isExpected - Says whether what stands at a path is the one to be replaced.
 * @returns false when it was not; nothing is changed then.
 * @throws the system's error.
 */
export function replace(from: string, to: string, isExpected: (path: string) => boolean): boolean {
  if (renameWith(from, to, RENAME_EXCHANGE) !== true) {
    if (!isExpected(to)) return false;
    rename(from, to);
    return true;
  }
  if (isExpected(from)) {
    remove(from);
    return true;
  }
  renameWith(from, to, RENAME_EXCHANGE);
  return false;
}
