/** What is right, known without `src/`: digests to compare with the reference's, and Fibonacci numbers from BigInt. @module */
import type { SequenceLayout } from "../src/numbers/layouts.ts";

/** In hex, as vectors/reference.json has it. */
export function sha256(text: string | Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

/** F(n) and F(n + 1): F(2k) = F(k) (2 F(k + 1) - F(k)), F(2k + 1) = F(k)^2 + F(k + 1)^2. */
export function bigPair(n: number): [bigint, bigint] {
  if (n === 0) return [0n, 1n];
  const [f, next] = bigPair(Math.floor(n / 2));
  const [even, odd] = [f * (2n * next - f), f * f + next * next];
  return n % 2 === 0 ? [even, odd] : [odd, even + odd];
}

/** Primes below 2^32, so that a residue times a million is exact. */
const MODULI = [4_294_967_291, 4_294_967_279];

/** Whether digits are F(n), by their residues modulo two primes: in milliseconds for a million digits. */
export function isFibonacci(n: number, digits: Uint8Array): boolean {
  return MODULI.every((modulus) => {
    let [f, next] = [0n, 1n];
    const m = BigInt(modulus);
    for (const bit of n.toString(2)) {
      [f, next] = [(f * (2n * next - f + m)) % m, (f * f + next * next) % m];
      if (bit === "1") [f, next] = [next, (f + next) % m];
    }
    let residue = 0;
    for (let at = 0; at < digits.length; at += 6) {
      let [group, weight] = [0, 1];
      for (const digit of digits.subarray(at, at + 6)) {
        group = group * 10 + digit - 48;
        weight *= 10;
      }
      residue = (residue * weight + group) % modulus;
    }
    return residue === Number(f);
  });
}

/** G(from), G(from + 1), … in decimal: F's own terms, or those that follow from G(0) and G(1). */
export function bigTerms(
  from: number,
  count: number,
  [first, second] = [0n, 1n] as readonly [bigint, bigint],
): string[] {
  const terms: string[] = [];
  const [f, next] = bigPair(from);
  for (
    let [g, after] = [first * (next - f) + second * f, first * f + second * next];
    terms.length < count;
    [g, after] = [after, g + after]
  ) {
    terms.push(String(g));
  }
  return terms;
}

/** The whole text of a sequence. */
export function sequenceText(
  from: number,
  count: number,
  layout: SequenceLayout,
  start?: readonly [bigint, bigint],
): string {
  const records = bigTerms(from, count, start).map((term, i) => {
    const index = layout.infix === undefined ? "" : from + i + layout.infix;
    return layout.prefix + index + term + layout.suffix;
  });
  return layout.head + records.join(layout.separator) + layout.tail;
}
