// The roots of unity that split a block, one for each block.
//
// The block t at depth d is a polynomial modulo x^n - w. With r = the fourth root of w,
// x^n - w = (x^m - r)(x^m + r)(x^m - ir)(x^m + ir), m = n/4, and the four factors are the blocks 4t .. 4t+3
// at depth d+1. Starting from x^n - i, r has the angle pi/2 * (reversed(t) + 1/4) / 4^d, where `reversed`
// mirrors the 2d bits of t. So the table of a depth serves every length of transform.
//
// Memory: the depths follow each other; depth d is 4^d real parts, then 4^d imaginary parts, as doubles.

import { add, both, load2, mul, store2, sub } from "./vector";

let table: usize = 0;

/** Says where the table lies. */
export function setRoots(address: usize): void { table = address; }

/** Address of the real part of the root of the given block. */
@inline export function rootRe(depth: u32, block: usize): usize {
  return table + (((1 << (2 * depth)) - 1) / 3 << 4) + (block << 3);
}
/** Distance in bytes from the real to the imaginary part of a root at this depth. */
@inline export function rootImOffset(depth: u32): usize { return (1 as usize) << (2 * depth + 3); }

/**
 * Fills one depth: root[high * lows + low] = coarse[low] * fine[high].
 * Products of two short lists of exact cosines keep the error below one unit in the last place or so,
 * and need 2^(d+1) calls of the cosine in place of 4^d.
 *
 * @param coarse - `lows` cosines, then `lows` sines.
 * @param fine - `highs` cosines, then `highs` sines.
 */
export function fillRoots(depth: u32, coarse: usize, lows: usize, fine: usize, highs: usize): void {
  const imOffset = rootImOffset(depth);
  for (let high: usize = 0; high < highs; high++) {
    const fineRe = both(load<f64>(fine + high * 8)), fineIm = both(load<f64>(fine + (highs + high) * 8));
    const row = rootRe(depth, high * lows);
    for (let low: usize = 0; low < lows; low += 2) {
      const re = load2(coarse + low * 8), im = load2(coarse + (lows + low) * 8);
      store2(row + low * 8, sub(mul(re, fineRe), mul(im, fineIm)));
      store2(row + imOffset + low * 8, add(mul(re, fineIm), mul(im, fineRe)));
    }
  }
}
