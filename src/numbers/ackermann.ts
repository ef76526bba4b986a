/**
 * A(m, n) by closed forms: Ackermann's function in Péter's version, by n:
 *
 *     A(0,n) = n + 1    A(1,n) = n + 2    A(2,n) = 2n + 3    A(3,n) = 2^(n+3) - 3
 *     A(4,n) = 2^2^…^2 - 3, a tower of n + 3 twos: 13, 65533, 2^65536 - 3
 *     A(5,0) = A(4,1) = 65533
 *
 * Nothing beyond can be written down: the digits of A(4,3) outnumber the atoms.
 * @module
 */
import { type ComputeOptions, type Digits, toDigits } from "./decimal.ts";
import { ackermannDigits } from "./digits.ts";
import { powerLessThree, powerMemoryBytes } from "./power.ts";

/**
 * A(m, n) as ASCII digits.
 *
 * @param m - From 0.
 * @param n - From 0. For m = 3 the work grows with n: limit {@link ackermannDigits} first.
 * @throws `FibError` `result_too_large`, when the value cannot be written down.
 */
export function ackermann(m: bigint, n: bigint, options: ComputeOptions = {}): Digits {
  if (m === 0n) return toDigits(n + 1n);
  if (m === 1n) return toDigits(n + 2n);
  if (m === 2n) return toDigits(2n * n + 3n);
  return powerLessThree(`A(${m},${n})`, exponent(m, n), options);
}

/**
 * Bytes of memory that {@link ackermann} needs at its peak, with the result borrowed.
 *
 * @throws `FibError` `result_too_large`, as {@link ackermann} does.
 */
export function ackermannMemoryBytes(m: bigint, n: bigint): number {
  return m < 3n ? 4 * Number(ackermannDigits(m, n)) : powerMemoryBytes(exponent(m, n));
}

/** The k for which A(m, n) = 2^k - 3; m from 3. */
function exponent(m: bigint, n: bigint): number {
  if (m === 3n) return Number(n) + 3;
  ackermannDigits(m, n);
  if (m === 5n || n === 1n) return 16;
  return n === 0n ? 4 : 65_536;
}
