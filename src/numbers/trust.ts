/**
 * Why a result of floating-point transforms can be trusted: it is checked.
 *
 * Two checks for each result: every coefficient lies within 0.25 of an integer
 * (registers.ts), and each text that is handed out consists of digits and has the right
 * residue modulo two primes drawn at random for it. What the residue must be is found
 * without any transform: by modular doubling for F(n), L(n), G(n) and 2^k, by n multiplications for n!.
 *
 * A wrong text of d digits passes a prime only if the prime divides its error; of the 5·10^7
 * primes between 2^30 and 2^31 at most d/9 can. For errors that know nothing of
 * the primes that is about 2^-30 for each prime, 2^-60 for both.
 *
 * The first check alone would prove nothing. With every limb at half the base, base 10^5 is wrong
 * from 2.1 million digits; but the limbs of F(n), n! and 2^k behave like random ones, and then
 * what was measured with this release (at base 10^5) is far from the limits:
 *
 *                              digits    rounding error    coefficient
 *     limit                                      0.25        5·10^14    half of base^3 (kernel/carry.ts)
 *     F(10^6)                 208,988          0.0005        5·10^11
 *     F(10^7)               2,089,877          0.0020        2·10^12
 *     F(10^8)              20,898,764          0.0065        6·10^12
 *     F(10^9)             208,987,640          0.034         2·10^13
 *     F(5.5·10^9)       1,149,432,022          0.078         5·10^13    the multiplier can address little more
 *     L(10^8)              20,898,765          0.0087        9·10^12    a square, as all of even index; odd ones as F
 *     L(10^9)             208,987,641          0.051         3·10^13
 *     10^6!                 5,565,709          0.0037        4·10^12
 *     10^7!                65,657,060          0.021         1·10^13
 *     (1.4·10^8)!       1,079,656,703          0.098         6·10^13    likewise
 *     2^(10^7)              3,010,300          0.0040        3·10^12
 *     2^(10^8)             30,103,000          0.013         1·10^13
 *     2^(10^9)            301,029,996          0.040         3·10^13
 *     2^(3.89·10^9)     1,171,006,685          0.11          7·10^13    likewise
 *
 * So it is the residues that decide. On distrust the multiplier is started anew, for a bit of its tables may have
 * flipped, and the result is computed again; then base 10^4 is tried, whose rounding errors are a hundred times
 * smaller; then big integers. Whoever runs the process is told (notices.ts).
 * @module
 */
import { type Check, noticeFailed } from "../notices.ts";
import type { LimbDigits } from "./decimal.ts";
import { type Crossover, isShort, loadMultiplier, multiplier, restartMultiplier } from "./multiplier.ts";
import { withinMemory } from "./memory.ts";

/** A computation whose result failed a check: internal, answered by another attempt. */
export class Distrust extends Error {
  override readonly name = "Distrust";
  readonly check: Check;

  constructor(check: Check) {
    super(`A result failed its ${check} check`);
    this.check = check;
  }
}

/**
 * Digits in the limbs of each attempt. What has gone wrong is far likelier a flipped bit than a rounding error,
 * which nobody has seen, and the new multiplier cures that at the same base, in the memory that was predicted.
 */
const ATTEMPTS: readonly LimbDigits[] = [5, 5, 4];

/** A result that can be had in two ways. */
export interface Trial<Result> {
  /** Names it to people, such as `F(100)`. */
  readonly what: string;
  /** As {@link Trial.crossover} counts it. */
  readonly size: number;
  readonly crossover: Crossover;
  /** Computes it with limbs of so many digits, or throws {@link Distrust}. */
  readonly attempt: (limbDigits: LimbDigits) => Result;
  /** Computes it by big integers: without floating point, and slowly if it is long. */
  readonly exact: () => Result;
}

/**
 * Computes a result: by big integers if it is short or this machine has no vectors, else by the multiplier, with a new
 * one for each attempt until one is trusted.
 */
export function firstTrusted<Result>({ what, size, crossover, attempt, exact }: Trial<Result>): Result {
  if (isShort(size, crossover) || !loadMultiplier()) return exact();
  for (const limbDigits of ATTEMPTS) {
    try {
      return withinMemory(what, () => attempt(limbDigits));
    } catch (error) {
      const check = failedCheck(error);
      if (check === undefined) throw error;
      noticeFailed(check, `${what} failed its ${check} check and is computed again`);
      restartMultiplier();
    }
  }
  return exact();
}

function failedCheck(error: unknown): Check | undefined {
  if (error instanceof Distrust) return error.check;
  // A damaged pointer has led the kernel out of its memory.
  return error instanceof WebAssembly.RuntimeError ? "bounds" : undefined;
}

/** A random prime, and what a result must be modulo it. */
export interface Expected {
  readonly prime: number;
  readonly residue: bigint;
}

/**
 * Draws the primes to check a text by.
 *
 * @param residue - What the result must be modulo a prime.
 */
export function drawExpected(residue: (prime: number) => bigint): readonly Expected[] {
  return Array.from({ length: 2 }, () => {
    const prime = randomPrime();
    return { prime, residue: residue(prime) };
  });
}

/**
 * Checks a text in the multiplier's memory.
 *
 * @throws {@link Distrust}
 */
export function checkText(text: Uint8Array, expected: readonly Expected[]): void {
  for (const { prime, residue } of expected) {
    const found = multiplier().textResidue(text.byteOffset, text.length, BigInt(prime));
    if (found !== residue) throw new Distrust("residue");
  }
}

/** A random prime between 2^30 and 2^31. */
export function randomPrime(): number {
  const { isPrime } = multiplier();
  for (;;) {
    const candidate = 2 ** 30 + 2 * Math.floor(Math.random() * 2 ** 29) + 1;
    if (isPrime(candidate) !== 0) return candidate;
  }
}

/** base^exponent modulo a modulus, all from 0 and below 2^31. */
export const powerModulo = (base: number, exponent: number, modulus: number): number =>
  multiplier().powerModulo(base, exponent, modulus);
