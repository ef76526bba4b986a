/**
 * The cursor's bytes on disk: two copies of a 4,096-byte block, written in turn.
 *
 * A commit writes the whole block of the older copy, so a torn write can only hurt
 * the copy that is being written, and reading takes the valid copy with the higher
 * generation. The file holds the index n and never F(n): the value follows from n,
 * and 8 bytes serve any precision. Rejected: write-then-rename, which costs a sync of
 * the folder for every move. Pure: `file.ts` does the I/O.
 *
 *   offset  bytes  field          (integers are unsigned, big-endian)
 *        0      8  magic          "FIBCURSR"
 *        8      4  checksum       CRC-32 of bytes 12 to 4095
 *       12      4  version        1
 *       16      8  generation     moves since creation; counted one by one, also within a
 *                                commit, so that no two positions share an ETag
 *       24      8  index          n of F(n)
 *       32      8  keyed moves    how many there have been so far
 *       40     24  zero
 *       64   4000  ring           the last 100 keyed moves, 40 bytes each
 *     4064     32  zero
 *
 * A keyed move: 16-byte digest of its key, 8-byte index answered, 1-byte operation, 15 zero.
 * @module
 */
import { FibError } from "../errors.ts";

/** One copy of the record. */
export const BLOCK_BYTES = 4096;
/** The whole file: both copies. */
export const FILE_BYTES = 2 * BLOCK_BYTES;
/** The digest of an Idempotency-Key. */
export const KEY_BYTES = 16;
/** How many keyed moves are remembered, and so how late a retry may come. */
export const RING_COUNT = 100;

const MAGIC = 0x4649424355525352n; // "FIBCURSR"
const VERSION = 1;
const ENTRY_BYTES = 40;
const AT = {
  magic: 0,
  checksum: 8,
  version: 12,
  generation: 16,
  index: 24,
  keyedCount: 32,
  ring: 64,
} as const;
const INTEGER_MAX = 2 ** 53 - 1;
const RING_BYTES = RING_COUNT * ENTRY_BYTES;

/** What moves the cursor; the numbers are those in the ring on disk. */
export const OPERATIONS = { next: 1, previous: 2, set: 3 } as const;
/** One of them. */
export type MoveOperation = keyof typeof OPERATIONS;

/** Where the cursor stands. The integers are in [0, 2^53): 100,000 moves a second reach that in 2,800 years. */
export interface CursorRecord {
  readonly generation: number;
  readonly index: number;
  readonly keyedCount: number;
  /** The ring as it stands on disk; never written to, {@link rememberKey} makes a new one. */
  readonly ring: Uint8Array;
}

/** One of the two copies: what it holds, or why it cannot be used. */
export type Copy =
  | { readonly record: CursorRecord; readonly fault?: never }
  | { readonly record?: never; readonly fault: string };

/** A file's two copies and which of them counts. */
export interface Decoded {
  readonly record: CursorRecord;
  /** The copy that holds `record`; the next commit goes to the other one. */
  readonly slot: 0 | 1;
  /** What is wrong with the other copy, if anything. */
  readonly otherFault: string | undefined;
}

/** A cursor at F(0) that has never moved. */
export function initialRecord(index = 0): CursorRecord {
  return { generation: 1, index, keyedCount: 0, ring: new Uint8Array(RING_BYTES) };
}

/**
 * Writes a record as one block.
 *
 * @param record - What to write.
 * @param block - {@link BLOCK_BYTES} bytes, zero wherever the format says zero; overwritten.
 * @returns `block`.
 */
export function encodeBlock(record: CursorRecord, block: Uint8Array): Uint8Array {
  const view = new DataView(block.buffer, block.byteOffset, BLOCK_BYTES);
  view.setBigUint64(AT.magic, MAGIC);
  view.setUint32(AT.version, VERSION);
  setUint53(view, AT.generation, record.generation);
  setUint53(view, AT.index, record.index);
  setUint53(view, AT.keyedCount, record.keyedCount);
  block.set(record.ring, AT.ring);
  view.setUint32(AT.checksum, checksum(block));
  return block;
}

/** Both copies of a new file, the first one ahead. */
export function encodeFile(record: CursorRecord): Uint8Array {
  const bytes = new Uint8Array(FILE_BYTES);
  encodeBlock({ ...record, generation: record.generation + 1 }, bytes.subarray(0, BLOCK_BYTES));
  encodeBlock(record, bytes.subarray(BLOCK_BYTES));
  return bytes;
}

/**
 * Reads both copies without judging the file.
 *
 * @param bytes - Any bytes; a copy that is missing or cut off has a fault.
 */
