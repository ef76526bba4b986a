/**
 * A damaged byte costs at most the move being written. Method: every cut, and every bit.
 */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  BLOCK_BYTES,
  type CursorRecord,
  decodeCopies,
  decodeFile,
  encodeBlock,
  encodeFile,
  FILE_BYTES,
  findKey,
  initialRecord,
  KEY_BYTES,
  type MoveOperation,
  OPERATIONS,
  rememberKey,
  RING_COUNT,
} from "../../src/cursor/record.ts";
import type { FibError } from "../../src/errors.ts";
import { thrown } from "../refusal.ts";

const uint53 = fc.maxSafeNat();
const digest = fc.uint8Array({ minLength: KEY_BYTES, maxLength: KEY_BYTES });
const operation = fc.constantFrom<MoveOperation>("next", "previous", "set");
const keyedMoves = fc.array(fc.record({ digest, operation, index: uint53 }), { maxLength: 2 * RING_COUNT });

/** A record that the code itself could have come to. */
const records = fc.tuple(uint53, uint53, keyedMoves).map(([generation, index, moves]): CursorRecord => {
  let { keyedCount, ring } = initialRecord();
  for (const move of moves) {
    const before = { generation, index: move.index, keyedCount, ring };
    ({ keyedCount, ring } = rememberKey(before, move.digest, OPERATIONS[move.operation]));
  }
  return { generation, index, keyedCount, ring };
});

const older: CursorRecord = { ...initialRecord(), generation: 7, index: 20 };
const newer: CursorRecord = rememberKey(
  { ...older, generation: 8, index: 21 },
  numberedKey(1),
  OPERATIONS.next,
);

function block(record: CursorRecord): Uint8Array {
  return encodeBlock(record, new Uint8Array(BLOCK_BYTES));
}

/** A file with a record in each copy. */
function fileOf(first: CursorRecord, second: CursorRecord): Uint8Array {
  return Buffer.concat([block(first), block(second)]);
}

function numberedKey(number: number): Uint8Array {
  const key = new Uint8Array(KEY_BYTES);
  new DataView(key.buffer).setUint32(0, number);
  return key;
}

/** Overwrites a field and makes the checksum right again, as a bug or another program would. */
function withField(record: CursorRecord, at: number, value: bigint, bits: 32 | 64): Uint8Array {
  const bytes = block(record);
  const view = new DataView(bytes.buffer);
  if (bits === 32) view.setUint32(at, Number(value));
  else view.setBigUint64(at, value);
  view.setUint32(8, Bun.hash.crc32(bytes.subarray(12)));
  return bytes;
}

function damage(bytes: Uint8Array): FibError {
  return thrown(() => decodeFile(bytes));
}

describe("the codec", () => {
  test("decodeFile() returns what encodeBlock() wrote, in either copy", () => {
    fc.assert(
      fc.property(records, fc.boolean(), (record, first) => {
        const behind = { ...initialRecord(), generation: 0 };
        fc.pre(record.generation > 0);
        const bytes = first ? fileOf(record, behind) : fileOf(behind, record);
        expect(decodeFile(bytes)).toEqual({ record, slot: first ? 0 : 1, otherFault: undefined });
      }),
    );
  });

  test("encodeBlock() writes the fields where the format says, big-endian", () => {
    const record = { ...newer, generation: 2 ** 53 - 1, index: 2 ** 32 + 5 };
    const bytes = Buffer.from(block(record));
    expect(bytes.toString("latin1", 0, 8)).toBe("FIBCURSR");
    expect(bytes.readUInt32BE(8)).toBe(Bun.hash.crc32(bytes.subarray(12)));
    expect(bytes.readUInt32BE(12)).toBe(1);
    expect(bytes.readBigUInt64BE(16)).toBe(2n ** 53n - 1n);
    expect(bytes.readBigUInt64BE(24)).toBe(2n ** 32n + 5n);
    expect(bytes.readBigUInt64BE(32)).toBe(1n);
    expect(bytes.subarray(40, 64).every((byte) => byte === 0)).toBe(true);
    expect(bytes.subarray(64, 80)).toEqual(Buffer.from(numberedKey(1)));
    expect(bytes.readBigUInt64BE(80)).toBe(21n);
    expect(bytes.readUInt8(88)).toBe(1);
    expect(bytes.subarray(89).every((byte) => byte === 0)).toBe(true);
    expect(bytes.length).toBe(4096);
  });

  test("encodeBlock() leaves nothing of what the block held before", () => {
    fc.assert(
      fc.property(records, records, (before, record) => {
        const reused = encodeBlock(record, block(before));
        expect(Buffer.compare(reused, block(record))).toBe(0);
      }),
    );
  });

  test("encodeFile() makes 8,192 bytes with two good copies at the same position", () => {
    const bytes = encodeFile(initialRecord(5));
    expect(bytes.length).toBe(8192);
    expect(decodeFile(bytes)).toEqual({
      record: { ...initialRecord(5), generation: 2 },
      slot: 0,
      otherFault: undefined,
    });
    expect(decodeCopies(bytes)[1].record).toEqual(initialRecord(5));
  });
});

