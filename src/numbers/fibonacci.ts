/**
 * F(n) as decimal text, without ever leaving base ten.
 *
 * With the Lucas numbers L(n) = F(n-1) + F(n+1), doubling the index costs two products:
 *
 *     F(2k) = F(k) L(k)               L(2k) = L(k)^2 - 2 (-1)^k
 *     F(k+1) = (F(k) + L(k)) / 2      L(k+1) = (5 F(k) + L(k)) / 2
 *
 * The products share the transform of L(k), and the last doubling needs only F:
 * F(2k+1) = F(k+1) L(k) - (-1)^k. Together about 7 transforms of full length.
 * The formulas are in the GMP manual's chapter on algorithms; the transform is kernel/transform.ts.
 *
 * Small indices are computed in BigInt, whose toString is quadratic or so but
 * needs no multiplier.
 * @module
 */
import {
  bigIntMemoryBytes,
  byBigInt,
  FRESH_INDEX_MAX,
  fibonacciByBigInt,
  pairByBigInt,
} from "./big-integers.ts";
import type { ComputeOptions, Digits, Fault, LimbDigits } from "./decimal.ts";
import { LOG10_PHI } from "./digits.ts";
import { type Crossover, isShort } from "./multiplier.ts";
import { HEAP_BYTES } from "./memory.ts";
import { DoublingProgress } from "./progress.ts";
import { Registers, registersBytes } from "./registers.ts";
import { checkText, drawExpected, firstTrusted } from "./trust.ts";
import { hasVectors } from "./vectors.ts";

/** Where the multiplier is loaded F(10,000) takes 61 µs by big integers and 76 by the multiplier, F(15,000) 146 and 110. */
const CROSSOVER: Crossover = { fresh: FRESH_INDEX_MAX, warm: 12_000 };

/** Doubling starts from an index in (300, 600], found by BigInt. */
const START_MAX = 600;

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
    const registers = climb(n, limbDigits, progress, options.fault, 0);
    const { x, y } = registers;
    const half = Math.floor(n / 2);
    if (n % 2 === 1) registers.step(true);
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
 * F(n) and F(n+1) as ASCII digits: where a sequence that starts anywhere begins.
 *
 * Each text is checked modulo one prime, not two: what goes wrong before they are written is in both.
 *
 * @param n - As for {@link fibonacci}.
 * @returns Two views of one buffer, from its start, one right behind the other.
 * @throws `FibError` `result_too_large`, when the memory cannot be had.
 */
export function fibonacciPair(n: number, options: ComputeOptions = {}): [Digits, Digits] {
  const exact = (): [Digits, Digits] => {
    const pair = pairByBigInt(n);
    const text = (which: 0 | 1): Digits => byBigInt(`F(${n + which})`, n * LOG10_PHI, () => pair[which]);
    return inOneBuffer(text(0), () => text(1));
  };
  const attempt = (limbDigits: LimbDigits): [Digits, Digits] => {
    const progress = new DoublingProgress(n, options.onProgress);
    const textBytes = limbDigits * (limbCount(n, limbDigits) + 2);
    const registers = climb(n, limbDigits, progress, options.fault, textBytes);
    double(registers, Math.floor(n / 2), n % 2 === 1);
    progress.add(0.6 * n);
    const text = (which: 0 | 1): Digits => {
      const borrowed = registers.text(registers.spare);
      checkText(
        borrowed,
        drawExpected((prime) => fibonacciResidues(n, BigInt(prime))[which], 1),
      );
      return borrowed;
    };
    return inOneBuffer(text(0), () => {
      registers.step(true);
      progress.add(0.4 * n);
      return text(1);
    });
  };
  return firstTrusted({ what: `F(${n}) with F(${n + 1})`, size: n, crossover: CROSSOVER, attempt, exact });
}

/** Copies of two texts, of which the second has at most one digit more, and is asked for when the first is copied. */
function inOneBuffer(first: Digits, takeSecond: () => Digits): [Digits, Digits] {
  const middle = first.length;
  const both = new Uint8Array(2 * middle + 1);
  both.set(first);
  const second = takeSecond();
  both.set(second, middle);
  return [both.subarray(0, middle), both.subarray(middle, middle + second.length)];
}

/**
 * Bytes of memory that {@link fibonacci} needs at its peak, with the result borrowed.
 *
 * @param n - An integer from 0; a rounded one if it is beyond 2^53.
 */
export function fibonacciMemoryBytes(n: number): number {
  const digits = n * LOG10_PHI + 1;
  if (isShort(n, CROSSOVER) || !hasVectors()) return bigIntMemoryBytes(digits);
  return registersBytes(limbCount(n + 1, 5), 0) + HEAP_BYTES;
}

/** Limbs that hold F(n) and L(n), with 2 to spare; L(n) is 0.35 digits longer than F(n). */
const limbCount = (n: number, limbDigits: LimbDigits): number =>
  Math.ceil((n * LOG10_PHI + 1) / limbDigits) + 2;

/** Doubles until (X, Y) = (F, L) of floor(n / 2): all but the last step. */
function climb(
  n: number,
  limbDigits: LimbDigits,
  progress: DoublingProgress,
  fault: Fault | undefined,
  spareBytes: number,
): Registers {
  const registers = new Registers(limbCount(n + 1, limbDigits), spareBytes, limbDigits, fault);
  const odd: boolean[] = [];
  let k = Math.floor(n / 2);
  for (; k > START_MAX; k = Math.floor(k / 2)) odd.push(k % 2 === 1);
  const [f, next] = pairByBigInt(k);
  registers.x.length = registers.read(f, registers.x.address);
  registers.y.length = registers.read(2n * next - f, registers.y.address);
  for (const isOdd of odd.toReversed()) {
    double(registers, k, isOdd);
    k = 2 * k + (isOdd ? 1 : 0);
    progress.add(k);
  }
  return registers;
}

/** From (F, L) of k to those of 2k, or of 2k + 1. */
function double(registers: Registers, k: number, toOdd: boolean): void {
  const count = limbCount(2 * k + 1, registers.limbDigits);
  registers.multiply("product", count, true);
  registers.settle(registers.x, count);
  registers.settle(registers.y, count);
  registers.adjust(registers.y, k % 2 === 0 ? -2 : 2);
  if (toOdd) registers.step();
}

/** F(n) and F(n+1) modulo a number. */
export function fibonacciResidues(n: number, modulus: bigint): [bigint, bigint] {
  let [f, next] = [0n, 1n];
  for (const bit of n.toString(2)) {
    [f, next] = [(f * (2n * next - f + modulus)) % modulus, (f * f + next * next) % modulus];
    if (bit === "1") [f, next] = [next, (f + next) % modulus];
  }
  return [f, next];
}
