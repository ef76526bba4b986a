/**
 * rename(2) that replaces nothing by surprise: between the look at a name and the rename somebody else, who takes no
 * lock of ours (`mv`), may have put another file there.
 * @see renameat2(2)
 * @module
 */
import { type Pointer, read } from "bun:ffi";
import fs from "node:fs";
import { openLibc } from "./libc.ts";

const AT_FDCWD = -100;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;
const EEXIST = 17;
/** The file system, or the kernel, knows no such flag. */
const UNSUPPORTED: ReadonlySet<number> = new Set([22, 38, 95]);

/**
 * Gives a file a name that nobody has.
 *
 * @returns false when somebody has it; nothing is changed then.
 * @throws the system's error.
 */
export function renameToFree(from: string, to: string): boolean {
  const errno = rename(from, to, RENAME_NOREPLACE);
  if (errno === 0) return true;
  if (errno === EEXIST) return false;
  // The best that such a file system offers.
  if (fs.lstatSync(to, { throwIfNoEntry: false }) !== undefined) return false;
  fs.renameSync(from, to);
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
  if (rename(from, to, RENAME_EXCHANGE) !== 0) {
    if (!isExpected(to)) return false;
    fs.renameSync(from, to);
    return true;
  }
  if (isExpected(from)) {
    fs.unlinkSync(from);
    return true;
  }
  rename(from, to, RENAME_EXCHANGE);
  return false;
}

/** @returns 0, EEXIST, or one of {@link UNSUPPORTED}. */
function rename(from: string, to: string, flags: number): number {
  const { renameat2, __errno_location } = openLibc({
    renameat2: { args: ["i32", "ptr", "i32", "ptr", "u32"], returns: "i32" },
    __errno_location: { args: [], returns: "ptr" },
  });
  if (renameat2(AT_FDCWD, pathBytes(from), AT_FDCWD, pathBytes(to), flags) === 0) return 0;
  const errno = read.i32(__errno_location() as Pointer);
  if (errno === EEXIST || UNSUPPORTED.has(errno)) return errno;
  throw new Error(`rename to ${to} failed with errno ${errno}`);
}

function pathBytes(path: string): Buffer {
  return Buffer.from(`${path}\0`);
}
