/**
 * One computation as data: what crosses to a worker thread, a queue, another machine.
 * @module
 */
import { ackermann } from "./ackermann.ts";
import type { ComputeOptions, Digits } from "./decimal.ts";
import { LOG10_PHI } from "./digits.ts";
import { factorial } from "./factorial.ts";
import { fibonacci, fibonacciPair } from "./fibonacci.ts";

/** A computation of one number. */
export type Job =
  | { readonly kind: "fibonacci" | "factorial"; readonly n: number }
  | { readonly kind: "ackermann"; readonly m: bigint; readonly n: bigint };

/**
 * What a thread computes: a job, or where a sequence begins, F(n) and F(n+1) as one text behind the other. That is had
 * in two thirds of the time of two jobs.
 */
export type Computation = Job | { readonly kind: "pair"; readonly n: number };

/** What the function is given, by name, as text. */
export function argumentsOf(job: Computation): Record<string, string> {
  return job.kind === "ackermann" ? { m: String(job.m), n: String(job.n) } : { n: String(job.n) };
}

/** Shorter numbers are computed at once, on the thread that is asked: 0.4 ms at most. */
export const INLINE_DIGITS_MAX = 5000;

/**
 * What a digit costs, in a thread that is warm. Measured (x64): F(10^8) 133 ms and F(10^6) 1.2 ms, 10^6! 79 ms and
 * 10^5! 6.6 ms, A(3, 83,048,190) 98 ms and A(3, 1,234,567) 1.6 ms.
 */
const DIGIT_NS: Readonly<Record<Computation["kind"], number>> = {
  fibonacci: 6.5,
  pair: 8.5,
  factorial: 14,
  ackermann: 4,
};

/** All that a thread computes. */
export const COMPUTATION_KINDS = Object.keys(DIGIT_NS);

/** What any job costs: to a thread and back. */
const JOB_MS = 0.1;

/** How long a job takes on a thread, roughly: what matters is the order. */
export function estimateMs(job: Computation): number {
  return JOB_MS + estimateDigits(job) * DIGIT_NS[job.kind] * 1e-6;
}

/** Cheaper than digits.ts, and good enough: Stirling's first terms, and of A(m, n) what can be long. */
function estimateDigits(job: Computation): number {
  if (job.kind === "ackermann") return job.m === 3n ? Number(job.n) * Math.log10(2) : 0;
  return job.n * (job.kind === "factorial" ? Math.log10(Math.max(job.n / Math.E, 1)) : LOG10_PHI);
}

/**
 * Computes a job on this thread.
 *
 * @returns ASCII digits, in a buffer of their own.
 * @throws `FibError` `result_too_large`.
 */
export function compute(job: Computation, options: ComputeOptions = {}): Digits {
  if (job.kind === "ackermann") return ackermann(job.m, job.n, options);
  if (job.kind === "pair") {
    const [first, second] = fibonacciPair(job.n, options);
    return new Uint8Array(first.buffer, 0, first.length + second.length);
  }
  return (job.kind === "fibonacci" ? fibonacci : factorial)(job.n, options);
}
