/**
 * The lock between processes: flock(2), which neither Bun nor node:fs offers.
 *
 * flock and not fcntl: an fcntl lock vanishes when any descriptor of the file is
 * closed. The kernel drops it with the descriptor, so a killed process leaves nothing
 * behind, and no clock is involved. Always non-blocking: a call that waits would
 * freeze the event loop.
 * @see flock(2)
 * @module
 */
import { type Pointer, read } from "bun:ffi";
import { FibError } from "../errors.ts";
import { openLibc } from "./libc.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;
const EINTR = 4;
const EWOULDBLOCK = 11;

let libc: ReturnType<typeof openCalls> | undefined;

/**
 * Takes the exclusive lock, unless somebody has it.
 *
 * @param fd - An open descriptor of a file or a folder.
 * @returns false when another descriptor holds it.
 * @throws {@link FibError} `cursor_io`, when the file system has no locks.
 */
export function tryLock(fd: number): boolean {
  const { flock, __errno_location } = (libc ??= openCalls());
  for (;;) {
    if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
    const errno = read.i32(__errno_location() as Pointer);
    if (errno === EWOULDBLOCK) return false;
    if (errno === EINTR) continue;
    throw new FibError(
      "cursor_io",
      `Cannot lock the cursor: flock failed with errno ${errno}; use a local file system`,
    );
  }
}

/** Gives the lock back; the next process may take it at once. */
export function unlock(fd: number): void {
  // Where no call can be made nothing was locked.
  libc?.flock(fd, LOCK_UN);
}

// Not before it is needed: `fibserver --version` needs no native call.
function openCalls() {
  return openLibc({
    flock: { args: ["i32", "i32"], returns: "i32" },
    __errno_location: { args: [], returns: "ptr" },
  });
}
