// Lengths between the powers of two: one product in several rings.
//
// A product of N coefficients is needed exactly, so it may be computed modulo (x^A + 1)(x^B + 1) for any A
// + B >= N whose factors are coprime: A a power of two and B a smaller one, so that x^B = -1 gives x^A = 1.
// With B = A/8, A/4, A/2 and with (A, A/2, A/4) the lengths are 1, 1.125, 1.25, 1.5 and 1.75 times a power
// of two.
//
// Memory: a register of N doubles is its rings one after the other, the longest first. Before a product the
// register holds limbs (int32, lowest first) at its start; loading a ring folds them, for x^A = -1 turns the
// sign of every second run of A limbs. The longest ring is loaded last and in place, from the top down.

import { add, both, load2, mul, store2, sub } from "./vector";

@inline function lowPair(limbs: v128): v128 { return f64x2.convert_low_i32x4_s(limbs); }
@inline function highPair(limbs: v128): v128 {
  return f64x2.convert_low_i32x4_s(v128.shuffle<i32>(limbs, limbs, 2, 3, 2, 3));
}

/** Appends zeros until the length is a multiple of 4. */
@inline function padToFour(limbs: usize, length: usize): usize {
  for (; length & 3; length++) store<i32>(limbs + (length << 2), 0);
  return length;
}

/**
 * Writes limbs modulo x^size + 1 as doubles.
 *
 * @param ring - Where to; must not overlap the limbs.
 * @param size - Coefficients of the ring, a multiple of 8.
 * @param limbs - The number; zeros are written behind it up to a multiple of 4 limbs.
 */
export function loadRing(ring: usize, size: usize, limbs: usize, length: usize): void {
  const padded = padToFour(limbs, length), first = min(padded, size);
  let i: usize = 0;
  for (; i < first; i += 4) {
    const four = v128.load(limbs + (i << 2));
    store2(ring + (i << 3), lowPair(four));
    store2(ring + (i << 3) + 16, highPair(four));
  }
  if (first < size) memory.fill(ring + (first << 3), 0, (size - first) << 3);
  let negative = true;
  for (let from = size; from < padded; from += size) {
    const run = min(size, padded - from);
    for (i = 0; i < run; i += 4) {
      const four = v128.load(limbs + ((from + i) << 2)), to = ring + (i << 3);
      if (negative) {
        store2(to, sub(load2(to), lowPair(four)));
        store2(to + 16, sub(load2(to + 16), highPair(four)));
      } else {
        store2(to, add(load2(to), lowPair(four)));
        store2(to + 16, add(load2(to + 16), highPair(four)));
      }
    }
    negative = !negative;
  }
}

/** As loadRing, but the limbs lie at the start of the ring itself, and there are at most 2 * size of them. */
export function loadRingInPlace(ring: usize, size: usize, length: usize): void {
  let padded = padToFour(ring, length);
  for (let i = size; i < padded; i += 4) {
    const to = ring + ((i - size) << 2);
    v128.store(to, i32x4.sub(v128.load(to), v128.load(ring + (i << 2))));
  }
  padded = min(padded, size);
  if (padded < size) memory.fill(ring + (padded << 3), 0, (size - padded) << 3);
  for (let i = padded; i > 0;) {
    i -= 4;
    const four = v128.load(ring + (i << 2));
    store2(ring + (i << 3), lowPair(four));
    store2(ring + (i << 3) + 16, highPair(four));
  }
}

/**
 * Chinese remainder of u mod x^A + 1 and v mod x^B + 1, where B divides A/2: u + (x^A + 1) * q with
 * q = (v - u mod x^B + 1) / 2, because x^A + 1 = 2 modulo x^B + 1.
 *
 * @param register - u, and v behind it; becomes the product's A + B coefficients.
 */
export function combineTwo(register: usize, A: usize, B: usize): void {
  const half = both(0.5), end = register + (B << 3), toQ = A << 3, step = B << 3;
  for (let p = register; p < end; p += 16) {
    let folded = both(0);
    for (let offset: usize = 0; offset < toQ; offset += 2 * step) {
      folded = add(folded, sub(load2(p + offset), load2(p + offset + step)));
    }
    const q = mul(sub(load2(p + toQ), folded), half);
    store2(p + toQ, q);
    store2(p, add(load2(p), q));
  }
}

/**
 * Chinese remainder of u mod x^A + 1 and v mod (x^(A/2) + 1)(x^(A/4) + 1), the latter already combined. With
 * Q = A/4, u = u0 + u1 x^Q + u2 x^2Q + u3 x^3Q, the modulus of v is x^3Q + x^2Q + x^Q + 1, so that x^3Q
 * folds u3 down with a minus sign.
 */
export function combineThree(register: usize, A: usize): void {
  const half = both(0.5), quarter = A << 1, toV = A << 3;
  for (let p = register, end = register + quarter; p < end; p += 16) {
    const u3 = load2(p + 3 * quarter);
    for (let part: usize = 0; part < 3; part++) {
      const at = p + part * quarter, u = load2(at);
      const q = mul(sub(load2(at + toV), sub(u, u3)), half);
      store2(at + toV, q);
      store2(at, add(u, q));
    }
  }
}
