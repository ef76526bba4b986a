/**
 * What F(n), L(n) and every other sequence of the same rule are made of: (F, L) of an index, found without ever leaving
 * base ten.
 *
 * With the Lucas numbers L(n) = F(n-1) + F(n+1), doubling the index costs two products:
 *
 *     F(2k) = F(k) L(k)               L(2k) = L(k)^2 - 2 (-1)^k
 *     F(k+1) = (F(k) + L(k)) / 2      L(k+1) = (5 F(k) + L(k)) / 2
 *
 * The products share the transform of L(k): 4 transforms, and the last doubling, which needs one number (fibonacci.ts,
 * lucas.ts) or both (term-pair.ts), is theirs. All doublings before the last cost as much as the last one with both.
 * The formulas are in the GMP manual's chapter on algorithms; the transform is kernel/transform.ts.
 *
 * Small indices are computed in BigInt, whose toString is quadratic or so but
 * needs no multiplier.
 * @module
 */
import { FRESH_INDEX_MAX, bigIntMemoryBytes, pairByBigInt } from "./big-integers.ts";
import type { LimbDigits } from "./decimal.ts";
import { LOG10_PHI } from "./digits.ts";
import { HEAP_BYTES } from "./memory.ts";
import { type Crossover, isShort } from "./multiplier.ts";
import type { DoublingProgress } from "./progress.ts";
import { type Registers, registersBytes } from "./registers.ts";
import { hasVectors } from "./vectors.ts";

/**
 * Where the multiplier is loaded F(6,000) takes 18 µs by big integers and 22 by the multiplier, F(8,000) 23 and 18, and
 * F(12,000) 42 and 22. L(n) takes as long; two terms, which cost twice the time by big integers, cross at 4,000.
 */
export const CROSSOVER: Crossover = { fresh: FRESH_INDEX_MAX, warm: 8000 };

/** Doubling starts from an index in (300, 600], found by BigInt. */
export const START_MAX = 600;

/** Limbs that hold F(n) and L(n), with 2 to spare; L(n) is 0.35 digits longer than F(n). */
export const limbCount = (n: number, limbDigits: LimbDigits): number =>
  Math.ceil((n * LOG10_PHI + 1) / limbDigits) + 2;

/**
 * Doubles until (X, Y) = (F, L) of k.
 *
 * @param registers - With room for the products on the way: `limbCount(k + 1, …)`.
 */
export function climb(registers: Registers, k: number, progress: DoublingProgress): void {
  const { x, y } = registers;
  const odd: boolean[] = [];
  let index = k;
  for (; index > START_MAX; index = Math.floor(index / 2)) odd.push(index % 2 === 1);
  const [f, next] = pairByBigInt(index);
  x.length = registers.read(f, x.address);
  y.length = registers.read(2n * next - f, y.address);
  for (const isOdd of odd.toReversed()) {
    double(registers, index, isOdd);
    index = 2 * index + (isOdd ? 1 : 0);
    progress.add(index);
  }
}

/** From (F, L) of k to those of 2k, or of 2k + 1. */
function double(registers: Registers, k: number, toOdd: boolean): void {
  const { x, y } = registers;
  const count = limbCount(2 * k + 1, registers.limbDigits);
  registers.multiply("product", count, true);
  registers.settle(x, count);
  registers.settle(y, count);
  registers.adjust(y, k % 2 === 0 ? -2 : 2);
  if (toOdd) registers.step();
}

/**
 * Bytes of memory for one number of index n and the way there, at the peak.
 *
 * @param n - An integer from 0; a rounded one if it is beyond 2^53.
 * @param moreLimbs - In each register.
 * @param spareBytes - Beside the registers; below 0 what of them is never touched.
 */
export function climbMemoryBytes(n: number, moreLimbs = 0, spareBytes = 0): number {
  if (isShort(n, CROSSOVER) || !hasVectors()) return bigIntMemoryBytes(n * LOG10_PHI + 1);
  return registersBytes(limbCount(n + 1, 5) + moreLimbs, spareBytes) + HEAP_BYTES;
}
