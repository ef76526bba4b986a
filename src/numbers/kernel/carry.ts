// From coefficients to limbs, and the linear steps between products.
//
// Limbs are int32, lowest first, balanced: |limb| <= base/2 + 1. Balanced digits have mean zero, which
// makes the coefficients of a product, and with them the rounding errors, smaller by the square root of the
// length.
//
// A coefficient v (an integer once rounded) is d0 + d1*base + q2*base^2, each d balanced. Limb i sums d0 of
// place i, d1 of place i-1 and q2 of place i-2: a base at most, and q2, which is below base/2 as long as v is
// below base^3/2. One more carry, t = sum/base rounded, is 0 or 1 or -1 then and goes one place up without a
// further carry. So a limb depends on four coefficients only: no serial chain, and two lanes at a time.
//
// That v is so small is measured, not proven (../trust.ts).

import { add, both, load2, mul, shifted, sub } from "./vector";

/** Adding 1.5 * 2^52 puts an integer's low 32 bits (two's complement) into the low 32 bits of the double. */
const TO_INTEGER: f64 = 6755399441055744;

let roundingErrorMax: f64 = 0;

/** The largest distance of a coefficient from an integer since the last call, or up to 2^-20 of it more. */
export function takeRoundingError(): f64 {
  const taken = roundingErrorMax;
  roundingErrorMax = 0;
  return taken;
}

/**
 * Rounds coefficients, multiplies them by `factor` and carries them into balanced limbs.
 *
 * @param coefficients - `count` doubles, an even number of them.
 * @param limbs - Where to; may be the same address.
 * @returns The number of limbs without leading zeros.
 */
export function carry(coefficients: usize, count: usize, limbs: usize, base: f64, factor: f64): usize {
  const magic = both(TO_INTEGER), factors = both(factor), bases = both(base), inverse = both(1 / base);
  let error = both(0), d1Before = error, q2Before = error, tBefore = error;
  let to = limbs;
  // Of doubles from 0 the upper halves are in order as integers, and NaN comes last. So the maximum of integers keeps
  // it, which pmax does not, and costs as little; f64x2.max keeps it and takes half as long again for the whole loop.
  for (let p = coefficients, end = p + (count << 3); p < end; p += 16, to += 8) {
    const x = load2(p), rounded = f64x2.nearest(x), v = mul(rounded, factors);
    error = i32x4.max_u(f64x2.abs(sub(x, rounded)), error);
    const q1 = f64x2.nearest(mul(v, inverse)), d0 = sub(v, mul(q1, bases));
    const q2 = f64x2.nearest(mul(q1, inverse)), d1 = sub(q1, mul(q2, bases));
    const s = add(add(d0, shifted(d1Before, d1)), q2Before);
    d1Before = d1; q2Before = q2;
    const t = f64x2.nearest(mul(s, inverse));
    const limb = add(add(sub(s, mul(t, bases)), shifted(tBefore, t)), magic);
    tBefore = t;
    v128.store_lane<u64>(to, v128.shuffle<i32>(limb, limb, 0, 2, 0, 2), 0);
  }
  const largest = max(f64x2.extract_lane(error, 0), f64x2.extract_lane(error, 1));
  // A NaN is the largest error of all: `!(a <= b)` keeps it.
  if (!(largest <= roundingErrorMax)) roundingErrorMax = largest;
  return trim(limbs, count);
}

/** The length without leading zeros. */
export function trim(limbs: usize, length: usize): usize {
  while (length > 0 && load<i32>(limbs + ((length - 1) << 2)) == 0) length--;
  return length;
}

/** Appends `count` zeros. */
export function pad(limbs: usize, length: usize, count: usize): void {
  memory.fill(limbs + (length << 2), 0, count << 2);
}

/** Four limbs one place up: the last one of `below`, and the first three of `here`. */
@inline function raised(below: v128, here: v128): v128 {
  return v128.shuffle<i32>(below, here, 3, 4, 5, 6);
}

/** What of each limb goes one place up, -2 to 2: how many bounds it passes. (A comparison gives -1 for true.) */
@inline function excess(limbs: v128, half: v128, more: v128): v128 {
  return i32x4.sub(
    i32x4.add(i32x4.lt_s(limbs, i32x4.neg(half)), i32x4.lt_s(limbs, i32x4.neg(more))),
    i32x4.add(i32x4.gt_s(limbs, half), i32x4.gt_s(limbs, more)),
  );
}

/** Halves of four sums of limbs; each takes base/2 from an odd sum one place up. */
@inline function halved(sums: v128, above: v128, half: v128): v128 {
  const odd = i32x4.neg(v128.and(above, i32x4.splat(1)));
  return i32x4.add(i32x4.shr_s(sums, 1), v128.and(half, odd));
}

/**
 * From index n to n+1: (F, L) becomes ((F + L) / 2, (5F + L) / 2), both halves exact.
 *
 * What is too much in a limb goes one place up, and what that makes too much there another one, and no further, as in
 * carry(): four limbs at a time, of which none waits for those below.
 *
 * @param F - F(n) as balanced limbs, zeros up to `length` + 5.
 * @param L - The Lucas number L(n), likewise.
 * @param length - Of the longer one; the results have up to one limb more.
 */
