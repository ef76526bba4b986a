/**
 * What a computation costs, before it is begun: whether the thread that is asked does it at once, and which of those that
 * wait is next.
 * @module
 */
import { LOG10_PHI } from "./digits.ts";
import { type Computation, isNumberJob, type Natural, type OfKind } from "./job.ts";

/** Shorter numbers are computed at once, on the thread that is asked: 0.4 ms at most. */
const INLINE_DIGITS_MAX = 5000;

/** What is no number is computed at once if it takes no longer than this. */
const INLINE_MS = 0.6;

/**
 * Whether something is computed at once, on the thread that is asked.
 *
 * @param sizeBytes - Of its result, at most.
 */
export function isInline(computation: Computation, sizeBytes: number): boolean {
  if (isNumberJob(computation) || computation.kind === "pair") return sizeBytes <= INLINE_DIGITS_MAX;
  // Of the number that is counted: a longer one needs memory of the multiplier, which a thread has already.
  if (computation.kind === "statistics") return computation.n * LOG10_PHI <= INLINE_DIGITS_MAX;
  return estimateMs(computation) <= INLINE_MS;
}

/**
 * What a digit costs, in a thread that is warm. Measured (x64): F(10^8) 133 ms and F(10^6) 1.2 ms, 10^6! 79 ms and
 * 10^5! 6.6 ms, A(3, 83,048,190) 98 ms and A(3, 1,234,567) 1.6 ms.
 */
const DIGIT_NS = {
  fibonacci: 6.5,
  lucas: 6.5,
  statistics: 7,
  pair: 8.5,
  factorial: 14,
  ackermann: 4,
} as const;

/** What any computation costs on the way to a thread and back. */
const JOB_MS = 0.1;

/** How long a computation takes on a thread, roughly: what matters is the order. */
export function estimateMs(computation: Computation): number {
  return JOB_MS + ESTIMATES_MS[computation.kind](computation as never);
}

const ofIndex = ({ kind, n }: { readonly kind: keyof typeof DIGIT_NS; readonly n: number }): number =>
  n * LOG10_PHI * DIGIT_NS[kind] * 1e-6;

const ESTIMATES_MS: { readonly [Kind in Computation["kind"]]: (computation: OfKind<Kind>) => number } = {
  fibonacci: ofIndex,
  lucas: ofIndex,
  statistics: ofIndex,
  pair: ofIndex,
  // Stirling's first terms.
  factorial: ({ n }) => n * Math.log10(Math.max(n / Math.E, 1)) * DIGIT_NS.factorial * 1e-6,
  // Of A(m, n) what can be long.
  ackermann: ({ m, n }) => (m === 3n ? Number(n) * Math.log10(2) * DIGIT_NS.ackermann * 1e-6 : 0),
  // Modulo a power of ten the index is reduced; of others that have such a short period it is not told here.
  remainder: ({ n, mod }) => {
    const isPowerOfTen = mod.startsWith("1") && /^0*$/.test(mod.slice(1));
    return remainderMs(isPowerOfTen ? Math.min(bitsOf(n), bitsOf(mod) + 4) : bitsOf(n), bitsOf(mod));
  },
  ends: ({ n, first, last }) => {
    const [indexBits, firstBits, lastBits] = [
      n.toString(2).length,
      first * Math.log2(10),
      last * Math.log2(10),
    ];
    // Measured: n of 1,000 digits takes 8 ms for its first 30, 27 for its first 1,000; its number of digits alone takes 4,
    // once on each thread.
    const firstMs =
      first === 0 ? 4e-7 * indexBits ** 2 : indexBits * (1.5e-4 + 1.8e-10 * (indexBits + firstBits) ** 2);
    return firstMs + remainderMs(Math.min(indexBits, lastBits), lastBits);
  },
  // Hard ones: 5 ms at 10^18, 50 at 10^24, 500 at 10^30; most take a tenth of that.
  pisano: ({ m }) => Number(m) ** (1 / 6) * 5e-3,
  // 10,000 digits take 2 ms, a million 0.7 s.
  zeckendorf: ({ value }) => value.length ** 1.25 * 2e-5,
};

/**
 * Measured, a bit of n: 0.04 µs below 2^53, 0.19 with m of 100 digits, 6.7 of 1,000, 200 of 7,500. While F(k) is below m,
 * the bits cost next to nothing.
 */
function remainderMs(indexBits: number, modBits: number): number {
  if (modBits < 54) return indexBits * 4.5e-5;
  return Math.max(indexBits - Math.log2(modBits), 0.4) * (1.2e-4 + 5.5e-10 * modBits ** 2);
}

/** Without reading the number, which takes as long as some of the computations. */
const bitsOf = (value: Natural): number => value.length * Math.log2(10);
