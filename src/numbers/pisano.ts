/**
 * The Pisano period of m: after how many terms the sequence F(n) mod m begins anew.
 *
 * It is the least common multiple of the periods of the prime powers in m. For a prime p the period divides a number
 * that is known: 3 for 2, 20 for 5, p - 1 where 5 is a square modulo p, and else 2(p + 1); for p^e it divides p^(e-1)
 * times that. It is what remains of this multiple when every prime is taken out of it as long as the rest is still a
 * multiple. So what must be right is only the primes of the multiple, which are proven (factors.ts); that it is a
 * multiple is checked: a p that were no prime would give the period of p all the same, or fail here.
 *
 * @see D. D. Wall, "Fibonacci series modulo m", American Mathematical Monthly 67 (1960)
 * @module
 */
import type { ComputeOptions } from "./decimal.ts";
import { factorize, gcd } from "./factors.ts";
import { fibonacciResidues } from "./start.ts";

/** Nobody knows how many curves it takes: after so many, as a hard m near 10^30 does, half of the way is done. */
const HALF_CURVES = 40;

/**
 * The Pisano period.
 *
 * @param m - From 1; 10^18 takes 0.3 ms and 10^30 3 ms, the hardest of that size 5 ms and 0.5 s.
 */
export function pisanoPeriod(m: bigint, { onProgress }: Pick<ComputeOptions, "onProgress"> = {}): bigint {
  let curves = 0;
  const onCurve = onProgress && (() => onProgress(1 - 0.5 ** (++curves / HALF_CURVES)));
  let period = 1n;
  for (const [prime, exponent] of factorize(m, onCurve)) {
    const other = ofPrimePower(prime, exponent, onCurve);
    period *= other / gcd(period, other);
  }
  return period;
}

function ofPrimePower(prime: bigint, exponent: number, onCurve: (() => void) | undefined): bigint {
  const modulus = prime ** BigInt(exponent);
  const multiple = primeMultiple(prime);
  let period = (multiple * modulus) / prime;
  if (!isMultiple(period, modulus))
    throw new Error(`Cannot tell the period of ${modulus}: it does not divide ${period}`);
  const primes = new Set(factorize(multiple, onCurve).map(([factor]) => factor));
  // Wall asked whether p alone ever comes out of the period of p^2; nobody knows.
  if (exponent > 1) primes.add(prime);
  for (const factor of primes) {
    while (period % factor === 0n && isMultiple(period / factor, modulus)) period /= factor;
  }
  return period;
}

/** A multiple of the period of a prime. */
function primeMultiple(prime: bigint): bigint {
  if (prime === 2n) return 3n;
  if (prime === 5n) return 20n;
  const isSplit = prime % 5n === 1n || prime % 5n === 4n;
  return isSplit ? prime - 1n : 2n * (prime + 1n);
}

/** Whether n is a multiple of the period of m, from 2. */
function isMultiple(n: bigint, m: bigint): boolean {
  const [f, next] = fibonacciResidues(n, m);
  return f === 0n && next === 1n;
}
