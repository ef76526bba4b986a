// Products of polynomials modulo x^A + 1, by a complex transform of half the length.
//
// Right-angle (negacyclic) convolution: put z_j = a_j + i a_(j+A/2). Then a(x) mod x^A + 1 becomes z(x) mod
// x^(A/2) - i, because x^(A/2) = i makes x^A = -1. In memory that is no work at all: the first half of the
// coefficients are the real parts, the second half the imaginary parts. No weights, no packing.
//
// A forward pass splits a block modulo x^n - w into its four factors modulo x^(n/4) - root (roots.ts):
// radix 4, one root for a whole block, and the result is left in the order it falls in. The inverse undoes
// the passes in the opposite order, so nothing is ever sorted by reversed bits. Large blocks are split
// depth first, until they fit the cache; small ones level by level. The last forward pass, the products and
// the first inverse pass are one loop (products.ts).
//
// Sources: D. J. Bernstein, "Multidigit multiplication for mathematicians" (splitting by factors of the
// modulus); R. Crandall and B. Fagin, "Discrete weighted transforms and large-integer arithmetic", Math.
// Comp. 62 (1994) (right-angle convolution).

import { add, both, load2, productIm, productRe, store2, sub, turnBackIm, turnBackRe } from "./vector";
import { rootIm, rootRe, rootsOfDepth, rootsToIm } from "./roots";
import { multiplyQuads, multiplyTwins } from "./products";

/** Blocks of this many complex numbers are done level by level: X and Y are 256 KB, within the L2 cache. */
const LEAF_LENGTH: usize = 8192;

/** Splits one block: m complex numbers in each of its four parts, real parts at re, imaginary ones at im. */
function splitBlock(re: usize, im: usize, m: usize, rootR: f64, rootI: f64): void {
  const root2R = rootR * rootR - rootI * rootI, root2I = 2 * rootR * rootI;
  const r1 = both(rootR), i1 = both(rootI), r2 = both(root2R), i2 = both(root2I);
  const r3 = both(rootR * root2R - rootI * root2I), i3 = both(rootR * root2I + rootI * root2R);
  const part = m << 3, part2 = m << 4, part3 = part + part2, end = re + part;
  let a = re, b = im;
  while (a < end) {
    let u = load2(a + part), v = load2(b + part);
    const x1 = productRe(u, v, r1, i1), y1 = productIm(u, v, r1, i1);
    u = load2(a + part3); v = load2(b + part3);
    const x3 = productRe(u, v, r3, i3), y3 = productIm(u, v, r3, i3);
    const oddSumR = add(x1, x3), oddSumI = add(y1, y3), oddDiffR = sub(x1, x3), oddDiffI = sub(y1, y3);
    u = load2(a + part2); v = load2(b + part2);
    const x2 = productRe(u, v, r2, i2), y2 = productIm(u, v, r2, i2);
    const x0 = load2(a), y0 = load2(b);
    const sumR = add(x0, x2), sumI = add(y0, y2), diffR = sub(x0, x2), diffI = sub(y0, y2);
    store2(a, add(sumR, oddSumR)); store2(b, add(sumI, oddSumI));
    store2(a + part, sub(sumR, oddSumR)); store2(b + part, sub(sumI, oddSumI));
    store2(a + part2, sub(diffR, oddDiffI)); store2(b + part2, add(diffI, oddDiffR));
    store2(a + part3, add(diffR, oddDiffI)); store2(b + part3, sub(diffI, oddDiffR));
    a += 16; b += 16;
  }
}

