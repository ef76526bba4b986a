// The middle of a multiplication: last forward pass, products, first inverse pass, in one loop.
//
// When log2(n) is even, the last blocks are four numbers modulo x^4 - w: split into four values, multiplied
// one by one, joined again (multiplyQuads). When it is odd, the transform stops at blocks of two numbers,
// which are multiplied as polynomials modulo x^2 - w (multiplyTwins). Either way, the numbers of two blocks
// are sorted on loading so that one vector holds the same place of both blocks.

import {
  add, both, firsts, load2, mul, productIm, productRe, seconds, squareIm, squareRe, store2, sub, turnBackIm,
  turnBackRe,
} from "./vector";
import { rootIm, rootRe, rootsOfDepth, rootsToIm, twoRootsIm, twoRootsRe } from "./roots";

/** Joins the four values of two neighbouring blocks and stores them at re, im. */
@inline function joinQuads(
  re: usize, im: usize,
  x0: v128, y0: v128, x1: v128, y1: v128, x2: v128, y2: v128, x3: v128, y3: v128,
  r1: v128, i1: v128, r2: v128, i2: v128, r3: v128, i3: v128,
): void {
  const sumR = add(x0, x1), sumI = add(y0, y1), diffR = sub(x0, x1), diffI = sub(y0, y1);
  const highSumR = add(x2, x3), highSumI = add(y2, y3), highDiffR = sub(x2, x3), highDiffI = sub(y2, y3);
  const p0 = add(sumR, highSumR), q0 = add(sumI, highSumI);
  const u1 = add(diffR, highDiffI), v1 = sub(diffI, highDiffR);
  const p1 = turnBackRe(u1, v1, r1, i1), q1 = turnBackIm(u1, v1, r1, i1);
  store2(re, firsts(p0, p1)); store2(re + 32, seconds(p0, p1));
  store2(im, firsts(q0, q1)); store2(im + 32, seconds(q0, q1));
  const u2 = sub(sumR, highSumR), v2 = sub(sumI, highSumI);
  const p2 = turnBackRe(u2, v2, r2, i2), q2 = turnBackIm(u2, v2, r2, i2);
  const u3 = sub(diffR, highDiffI), v3 = add(diffI, highDiffR);
  const p3 = turnBackRe(u3, v3, r3, i3), q3 = turnBackIm(u3, v3, r3, i3);
  store2(re + 16, firsts(p2, p3)); store2(re + 48, seconds(p2, p3));
  store2(im + 16, firsts(q2, q3)); store2(im + 48, seconds(q2, q3));
}

/** Multiplies n complex numbers in blocks of four; parameters as for multiplyBlock in transform.ts. */
export function multiplyQuads(
  re: usize, im: usize, toY: usize, n: usize, depth: u32, block: usize, squareY: bool, rootOfScale: f64,
): void {
  const roots = rootsOfDepth(depth), toIm = rootsToIm(depth), end = re + (n << 3), scale = both(rootOfScale);
  for (let a = re, b = im; a < end; a += 64, b += 64, block += 2) {
    const r1 = twoRootsRe(roots, toIm, block), i1 = twoRootsIm(roots, toIm, block);
    const r2 = productRe(r1, i1, r1, i1), i2 = squareIm(r1, i1);
    const r3 = productRe(r1, i1, r2, i2), i3 = productIm(r1, i1, r2, i2);

    // Split X: values a0 + i b0 .. a3 + i b3.
    let u = load2(a), v = load2(a + 32), s = load2(b), t = load2(b + 32);
    let x0 = firsts(u, v), y0 = firsts(s, t), x1 = seconds(u, v), y1 = seconds(s, t);
    u = productRe(x1, y1, r1, i1); y1 = productIm(x1, y1, r1, i1); x1 = u;
    u = load2(a + 16); v = load2(a + 48); s = load2(b + 16); t = load2(b + 48);
    let x2 = firsts(u, v), y2 = firsts(s, t), x3 = seconds(u, v), y3 = seconds(s, t);
    u = productRe(x2, y2, r2, i2); y2 = productIm(x2, y2, r2, i2); x2 = u;
    u = productRe(x3, y3, r3, i3); y3 = productIm(x3, y3, r3, i3); x3 = u;
    let sumR = add(x0, x2), sumI = add(y0, y2), diffR = sub(x0, x2), diffI = sub(y0, y2);
    let oddSumR = add(x1, x3), oddSumI = add(y1, y3), oddDiffR = sub(x1, x3), oddDiffI = sub(y1, y3);
    const a0 = add(sumR, oddSumR), b0 = add(sumI, oddSumI), a1 = sub(sumR, oddSumR), b1 = sub(sumI, oddSumI);
    const a2 = sub(diffR, oddDiffI), b2 = add(diffI, oddDiffR);
    const a3 = add(diffR, oddDiffI), b3 = sub(diffI, oddDiffR);

    // Split Y in the same way, and scale it: c0 + i d0 .. c3 + i d3.
    const yRe = a + toY, yIm = b + toY;
    u = load2(yRe); v = load2(yRe + 32); s = load2(yIm); t = load2(yIm + 32);
    x0 = firsts(u, v); y0 = firsts(s, t); x1 = seconds(u, v); y1 = seconds(s, t);
    u = productRe(x1, y1, r1, i1); y1 = productIm(x1, y1, r1, i1); x1 = u;
    u = load2(yRe + 16); v = load2(yRe + 48); s = load2(yIm + 16); t = load2(yIm + 48);
    x2 = firsts(u, v); y2 = firsts(s, t); x3 = seconds(u, v); y3 = seconds(s, t);
    u = productRe(x2, y2, r2, i2); y2 = productIm(x2, y2, r2, i2); x2 = u;
    u = productRe(x3, y3, r3, i3); y3 = productIm(x3, y3, r3, i3); x3 = u;
    sumR = add(x0, x2); sumI = add(y0, y2); diffR = sub(x0, x2); diffI = sub(y0, y2);
    oddSumR = add(x1, x3); oddSumI = add(y1, y3); oddDiffR = sub(x1, x3); oddDiffI = sub(y1, y3);
    const c0 = mul(add(sumR, oddSumR), scale), d0 = mul(add(sumI, oddSumI), scale);
    const c1 = mul(sub(sumR, oddSumR), scale), d1 = mul(sub(sumI, oddSumI), scale);
    const c2 = mul(sub(diffR, oddDiffI), scale), d2 = mul(add(diffI, oddDiffR), scale);
    const c3 = mul(add(diffR, oddDiffI), scale), d3 = mul(sub(diffI, oddDiffR), scale);

    joinQuads(
      a, b,
      mul(scale, productRe(a0, b0, c0, d0)), mul(scale, productIm(a0, b0, c0, d0)),
      mul(scale, productRe(a1, b1, c1, d1)), mul(scale, productIm(a1, b1, c1, d1)),
      mul(scale, productRe(a2, b2, c2, d2)), mul(scale, productIm(a2, b2, c2, d2)),
      mul(scale, productRe(a3, b3, c3, d3)), mul(scale, productIm(a3, b3, c3, d3)),
      r1, i1, r2, i2, r3, i3,
    );
    if (squareY) joinQuads(
      yRe, yIm,
      squareRe(c0, d0), squareIm(c0, d0), squareRe(c1, d1), squareIm(c1, d1),
      squareRe(c2, d2), squareIm(c2, d2), squareRe(c3, d3), squareIm(c3, d3),
      r1, i1, r2, i2, r3, i3,
    );
  }
}

