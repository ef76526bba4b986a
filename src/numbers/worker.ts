/**
 * The worker thread: receives a {@link Computation}, answers with its {@link Answer}s. Started by pool.ts.
 * @module
 */
import { setPriority } from "node:os";
import { type ErrorCode, FibError } from "../errors.ts";
import { type Check, onNotice } from "../notices.ts";
import type { Digits } from "./decimal.ts";
import { compute } from "./compute.ts";
import type { Computation } from "./job.ts";
import { multiplierMemoryBytes, loadMultiplier } from "./multiplier.ts";

/** What a worker says: any number of `progress` and `distrusted`, then one `done` or `failed`. */
export type Answer =
  | { readonly kind: "progress"; readonly fraction: number }
  | { readonly kind: "distrusted"; readonly message: string; readonly failed: Check }
  | {
      readonly kind: "done";
      readonly result: Digits;
      /** What this thread's multiplier holds; it never shrinks. */
      readonly memoryBytes: number;
    }
  | { readonly kind: "failed"; readonly code: ErrorCode | undefined; readonly message: string };

/** Progress is told at most this often. */
const PROGRESS_INTERVAL_MS = 50;

/** On Linux, the niceness of the calling thread alone. */
const NICENESS = 18;

declare const self: Worker;

// Who answers requests gets the CPU at once, and does not wait for a time slice to end: p99 of the cursor
// beside F(10^8), on one CPU, is 2 ms in place of 13 (7 at niceness 10).
setPriority(0, NICENESS);

// That there is no multiplier is said by the main thread, once for all.
onNotice((message, failed) => {
  if (failed !== undefined) answer({ kind: "distrusted", message, failed });
});

self.addEventListener("message", ({ data: job }: MessageEvent<Computation>) => {
  let toldAtMs = performance.now();
  const onProgress = (fraction: number): void => {
    if (performance.now() - toldAtMs < PROGRESS_INTERVAL_MS) return;
    toldAtMs = performance.now();
    answer({ kind: "progress", fraction });
  };
  try {
    const result = compute(job, { onProgress });
    // Transferred: the digits change hands without a copy.
    answer({ kind: "done", result, memoryBytes: multiplierMemoryBytes() }, [result.buffer]);
  } catch (error) {
    const code = error instanceof FibError ? error.code : undefined;
    answer({ kind: "failed", code, message: error instanceof Error ? error.message : String(error) });
  }
});

function answer(message: Answer, transfer: ArrayBuffer[] = []): void {
  self.postMessage(message, transfer);
}

// A thread stays for many jobs. The first one waits for this with it.
loadMultiplier();
