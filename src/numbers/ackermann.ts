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
import { type Digits, toDigits } from "./decimal.ts";
import { ackermannDigits } from "./digits.ts";

/**
 * A(m, n) as ASCII digits.
 *
 * @param m - From 0.
 * @param n - From 0. For m = 3 the work grows with n: limit {@link ackermannDigits} first.
 * @throws `FibError` `result_too_large`, when the value cannot be written down.
 */
export function ackermann(m: bigint, n: bigint): Digits {
  return toDigits(value(m, n));
}

function value(m: bigint, n: bigint): bigint {
  if (m === 0n) return n + 1n;
  if (m === 1n) return n + 2n;
  if (m === 2n) return 2n * n + 3n;
  if (m === 3n) return 2n ** (n + 3n) - 3n;
  ackermannDigits(m, n);
  if (m === 5n || n === 1n) return 65_533n;
  return n === 0n ? 13n : 2n ** 65_536n - 3n;
}