/** Multiplies two neighbouring pairs p0 + p1 x of X by those of Y, modulo x^2 - w, each with its own w. */
@inline function multiplyTwin(
  re: usize, im: usize, yRe: usize, yIm: usize, wR: v128, wI: v128, scale: v128, squareY: bool,
): void {
  let u = load2(re), v = load2(re + 16), s = load2(im), t = load2(im + 16);
  const p0 = mul(firsts(u, v), scale), p1 = mul(seconds(u, v), scale);
  const q0 = mul(firsts(s, t), scale), q1 = mul(seconds(s, t), scale);
  u = load2(yRe); v = load2(yRe + 16); s = load2(yIm); t = load2(yIm + 16);
  const c0 = mul(firsts(u, v), scale), c1 = mul(seconds(u, v), scale);
  const d0 = mul(firsts(s, t), scale), d1 = mul(seconds(s, t), scale);
  // x^2 = w: the product of the two upper halves comes back below, times w.
  let highR = productRe(p1, q1, c1, d1), highI = productIm(p1, q1, c1, d1);
  let e0 = add(productRe(p0, q0, c0, d0), productRe(highR, highI, wR, wI));
  let f0 = add(productIm(p0, q0, c0, d0), productIm(highR, highI, wR, wI));
  let e1 = add(productRe(p0, q0, c1, d1), productRe(p1, q1, c0, d0));
  let f1 = add(productIm(p0, q0, c1, d1), productIm(p1, q1, c0, d0));
  store2(re, firsts(e0, e1)); store2(re + 16, seconds(e0, e1));
  store2(im, firsts(f0, f1)); store2(im + 16, seconds(f0, f1));
  if (squareY) {
    highR = squareRe(c1, d1); highI = squareIm(c1, d1);
    e0 = add(squareRe(c0, d0), productRe(highR, highI, wR, wI));
    f0 = add(squareIm(c0, d0), productIm(highR, highI, wR, wI));
    const twiceR = add(c1, c1), twiceI = add(d1, d1);
    e1 = productRe(c0, d0, twiceR, twiceI);
    f1 = productIm(c0, d0, twiceR, twiceI);
    store2(yRe, firsts(e0, e1)); store2(yRe + 16, seconds(e0, e1));
    store2(yIm, firsts(f0, f1)); store2(yIm + 16, seconds(f0, f1));
  }
}

/**
 * Multiplies n complex numbers in blocks of two. `depth` and `block` are those of the blocks of eight that
 * they came from, whose root r gives the four moduli r, -r, ir, -ir.
 */
export function multiplyTwins(
  re: usize, im: usize, toY: usize, n: usize, depth: u32, block: usize, squareY: bool, rootOfScale: f64,
): void {
  const roots = rootsOfDepth(depth), toIm = rootsToIm(depth), end = re + (n << 3), scale = both(rootOfScale);
  for (let a = re, b = im; a < end; a += 64, b += 64, block++) {
    const rootR = rootRe(roots, toIm, block), rootI = rootIm(roots, toIm, block);
    const wR = f64x2.replace_lane(both(rootR), 1, -rootR), wI = f64x2.replace_lane(both(rootI), 1, -rootI);
    multiplyTwin(a, b, a + toY, b + toY, wR, wI, scale, squareY);
    multiplyTwin(a + 32, b + 32, a + 32 + toY, b + 32 + toY, f64x2.neg(wI), wR, scale, squareY);
  }
}
