/**
 * The sequences that follow F's rule, G(n) = G(n-1) + G(n-2), from any two natural numbers: F itself from 0, 1, the
 * Lucas numbers from 2, 1. Each is made of F: G(n) = G(0) F(n-1) + G(1) F(n).
 * @module
 */
/** G(0) and G(1), each from 0. Where it is left out, F is meant. */
export type Start = readonly [bigint, bigint];

/** Of F. */
const FIBONACCI_START: Start = [0n, 1n];

/** Of the Lucas numbers. */
export const LUCAS_START: Start = [2n, 1n];

/** Whether all terms are 0: at any index a number of one digit, for which nothing may be climbed. */
export const isZeroStart = (start: Start | undefined): boolean =>
  start?.every((term) => term === 0n) ?? false;

/** A term as messages name it. */
export const termName = (n: number, start: Start | undefined): string =>
  `${start === undefined ? "F" : "G"}(${n})`;

/** As it is written, such as `2,1`. */
export const startText = (start: Start): string => start.join(",");

/** Whether two numbers start F, which is written without a start. */
export const isFibonacciStart = ([first, second]: Start): boolean => first === 0n && second === 1n;

/** F(n) and F(n+1) modulo a number. */
export function fibonacciResidues(n: number | bigint, modulus: bigint): [bigint, bigint] {
  let [f, next] = [0n, 1n];
  for (const bit of n.toString(2)) {
    [f, next] = [(f * (2n * next - f + modulus)) % modulus, (f * f + next * next) % modulus];
    if (bit === "1") [f, next] = [next, (f + next) % modulus];
  }
  return [f, next];
}

/** G(n) and G(n+1) modulo a number. */
export function termResidues(n: number, modulus: bigint, start: Start = FIBONACCI_START): [bigint, bigint] {
  const [f, next] = fibonacciResidues(n, modulus);
  const before = (next - f + modulus) % modulus;
  const [first, second] = start;
  return [(first * before + second * f) % modulus, (first * f + second * next) % modulus];
}
