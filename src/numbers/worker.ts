/**
 * The worker thread: receives a {@link Job}, answers with its {@link Answer}s. Started by pool.ts.
 * @module
 */
import { setPriority } from "node:os";
import { type ErrorCode, FibError } from "../errors.ts";
import type { Digits } from "./decimal.ts";
import { type Job, compute } from "./job.ts";
import { kernel, kernelMemoryBytes } from "./kernel.ts";
import { distrusted } from "./trust.ts";

/** What a worker says: any number of `progress`, then one `done` or `failed`. */
export type Answer =
  | { readonly kind: "progress"; readonly fraction: number }
  | {
      readonly kind: "done";
      readonly result: Digits;
      /** What this thread's kernel holds; it never shrinks. */
      readonly memoryBytes: number;
      /** Checks that failed during this job; see trust.ts. */
      readonly distrusted: { readonly rounding: number; readonly residue: number };
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

self.addEventListener("message", ({ data: job }: MessageEvent<Job>) => {
  const before = { ...distrusted };
  let toldAtMs = performance.now();
  const onProgress = (fraction: number): void => {
    if (performance.now() - toldAtMs < PROGRESS_INTERVAL_MS) return;
    toldAtMs = performance.now();
    answer({ kind: "progress", fraction });
  };
  try {
    const result = compute(job, { onProgress });
    const failures = {
      rounding: distrusted.rounding - before.rounding,
      residue: distrusted.residue - before.residue,
    };
    // Transferred: the digits change hands without a copy.
    answer({ kind: "done", result, memoryBytes: kernelMemoryBytes(), distrusted: failures }, [result.buffer]);
    // A thread that stays for the next job has its kernel loaded by then, however small the first one was.
    kernel();
  } catch (error) {
    const code = error instanceof FibError ? error.code : undefined;
    answer({ kind: "failed", code, message: error instanceof Error ? error.message : String(error) });
  }
});

function answer(message: Answer, transfer: ArrayBuffer[] = []): void {
  self.postMessage(message, transfer);
}
