/**
 * One computation as data: what crosses to a worker thread, a queue, another machine.
 * @module
 */
import { ackermann } from "./ackermann.ts";
import type { ComputeOptions, Digits } from "./decimal.ts";
import { factorial } from "./factorial.ts";
import { fibonacci } from "./fibonacci.ts";

/** A computation of one number. */
export type Job =
  | { readonly kind: "fibonacci" | "factorial"; readonly n: number }
  | { readonly kind: "ackermann"; readonly m: bigint; readonly n: bigint };

/** Shorter numbers are computed at once, on the thread that is asked: 0.4 ms at most. */
export const INLINE_DIGITS_MAX = 5000;

/**
 * Computes a job on this thread.
 *
 * @returns ASCII digits, in a buffer of their own.
 * @throws `FibError` `result_too_large`.
 */
export function compute(job: Job, options: ComputeOptions = {}): Digits {
  if (job.kind === "ackermann") return ackermann(job.m, job.n);
  return (job.kind === "fibonacci" ? fibonacci : factorial)(job.n, options);
}
