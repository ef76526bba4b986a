/**
 * What every number of this folder is computed into, and what a computation may be given.
 * @module
 */

/**
 * ASCII, in a buffer of its own unless it was asked to be borrowed: the digits of a number, without leading zeros, or what
 * is found out about one, in words.
 */
export type Digits = Uint8Array<ArrayBuffer>;

/** Digits in a limb: 5, or 4 to try again with a smaller rounding error. */
export type LimbDigits = 4 | 5;

/**
 * A test's hook: called with the data of each stage, which it may corrupt. `ring`: the numbers of a ring (doubles)
 * before its transform; `product`: coefficients (doubles) before rounding; `limbs`: int32 after the carry; `spare`:
 * int32 that wait in the spare room; `text`: ASCII digits before the check.
 */
export type Fault = (
  stage: "ring" | "product" | "limbs" | "spare" | "text",
  base: number,
  data: Float64Array | Int32Array | Uint8Array,
) => void;

/** What a computation may be given. */
export interface ComputeOptions {
  /** Called now and then with the part of the work that is done, from 0 to 1. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
  /**
   * Leaves the digits of F(n), L(n) and A(3, n) in the multiplier's memory, until this thread computes again: saves a
   * copy, and for F(10^9) a fifth of the memory. Others ignore it.
   */
  readonly borrow?: boolean;
  /** For tests: corrupts what is being computed. */
  readonly fault?: Fault | undefined;
}

/** The digits of a small number; the time grows with nearly the square of their number. */
export function toDigits(value: bigint): Digits {
  return toAscii(value.toString());
}

/** ASCII text as bytes. */
export function toAscii(text: string): Digits {
  const bytes = new Uint8Array(text.length);
  new TextEncoder().encodeInto(text, bytes);
  return bytes;
}

/**
 * ASCII digits as a string.
 *
 * @see JavaScriptCore, which keeps such a string in one byte for each digit.
 */
export function textOf(digits: Uint8Array): string {
  // Not through `digits.buffer`: JavaScriptCore makes that when it is first asked for, with a copy of the bytes (0.3 µs).
  return Buffer.prototype.latin1Slice.call(digits, 0, digits.length);
}
