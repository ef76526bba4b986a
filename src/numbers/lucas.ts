/**
 * L(n), the Lucas numbers, as decimal text.
 *
 * For odd n the last step is one product, L(2k+1) = L(k) L(k+1) - (-1)^k, behind the climb that F(n) has as well
 * (climb.ts): the same 7 transforms. For even n it is a square, L(2k) = L(k)^2 - 2 (-1)^k, which needs no F(k); so as
 * long as the index stays even there are squares alone, of 2 transforms each. L(10^8) takes a third less than F(10^8).
 *
 * Rejected: L(2k+1) = 5 F(k) F(k+1) + (-1)^k, which is as quick, and a constant more.
 * @module
 */
import { byBigInt, lucasByBigInt } from "./big-integers.ts";
import { CROSSOVER, START_MAX, climb, climbMemoryBytes, limbCount } from "./climb.ts";
import type { ComputeOptions, Digits, LimbDigits } from "./decimal.ts";
import { LOG10_PHI } from "./digits.ts";
import { DoublingProgress } from "./progress.ts";
import { Registers } from "./registers.ts";
import { LUCAS_START, termResidues } from "./start.ts";
import { checkText, drawExpected, firstTrusted } from "./trust.ts";

/**
 * L(n) as ASCII digits, checked (trust.ts).
 *
 * @param n - An integer from 0; memory ends it at about 5·10^9.
 * @throws `FibError` `result_too_large`, when the memory cannot be had.
 */
export function lucas(n: number, options: ComputeOptions = {}): Digits {
  const exact = (): Digits => byBigInt(`L(${n})`, n * LOG10_PHI, () => lucasByBigInt(n));
  const attempt = (limbDigits: LimbDigits): Digits => {
    const progress = new DoublingProgress(n, options.onProgress);
    const expected = drawExpected((prime) => termResidues(n, BigInt(prime), LUCAS_START)[0]);
    const registers = new Registers(limbCount(n + 1, limbDigits), 0, limbDigits, options.fault);
    if (n % 2 === 0) climbBySquares(registers, n, progress);
    else climbToOdd(registers, n, progress);
    const text = registers.text(registers.y.address);
    checkText(text, expected);
    progress.add(0.4 * n);
    return options.borrow === true ? text : text.slice();
  };
  return firstTrusted({ what: `L(${n})`, size: n, crossover: CROSSOVER, attempt, exact });
}

/**
 * Bytes of memory that {@link lucas} needs at its peak, with the result borrowed.
 *
 * @param n - As for `fibonacciMemoryBytes`.
 */
export function lucasMemoryBytes(n: number): number {
  // Of register Y squares touch only what the text takes: 5 bytes for each limb, not 8.
  const untouchedBytes = n % 2 === 0 ? 3 * limbCount(n, 5) : 0;
  return climbMemoryBytes(n, 0, -untouchedBytes);
}

/** X = L(n) for odd n. */
function climbToOdd(registers: Registers, n: number, progress: DoublingProgress): void {
  const { x, limbDigits } = registers;
  const half = Math.floor(n / 2);
  climb(registers, half, progress);
  registers.stepOne(x, 5);
  const count = limbCount(n, limbDigits);
  registers.multiply("product", count);
  progress.add(0.6 * n);
  registers.settle(x, count);
  registers.adjust(x, half % 2 === 0 ? -1 : 1);
}

/** X = L(n) for even n. */
function climbBySquares(registers: Registers, n: number, progress: DoublingProgress): void {
  const { x, y, limbDigits } = registers;
  let k = n / 2;
  while (k % 2 === 0 && k > START_MAX) k /= 2;
  climb(registers, k, progress);
  registers.load(x, y.address, y.length);
  for (; k < n; k *= 2) {
    const count = limbCount(2 * k, limbDigits);
    registers.multiply("square", count);
    progress.add((2 * k === n ? 0.6 : 1) * 2 * k);
    registers.settle(x, count);
    registers.adjust(x, k % 2 === 0 ? -2 : 2);
  }
}
