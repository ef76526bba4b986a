/**
 * n! as decimal text, by the same multiplication as F(n).
 *
 * n! is the product of p^e(p), with e(p) = floor(n/p) + floor(n/p^2) + … (Legendre). With Q(k) = the
 * product of the primes whose exponent has bit k set,
 *
 *     n! = Q(0) · (Q(1) · (Q(2) · …)^2)^2
 *
 * is computed from the inside: as many squarings as the largest exponent has bits, each of them a square (two
 * transforms in place of three) of half the final length. The powers of ten come last and for nothing: e(5)
 * factors 2·5 are left out and written as zeros. Each Q(k) is a balanced product tree whose leaves are BigInt.
 *
 * Source: A. Schönhage, A. F. W. Grotefeld and E. Vetter, "Fast Algorithms: A Multitape Turing Machine
 * Implementation" (1994).
 * @module
 */
import { bigIntMemoryBytes, byBigInt } from "./big-integers.ts";
import type { ComputeOptions, Digits, LimbDigits } from "./decimal.ts";
import { factorialDigits } from "./digits.ts";
import { align, type Crossover, isShort, multiplier, requireAddressable } from "./multiplier.ts";
import { HEAP_BYTES } from "./memory.ts";
import { Registers, registersBytes } from "./registers.ts";
import { checkText, drawExpected, firstTrusted, powerModulo } from "./trust.ts";
import { hasVectors } from "./vectors.ts";

/**
 * Below these n BigInt is quicker: in a fresh process (10,000! takes 18 ms by BigInt, 15.5 by the multiplier), and
 * where the multiplier is loaded (1000! takes 144 and 106 µs).
 */
const CROSSOVER: Crossover = { fresh: 8000, warm: 1000 };

/** Products of up to this many bits are left to BigInt: the leaves of the trees and the first squarings. */
const LEAF_BITS = 2048;

/**
 * From here on what the trees have left behind is collected before the registers grow: 130 MB beside 250 MB for
 * 10^7!, in 8 ms of 1.2 s. For 10^6! that would be 8 ms of 140.
 */
const COLLECT_DIGITS_MIN = 10_000_000;

/**
 * n! as ASCII digits, checked (trust.ts).
 *
 * @param n - An integer from 0, below 2^30.
 * @throws `FibError` `result_too_large`, when the memory cannot be had.
 */
export function factorial(n: number, options: ComputeOptions = {}): Digits {
  const zeros = exponent(n, 5);
  const exact = (): Digits =>
    byBigInt(`${n}!`, n * Math.log10(n / Math.E + 1), () => withoutZeros(n, zeros), zeros);
  const attempt = (limbDigits: LimbDigits): Digits => byPrimes(n, zeros, limbDigits, options);
  return firstTrusted({ what: `${n}!`, size: n, crossover: CROSSOVER, attempt, exact });
}

/** Bytes of memory that {@link factorial} needs at its peak, the result included. */
export function factorialMemoryBytes(n: number): number {
  const digits = Number(factorialDigits(BigInt(n)));
  if (isShort(n, CROSSOVER) || !hasVectors()) return bigIntMemoryBytes(digits) + n;
  // By then the lists of factors are all that is left of the primes: 1.4 n / (ln n - 1) of them, in 4 bytes each.
  const primesBytes = (5.6 * n) / (Math.log(n) - 1);
  const garbageBytes = digits < COLLECT_DIGITS_MIN ? 2 * digits : 0;
  return multiplierBytes(n, digits) + digits + primesBytes + garbageBytes + HEAP_BYTES;
}

/** Bytes of the multiplier's memory; the products of primes together have 0.602 n digits, and their places some room. */
const multiplierBytes = (n: number, digits: number): number =>
  registersBytes(limbCount(digits - exponent(n, 5), 5), 0.52 * n);

/** Limbs that hold so many digits; operands may each have a limb more than they need. */
const limbCount = (digits: number, limbDigits: LimbDigits): number => Math.ceil(digits / limbDigits) + 8;

/** n! / 10^zeros, by the same product in big integers. */
const withoutZeros = (n: number, zeros: number): bigint =>
  factorsByBit(n, zeros).reduceRight((inner, factors) => inner * inner * product(factors), 1n);