describe("damage", () => {
  for (const slot of [0, 1] as const) {
    test(`decodeFile() finds the old or the new position when copy ${slot} is torn at any byte`, () => {
      const before = block({ ...older, generation: 6, index: 19 });
      const after = block(newer);
      for (let cut = 0; cut <= BLOCK_BYTES; cut++) {
        // Either end may reach the disk first.
        for (const written of [
          Buffer.concat([after.subarray(0, cut), before.subarray(cut)]),
          Buffer.concat([before.subarray(0, cut), after.subarray(cut)]),
        ]) {
          const file = slot === 0 ? [written, block(older)] : [block(older), written];
          const { record } = decodeFile(Buffer.concat(file));
          const whole = Buffer.compare(written, after) === 0;
          if (record.index !== (whole ? 21 : 20)) throw new Error(`cut at ${cut}: index ${record.index}`);
          if (record.keyedCount !== (whole ? 1 : 0)) throw new Error(`cut at ${cut}: ring of another record`);
        }
      }
    });

    test(`decodeFile() uses the other copy whichever bit of copy ${slot} is flipped`, () => {
      // The newer record is in the copy that is hurt: a flip must never look like a position.
      const file = slot === 0 ? fileOf(newer, older) : fileOf(older, newer);
      for (let bit = 0; bit < BLOCK_BYTES * 8; bit++) {
        const at = slot * BLOCK_BYTES + (bit >> 3);
        file[at]! ^= 1 << (bit & 7);
        const found = decodeFile(file);
        file[at]! ^= 1 << (bit & 7);
        if (found.slot === slot || found.record.index !== 20 || found.record.generation !== 7) {
          throw new Error(`bit ${bit}: ${JSON.stringify(found)}`);
        }
        if (found.otherFault === undefined) throw new Error(`bit ${bit}: the damage is not reported`);
      }
    });
  }

  test("decodeFile() refuses a file with both copies bad, and names both faults", () => {
    fc.assert(
      fc.property(
        fc.nat(BLOCK_BYTES * 8 - 1),
        fc.nat({ max: BLOCK_BYTES - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (bit, byte, xor) => {
          const file = fileOf(older, newer);
          file[bit >> 3]! ^= 1 << (bit & 7);
          file[BLOCK_BYTES + byte]! ^= xor;
          const error = damage(file);
          expect(error.code).toBe("cursor_damaged");
          expect(error.message).toMatch(/^both copies are bad \(first: it.+; second: it.+\)$/);
        },
      ),
    );
  });

  test("decodeFile() finds the first copy in a file that is cut at any length beyond it, and nothing before", () => {
    const file = fileOf(newer, older);
    for (let length = 0; length < FILE_BYTES; length++) {
      const cut = file.subarray(0, length);
      if (length < BLOCK_BYTES) {
        if (damage(cut).code !== "cursor_damaged") throw new Error(`${length} bytes`);
      } else {
        const { record, otherFault } = decodeFile(cut);
        if (record.index !== 21 || otherFault === undefined) throw new Error(`${length} bytes`);
      }
    }
  });

  test("decodeFile() never takes bytes of no meaning for a position", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: FILE_BYTES }), (bytes) => {
        expect(damage(bytes).code).toBe("cursor_damaged");
      }),
    );
  });

  test("decodeFile() refuses a newer format in either copy, whatever the other copy says", () => {
    const [version2, good] = [withField(older, 12, 2n, 32), block(newer)];
    for (const file of [
      [version2, good],
      [good, version2],
      [version2, version2],
      [version2, new Uint8Array(BLOCK_BYTES)],
    ]) {
      const error = damage(Buffer.concat(file));
      expect(error.code).toBe("cursor_damaged");
      expect(error.message).toContain("newer fibserver (format 2, this one knows 1)");
    }
  });

  test("decodeFile() refuses a number of 2^53 or more instead of rounding it", () => {
    for (const at of [16, 24, 32]) {
      for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
        const bad = withField(newer, at, value, 64);
        const { record, otherFault } = decodeFile(Buffer.concat([bad, block(older)]));
        expect(record).toEqual(older);
        expect(otherFault).toBe("a number in it is beyond 2^53");
      }
      const largest = withField(older, at, 2n ** 53n - 1n, 64);
      expect(decodeCopies(Buffer.concat([largest, block(older)]))[0].fault).toBeUndefined();
    }
  });
});

describe("the ring of keys", () => {
  test("findKey() finds the last 100 keyed moves, and the 101st forgets the first", () => {
    let record = initialRecord();
    for (let number = 1; number <= 3 * RING_COUNT; number++) {
      record = rememberKey({ ...record, index: number * 10 }, numberedKey(number), OPERATIONS.set);
      expect(record.keyedCount).toBe(number);
      const forgotten = Math.max(0, number - RING_COUNT);
      for (let key = 1; key <= number; key++) {
        const expected = key <= forgotten ? undefined : { operation: OPERATIONS.set, index: key * 10 };
        if (!Bun.deepEquals(findKey(record, numberedKey(key)), expected))
          throw new Error(`key ${key} of ${number}`);
      }
    }
  });

  test("findKey() finds nothing in a ring that was never written, not even the key of zeros", () => {
    expect(findKey(initialRecord(), new Uint8Array(KEY_BYTES))).toBeUndefined();
  });

  test("findKey() tells keys apart that differ in one bit", () => {
    fc.assert(
      fc.property(digest, fc.nat(KEY_BYTES * 8 - 1), operation, uint53, (key, bit, move, index) => {
        const record = rememberKey({ ...initialRecord(), index }, key, OPERATIONS[move]);
        const other = key.slice();
        other[bit >> 3]! ^= 1 << (bit & 7);
        expect(findKey(record, key)).toEqual({ operation: OPERATIONS[move], index });
        expect(findKey(record, other)).toBeUndefined();
      }),
    );
  });

  test("rememberKey() leaves the record that it was given as it was", () => {
    fc.assert(
      fc.property(records, digest, operation, (record, key, move) => {
        const before = structuredClone(record);
        rememberKey(record, key, OPERATIONS[move]);
        expect(record).toEqual(before);
      }),
    );
  });
});