export function stepPair(F: usize, L: usize, length: usize, base: i32): void {
  const bases = i32x4.splat(base), half = i32x4.splat(base >> 1), more = i32x4.add(half, bases);
  let qF = i32x4.splat(0), qL = qF, tF = qF, tL = qF;
  for (let i: usize = 0; i <= length; i += 4, F += 16, L += 16) {
    const f = v128.load(F), sums = i32x4.add(f, v128.load(L));
    const above = i32x4.add(v128.load(F, 4), v128.load(L, 4));
    const v = halved(sums, above, half), w = halved(i32x4.add(sums, i32x4.shl(f, 2)), above, half);
    const qv = excess(v, half, more), qw = excess(w, half, more);
    const v1 = i32x4.add(i32x4.sub(v, i32x4.mul(qv, bases)), raised(qF, qv));
    const w1 = i32x4.add(i32x4.sub(w, i32x4.mul(qw, bases)), raised(qL, qw));
    qF = qv; qL = qw;
    const tv = excess(v1, half, more), tw = excess(w1, half, more);
    v128.store(F, i32x4.add(i32x4.sub(v1, i32x4.mul(tv, bases)), raised(tF, tv)));
    v128.store(L, i32x4.add(i32x4.sub(w1, i32x4.mul(tw, bases)), raised(tL, tw)));
    tF = tv; tL = tw;
  }
}

/**
 * As stepPair, but only one register: A becomes (factor A + B) / 2, exactly half, and B stays. From (F, L) of n that is
 * F(n+1) with factor 1, whichever of the two becomes it, and L(n+1) = (5F + L) / 2.
 *
 * @param factor - An odd one, at most 5.
 */
export function stepOne(A: usize, B: usize, length: usize, base: i32, factor: i32): void {
  const bases = i32x4.splat(base), half = i32x4.splat(base >> 1), more = i32x4.add(half, bases);
  const factors = i32x4.splat(factor);
  let q = i32x4.splat(0), t = q;
  for (let i: usize = 0; i <= length; i += 4, A += 16, B += 16) {
    const sums = i32x4.add(i32x4.mul(v128.load(A), factors), v128.load(B));
    const v = halved(sums, i32x4.add(v128.load(A, 4), v128.load(B, 4)), half), qv = excess(v, half, more);
    const v1 = i32x4.add(i32x4.sub(v, i32x4.mul(qv, bases)), raised(q, qv)), tv = excess(v1, half, more);
    v128.store(A, i32x4.add(i32x4.sub(v1, i32x4.mul(tv, bases)), raised(t, tv)));
    q = qv; t = tv;
  }
}

/**
 * p A + q B as balanced limbs, for p and q that are short: a convolution by the book, two places at a time.
 *
 * A digit of p or q stands for two limbs, so that there are half as many products. With 13 digits (128 decimal ones) a
 * sum is below 7*10^15, so it is exact; it is one digit longer than what carry() takes, and carried in the same manner.
 *
 * @param A - Balanced limbs, zeros up to `length`; B likewise.
 * @param p - `digits` doubles, balanced digits of base^2, lowest first; q likewise.
 * @param out - Where to: room for `length` limbs (an even number), which hold the result.
 * @returns The number of limbs without leading zeros.
 */
export function addMultiples(
  A: usize, p: usize, B: usize, q: usize, digits: usize, out: usize, length: usize, base: f64,
): usize {
  const magic = both(TO_INTEGER), bases = both(base), inverse = both(1 / base);
  let d1Before = both(0), d2Before = d1Before, q3Before = d1Before, q3Earlier = d1Before, tBefore = d1Before;
  for (let i: usize = 0; i < length; i += 2) {
    let v = both(0);
    const toLowest = i << 2, end = min(digits, (i >> 1) + 1) << 3;
    for (let j: usize = 0; j < end; j += 8) {
      const place = toLowest - j;
      const a = f64x2.convert_low_i32x4_s(v128.load64_zero(A + place));
      const b = f64x2.convert_low_i32x4_s(v128.load64_zero(B + place));
      v = add(v, add(mul(a, v128.load64_splat(p + j)), mul(b, v128.load64_splat(q + j))));
    }
    const q1 = f64x2.nearest(mul(v, inverse)), d0 = sub(v, mul(q1, bases));
    const q2 = f64x2.nearest(mul(q1, inverse)), d1 = sub(q1, mul(q2, bases));
    const q3 = f64x2.nearest(mul(q2, inverse)), d2 = sub(q2, mul(q3, bases));
    const s = add(add(d0, shifted(d1Before, d1)), add(d2Before, shifted(q3Earlier, q3Before)));
    d1Before = d1; d2Before = d2; q3Earlier = q3Before; q3Before = q3;
    const t = f64x2.nearest(mul(s, inverse));
    const limb = add(add(sub(s, mul(t, bases)), shifted(tBefore, t)), magic);
    tBefore = t;
    v128.store_lane<u64>(out + toLowest, v128.shuffle<i32>(limb, limb, 0, 2, 0, 2), 0);
  }
  return trim(out, length);
}
