/**
 * Why a result of floating-point transforms can be trusted: it is checked.
 *
 * Two checks for each result: every coefficient lies within 0.25 of an integer
 * (registers.ts), and the text that is handed out, digit for digit, has the right
 * residue modulo two primes drawn at random for this result. The residue is found on
 * an independent way: modular doubling for F(n), n multiplications for n!.
 *
 * A wrong text of d digits passes a prime only if the prime divides its error; of the 5·10^7
 * primes between 2^30 and 2^31 at most d/9 can. For errors that know nothing of
 * the primes that is about 2^-30 for each prime, 2^-60 for both.
 *
 * On distrust the result is computed again in base 10^4, whose rounding errors are a
 * hundred times smaller, and then by BigInt; {@link distrusted} counts it.
 * @module
 */
import { kernel } from "./kernel.ts";
import type { LimbDigits } from "./registers.ts";

/** A computation whose result failed a check: internal, answered by another attempt. */
export class Distrust extends Error {
  override readonly name = "Distrust";
  readonly check: "rounding" | "residue";

  constructor(check: "rounding" | "residue") {
    super(`A result failed its ${check} check`);
    this.check = check;
  }
}

/**
 * A test's hook: called with the data of each stage, which it may corrupt. `product`: coefficients (doubles) before
 * rounding; `limbs`: int32 after the carry; `text`: ASCII digits before the check.
 */
export type Fault = (
  stage: "product" | "limbs" | "text",
  base: number,
  data: Float64Array | Int32Array | Uint8Array,
) => void;

/** How many results of this thread failed each check. */
export const distrusted = { rounding: 0, residue: 0 };

/**
 * Runs the attempts in order until one is trusted.
 *
 * @param attempt - Computes with limbs of so many digits, or throws {@link Distrust}.
 * @param exact - The last resort: slow, without floating point.
 */
export function firstTrusted<Result>(
  attempt: (limbDigits: LimbDigits) => Result,
  exact: () => Result,
): Result {
  for (const limbDigits of [5, 4] as const) {
    try {
      return attempt(limbDigits);
    } catch (error) {
      if (!(error instanceof Distrust)) throw error;
      distrusted[error.check]++;
    }
  }
  return exact();
}

/**
 * Checks a text in the kernel's memory modulo two random primes.
 *
 * @param residue - What the text must be modulo a prime.
 * @throws {@link Distrust}
 */
export function checkText(text: Uint8Array, residue: (prime: bigint) => bigint): void {
  for (let round = 0; round < 2; round++) {
    const prime = randomPrime();
    if (kernel().textResidue(text.byteOffset, text.length, prime) !== residue(prime))
      throw new Distrust("residue");
  }
}

/** Three of four candidates fall here, without the cost of BigInt. */
const SMALL_PRIMES = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41];

/** A random prime between 2^30 and 2^31. */
export function randomPrime(): bigint {
  for (;;) {
    const candidate = 2 ** 30 + 2 * Math.floor(Math.random() * 2 ** 29) + 1;
    if (SMALL_PRIMES.every((prime) => candidate % prime !== 0) && isPrime(BigInt(candidate)))
      return BigInt(candidate);
  }
}

/** Miller and Rabin's test to the bases 2, 3, 5 and 7: exact for odd numbers from 9 to 3,215,031,750. */
function isPrime(candidate: bigint): boolean {
  let odd = candidate - 1n;
  let halvings = 0;
  for (; odd % 2n === 0n; odd /= 2n) halvings++;
  return [2n, 3n, 5n, 7n].every((witness) => {
    let power = powerModulo(witness, odd, candidate);
    if (power === 1n || power === candidate - 1n) return true;
    for (let i = 1; i < halvings; i++) {
      power = (power * power) % candidate;
      if (power === candidate - 1n) return true;
    }
    return false;
  });
}

/** base^exponent modulo a modulus, for an exponent from 0. */
export function powerModulo(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let power = 1n;
  for (let square = base, rest = exponent; rest > 0n; rest /= 2n) {
    if (rest % 2n === 1n) power = (power * square) % modulus;
    square = (square * square) % modulus;
  }
  return power;
}
