/**
 * The prime factors of a number of up to some 35 digits: small primes by division, the others by Lenstra's elliptic
 * curves in Montgomery's form. Every prime is proven to be one.
 *
 * A curve finds a prime p if the order of its group modulo p, a number near p that differs from curve to curve, is a
 * product of small primes. Curves and points are numbered, not drawn: the same number takes the same steps every time.
 *
 * Measured (x64, medians of semiprimes, the hardest there are): 0.6 ms at 10^18, 15 ms at 10^24, 0.15 s at 10^30. The
 * slowest of forty took 5 ms, 50 ms and 0.5 s.
 * Rejected: Pollard's rho in Brent's form, 1.9 ms at 10^18 and 1.7 s at 10^30; `quadraticsievefactorization` 1.0.78
 * (npm), 40 ms at 10^30, which names no licence, writes to the console, and was not done with a prime after 60 s.
 *
 * @see P. L. Montgomery, "Speeding the Pollard and elliptic curve methods of factorization", Math. Comp. 48 (1987)
 * @module
 */
import { squareRoot } from "./digits.ts";

/** Primes below this are divided out, in 0.05 ms: of smaller ones a curve finds too many at once. */
const SMALL_MAX = 1 << 14;

/**
 * The first 13 primes: no composite below {@link WITNESSED_MAX} passes the test of Miller and Rabin with all of them.
 *
 * @see J. Sorenson and J. Webster, "Strong pseudoprimes to twelve prime bases", Math. Comp. 86 (2017)
 */
const WITNESSES = [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n, 41n];
const WITNESSED_MAX = 3_317_044_064_679_887_385_961_981n;

/** How far a curve looks: a group's order of primes up to `smooth`, and one more up to `last`. */
interface Bounds {
  readonly smooth: number;
  readonly last: number;
}

/** For primes of up to 10 digits, 0.1 ms a curve; `smooth` is where the giant steps of {@link secondStage} begin. */
const QUICK: Bounds = { smooth: 315, last: 15_000 };
/** Below this there is always such a prime. */
const QUICK_MAX = 1n << 64n;
/** For primes of up to 15 digits, 4 ms a curve; of small ones it often finds all at once. */
const THOROUGH: Bounds = { smooth: 2000, last: 150_000 };
/** Of so many curves in a row the first are quick: 10% of the time of a number without primes that these would find. */
const ROUND_CURVES = 16;
const ROUND_QUICK_CURVES = 12;

/** Called after every curve: nobody knows how many there will be. */
type OnCurve = (() => void) | undefined;

