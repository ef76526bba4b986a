/**
 * The loop that fills a ring of memory with the terms of a sequence, the one that checks what it has written, and
 * single sums for the neighbours of a number. The arithmetic is in lanes.ts (words.ts without vectors), what a check
 * is made of in residue.ts.
 *
 * adder.ts fills the fixed places and reads the ring. (asc takes for granted that nothing is below 1024.)
 *
 *     1024  PREFIX  16  before the index of a record (before the value, if there is no index)
 *     1040  INFIX   16  between index and value
 *     1056  SUFFIX  16  behind the value
 *     1072  INDEX   16  the index of the next record in decimal, right-aligned
 *     1088  the same four, for the check alone
 *     1152  what lanes.ts needs: 512
 *     1664  free   128  of which the arithmetic reads and rewrites up to 64 in front of a number
 *     1792  RING        the records, up to `ringEnd`; behind that, 64 bytes of slack
 *
 * The ring is output and state at once: a record is written right behind the one before it, and its value is
 * the sum of the values of the last two. When the next record does not fit before `ringEnd` it is written at
 * the start of the ring, while its two summands still stand at the end; nothing is ever moved. The ring has
 * room for four records: at its end less than one is unused and two stand before that, so the next one does
 * not reach the older summand, and the one after it not the newer.
 *
 * Whatever memory or processor get wrong would be in all later terms, so every chunk is checked before any of it is
 * sent, when all of its bytes stand where they are sent from: values against residues that follow from F's own
 * recurrence and never from the text, the texts around them against copies, their lengths by both. A check of only
 * the last two values of a chunk would cost less, but not see a value that was damaged after it had been a summand.
 */
import { combineVectors, fillPatterns } from "./lanes";
import { MODULUS, residue } from "./residue";
import { combineWords } from "./words";

const PREFIX: usize = 1024;
const INFIX: usize = 1040;
const SUFFIX: usize = 1056;
const INDEX_END: usize = 1088;
const RING: usize = 1792;

/** From a text to its copy for the check. */
const TO_COPY: usize = 64;

/** Bytes of a record without its digits: four pieces of 16, a carry, and what a 16-byte store overshoots. */
const RECORD_EXTRA: usize = 96;

if (ASC_FEATURE_SIMD) fillPatterns();

export { residue };

// @ts-ignore: decorator
@inline function combine(
  a: usize, aLength: i32, b: usize, bLength: i32, out: usize, subtracting: bool,
): void {
  if (ASC_FEATURE_SIMD) combineVectors(a, aLength, b, bLength, out, subtracting);
  else combineWords(a, aLength, b, bLength, out, subtracting);
}

/** Whether a + b has more digits than b: the first column from the top whose sum is not 9 decides it. */
function growsInAddition(a: usize, aLength: i32, b: usize, bLength: i32): bool {
  const unpaired = bLength - aLength;
  for (let i = 0; i < bLength; i++) {
    const sum = <i32>load<u8>(b + i) - 0x30 + (i < unpaired ? 0 : <i32>load<u8>(a + i - unpaired) - 0x30);
    if (sum != 9) return sum > 9;
  }
  return false;
}

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

// What the check is at: the residues of the next two values, the fewest digits that they can have, the next index's.
let nextResidue: u64 = 0;
let afterNextResidue: u64 = 0;
let nextLength: i32 = 0;
let afterNextLength: i32 = 0;
let checkedIndexLength: usize = 0;

/** Says how long the texts at PREFIX, INDEX, INFIX and SUFFIX are; an index of length 0 is not written. */
export function setLayout(prefix: i32, index: i32, infix: i32, suffix: i32): void {
  prefixLength = prefix;
  indexLength = index;
  checkedIndexLength = index;
  infixLength = infix;
  suffixLength = suffix;
}

/**
 * Starts a sequence of `records` records whose first two values stand, one behind the other, right before
 * the end of the ring; their residues are given. The first record goes `headLength` bytes behind the
 * start of the ring.
 */
