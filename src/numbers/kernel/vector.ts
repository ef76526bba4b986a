// Two doubles at a time: short names for the SIMD operations that the transform is written in.
// WASM's relaxed "madd" is not fused on the engines measured, so a product and a sum are two operations.

@inline export function load2(address: usize): v128 { return v128.load(address); }
@inline export function store2(address: usize, value: v128): void { v128.store(address, value); }
@inline export function both(value: f64): v128 { return f64x2.splat(value); }
@inline export function add(a: v128, b: v128): v128 { return f64x2.add(a, b); }
@inline export function sub(a: v128, b: v128): v128 { return f64x2.sub(a, b); }
@inline export function mul(a: v128, b: v128): v128 { return f64x2.mul(a, b); }

/** Real part of (a + ib)(c + id). */
@inline export function productRe(a: v128, b: v128, c: v128, d: v128): v128 {
  return sub(mul(a, c), mul(b, d));
}
/** Imaginary part of (a + ib)(c + id). */
@inline export function productIm(a: v128, b: v128, c: v128, d: v128): v128 {
  return add(mul(a, d), mul(b, c));
}
/** Real part of (a + ib)(c - id): the inverse transform turns the other way. */
@inline export function turnBackRe(a: v128, b: v128, c: v128, d: v128): v128 {
  return add(mul(a, c), mul(b, d));
}
/** Imaginary part of (a + ib)(c - id). */
@inline export function turnBackIm(a: v128, b: v128, c: v128, d: v128): v128 {
  return sub(mul(b, c), mul(a, d));
}
/** Real part of (a + ib)^2, with one rounding less than the general product. */
@inline export function squareRe(a: v128, b: v128): v128 { return mul(sub(a, b), add(a, b)); }
/** Imaginary part of (a + ib)^2. */
@inline export function squareIm(a: v128, b: v128): v128 { return mul(add(a, a), b); }

/** The first elements of a and b. */
@inline export function firsts(a: v128, b: v128): v128 { return v128.shuffle<f64>(a, b, 0, 2); }
/** The second elements of a and b. */
@inline export function seconds(a: v128, b: v128): v128 { return v128.shuffle<f64>(a, b, 1, 3); }
/** The second element of a, then the first of b: the elements one place below those of b. */
@inline export function shifted(a: v128, b: v128): v128 { return v128.shuffle<f64>(a, b, 1, 2); }
