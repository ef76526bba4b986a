/**
 * Numbers by JavaScript's big integers: short ones, what failed its checks by every multiplier (trust.ts), and all of
 * them on a CPU without vectors (vectors.ts).
 *
 * Their multiplication is a fast one, and the time goes into the text: F(10^7) takes 0.4 s, F(10^8) 7 s, 10^7! 27 s.
 * @module
 */
import { FibError } from "../errors.ts";
import type { Digits } from "./decimal.ts";
import { withinMemory } from "./memory.ts";

/** JavaScriptCore's big integers have 2^30 bits at most: 323,228,496 digits, and a factor needs some room. */
const DIGITS_MAX = 323_000_000;

/**
 * F(n) below this index is quicker by big integers in a fresh process, which would have to load and warm up the
 * multiplier: F(150,000) takes 1.9 ms and 2.6, F(250,000) 3.9 and 3.3.
 */
export const FRESH_INDEX_MAX = 200_000;

/** What a computation holds for each digit at its peak: 13 bytes for F(10^7), 8.5 for F(10^8), 6.6 for 10^7!. */
const BYTES_PER_DIGIT = 13;

/** Bytes of memory that {@link byBigInt} needs at its peak, the result included. */
export const bigIntMemoryBytes = (digits: number): number => BYTES_PER_DIGIT * digits;

/**
 * The text of an integer.
 *
 * @param what - Names it in an error.
 * @param digits - How many it will have, about.
 * @param zeros - How many of these are zeros at the end, which `compute` leaves out.
 * @throws {@link FibError} `result_too_large`, before anything is computed where that can be known.
 */
export function byBigInt(what: string, digits: number, compute: () => bigint, zeros = 0): Digits {
  if (digits > DIGITS_MAX) {
    throw new FibError(
      "result_too_large",
      `Cannot compute ${what} by big integers: it has ${Math.ceil(digits)} digits, and they end at ${DIGITS_MAX}; ` +
        "a CPU with AVX computes more",
    );
  }
  return withinMemory(what, () => {
    const text = compute().toString();
    const result = new Uint8Array(text.length + zeros).fill(0x30, text.length);
    new TextEncoder().encodeInto(text, result);
    return result;
  });
}

/** F(n) and F(n+1), by doubling: F(2k) = F(k) (2F(k+1) - F(k)), F(2k+1) = F(k)^2 + F(k+1)^2. */
export function pairByBigInt(n: number): [bigint, bigint] {
  let [f, next] = [0n, 1n];
  for (const bit of n.toString(2)) {
    [f, next] = [f * (2n * next - f), f * f + next * next];
    if (bit === "1") [f, next] = [next, f + next];
  }
  return [f, next];
}

/** F(n), whose last doubling needs one product. */
export function fibonacciByBigInt(n: number): bigint {
  const [f, next] = pairByBigInt(Math.floor(n / 2));
  return n % 2 === 0 ? f * (2n * next - f) : f * f + next * next;
}

/** L(n), likewise: L(2k) = L(k)^2 - 2 (-1)^k, L(2k+1) = L(k) L(k+1) - (-1)^k. */
export function lucasByBigInt(n: number): bigint {
  const k = Math.floor(n / 2);
  const [f, next] = pairByBigInt(k);
  const l = 2n * next - f;
  const sign = k % 2 === 0 ? 1n : -1n;
  return n % 2 === 0 ? l * l - 2n * sign : l * (2n * f + next) - sign;
}
