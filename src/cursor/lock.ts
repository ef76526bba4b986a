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
import { dlopen, type Pointer, read } from "bun:ffi";
import fs from "node:fs";
import { FibError } from "../errors.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;
const EINTR = 4;
const EWOULDBLOCK = 11;

const libc = openLibc();

/**
 * Takes the exclusive lock, unless somebody has it.
 *
 * @param fd - An open descriptor of a file or a folder.
 * @returns false when another descriptor holds it.
 * @throws {@link FibError} `cursor_io`, when the file system has no locks.
 */
export function tryLock(fd: number): boolean {
  for (;;) {
    if (libc.flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
    const errno = read.i32(libc.__errno_location() as Pointer);
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
  libc.flock(fd, LOCK_UN);
}

/** The C library that this binary was built for: glibc and musl name theirs differently. */
export function libcName(): string {
  const muslName = `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`;
  return fs.existsSync(`/lib/${muslName}`) && !isGlibc() ? muslName : "libc.so.6";
}

function isGlibc(): boolean {
  return fs.readFileSync("/proc/self/maps", "latin1").includes("/libc.so.6");
}

function openLibc() {
  return dlopen(libcName(), {
    flock: { args: ["i32", "i32"], returns: "i32" },
    __errno_location: { args: [], returns: "ptr" },
  }).symbols;
}