/** Joins four parts into one block: the inverse of splitBlock, times 4. */
function joinBlock(re: usize, im: usize, m: usize, rootR: f64, rootI: f64): void {
  const root2R = rootR * rootR - rootI * rootI, root2I = 2 * rootR * rootI;
  const r1 = both(rootR), i1 = both(rootI), r2 = both(root2R), i2 = both(root2I);
  const r3 = both(rootR * root2R - rootI * root2I), i3 = both(rootR * root2I + rootI * root2R);
  const part = m << 3, part2 = m << 4, part3 = part + part2, end = re + part;
  let a = re, b = im;
  while (a < end) {
    const x0 = load2(a), y0 = load2(b), x1 = load2(a + part), y1 = load2(b + part);
    const x2 = load2(a + part2), y2 = load2(b + part2), x3 = load2(a + part3), y3 = load2(b + part3);
    const sumR = add(x0, x1), sumI = add(y0, y1), diffR = sub(x0, x1), diffI = sub(y0, y1);
    const highSumR = add(x2, x3), highSumI = add(y2, y3), highDiffR = sub(x2, x3), highDiffI = sub(y2, y3);
    store2(a, add(sumR, highSumR)); store2(b, add(sumI, highSumI));
    const u1 = add(diffR, highDiffI), v1 = sub(diffI, highDiffR);
    store2(a + part, turnBackRe(u1, v1, r1, i1)); store2(b + part, turnBackIm(u1, v1, r1, i1));
    const u2 = sub(sumR, highSumR), v2 = sub(sumI, highSumI);
    store2(a + part2, turnBackRe(u2, v2, r2, i2)); store2(b + part2, turnBackIm(u2, v2, r2, i2));
    const u3 = sub(diffR, highDiffI), v3 = add(diffI, highDiffR);
    store2(a + part3, turnBackRe(u3, v3, r3, i3)); store2(b + part3, turnBackIm(u3, v3, r3, i3));
    a += 16; b += 16;
  }
}

/** Splits every block of a level: n complex numbers in blocks of 4m, the first of them number `block`. */
function splitLevel(re: usize, im: usize, n: usize, m: usize, depth: u32, block: usize): void {
  const roots = rootsOfDepth(depth), toIm = rootsToIm(depth), end = re + (n << 3), step = m << 5;
  for (let a = re, b = im; a < end; a += step, b += step, block++) {
    splitBlock(a, b, m, rootRe(roots, toIm, block), rootIm(roots, toIm, block));
  }
}

function joinLevel(re: usize, im: usize, n: usize, m: usize, depth: u32, block: usize): void {
  const roots = rootsOfDepth(depth), toIm = rootsToIm(depth), end = re + (n << 3), step = m << 5;
  for (let a = re, b = im; a < end; a += step, b += step, block++) {
    joinBlock(a, b, m, rootRe(roots, toIm, block), rootIm(roots, toIm, block));
  }
}

/**
 * X = X * Y in one ring, and Y = Y * Y if `squareY`: forward, products, inverse.
 *
 * @param re - Real parts of X; those of Y lie `toY` bytes further. `toY` = 0 makes Y the same as X: a square.
 * @param im - Imaginary parts of X.
 * @param n - Complex numbers in the block: a power of two, at least 16.
 * @param depth - 0 for the whole ring x^n - i.
 * @param block - 0 for the whole ring.
 * @param rootOfScale - Its square multiplies the result: 1/n for even log2(n), 2/n for odd.
 */
export function multiplyBlock(
  re: usize, im: usize, toY: usize, n: usize, depth: u32, block: usize, squareY: bool, rootOfScale: f64,
): void {
  let m = n >> 2;
  if (n > LEAF_LENGTH) {
    const roots = rootsOfDepth(depth), toIm = rootsToIm(depth);
    const rootR = rootRe(roots, toIm, block), rootI = rootIm(roots, toIm, block);
    splitBlock(re, im, m, rootR, rootI);
    if (toY) splitBlock(re + toY, im + toY, m, rootR, rootI);
    for (let part: usize = 0; part < 4; part++) {
      const offset = part * m << 3;
      multiplyBlock(re + offset, im + offset, toY, m, depth + 1, 4 * block + part, squareY, rootOfScale);
    }
    joinBlock(re, im, m, rootR, rootI);
    if (squareY) joinBlock(re + toY, im + toY, m, rootR, rootI);
    return;
  }
  while (m >= 2) {
    splitLevel(re, im, n, m, depth, block);
    if (toY) splitLevel(re + toY, im + toY, n, m, depth, block);
    m >>= 2; depth++; block <<= 2;
  }
  if (m == 1) {
    multiplyQuads(re, im, toY, n, depth, block, squareY, rootOfScale);
    m = 4;
  } else {
    multiplyTwins(re, im, toY, n, depth - 1, block >> 2, squareY, rootOfScale);
    m = 2;
  }
  depth--; block >>= 2;
  while (m <= n >> 2) {
    joinLevel(re, im, n, m, depth, block);
    if (squareY) joinLevel(re + toY, im + toY, n, m, depth, block);
    m <<= 2; depth--; block >>= 2;
  }
}
