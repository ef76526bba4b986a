// Limbs to ASCII digits and back, and the residue of a text modulo a prime.
//
// Memory: a table of the texts "0000" to "9999", 40,000 bytes.

let fourDigits: usize = 0;

/** Fills the table of four digits at this address. */
export function setDigits(address: usize): void {
  fourDigits = address;
  // A fresh process interprets this, so: ten texts a step, which differ in the last digit only.
  for (let first = 0; first < 10000; first += 10) {
    const thousands = 48 + first / 1000, hundreds = 48 + first / 100 % 10, tens = 48 + first / 10 % 10;
    const text = thousands | (hundreds << 8) | (tens << 16) | (48 << 24);
    const to = address + (first << 2), zeros = i32x4.splat(text);
    v128.store(to, i32x4.add(zeros, i32x4(0, 1 << 24, 2 << 24, 3 << 24)));
    v128.store(to + 16, i32x4.add(zeros, i32x4(4 << 24, 5 << 24, 6 << 24, 7 << 24)));
    store<u64>(to + 32, (<u64>text) << 32 | text + ((<u64>9 << 56) + (<u64>8 << 24)));
  }
}

/** Keeps a limb that is none, by a flipped bit, from leading out of the memory; what it writes fails the check. */
const INDEX_MASK: i32 = 0x3fff;

/**
 * Writes a positive number as text: `width` digits for each limb, borrowing where a limb is negative.
 *
 * @param text - Where to: `width` * `length` bytes.
 * @param width - Digits in a limb, 4 or 5.
 * @returns The address of the first digit that is not zero (of the last one, if all are).
 */
export function writeText(limbs: usize, length: usize, text: usize, width: usize): usize {
  const base: i32 = width == 5 ? 100000 : 10000, table = fourDigits;
  const end = text + width * length;
  let borrow: i32 = 0, to = end;
  for (let from = limbs, last = limbs + (length << 2); from < last; from += 4) {
    let limb = load<i32>(from) + borrow;
    borrow = limb >> 31;
    limb += base & borrow;
    to -= width;
    if (width == 5) {
      // limb / 10000 by a multiplication that is exact below 2^17: 109951163 = ceil(2^40 / 10000).
      const high = <u32>((<u64>(<u32>limb) * 109951163) >> 40);
      store<u8>(to, 48 + high);
      limb -= high * 10000;
      store<u32>(to + 1, load<u32>(table + ((limb & INDEX_MASK) << 2)));
    } else {
      store<u32>(to, load<u32>(table + ((limb & INDEX_MASK) << 2)));
    }
  }
  while (to < end - 1 && load<u8>(to) == 48) to++;
  return to;
}

/** Reads text into balanced limbs, one more than there are groups of `width` digits; returns their number. */
export function readText(text: usize, length: usize, limbs: usize, width: usize): usize {
  const base: i32 = width == 5 ? 100000 : 10000, half = base >> 1;
  let carried: i32 = 0, count: usize = 0;
  for (let end = text + length; end > text;) {
    const start = end - text > width ? end - width : text;
    let limb: i32 = 0;
    for (let p = start; p < end; p++) limb = 10 * limb + load<u8>(p) - 48;
    limb += carried;
    carried = i32(limb > half);
    store<i32>(limbs + (count << 2), limb - base * carried);
    count++;
    end = start;
  }
  store<i32>(limbs + (count << 2), carried);
  return count + carried;
}

const TEN_TO_8: u64 = 100000000;

/** Sixteen digits, from bytes 0 to 9, as an integer: pairs, fours and eights in SIMD, the two halves joined. */
@inline function sixteenDigits(digits: v128): u64 {
  const tens = i16x8.mul(v128.and(digits, i16x8.splat(0xff)), i16x8.splat(10));
  const pairs = i16x8.add(tens, i16x8.shr_u(digits, 8));
  const fours = i32x4.dot_i16x8_s(pairs, i32x4.splat(100 | (1 << 16)));
  const packed = i16x8.narrow_i32x4_s(fours, fours);
  const eights = i32x4.dot_i16x8_s(packed, i32x4.splat(10000 | (1 << 16)));
  return <u64>(<u32>i32x4.extract_lane(eights, 0)) * TEN_TO_8 + <u64>(<u32>i32x4.extract_lane(eights, 1));
}

/**
 * A decimal text modulo p: Horner's rule on four interleaved chains, sixteen digits a step, so that one
 * division (the slow part) serves sixteen digits and four divisions run at once.
 *
 * @param p - Below 2^31: a step, residue * (10^64 mod p) + sixteen digits, then stays below 2^63.
 * @returns p, which is no residue, if a byte is no digit: "1:" would pass for "20".
 */
export function textResidue(text: usize, length: usize, p: u64): u64 {
  const e16 = TEN_TO_8 * TEN_TO_8 % p, e32 = e16 * e16 % p, e48 = e32 * e16 % p, e64 = e32 * e32 % p;
  let from = text;
  const end = text + length, head = length & 63;
  const zeros = i8x16.splat(48);
  let whole: u64 = 0, largest = i8x16.splat(0);
  for (const stop = text + head; from < stop; from++) {
    const digit = load<u8>(from) - 48;
    largest = i8x16.max_u(largest, i8x16.splat(digit));
    whole = (whole * 10 + digit) % p;
  }
  let r0: u64 = 0, r1: u64 = 0, r2: u64 = 0, r3 = whole;
  for (; from < end; from += 64) {
    const d0 = i8x16.sub(v128.load(from), zeros), d1 = i8x16.sub(v128.load(from + 16), zeros);
    const d2 = i8x16.sub(v128.load(from + 32), zeros), d3 = i8x16.sub(v128.load(from + 48), zeros);
    largest = i8x16.max_u(largest, i8x16.max_u(i8x16.max_u(d0, d1), i8x16.max_u(d2, d3)));
    r0 = (r0 * e64 + sixteenDigits(d0)) % p;
    r1 = (r1 * e64 + sixteenDigits(d1)) % p;
    r2 = (r2 * e64 + sixteenDigits(d2)) % p;
    r3 = (r3 * e64 + sixteenDigits(d3)) % p;
  }
  if (v128.any_true(i8x16.gt_u(largest, i8x16.splat(9)))) return p;
  if (length < 64) return whole;
  return (r0 * e48 % p + r1 * e32 % p + r2 * e16 % p + r3) % p;
}

/** n! modulo p by n multiplications on four interleaved chains; p below 2^31, so no product overflows. */
export function factorialResidue(n: u64, p: u64): u64 {
  let r0: u64 = 1, r1: u64 = 1, r2: u64 = 1, r3: u64 = 1, i: u64 = 1;
  for (; i + 3 <= n; i += 4) {
    r0 = r0 * i % p; r1 = r1 * (i + 1) % p; r2 = r2 * (i + 2) % p; r3 = r3 * (i + 3) % p;
  }
  for (; i <= n; i++) r0 = r0 * i % p;
  return (r0 * r1 % p) * (r2 * r3 % p) % p;
}
