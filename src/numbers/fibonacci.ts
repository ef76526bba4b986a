/**
 * F(n) as decimal text: the climb (climb.ts) to the index before the last doubling, which needs only one product,
 * F(2k) = F(k) L(k) or F(2k+1) = F(k+1) L(k) - (-1)^k. Together about 7 transforms of full length.
 * @module
 */
import { byBigInt, fibonacciByBigInt } from "./big-integers.ts";
import { CROSSOVER, climb, climbMemoryBytes, limbCount } from "./climb.ts";
import type { ComputeOptions, Digits, LimbDigits } from "./decimal.ts";
import { LOG10_PHI } from "./digits.ts";
import { DoublingProgress } from "./progress.ts";
import { Registers } from "./registers.ts";
import { fibonacciResidues } from "./start.ts";
import { checkText, drawExpected, firstTrusted } from "./trust.ts";

/**
 * F(n) as ASCII digits, checked (trust.ts).
 *
 * @param n - An integer from 0; memory ends it at about 5·10^9.
 * @throws `FibError` `result_too_large`, when the memory cannot be had.
 */
export function fibonacci(n: number, options: ComputeOptions = {}): Digits {
  const exact = (): Digits => byBigInt(`F(${n})`, n * LOG10_PHI, () => fibonacciByBigInt(n));
  const attempt = (limbDigits: LimbDigits): Digits => {
    const progress = new DoublingProgress(n, options.onProgress);
    // Drawn while a fresh process compiles the multiplier on another thread.
    const expected = drawExpected((prime) => fibonacciResidues(n, BigInt(prime))[0]);
    const registers = new Registers(limbCount(n + 1, limbDigits), 0, limbDigits, options.fault);
    const { x, y } = registers;
    const half = Math.floor(n / 2);
    climb(registers, half, progress);
    if (n % 2 === 1) registers.stepOne(x);
    const count = limbCount(n, limbDigits);
    registers.multiply("product", count);
    progress.add(0.6 * n);
    registers.settle(x, count);
    if (n % 2 === 1) registers.adjust(x, half % 2 === 0 ? -1 : 1);
    const text = registers.text(y.address);
    checkText(text, expected);
    progress.add(0.4 * n);
    return options.borrow === true ? text : text.slice();
  };
  return firstTrusted({ what: `F(${n})`, size: n, crossover: CROSSOVER, attempt, exact });
}

/**
 * Bytes of memory that {@link fibonacci} needs at its peak, with the result borrowed.
 *
 * @param n - An integer from 0; a rounded one if it is beyond 2^53.
 */
export const fibonacciMemoryBytes = (n: number): number => climbMemoryBytes(n);
