// The roots of unity that split a block, one for each block.
//
// The block t at depth d is a polynomial modulo x^n - w. With r = the fourth root of w,
// x^n - w = (x^m - r)(x^m + r)(x^m - ir)(x^m + ir), m = n/4, and the four factors are the blocks 4t .. 4t+3
// at depth d+1. Starting from x^n - i, r has the angle pi/2 * (reversed(t) + 1/4) / 4^d, where `reversed`
// mirrors the 2d bits of t. So the table of a depth serves every length of transform.
//
// Only the roots of every fourth block are kept; the three between differ by the constant angles pi/4, pi/8
// and 3pi/8 (the mirrored last two bits of t). One more product for each root makes the table a quarter as
// large: 22 MB in place of 89 for F(10^9), and quick to fill in a fresh process.
//
// Memory, doubles: the cosines, then the sines, of the angles 0, pi/4, pi/8, 3pi/8; then the depths 0, 1,
// 2, …, of 1, 1, 4, 16, … entries: first the real parts, then the imaginary parts.

import { add, both, load2, mul, store2, sub } from "./vector";

let turns: usize = 0;
const TURNS_BYTES: usize = 64;

/** Says where the table lies. */
export function setRoots(address: usize): void { turns = address; }

/** Address of the real parts of a depth; block 4s is entry s. */
@inline export function rootsOfDepth(depth: u32): usize {
  return turns + TURNS_BYTES + (depth == 0 ? 0 : (((1 << (2 * depth - 2)) + 2) / 3 << 4));
}
/** Distance in bytes from the real to the imaginary parts of a depth. */
@inline export function rootsToIm(depth: u32): usize {
  return depth == 0 ? 8 : (1 as usize) << (2 * depth + 1);
}

/** Real part of the root of a block, from the address and the distance above. */
@inline export function rootRe(roots: usize, toIm: usize, block: usize): f64 {
  const entry = roots + (block >> 2 << 3), turn = turns + ((block & 3) << 3);
  return load<f64>(entry) * load<f64>(turn) - load<f64>(entry + toIm) * load<f64>(turn + 32);
}
/** Its imaginary part. */
@inline export function rootIm(roots: usize, toIm: usize, block: usize): f64 {
  const entry = roots + (block >> 2 << 3), turn = turns + ((block & 3) << 3);
  return load<f64>(entry) * load<f64>(turn + 32) + load<f64>(entry + toIm) * load<f64>(turn);
}

/** Real parts of the roots of two neighbouring blocks, the first of them even. */
@inline export function twoRootsRe(roots: usize, toIm: usize, block: usize): v128 {
  const entry = roots + (block >> 2 << 3), turn = turns + ((block & 2) << 3);
  const re = v128.load64_splat(entry), im = v128.load64_splat(entry + toIm);
  return sub(mul(re, load2(turn)), mul(im, load2(turn + 32)));
}
/** Their imaginary parts. */
@inline export function twoRootsIm(roots: usize, toIm: usize, block: usize): v128 {
  const entry = roots + (block >> 2 << 3), turn = turns + ((block & 2) << 3);
  const re = v128.load64_splat(entry), im = v128.load64_splat(entry + toIm);
  return add(mul(re, load2(turn + 32)), mul(im, load2(turn)));
}

/**
 * Fills one depth: entry[high * lows + low] = coarse[low] * fine[high].
 * Products of two short lists of exact cosines keep the error below one unit in the last place or so, and
 * need few calls of the cosine, which a fresh process interprets.
 *
 * @param coarse - `lows` cosines; `coarseToIm` bytes further, `lows` sines.
 * @param fine - `highs` cosines, then `highs` sines.
 */
export function fillRoots(
  depth: u32, coarse: usize, coarseToIm: usize, lows: usize, fine: usize, highs: usize,
): void {
  const toIm = rootsToIm(depth);
  for (let high: usize = 0; high < highs; high++) {
    const fineRe = both(load<f64>(fine + high * 8)), fineIm = both(load<f64>(fine + (highs + high) * 8));
    const row = rootsOfDepth(depth) + (high * lows << 3);
    for (let low: usize = 0; low < lows; low += 2) {
      const re = load2(coarse + low * 8), im = load2(coarse + coarseToIm + low * 8);
      store2(row + low * 8, sub(mul(re, fineRe), mul(im, fineIm)));
      store2(row + toIm + low * 8, add(mul(re, fineIm), mul(im, fineRe)));
    }
  }
}
