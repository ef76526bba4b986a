/**
 * The loop that fills a ring of memory with the terms of a sequence, and single sums for who needs those.
 * The arithmetic is in lanes.ts.
 *
 * adder.ts fills the fixed places and reads the ring. (asc takes for granted that nothing is below 1024.)
 *
 *     1024  PREFIX  16  before the index of a record (before the value, if there is no index)
 *     1040  INFIX   16  between index and value
 *     1056  SUFFIX  16  behind the value
 *     1072  INDEX   16  the index of the next record in decimal, right-aligned
 *     1088  free   128  of which the arithmetic reads and rewrites up to 64 in front of a number
 *     1216  RING        the records, up to `ringEnd`; behind that, 64 bytes of slack
 *
 * The ring is output and state at once: a record is written right behind the one before it, and its value is
 * the sum of the values of the last two. When the next record does not fit before `ringEnd` it is written at
 * the start of the ring, while its two summands still stand at the end; nothing is ever moved. The ring has
 * room for four records: at its end less than one is unused and two stand before that, so the next one does
 * not reach the older summand, and the one after it not the newer.
 */
import { combine, growsInAddition } from "./lanes";

const PREFIX: usize = 1024;
const INFIX: usize = 1040;
const SUFFIX: usize = 1056;
const INDEX_END: usize = 1088;
const RING: usize = 1216;

/** Bytes of a record without its digits: four pieces of 16, a carry, and what a 16-byte store overshoots. */
const RECORD_EXTRA: usize = 96;

/** Writes a + b to `out` and returns its number of digits. Needs aLength <= bLength. */
export function add(a: usize, aLength: i32, b: usize, bLength: i32, out: usize): i32 {
  const grown = <i32>growsInAddition(a, aLength, b, bLength);
  store<u8>(out, 0x31); // stays if the sum has grown
  combine(a, aLength, b, bLength, out + grown, false);
  return bLength + grown;
}

/** Writes b - a to `out` as `bLength` digits, with zeros in front. Needs a <= b and aLength <= bLength. */
export function subtract(a: usize, aLength: i32, b: usize, bLength: i32, out: usize): void {
  combine(a, aLength, b, bLength, out, true);
}

// What the sequence is at: the last two values in the ring, and where the next record goes.
let a: usize = 0;
let aLength: i32 = 0;
let b: usize = 0;
let bLength: i32 = 0;
let out: usize = 0;
let chunkStart: usize = 0;
let ringEnd: usize = 0;
let chunkBytes: usize = 0;
let recordsLeft: i32 = 0;
let seedsLeft: i32 = 0;
let prefixLength: usize = 0;
let indexLength: usize = 0;
let infixLength: usize = 0;
let suffixLength: usize = 0;

/** Says how long the texts at PREFIX, INDEX, INFIX and SUFFIX are; an index of length 0 is not written. */
export function setLayout(prefix: i32, index: i32, infix: i32, suffix: i32): void {
  prefixLength = prefix;
  indexLength = index;
  infixLength = infix;
  suffixLength = suffix;
}

/**
 * Starts a sequence of `records` records whose first two values stand, one behind the other, right before
 * `end`, which is the end of the ring. The first record goes `headLength` bytes behind the start of the ring.
 */
export function begin(
  end: usize, firstLength: i32, secondLength: i32, headLength: i32, records: i32, chunk: i32,
): void {
  ringEnd = end;
  b = end - secondLength;
  bLength = secondLength;
  a = b - firstLength;
  aLength = firstLength;
  out = RING + headLength;
  recordsLeft = records;
  seedsLeft = 2;
  chunkBytes = chunk;
}

/** Adds 1 to the decimal text at INDEX. */
function incrementIndex(): void {
  let at = INDEX_END - 1;
  while (at >= INDEX_END - indexLength && load<u8>(at) == 0x39) {
    store<u8>(at, 0x30);
    at--;
  }
  if (at < INDEX_END - indexLength) {
    store<u8>(at, 0x31);
    indexLength++;
  } else {
    store<u8>(at, load<u8>(at) + 1);
  }
}

function writeRecord(): void {
  v128.store(out, v128.load(PREFIX));
  out += prefixLength;
  if (indexLength != 0) {
    v128.store(out, v128.load(INDEX_END - indexLength));
    out += indexLength;
    incrementIndex();
    v128.store(out, v128.load(INFIX));
    out += infixLength;
  }
  let length = aLength;
  if (seedsLeft > 0) {
    memory.copy(out, a, aLength);
    seedsLeft--;
  } else {
    length = add(a, aLength, b, bLength, out);
  }
  a = b;
  aLength = bLength;
  b = out;
  bLength = length;
  out += length;
  v128.store(out, v128.load(SUFFIX));
  out += suffixLength;
  recordsLeft--;
}

/** Most bytes that the next record may take. */
// @ts-ignore: decorator
@inline function nextBytesMax(): usize {
  return <usize>max(aLength, bLength) + RECORD_EXTRA;
}

/** Whether the next record fits where `out` is. */
// @ts-ignore: decorator
@inline function nextFits(): bool {
  return out + nextBytesMax() <= ringEnd;
}

/**
 * Writes a record, and more while the chunk stays below `chunkBytes` and the ring does not have to turn.
 * @returns the end of the chunk, which begins at {@link start}; the same address when no record is left
 */
export function fill(): usize {
  if (!nextFits()) out = RING;
  chunkStart = out;
  while (recordsLeft > 0 && nextFits()) {
    if (out != chunkStart && out + nextBytesMax() > chunkStart + chunkBytes) break;
    writeRecord();
  }
  return out;
}

/** Where the chunk that {@link fill} wrote begins. */
export function start(): usize {
  return chunkStart;
}
