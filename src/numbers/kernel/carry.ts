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

/**
 * From index n to n+1: (F, L) becomes ((F + L) / 2, (5F + L) / 2), both halves exact.
 *
 * Each limb takes base/2 from an odd limb above it, and its carry is settled in two steps of -1, 0 or 1.
 *
 * @param F - F(n) as balanced limbs, zeros up to `length` + 2.
 * @param L - The Lucas number L(n), likewise.
 * @param length - Of the longer one; the results have up to one limb more.
 */
export function stepPair(F: usize, L: usize, length: usize, base: i32): void {
  const half = base >> 1;
  let f = load<i32>(F), l = load<i32>(L);
  let sumF = f + l, sumL = 5 * f + l, carryF: i32 = 0, carryL: i32 = 0;
  for (let i: usize = 0; i <= length; i++) {
    f = load<i32>(F + ((i + 1) << 2)); l = load<i32>(L + ((i + 1) << 2));
    const nextF = f + l, nextL = 5 * f + l;
    let v = (sumF >> 1) + (half & -(nextF & 1)) + carryF, w = (sumL >> 1) + (half & -(nextL & 1)) + carryL;
    carryF = i32(v > half) - i32(v < -half); v -= base * carryF;
    let again = i32(v > half) - i32(v < -half); v -= base * again; carryF += again;
    carryL = i32(w > half) - i32(w < -half); w -= base * carryL;
    again = i32(w > half) - i32(w < -half); w -= base * again; carryL += again;
    store<i32>(F + (i << 2), v); store<i32>(L + (i << 2), w);
    sumF = nextF; sumL = nextL;
  }
}

/** As stepPair, but only F: it becomes F(n+1) = (F + L) / 2 and L stays. */
export function stepFibonacci(F: usize, L: usize, length: usize, base: i32): void {
  const half = base >> 1;
  let sum = load<i32>(F) + load<i32>(L), carried: i32 = 0;
  for (let i: usize = 0; i <= length; i++) {
    const next = load<i32>(F + ((i + 1) << 2)) + load<i32>(L + ((i + 1) << 2));
    let v = (sum >> 1) + (half & -(next & 1)) + carried;
    carried = i32(v > half) - i32(v < -half); v -= base * carried;
    store<i32>(F + (i << 2), v);
    sum = next;
  }
}
