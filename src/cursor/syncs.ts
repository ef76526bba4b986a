/**
 * The two ways to wait for a disk.
 *
 * A shell command blocks: it has nothing else to do, and a thread costs it 40 to 90 µs.
 * A server never does, not even on a disk that is usually fast: one sync that stalls
 * would stop everything. Its syncs run on Bun's pool, which has as many threads as the
 * machine has CPUs, so whoever syncs waits for the end of one before it begins another.
 *
 * Rejected: blocking on the loop as long as the running mean is below 1 ms. It saved up
 * to 5% at 64 connections, and froze a server for as long as its disk stalled.
 * @module
 */
import fs from "node:fs";

/** Puts on disk what an open file or folder holds; rejects or throws with the system's error. */
export interface Syncs {
  /** fdatasync(2): the bytes of a file whose size stays. */
  data(fd: number): Promise<void> | void;
  /** fsync(2): a new file with its mode and owner, or the names in a folder. */
  all(fd: number): Promise<void> | void;
}

/** Holds the thread up until it is done. */
export const blockingSyncs: Syncs = { data: fs.fdatasyncSync, all: fs.fsyncSync };

/** Leaves the event loop free. */
export const threadSyncs: Syncs = {
  data: (fd) => onThread((done) => fs.fdatasync(fd, done)),
  all: (fd) => onThread((done) => fs.fsync(fd, done)),
};

// Not node:util's promisify, which takes 1 ms to load.
function onThread(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())));
}