/** The primes that divide a number, ascending, and how often each does. */
export function factorize(value: bigint, onCurve?: OnCurve): [prime: bigint, exponent: number][] {
  const found = new Map<bigint, number>();
  const note = (prime: bigint) => found.set(prime, (found.get(prime) ?? 0) + 1);
  let rest = value;
  for (const prime of smallPrimes()) {
    if (prime * prime > rest) break;
    while (rest % prime === 0n) {
      note(prime);
      rest /= prime;
    }
  }
  const split = (part: bigint): void => {
    if (part === 1n) return;
    if (isPrime(part, onCurve)) return void note(part);
    const factor = divisor(part, onCurve);
    split(factor);
    split(part / factor);
  };
  split(rest);
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** Whether a number is prime: proven, at any size. */
export function isPrime(value: bigint, onCurve?: OnCurve): boolean {
  if (value < 2n) return false;
  for (const prime of WITNESSES) if (value % prime === 0n) return value === prime;
  return isProbablePrime(value) && (value < WITNESSED_MAX || isProvenPrime(value, onCurve));
}

/** The test of Miller and Rabin. */
function isProbablePrime(value: bigint): boolean {
  let odd = value - 1n;
  let twos = 0;
  while (odd % 2n === 0n) {
    odd /= 2n;
    twos++;
  }
  return WITNESSES.every((witness) => {
    let power = powerModulo(witness, odd, value);
    if (power === 1n || power === value - 1n) return true;
    for (let i = 1; i < twos; i++) {
      power = (power * power) % value;
      if (power === value - 1n) return true;
    }
    return false;
  });
}

/**
 * Lucas's proof, for what has passed {@link isProbablePrime}: for each prime q of value - 1 a base whose power
 * value - 1 is 1, and whose power (value - 1) / q is not. Then value - 1 divides the order of the group.
 *
 * @see J. Brillhart, D. H. Lehmer, J. L. Selfridge, "New primality criteria…", Math. Comp. 29 (1975), theorem 1
 */
function isProvenPrime(value: bigint, onCurve: OnCurve): boolean {
  const order = value - 1n;
  return factorize(order, onCurve).every(([prime]) => {
    for (let base = 2n; ; base++) {
      if (powerModulo(base, order, value) !== 1n) return false;
      if (powerModulo(base, order / prime, value) !== 1n) return true;
    }
  });
}

function powerModulo(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

/** A divisor of a composite number without small primes: neither 1 nor the number. */
function divisor(value: bigint, onCurve: OnCurve): bigint {
  // Of a square each curve would find one prime in place of either of two: three times as many curves.
  const root = squareRoot(value);
  if (root * root === value) return root;
  for (let curve = 0; ; curve++) {
    const isQuick = value < QUICK_MAX || curve % ROUND_CURVES < ROUND_QUICK_CURVES;
    // The coefficients 0 and 1 belong to no curve.
    const found = byCurve(value, BigInt(curve + 2), isQuick ? QUICK : THOROUGH);
    onCurve?.();
    if (found !== 1n && found !== value) return found;
  }
}

/** A point without its y, as x : z. */
type Point = readonly [x: bigint, z: bigint];

/** A curve By^2 = x^3 + Ax^2 + x modulo a number; (A + 2) / 4 is the coefficient, and B does not matter. */
interface Curve {
  readonly modulus: bigint;
  readonly coefficient: bigint;
}

function double([x, z]: Point, { modulus, coefficient }: Curve): Point {
  const [plus, minus] = [x + z, x - z];
  const [sum, difference] = [(plus * plus) % modulus, (minus * minus) % modulus];
  const product = sum - difference;
  return [(sum * difference) % modulus, (product * (difference + coefficient * product)) % modulus];
}

/** The sum of two points whose difference is known. */
function add([x1, z1]: Point, [x2, z2]: Point, [x, z]: Point, { modulus }: Curve): Point {
  const a = ((x1 - z1) * (x2 + z2)) % modulus;
  const b = ((x1 + z1) * (x2 - z2)) % modulus;
  const [plus, minus] = [a + b, a - b];
  return [(z * ((plus * plus) % modulus)) % modulus, (x * ((minus * minus) % modulus)) % modulus];
}

/** The divisor that one curve finds: often 1, and of numbers with small primes the number itself. */
function byCurve(modulus: bigint, coefficient: bigint, { smooth, last }: Bounds): bigint {
  const curve = { modulus, coefficient };
  const base: Point = [2n, 1n];
  // Montgomery's ladder: the two are neighbours among the multiples of the base.
  let [low, high]: [Point, Point] = [base, double(base, curve)];
  for (const bit of smoothMultiple(smooth).slice(1)) {
    const sum = add(low, high, base, curve);
    [low, high] = bit === "1" ? [sum, double(high, curve)] : [double(low, curve), sum];
  }
  const found = gcd(low[1], modulus);
  return found === 1n ? gcd(secondStage(low, curve, smooth, last), modulus) : found;
}

/** Giant steps are as long as this: coprime to it are 24 baby steps up to its half, and with both signs all primes. */
const GIANT = 210;
const BABIES = Array.from({ length: GIANT / 4 }, (_, i) => 2 * i + 1).filter((j) => j % 3 && j % 5 && j % 7);

/**
 * A number that shares a divisor with the modulus where some prime up to `last` times the point is nothing: the product
 * of x z' - x' z over all pairs of a giant and a baby step, of which sum or difference is such a prime.
 */
function secondStage(point: Point, curve: Curve, smooth: number, last: number): bigint {
  const { modulus } = curve;
  const two = double(point, curve);
  // Odd multiples.
  const odd: Point[] = [point, add(two, point, point, curve)];
  while (odd.length * 2 < GIANT / 2 + 1) odd.push(add(odd.at(-1)!, two, odd.at(-2)!, curve));
  const babies = BABIES.map((j) => {
    const [x, z] = odd[(j - 1) / 2]!;
    return [x, z, (x * z) % modulus] as const;
  });
  const step = double(odd.at(-1)!, curve);
  let [before, giant] = [step, double(step, curve)];
  let product = 1n;
  for (let middle = 2 * GIANT; middle < last; middle += GIANT) {
    const [x, z] = giant;
    const both = x * z;
    if (middle + GIANT / 2 > smooth) {
      // One product for x z' - x' z, of which it is the rest.
      for (const [babyX, babyZ, babyBoth] of babies)
        product = (product * ((x - babyX) * (z + babyZ) - both + babyBoth)) % modulus;
    }
    [before, giant] = [giant, add(giant, step, before, curve)];
  }
  return product;
}

const multiples = new Map<number, string>();

/** The least common multiple of all up to a bound, in binary. */
function smoothMultiple(max: number): string {
  let bits = multiples.get(max);
  if (bits === undefined) {
    let product = 1n;
    for (const prime of smallPrimes()) {
      if (prime > max) break;
      let power = prime;
      while (power * prime <= max) power *= prime;
      product *= power;
    }
    bits = product.toString(2);
    multiples.set(max, bits);
  }
  return bits;
}

let primes: bigint[] | undefined;

/** Eratosthenes' sieve, when first asked for: 1 ms in a fresh process. */
function smallPrimes(): readonly bigint[] {
  if (primes !== undefined) return primes;
  const isComposite = new Uint8Array(SMALL_MAX);
  primes = [];
  for (let i = 2; i < SMALL_MAX; i++) {
    if (isComposite[i]) continue;
    primes.push(BigInt(i));
    for (let multiple = i * i; multiple < SMALL_MAX; multiple += i) isComposite[multiple] = 1;
  }
  return primes;
}

/** The greatest common divisor; of any sign. */
export function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x < 0n ? -x : x;
}
