/**
 * What lanes.ts does, for processors on which WASM has no vectors (x64 without AVX): eight digits at a time, in one
 * 64-bit integer. The arithmetic of a lane is the same; its carry is known before the next one begins.
 */

/** '0' in every byte. */
const ZEROS: u64 = 0x3030303030303030;

/** A digit of a number of which the last `length` bytes before `end` are digits; of its nines' complement. */
// @ts-ignore: decorator
@inline function digitAt(end: usize, i: i32, length: i32, subtracting: bool): i32 {
  const digit = i < length ? <i32>load<u8>(end - 1 - i) - 0x30 : 0;
  return subtracting ? 9 - digit : digit;
}

/** b + a or b - a, modulo 10^bLength, written as `bLength` digits. Needs aLength <= bLength. */
// @ts-ignore: decorator
@inline export function combineWords(
  a: usize, aLength: i32, b: usize, bLength: i32, out: usize, subtracting: bool,
): void {
  const aEnd = a + aLength;
  const bEnd = b + bLength;
  const outEnd = out + bLength;
  let carry: u64 = subtracting ? 1 : 0;
  let done = 0;
  for (; done + 8 <= aLength; done += 8) {
    const aText = bswap(load<u64>(aEnd - 8 - done));
    const bText = bswap(load<u64>(bEnd - 8 - done));
    const columns = bText + (subtracting ? 2 * ZEROS + 0x0909090909090909 - aText : aText);
    const bytes = columns + 0x9696969696969696 + carry;
    carry = <u64>(bytes < columns);
    // A column below 10 has 246 to 255, so its low half is 6 too much.
    const digits = (bytes & 0x0f0f0f0f0f0f0f0f) - ((bytes >> 7) & 0x0101010101010101) * 6;
    store<u64>(outEnd - 8 - done, bswap(digits | ZEROS));
  }
  for (; done < bLength; done++) {
    const column = digitAt(bEnd, done, bLength, false) + digitAt(aEnd, done, aLength, subtracting) + <i32>carry;
    carry = <u64>(column > 9);
    store<u8>(outEnd - 1 - done, <u8>(0x30 + (column > 9 ? column - 10 : column)));
  }
}
