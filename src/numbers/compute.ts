/**
 * Computing whatever a {@link Computation} says, on the thread that calls.
 * @module
 */
import { ackermann } from "./ackermann.ts";
import { type ComputeOptions, type Digits, toAscii } from "./decimal.ts";
import { factorial } from "./factorial.ts";
import { fibonacci } from "./fibonacci.ts";
import { findOut, INQUIRY_KINDS, isInquiry } from "./inquiries.ts";
import type { Computation, Inquiry, OfKind } from "./job.ts";
import { lucas } from "./lucas.ts";
import { termPair } from "./term-pair.ts";

type Compute<Of> = (computation: Of, options: ComputeOptions) => Digits;

const COMPUTES: {
  readonly [Kind in Exclude<Computation, Inquiry>["kind"]]: Compute<OfKind<Kind>>;
} = {
  fibonacci: ({ n }, options) => fibonacci(n, options),
  lucas: ({ n }, options) => lucas(n, options),
  factorial: ({ n }, options) => factorial(n, options),
  ackermann: ({ m, n }, options) => ackermann(m, n, options),
  pair: ({ n, start }, options) => {
    const [first, second] = termPair(n, start, options);
    return new Uint8Array(first.buffer, 0, first.length + second.length);
  },
};

/** All that a thread computes. */
export const COMPUTATION_KINDS: readonly string[] = [...Object.keys(COMPUTES), ...INQUIRY_KINDS];

/**
 * Computes.
 *
 * @returns ASCII, in a buffer of its own: the digits of a number; of an inquiry the words of inquiries.ts.
 * @throws `FibError` `result_too_large`.
 */
export function compute(computation: Computation, options: ComputeOptions = {}): Digits {
  if (isInquiry(computation)) return toAscii(findOut(computation, options));
  return COMPUTES[computation.kind](computation as never, options);
}
