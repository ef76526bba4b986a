/**
 * How often each digit is in a text, and how far that is from chance.
 * @module
 */

const ZERO = 48;

/** Counts the digits of a text that comes in pieces: 20 million of them are never one long task. */
export async function countDigits(text: ReadableStream<Uint8Array>): Promise<number[]> {
  const counts = Array.from({ length: 10 }, () => 0);
  // Not every browser can iterate over a stream.
  const reader = text.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return counts;
    for (const byte of value) counts[byte - ZERO]! += 1;
  }
}

/** How the counts of digits are shown. */
export interface Spread {
  /** Of each digit, were they all alike. */
  readonly share: number;
  /** How far each is from that. */
  readonly distances: readonly number[];
  /** One standard deviation, were each digit drawn by chance. */
  readonly deviation: number;
  /** The largest of all these: what a chart has to hold. */
  readonly reach: number;
}

/** @param counts - Of 0, 1, … 9; not all 0. */
export function spreadOf(counts: readonly number[]): Spread {
  const digits = counts.reduce((sum, count) => sum + count);
  const share = digits / 10;
  const distances = counts.map((count) => count - share);
  const deviation = Math.sqrt(digits * 0.1 * 0.9);
  return { share, distances, deviation, reach: Math.max(deviation, ...distances.map(Math.abs)) };
}
