/**
 * G(n) and G(n+1) of any sequence that follows F's rule: where a sequence that starts anywhere begins.
 *
 * The climb (climb.ts) ends with (F, L) of n, and half the sum of these is F(n+1). All other sequences are made of the two:
 *
 *     G(n) = G(0) F(n-1) + G(1) F(n) = (G(1) - G(0)) F(n) + G(0) F(n+1)
 *     G(n+1) = G(0) F(n) + G(1) F(n+1)
 *
 * The factors are short (start.ts), so these are sums in one pass (`addMultiples` in kernel/carry.ts), not transforms.
 * @module
 */
import { byBigInt, pairByBigInt } from "./big-integers.ts";
import { CROSSOVER, climb, climbMemoryBytes, limbCount } from "./climb.ts";
import type { ComputeOptions, Digits, LimbDigits } from "./decimal.ts";
import { LOG10_PHI } from "./digits.ts";
import { DoublingProgress } from "./progress.ts";
import { multiplesLimbs, Registers } from "./registers.ts";
import { isZeroStart, type Start, termName, termResidues } from "./start.ts";
import { checkText, drawExpected, firstTrusted } from "./trust.ts";

/**
 * Two terms as ASCII digits, each checked (trust.ts).
 *
 * @param n - As for `fibonacci`.
 * @param start - Of another sequence than F.
 * @returns Two views of one buffer, from its start, one right behind the other.
 * @throws `FibError` `result_too_large`, when the memory cannot be had.
 */
export function termPair(n: number, start?: Start, options: ComputeOptions = {}): [Digits, Digits] {
  if (isZeroStart(start) && n > 0) return termPair(0, start);
  const what = `${termName(n, start)} with ${termName(n + 1, start)}`;
  // From G(2) on a term is at most twice the one before it; G(1) and G(2) may be much longer, by the start's length.
  const secondMore = 1 + 10 * multipleDigits(start, 5);
  const exact = (): [Digits, Digits] => {
    const pair = pairByBigInt(n);
    const text = (which: 0 | 1): Digits =>
      byBigInt(what, n * LOG10_PHI, () => {
        if (start === undefined) return pair[which];
        const [p, q] = multiples(start)[which];
        return p * pair[0] + q * pair[1];
      });
    return inOneBuffer(text(0), secondMore, () => text(1));
  };
  const attempt = (limbDigits: LimbDigits): [Digits, Digits] => {
    // The doublings cost 2 n, and each text with its check about 0.3 n more.
    const progress = new DoublingProgress(1.3 * n, options.onProgress);
    const digitsCount = multipleDigits(start, limbDigits);
    const count = limbCount(n + 1, limbDigits) + multiplesLimbs(digitsCount);
    const registers = new Registers(count, limbDigits * count, limbDigits, options.fault);
    const { x, y } = registers;
    climb(registers, n, progress);
    registers.stepOne(y);
    const text = (which: 0 | 1): Digits => {
      const limbs =
        start === undefined ? [x, y][which] : registers.addMultiples(...multiples(start)[which], digitsCount);
      const borrowed = registers.text(registers.spare, limbs);
      checkText(
        borrowed,
        drawExpected((prime) => termResidues(n, BigInt(prime), start)[which]),
      );
      progress.add(0.3 * n);
      return borrowed;
    };
    return inOneBuffer(text(0), secondMore, () => text(1));
  };
  return firstTrusted({ what, size: n, crossover: CROSSOVER, attempt, exact });
}

/** Bytes of memory that {@link termPair} needs at its peak, the result included. */
export function termPairMemoryBytes(n: number, start?: Start): number {
  if (isZeroStart(start) && n > 0) return termPairMemoryBytes(0, start);
  const moreLimbs = multiplesLimbs(multipleDigits(start, 5));
  const textBytes = 5 * (limbCount(n + 1, 5) + moreLimbs);
  return climbMemoryBytes(n, moreLimbs, textBytes) + 2 * textBytes;
}

/** What F(n) and F(n+1) are multiplied by, for G(n) and for G(n+1). */
const multiples = ([first, second]: Start) =>
  [
    [second - first, first],
    [first, second],
  ] as const;

/** Balanced digits of base^2 in the longest of these: one of 10 decimal digits may take two. */
const multipleDigits = (start: Start | undefined, limbDigits: LimbDigits): number =>
  start === undefined
    ? 0
    : Math.floor(Math.max(...start.map((g) => g.toString().length)) / (2 * limbDigits)) + 1;

/**
 * Copies of two texts, of which the second is asked for when the first is copied.
 *
 * @param secondMore - How many digits more than the first it has at most.
 */
function inOneBuffer(first: Digits, secondMore: number, takeSecond: () => Digits): [Digits, Digits] {
  const middle = first.length;
  const both = new Uint8Array(2 * middle + secondMore);
  both.set(first);
  const second = takeSecond();
  both.set(second, middle);
  return [both.subarray(0, middle), both.subarray(middle, middle + second.length)];
}