export function decodeCopies(bytes: Uint8Array): readonly [Copy, Copy] {
  return [decodeBlock(bytes.subarray(0, BLOCK_BYTES)), decodeBlock(bytes.subarray(BLOCK_BYTES, FILE_BYTES))];
}

/**
 * Picks the newest valid record out of a cursor file.
 *
 * @param bytes - The whole file, {@link FILE_BYTES} bytes.
 * @throws {@link FibError} `cursor_damaged`, when neither copy can be used, or one is of a newer version.
 * @see LMDB, mdb.c, `mdb_env_pick_meta`: two meta pages, the higher transaction wins.
 */
export function decodeFile(bytes: Uint8Array): Decoded {
  const [first, second] = decodeCopies(bytes);
  // A newer fibserver may keep promises in its copy that this one would break, whatever the other copy says.
  for (const { fault } of [first, second]) {
    if (fault?.startsWith(NEWER)) throw new FibError("cursor_damaged", `${fault}: use that fibserver`);
  }
  if (first.record && (!second.record || first.record.generation > second.record.generation)) {
    return { record: first.record, slot: 0, otherFault: second.fault };
  }
  if (second.record) return { record: second.record, slot: 1, otherFault: first.fault };
  throw new FibError(
    "cursor_damaged",
    `both copies are bad (first: ${first.fault}; second: ${second.fault})`,
  );
}

/** What is kept of a key. */
export function digestOfKey(key: string): Uint8Array {
  return new Uint8Array(new Bun.CryptoHasher("sha256").update(key).digest()).subarray(0, KEY_BYTES);
}

/**
 * Looks a key up among the last {@link RING_COUNT} keyed moves.
 *
 * @param digest - As {@link digestOfKey} makes it.
 * @returns The operation and the index that was answered, or undefined for a new key.
 */
export function findKey(
  record: CursorRecord,
  digest: Uint8Array,
): { operation: number; index: number } | undefined {
  const count = Math.min(record.keyedCount, RING_COUNT);
  for (let entry = 0; entry < count; entry++) {
    const at = entry * ENTRY_BYTES;
    if (digest.every((byte, i) => byte === record.ring[at + i])) {
      const view = new DataView(record.ring.buffer, record.ring.byteOffset + at, ENTRY_BYTES);
      return { index: getUint53(view, KEY_BYTES), operation: view.getUint8(KEY_BYTES + 8) };
    }
  }
  return undefined;
}

/**
 * The record with one more keyed move in its ring, in the place of the oldest.
 *
 * @param operation - One of {@link OPERATIONS}; the index that was answered is the record's.
 */
export function rememberKey(record: CursorRecord, digest: Uint8Array, operation: number): CursorRecord {
  const ring = record.ring.slice();
  const at = (record.keyedCount % RING_COUNT) * ENTRY_BYTES;
  const view = new DataView(ring.buffer, at, ENTRY_BYTES);
  ring.set(digest, at);
  setUint53(view, KEY_BYTES, record.index);
  view.setUint8(KEY_BYTES + 8, operation);
  return { ...record, keyedCount: record.keyedCount + 1, ring };
}

const NEWER = "it was written by a newer fibserver";

function decodeBlock(block: Uint8Array): Copy {
  if (block.length < BLOCK_BYTES) return { fault: `only ${block.length} of ${BLOCK_BYTES} bytes` };
  const view = new DataView(block.buffer, block.byteOffset, BLOCK_BYTES);
  if (view.getBigUint64(AT.magic) !== MAGIC) return { fault: "it does not begin with FIBCURSR" };
  if (view.getUint32(AT.checksum) !== checksum(block)) return { fault: "its checksum does not match" };
  const version = view.getUint32(AT.version);
  if (version !== VERSION) return { fault: `${NEWER} (format ${version}, this one knows ${VERSION})` };
  const generation = getUint53(view, AT.generation);
  const index = getUint53(view, AT.index);
  const keyedCount = getUint53(view, AT.keyedCount);
  if (generation > INTEGER_MAX || index > INTEGER_MAX || keyedCount > INTEGER_MAX)
    return { fault: "a number in it is beyond 2^53" };
  return { record: { generation, index, keyedCount, ring: block.slice(AT.ring, AT.ring + RING_BYTES) } };
}

function checksum(block: Uint8Array): number {
  return Bun.hash.crc32(block.subarray(AT.version, BLOCK_BYTES));
}

// Two halves instead of a BigInt: an allocation less for each field, and every field stays a number.
function getUint53(view: DataView, at: number): number {
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}

function setUint53(view: DataView, at: number, value: number): void {
  view.setUint32(at, (value / 0x1_0000_0000) >>> 0);
  view.setUint32(at + 4, value >>> 0);
}
