/**
 * The sum of floors along a line, and the line of F: F(k) has floor((slope k + intercept) / 2^128) digits from k = 2 on, as
 * term-lengths.ts shows.
 *
 * A sum of floors over an arithmetic progression is reduced like Euclid's algorithm by swapping the roles of k and the
 * floor, in some twenty steps for 10^8 terms. It is apart from all else, since the page uses it too.
 *
 * Source: AtCoder Library, `floor_sum`.
 * @module
 */

/** Of the line of F. */
export const FRACTION_BITS = 128n;

/** floor(2^128 log10 φ). */
export const LOG10_PHI_SCALED = 0x358036c82451b7f365d3db23845599f5n;

/** floor(2^128 (1 - log10 √5)). */
export const INTERCEPT_SCALED = 0xa68826a13ef3fde623e2566b02df245en;

/**
 * The sum of floor((slope k + intercept) / modulus) for k = 0 … count - 1; all of them are positive.
 *
 * Each turn takes out the whole parts, and then counts the points under the line by rows, not columns.
 */
export function floorSum(count: bigint, modulus: bigint, slope: bigint, intercept: bigint): bigint {
  let sum = 0n;
  let [n, m, a, b] = [count, modulus, slope, intercept];
  while (n > 0n) {
    sum += ((n * (n - 1n)) / 2n) * (a / m) + n * (b / m);
    const top = (a % m) * n + (b % m);
    [n, m, a, b] = [top / m, a % m, m, top % m];
  }
  return sum;
}
