/**
 * F(n) as decimal text. The one place where the value at an index is made.
 * @module
 */

/**
 * Computes F(n) by fast doubling.
 *
 * @param n - Index, a non-negative safe integer.
 * @returns The decimal digits.
 * @see Knuth, TAOCP 1, 1.2.8, exercise 26: F(2k) = F(k)(2F(k+1) − F(k)), F(2k+1) = F(k)² + F(k+1)².
 */
export function fibonacci(n: number): string {
  let [value, next] = [0n, 1n];
  for (const bit of n.toString(2)) {
    const even = value * (2n * next - value);
    const odd = value * value + next * next;
    [value, next] = bit === "1" ? [odd, even + odd] : [even, odd];
  }
  return value.toString();
}
