/**
 * How large a result will be, checked against limits before any of it is computed.
 * @module
 */
import { FibError } from "../errors.ts";
import { ackermannDigits, factorialDigits, fibonacciDigits, lucasDigits } from "./digits.ts";
import { ENDS_INDEX_DIGITS_MAX } from "./ends.ts";
import { type Job, jobOf, type Natural, type ShortInquiry } from "./job.ts";
import { LAYOUTS } from "./layouts.ts";
import type { Start } from "./start.ts";
import { termDigits } from "./offsets.ts";
import { planSequence } from "./sequence.ts";
import { INDEX_MAX } from "./term-lengths.ts";
import { ZECKENDORF_DIGITS_MAX } from "./zeckendorf.ts";

/** What may be computed. */
export interface SizedJob<Of extends Job = Job> {
  readonly job: Of;
  /** Of the result: the digits of a number, exactly; of anything else the most that it can have. */
  readonly sizeBytes: number;
}

/** The terms F(from) … F(from + count - 1), which may be written. */
export interface SizedSequence {
  readonly from: number;
  readonly count: number;
  /** Of another sequence than F. */
  readonly start?: Start | undefined;
  /** Of the text, one term a line. */
  readonly sizeBytes: number;
}

/** What may be asked for. */
export interface SizeLimits {
  /** Digits of the longest number, alone or as a term. */
  readonly digitsMax: number;
  /** Terms of the longest sequence. */
  readonly termsMax: number;
  /** The largest m of a Pisano period. */
  readonly pisanoMax: bigint;
}

/**
 * Finds out how long a result will be.
 *
 * @param arguments_ - One for each parameter.
 * @throws {@link FibError} `result_too_large`, with the number of digits that it would have, or the limit that it exceeds;
 * `bad_argument` for a modulus of 0.
 */
export function sizeJob<Kind extends Job["kind"]>(
  kind: Kind,
  arguments_: readonly Natural[],
  limits: Pick<SizeLimits, "digitsMax" | "pisanoMax">,
): SizedJob<Extract<Job, { readonly kind: Kind }>> {
  const sizeBytes = SIZES[kind](arguments_, limits);
  return { job: jobOf(kind, arguments_) as Extract<Job, { readonly kind: Kind }>, sizeBytes };
}

type Size = (arguments_: readonly Natural[], limits: Pick<SizeLimits, "digitsMax" | "pisanoMax">) => number;

const SIZES: Readonly<Record<Job["kind"], Size>> = {
  fibonacci: ([n = "0"], limits) => checkDigits(fibonacciDigits(BigInt(n)), limits),
  lucas: ([n = "0"], limits) => checkDigits(lucasDigits(BigInt(n)), limits),
  factorial: ([n = "0"], limits) => checkDigits(factorialDigits(BigInt(n)), limits),
  ackermann: ([m = "0", n = "0"], limits) => checkDigits(ackermannDigits(BigInt(m), BigInt(n)), limits),
  // Ten counts.
  statistics: ([n = "0"], limits) =>
    10 * (String(checkDigits(fibonacciDigits(BigInt(n)), limits)).length + 1),
  remainder: ([, mod = "0"], limits) =>
    checkDigits(BigInt(mustDivide(mod, "mod").length), limits, "may have"),
  pisano: ([text = "0"], { pisanoMax }) => {
    const m = BigInt(mustDivide(text, "m"));
    if (m > pisanoMax) {
      throw new FibError(
        "result_too_large",
        `Cannot find the period of so large a number: the limit is ${pisanoMax} (--max-pisano); fibserver pisano M goes to 10^30`,
      );
    }
    // It is 6 m at most.
    return (6n * m).toString().length;
  },
};

/** The most that a short inquiry can have; as of a job. */
export function sizeShort(asked: ShortInquiry): number {
  // Three words, of which the first is below n.
  if (asked.kind === "ends") return ENDS_INDEX_DIGITS_MAX + asked.first + asked.last + 2;
  // Each digit takes 4.8 indices, of which every second can be there, and each is a word of up to 5 digits here.
  return 3 * 6 * ZECKENDORF_DIGITS_MAX;
}

function mustDivide(modulus: Natural, name: string): Natural {
  if (modulus !== "0") return modulus;
  throw new FibError(
    "bad_argument",
    `Cannot use 0 for ${name}: nothing can be divided by it; it begins at 1`,
  );
}

function checkDigits(digits: bigint, { digitsMax }: Pick<SizeLimits, "digitsMax">, has = "has"): number {
  if (digits <= digitsMax) return Number(digits);
  const count = digits < 10n ** 30n ? String(digits) : `about 10^${digits.toString().length - 1}`;
  throw new FibError(
    "result_too_large",
    `Cannot compute this: it ${has} ${count} digits, and the limit is ${digitsMax} (--max-digits)`,
  );
}

/**
 * Finds out how long a sequence will be.
 *
 * @throws {@link FibError} `result_too_large`.
 */
export function sizeSequence(
  from: bigint,
  count: bigint,
  { digitsMax, termsMax }: Pick<SizeLimits, "digitsMax" | "termsMax">,
  start?: Start,
): SizedSequence {
  if (count > termsMax) {
    throw new FibError(
      "result_too_large",
      `Cannot write ${count} terms: the limit is ${termsMax} (--max-sequence); ask for parts`,
    );
  }
  if (from + count > INDEX_MAX) {
    throw new FibError(
      "result_too_large",
      `Cannot write a sequence up to ${from + count - 1n}: its last index is ${INDEX_MAX - 1} at most`,
    );
  }
  const terms = { from: Number(from), count: Number(count), start };
  // The last one is the longest, or G(0) is.
  const ends = terms.count === 0 ? [] : [terms.from, terms.from + terms.count - 1];
  const digits = Math.max(0, ...ends.map((index) => termDigits(index, start)));
  if (digits > digitsMax) {
    throw new FibError(
      "result_too_large",
      `Cannot write this sequence: its longest term has ${digits} digits, and the limit is ${digitsMax} (--max-digits)`,
    );
  }
  return { ...terms, sizeBytes: planSequence({ ...terms, layout: LAYOUTS.text }).sizeBytes };
}
