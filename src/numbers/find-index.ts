/**
 * The index of a value: is it F(n), and for which n?
 *
 * F(n) is φ^n / √5, rounded, so n is close to (log10 value + log10 √5) / log10 φ. The length and the
 * leading digits give that to seven decimals or more. Unless it is that close to an integer, the value is
 * no Fibonacci number, and its neighbours are known without computing any; else F(n) is computed and compared.
 * @module
 */
import { FibError } from "../errors.ts";
import { textOf } from "./decimal.ts";
import { LOG10_PHI } from "./digits.ts";
import { fibonacci } from "./fibonacci.ts";

/** The longest Fibonacci number that the multiplier can address has 1,174,405,107. */
export const VALUE_DIGITS_MAX = 1_200_000_000;

/** Up to this many digits, values are integers that a double holds. */
const COUNTED_DIGITS_MAX = 15;

/** As many digits as can matter to a double. */
const LEADING_DIGITS = 17;

const ZERO = 48;

const LOG10_SQRT5 = Math.log10(5) / 2;

/** Of some four roundings, each about 2^-53 of the result. The margin costs nothing but a rare F(n) in vain. */
const RELATIVE_ERROR_MAX = 2 ** -48;

/** Where a value stands in the sequence. */
export type FoundIndex =
  | { readonly isTerm: true; readonly index: number }
  | { readonly isTerm: false; readonly below: number; readonly above: number };

/**
 * The index of a Fibonacci number, or those of the nearest ones.
 *
 * 1 is F(1) and F(2): the answer is 1, the index at which the sequence first reaches it.
 *
 * @param value - ASCII digits, without sign and leading zeros: bytes, because a string ends at 2^31 - 1 of them.
 * @param compute - Computes F(n), if that has to be compared; nothing else takes long.
 * @returns `index`, with F(index) = value; else `below` and `above`, with F(below) < value < F(above).
 * @throws {@link FibError} `bad_argument`, when the value is not written like that; and as `compute` does.
 */
export function fibonacciIndex(
  value: Uint8Array,
  compute: (n: number) => Uint8Array = fibonacci,
): FoundIndex {
  if (!isDecimal(value)) {
    throw new FibError(
      "bad_argument",
      "Cannot find the value: it has to be a whole number in decimal, like 6765",
    );
  }
  if (value.length <= COUNTED_DIGITS_MAX) return countUpTo(Number(textOf(value)));

  const leading = textOf(value.subarray(0, LEADING_DIGITS));
  const log10 = Math.log10(Number(leading)) + (value.length - leading.length);
  const position = (log10 + LOG10_SQRT5) / LOG10_PHI;
  const closest = Math.round(position);
  if (Math.abs(position - closest) > position * RELATIVE_ERROR_MAX) {
    const below = Math.floor(position);
    return { isTerm: false, below, above: below + 1 };
  }
  const order = compareDecimals(value, compute(closest));
  if (order === 0) return { isTerm: true, index: closest };
  const below = order < 0 ? closest - 1 : closest;
  return { isTerm: false, below, above: below + 1 };
}

function isDecimal(value: Uint8Array): boolean {
  if (value.length === 0 || (value.length > 1 && value[0] === ZERO)) return false;
  // An iterator takes ten times as long.
  for (let i = 0; i < value.length; i++) if (value[i]! < ZERO || value[i]! > ZERO + 9) return false;
  return true;
}

function countUpTo(value: number): FoundIndex {
  let [index, term, next] = [0, 0, 1];
  while (term < value) [index, term, next] = [index + 1, next, term + next];
  return term === value ? { isTerm: true, index } : { isTerm: false, below: index - 1, above: index };
}

function compareDecimals(a: Uint8Array, b: Uint8Array): number {
  return a.length - b.length || Buffer.compare(a, b);
}
