/**
 * How a server waits for a disk: on Bun's pool, even where the disk is usually fast. One sync that stalls would
 * stop everything. The pool has as many threads as the machine has CPUs, so whoever syncs waits for the end of one
 * before it begins another.
 *
 * Rejected: blocking on the loop as long as the running mean is below 1 ms. It saved up to 5% at 64 connections, and
 * froze a server for as long as its disk stalled.
 * @module
 */
import fs from "node:fs";
import { ioError } from "./io-error.ts";
import type { Procedure, Wait } from "./procedure.ts";

/**
 * Carries a procedure out, and leaves the event loop free meanwhile.
 *
 * @param onSync - Told how long each sync has taken.
 */
export async function runOnThreads<Result>(
  procedure: Procedure<Result>,
  onSync?: (durationMs: number) => void,
): Promise<Result> {
  let step = procedure.next();
  while (step.done !== true) {
    try {
      await until(step.value, onSync);
    } catch (error) {
      step = procedure.throw(error);
      continue;
    }
    step = procedure.next();
  }
  return step.value;
}

function until(wait: Wait, onSync: ((durationMs: number) => void) | undefined): Promise<void> {
  if ("pauseMs" in wait) return Bun.sleep(wait.pauseMs);
  const sync = wait.sync === "data" ? fs.fdatasync : fs.fsync;
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    sync(wait.fd, (error) => {
      onSync?.(performance.now() - startMs);
      if (error) reject(ioError(wait.path, "sync", error));
      else resolve();
    });
  });
}
