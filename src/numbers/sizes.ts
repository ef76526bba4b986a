/**
 * How large a result will be, checked against limits before any of it is computed.
 * @module
 */
import { FibError } from "../errors.ts";
import { ackermannDigits, factorialDigits, fibonacciDigits } from "./digits.ts";
import type { Job } from "./job.ts";
import { LAYOUTS } from "./layouts.ts";
import { termDigits } from "./offsets.ts";
import { planSequence } from "./sequence.ts";

/** A number that may be computed. */
export interface SizedJob {
  readonly job: Job;
  readonly digits: number;
}

/** The terms F(from) … F(from + count - 1), which may be written. */
export interface SizedSequence {
  readonly from: number;
  readonly count: number;
  /** Of the text, one term a line. */
  readonly sizeBytes: number;
}

/** What may be asked for. */
export interface SizeLimits {
  /** Digits of the longest number, alone or as a term. */
  readonly digitsMax: number;
  /** Terms of the longest sequence. */
  readonly termsMax: number;
}

/**
 * Finds out how long a number will be.
 *
 * @param arguments_ - One for each parameter of the function, from 0.
 * @throws {@link FibError} `result_too_large`, with the number of digits that it would have.
 */
export function sizeJob(
  kind: Job["kind"],
  arguments_: readonly bigint[],
  { digitsMax }: Pick<SizeLimits, "digitsMax">,
): SizedJob {
  const [first = 0n, second = 0n] = arguments_;
  const digits =
    kind === "ackermann"
      ? ackermannDigits(first, second)
      : (kind === "fibonacci" ? fibonacciDigits : factorialDigits)(first);
  if (digits > digitsMax) {
    const count = digits < 10n ** 30n ? String(digits) : `about 10^${digits.toString().length - 1}`;
    throw new FibError(
      "result_too_large",
      `Cannot compute this: it has ${count} digits, and the limit is ${digitsMax} (--max-digits)`,
    );
  }
  const job: Job = kind === "ackermann" ? { kind, m: first, n: second } : { kind, n: Number(first) };
  return { job, digits: Number(digits) };
}

/**
 * Finds out how long a sequence will be.
 *
 * @throws {@link FibError} `result_too_large`.
 */
export function sizeSequence(
  from: bigint,
  count: bigint,
  { digitsMax, termsMax }: SizeLimits,
): SizedSequence {
  if (count > termsMax) {
    throw new FibError(
      "result_too_large",
      `Cannot write ${count} terms: the limit is ${termsMax} (--max-sequence); ask for parts`,
    );
  }
  if (from > Number.MAX_SAFE_INTEGER / 2)
    throw new FibError("result_too_large", `Cannot begin at ${from}: its digits alone would not fit`);
  const terms = { from: Number(from), count: Number(count) };
  const digits = terms.count === 0 ? 0 : termDigits(terms.from + terms.count - 1);
  if (digits > digitsMax) {
    throw new FibError(
      "result_too_large",
      `Cannot write this sequence: its last term has ${digits} digits, and the limit is ${digitsMax} (--max-digits)`,
    );
  }
  return { ...terms, sizeBytes: planSequence({ ...terms, layout: LAYOUTS.text }).sizeBytes };
}
