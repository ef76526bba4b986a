/**
 * Zeckendorf's representation: the one way to write a number as a sum of Fibonacci numbers of which no two are
 * neighbours in the sequence.
 *
 * By divide and conquer. Let S(u) be what becomes of u when every index of its representation is raised by s:
 * S(u) = F(s+1) u + F(s) u', where u' is u with every index lowered by one, floor((u + 1) / φ). S grows with u, by
 * F(s+2) from u to u + 1, or by F(s+1) if F(2) is in u. To split v, find the u with S(u) <= v < S(u+1): then v is S(u)
 * and r = v - S(u), and the representation of v is that of u, raised, followed by that of r. The seam is right: raised
 * indices are s + 3 or more and r < F(s+2) has none above s + 1; or F(2) is in u, the least is s + 2, and r < F(s+1) has
 * none above s. No two are neighbours, and there is only one such sum.
 *
 * Where u is: F(i+s) = L(s) F(i) - F(i-s) for even s, so S(u) = L(s) u - D with D the sum of F(i-s), which is
 * (-1)^(i+1) F(s-i), over the indices i of u, up to s + 1. The least index tells the sign of D, and D is between -F(s-1)
 * and F(s-2) + 1. With r < F(s+2) = 2 F(s+1) - F(s-1) the quotient of v and L(s) is u - 1, u or u + 1. It is u - 1 only
 * where D > r, then the least index of u is odd, and F(2) is in u - 1, as F(2k+1) - 1 = F(2k) + … + F(2). So F(s+1) or
 * more is left over a quotient with F(2) exactly if it is too small.
 *
 * Measured (x64): 10,000 digits in 2 ms, 100,000 in 31, a million in 0.7 s. JavaScriptCore divides in the time of 4 to 5
 * products, so reciprocals would save little. Rejected: greedily from above, 40 ms for 10,000 digits, and its time grows
 * with the square.
 *
 * @see OEIS A005206, Hofstadter's G, for u'
 * @module
 */
import type { ComputeOptions } from "./decimal.ts";

/** Digits of the longest value over HTTP. */
export const ZECKENDORF_DIGITS_MAX = 10_000;

/** Below F(66) values are split as doubles, term by term: 0.1 µs. */
const LEAF_INDEX = 64;
const LEAF_TERMS = fibonacciNumbers(LEAF_INDEX + 1);

/** What it takes to split by an index s, which is even. */
interface Level {
  readonly index: number;
  /** F(s), F(s+1), F(s+2), F(s+3). */
  readonly terms: readonly [bigint, bigint, bigint, bigint];
  /** L(s). */
  readonly lucas: bigint;
}

/** Splits shorter than this are not worth a report: 1 ms. */
const REPORT_INDEX = 1 << 14;

/** F(n) has n log2 φ bits. */
const INDICES_PER_NIBBLE = 4 / Math.log2((1 + Math.sqrt(5)) / 2);

/**
 * The indices of the terms, descending; F(2) is the least. None for 0.
 *
 * @param value - From 0.
 */
export function zeckendorf(value: bigint, { onProgress }: Pick<ComputeOptions, "onProgress"> = {}): number[] {
  const indices: number[] = [];
  const indexMax = value.toString(16).length * INDICES_PER_NIBBLE;
  // To make a level of s and to split by it cost about s each. Half of all indices are raised at each level, so that all
  // levels cost the same to split.
  const total = indexMax * (1 + Math.log2(Math.max(1, indexMax / LEAF_INDEX)) / 2);
  let done = 0;
  const report = (index: number): void => {
    done += index;
    if (index >= REPORT_INDEX) onProgress?.(Math.min(1, done / total));
  };
  const levels = levelsFor(value, report);
  /** Values below F(2s+2) of the level; `raise` is added to their indices. */
  const expand = (part: bigint, depth: number, raise: number): void => {
    if (part === 0n) return;
    const level = levels[depth - 1];
    if (level === undefined) return expandLeaf(Number(part), raise, indices);
    const [high, low] = split(part, level);
    report(level.index);
    expand(high, depth - 1, raise + level.index);
    expand(low, depth - 1, raise);
  };
  expand(value, levels.length, 0);
  return indices;
}

/**
 * Bytes of memory that {@link zeckendorf} and a text of its indices need at their peak: above all that was measured with
 * F(n) - 1, which has the most indices that there can be; most values take 60% of that. What the collector lets lie beside
 * it ends at some 130 MB. A whole process held up to 77 MB with 10^5 digits, 379 with 10^6, 484 with 2·10^6, 710 with
 * 3·10^6 and 2,274 with 10^7, of which 42 are the program.
 */
export const zeckendorfMemoryBytes = (digitsCount: number): number =>
  250 * digitsCount + Math.min(130e6, 130 * digitsCount);

/** The levels that a value goes through, the least first. */
function levelsFor(value: bigint, onLevel: (index: number) => void): Level[] {
  const levels: Level[] = [];
  let [f, next] = [BigInt(LEAF_TERMS[LEAF_INDEX]!), BigInt(LEAF_TERMS[LEAF_INDEX + 1]!)];
  for (let index = LEAF_INDEX; f + next <= value; index *= 2) {
    levels.push({ index, terms: [f, next, f + next, f + 2n * next], lucas: 2n * next - f });
    [f, next] = [f * (2n * next - f), f * f + next * next];
    onLevel(index);
  }
  return levels;
}

/** The u and the r of a value. */
function split(value: bigint, { terms: [f0, f1, f2, f3], lucas }: Level): [high: bigint, low: bigint] {
  if (value < f2) return [0n, value];
  for (let high = value / lucas; ;) {
    // F(s+2) / F(s+3) is so near to 1 / φ that no fraction with a denominator up to u + 1 lies between.
    const scaled = (high + 1n) * f2;
    const lowered = scaled / f3;
    const low = value - f1 * high - f0 * lowered;
    if (low < 0n) high--;
    else if (low < f1) return [high, low];
    // F(2) is in u where u and u + 1 are the same when lowered.
    else if (scaled - lowered * f3 + f2 < f3) high++;
    else return [high, low];
  }
}

function expandLeaf(value: number, raise: number, indices: number[]): void {
  let rest = value;
  for (let index = LEAF_INDEX + 1; rest > 0; index--) {
    const term = LEAF_TERMS[index]!;
    if (term > rest) continue;
    indices.push(index + raise);
    rest -= term;
  }
}

/** F(0) to F(count). */
function fibonacciNumbers(count: number): number[] {
  const terms = [0, 1];
  while (terms.length <= count) terms.push(terms.at(-1)! + terms.at(-2)!);
  return terms;
}