function byPrimes(
  n: number,
  zeros: number,
  limbDigits: LimbDigits,
  { onProgress, fault }: ComputeOptions,
): Digits {
  const digits = Number(factorialDigits(BigInt(n)));
  const count = limbCount(digits - zeros, limbDigits);
  // Before the primes are found, which takes seconds where it matters.
  requireAddressable(multiplierBytes(n, digits));
  const levels = factorsByBit(n, zeros);

  // BigInt carries the innermost levels, as long as they are small.
  let seed = 1n;
  while (levels.length > 0) {
    const factors = levels.at(-1)!;
    if (2 * bitLength(seed) + factors.length * bitLength(n) > LEAF_BITS) break;
    seed = seed * seed * product(factors);
    levels.pop();
  }

  const slotBytes = levels.map((factors) => align(4 * limbsAtMost(factors, limbDigits)));
  const spareBytes = slotBytes.reduce((total, bytes) => total + bytes, LEAF_BITS);
  const registers = new Registers(count, spareBytes, limbDigits, fault);
  // The trees use both registers, so all of them come before the squarings.
  const trees: Limbs[] = [];
  let address = registers.spare;
  for (const [k, factors] of levels.entries()) {
    trees.push({ address, length: buildTree(registers, factors, address) });
    address += slotBytes[k] ?? 0;
    onProgress?.(0.3 * (1 - 2 ** -(k + 1)));
  }
  if (digits >= COLLECT_DIGITS_MIN) Bun.gc(true);
  registers.x.length = registers.read(seed, registers.x.address);
  for (const [inner, tree] of trees.toReversed().entries()) {
    squareAndMultiply(registers, tree);
    onProgress?.(0.3 + 0.6 * 2 ** (inner + 1 - trees.length));
  }

  const text = registers.text(registers.y.address);
  checkText(
    text,
    drawExpected((prime) => residueWithoutZeros(n, zeros, prime)),
  );
  const result = new Uint8Array(text.length + zeros).fill(0x30);
  result.set(text);
  onProgress?.(1);
  return result;
}

interface Limbs {
  readonly address: number;
  readonly length: number;
}

/** X = X² · factor. */
function squareAndMultiply(registers: Registers, factor: Limbs): void {
  const { x, y } = registers;
  const squareCount = 2 * x.length + 2;
  registers.multiply("square", squareCount);
  registers.settle(x, squareCount);
  registers.load(y, factor.address, factor.length);
  const count = x.length + y.length + 2;
  registers.multiply("product", count);
  registers.settle(x, count);
}

/** Writes the product of some factors as limbs at an address and returns their number; uses X and Y. */
function buildTree(registers: Registers, factors: Uint32Array, address: number): number {
  const bits = factors.length * bitLength(factors.at(-1) ?? 1);
  if (bits <= LEAF_BITS) return registers.read(product(factors), address);
  const middle = factors.length >> 1;
  const left = buildTree(registers, factors.subarray(0, middle), address);
  const right = buildTree(registers, factors.subarray(middle), address + 4 * left);
  const { x, y } = registers;
  registers.load(x, address, left);
  registers.load(y, address + 4 * left, right);
  const count = left + right + 2;
  registers.multiply("product", count);
  registers.settle(x, count);
  registers.store(x, address);
  return x.length;
}

/** The exponent of a prime in n!. */
function exponent(n: number, prime: number): number {
  let total = 0;
  for (let quotient = Math.floor(n / prime); quotient > 0; quotient = Math.floor(quotient / prime))
    total += quotient;
  return total;
}

/** For each bit k the ascending primes whose exponent in n! / 10^zeros has that bit set. */
function factorsByBit(n: number, zeros: number): Uint32Array[] {
  const primes = primesTo(n);
  const exponents = primes.map((prime) => exponent(n, prime) - (prime === 2 || prime === 5 ? zeros : 0));
  const levels: Uint32Array[] = [];
  // That of 2 is the largest, also without those that the zeros take.
  for (let bit = 1; bit <= exponents[0]!; bit *= 2) {
    levels.push(primes.filter((_, i) => (exponents[i]! & bit) !== 0));
  }
  return levels;
}

/** The primes up to n, and 2, by Eratosthenes' sieve of the odd numbers: entry i stands for 2i + 1. */
function primesTo(n: number): Uint32Array {
  const composite = new Uint8Array(Math.ceil((n + 1) / 2));
  let count = 1;
  for (let i = 1; i < composite.length; i++) {
    if (composite[i] === 1) continue;
    count++;
    for (let at = 2 * i * (i + 1); at < composite.length; at += 2 * i + 1) composite[at] = 1;
  }
  const primes = new Uint32Array(count);
  primes[0] = 2;
  for (let i = composite.length - 1; count > 1; i--) if (composite[i] === 0) primes[--count] = 2 * i + 1;
  return primes;
}

/** Limbs that surely hold a product. */
const limbsAtMost = (factors: Uint32Array, limbDigits: LimbDigits): number =>
  Math.ceil((factors.length * Math.log10(factors.at(-1) ?? 1)) / limbDigits) + 8;

/** n! / 10^zeros modulo a prime above n, by n multiplications and Fermat's inverse of 10. */
function residueWithoutZeros(n: number, zeros: number, prime: number): bigint {
  const inverse = powerModulo(10, prime - 1 - zeros, prime);
  return (multiplier().factorialResidue(BigInt(n), BigInt(prime)) * BigInt(inverse)) % BigInt(prime);
}

const bitLength = (value: number | bigint): number => value.toString(2).length;

/** The product of small integers: joined in doubles as far as those are exact, then in pairs. */
function product(factors: Uint32Array): bigint {
  let terms: bigint[] = [];
  let joined = 1;
  for (const factor of factors) {
    if (joined * factor > Number.MAX_SAFE_INTEGER) {
      terms.push(BigInt(joined));
      joined = 1;
    }
    joined *= factor;
  }
  terms.push(BigInt(joined));
  while (terms.length > 1) {
    const pairs: bigint[] = [];
    for (let i = 0; i < terms.length; i += 2) pairs.push((terms[i] ?? 1n) * (terms[i + 1] ?? 1n));
    terms = pairs;
  }
  return terms[0] ?? 1n;
}
