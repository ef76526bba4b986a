/**
 * 2^k - 3 as decimal text, by the same multiplication as F(n): what A(3, n) is.
 *
 * One squaring for each bit of k, from the top, doubled where the bit is set as its coefficients are carried. A
 * square needs two transforms, so all of it is about 4 of full length, where F(n) takes 7.
 * @module
 */
import { bigIntMemoryBytes, byBigInt } from "./big-integers.ts";
import type { ComputeOptions, Digits, LimbDigits } from "./decimal.ts";
import { type Crossover, isShort } from "./multiplier.ts";
import { HEAP_BYTES } from "./memory.ts";
import { DoublingProgress } from "./progress.ts";
import { Registers, registersBytes } from "./registers.ts";
import { checkText, drawExpected, firstTrusted, powerModulo } from "./trust.ts";
import { hasVectors } from "./vectors.ts";

/**
 * Below these exponents BigInt is quicker: in a fresh process (2^200,000 takes 3.9 ms by BigInt and 4.2 by the
 * multiplier, 2^300,000 7.7 and 7.3), and where the multiplier is loaded (2^5000 takes 19 and 31 µs, 2^10,000 44 and 35).
 */
const CROSSOVER: Crossover = { fresh: 220_000, warm: 8000 };

/** Squaring starts from an exponent in (500, 1000], found by BigInt. */
const START_MAX = 1000;

/**
 * 2^k - 3 as ASCII digits, checked (trust.ts).
 *
 * @param what - Names it to people.
 * @param k - An integer from 2; memory ends it at about 4·10^9.
 * @throws `FibError` `result_too_large`, when the memory cannot be had.
 */
export function powerLessThree(
  what: string,
  k: number,
  { onProgress, borrow, fault }: ComputeOptions = {},
): Digits {
  const exact = (): Digits => byBigInt(what, k * Math.log10(2), () => 2n ** BigInt(k) - 3n);
  const attempt = (limbDigits: LimbDigits): Digits => {
    const progress = new DoublingProgress(k, onProgress);
    const registers = new Registers(limbCount(k, limbDigits), 0, limbDigits, fault);
    const { x, y } = registers;
    const exponents: number[] = [];
    let exponent = k;
    for (; exponent > START_MAX; exponent = Math.floor(exponent / 2)) exponents.push(exponent);
    x.length = registers.read(2n ** BigInt(exponent), x.address);
    for (exponent of exponents.toReversed()) {
      const count = limbCount(exponent, limbDigits);
      registers.multiply("square", count);
      registers.settle(x, count, exponent % 2 === 1 ? 2 : 1);
      progress.add(exponent === k ? 0.6 * k : exponent);
    }
    registers.adjust(x, -3);
    const text = registers.text(y.address);
    const residue = (prime: number) => BigInt((powerModulo(2, k % (prime - 1), prime) + prime - 3) % prime);
    checkText(text, drawExpected(residue));
    progress.add(0.4 * k);
    return borrow === true ? text : text.slice();
  };
  return firstTrusted({ what, size: k, crossover: CROSSOVER, attempt, exact });
}

/** Bytes of memory that {@link powerLessThree} needs at its peak, with the result borrowed. */
export function powerMemoryBytes(k: number): number {
  const digits = k * Math.log10(2) + 1;
  if (isShort(k, CROSSOVER) || !hasVectors()) return bigIntMemoryBytes(digits);
  const count = limbCount(k, 5);
  // Register Y is touched for the text only.
  return registersBytes(count, 0) - 8 * count + digits + HEAP_BYTES;
}

/** Limbs that hold 2^k, with 2 to spare. */
const limbCount = (k: number, limbDigits: LimbDigits): number =>
  Math.ceil((k * Math.log10(2) + 1) / limbDigits) + 2;