export function begin(
  endOfRing: usize, firstLength: i32, secondLength: i32, headLength: i32, records: i32, chunk: i32,
  firstResidue: u64, secondResidue: u64,
): void {
  nextResidue = firstResidue;
  afterNextResidue = secondResidue;
  nextLength = firstLength;
  afterNextLength = secondLength;
  ringEnd = endOfRing;
  b = endOfRing - secondLength;
  bLength = secondLength;
  a = b - firstLength;
  aLength = firstLength;
  out = RING + headLength;
  recordsLeft = records;
  seedsLeft = 2;
  chunkBytes = chunk;
}

/** Adds 1 to the decimal text of `length` digits before `end`. @returns its new length */
function increment(end: usize, length: usize): usize {
  let at = end - 1;
  while (at >= end - length && load<u8>(at) == 0x39) {
    store<u8>(at, 0x30);
    at--;
  }
  const grows = at < end - length;
  store<u8>(at, grows ? 0x31 : load<u8>(at) + 1);
  return length + <usize>grows;
}

// @ts-ignore: decorator
@inline function copy16(to: usize, from: usize): void {
  store<u64>(to, load<u64>(from));
  store<u64>(to + 8, load<u64>(from + 8));
}

function writeRecord(): void {
  copy16(out, PREFIX);
  out += prefixLength;
  if (indexLength != 0) {
    copy16(out, INDEX_END - indexLength);
    out += indexLength;
    indexLength = increment(INDEX_END, indexLength);
    copy16(out, INFIX);
    out += infixLength;
  }
  let length = aLength;
  if (seedsLeft > 0) {
    memory.copy(out, a, aLength);
    seedsLeft--;
  } else {
    // The older value is the longer one only where both are the start's: 1000, 0, 1000, 1000, 2000.
    const isFalling = aLength > bLength;
    length = add(
      isFalling ? b : a, isFalling ? bLength : aLength, isFalling ? a : b, isFalling ? aLength : bLength, out,
    );
  }
  a = b;
  aLength = bLength;
  b = out;
  bLength = length;
  out += length;
  copy16(out, SUFFIX);
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

/** Where `text` ends behind `at`, or 0 if it does not stand there. */
function behind(at: usize, text: usize, length: usize): usize {
  for (let i: usize = 0; i < length; i++) {
    if (load<u8>(at + i) != load<u8>(text + i)) return 0;
  }
  return at + length;
}

/** Checks the record at `at`. @returns its end, or 0 if it is not what it must be */
function checkRecord(at: usize): usize {
  at = behind(at, PREFIX + TO_COPY, prefixLength);
  if (checkedIndexLength != 0 && at != 0) {
    at = behind(at, INDEX_END + TO_COPY - checkedIndexLength, checkedIndexLength);
    checkedIndexLength = increment(INDEX_END + TO_COPY, checkedIndexLength);
    if (at != 0) at = behind(at, INFIX + TO_COPY, infixLength);
  }
  if (at == 0) return 0;
  // A value is as long as the longer one of the two before it, or has one more digit if there is one, which is no
  // zero in front. It is below three times the older one of them, or one of them is the start's.
  let length = nextLength;
  if (<u8>(load<u8>(at + length) - 0x30) < 10) length++;
  if (load<u8>(at) == 0x30 && length > 1) return 0;
  if (residue(at, length) != nextResidue) return 0;
  nextLength = afterNextLength;
  afterNextLength = max(length, nextLength);
  const sum = nextResidue + afterNextResidue;
  nextResidue = afterNextResidue;
  afterNextResidue = sum < MODULUS ? sum : sum - MODULUS;
  return behind(at + length, SUFFIX + TO_COPY, suffixLength);
}

/** Checks all records of the chunk that {@link fill} wrote last; no further one can be, when this fails. */
export function check(): bool {
  let at = chunkStart;
  while (at != 0 && at < out) at = checkRecord(at);
  return at == out;
}
