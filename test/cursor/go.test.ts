/** A Go server's file and its position are the same thing, in both directions. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { decodeGoFile, encodeGoFile, GO_FILE_BYTES } from "../../src/cursor/go.ts";
import { thrown } from "../refusal.ts";

/** The pairs as the Go server counts them, one addition after the other. */
const pairs: [bigint, bigint][] = [[-1n, 0n]];
for (let [before, value] = [0n, 1n]; pairs.length < 93; [before, value] = [value, before + value]) {
  pairs.push([before, value]);
}

function goFile(before: bigint, value: bigint): Uint8Array {
  const bytes = Buffer.alloc(GO_FILE_BYTES);
  bytes.writeBigInt64BE(before, 0);
  bytes.writeBigInt64BE(value, 8);
  return bytes;
}

test("decodeGoFile() reads each of the 93 pairs, the last that fits into 64 bits included", () => {
  expect(pairs.at(-1)).toEqual([4660046610375530309n, 7540113804746346429n]);
  expect(pairs.map(([before, value]) => decodeGoFile(goFile(before, value)))).toEqual(
    Array.from({ length: 93 }, (_, index) => index),
  );
});

test("decodeGoFile() reads (0,0), which the Go server also wrote, as index 0", () => {
  expect(decodeGoFile(goFile(0n, 0n))).toBe(0);
});

test("decodeGoFile() refuses every pair that is no neighbouring pair, and says what it found", () => {
  const known = new Set([...pairs.map(String), "0,0"]);
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  const member = fc.constantFrom(...pairs.flat());
  fc.assert(
    fc.property(fc.oneof(int64, member), fc.oneof(int64, member), (before, value) => {
      fc.pre(!known.has(`${before},${value}`));
      const error = thrown(() => decodeGoFile(goFile(before, value)));
      expect(error.code).toBe("cursor_damaged");
      expect(error.message).toContain(`(${before}, ${value}) are not neighbours`);
    }),
    { numRuns: 1000 },
  );
});

test("decodeGoFile() refuses neighbours in the wrong order, and the same numbers little-endian", () => {
  for (const [before, value] of pairs.slice(3)) {
    expect(thrown(() => decodeGoFile(goFile(value, before))).code).toBe("cursor_damaged");
    const littleEndian = Buffer.from(goFile(before, value)).swap64();
    expect(thrown(() => decodeGoFile(littleEndian)).code).toBe("cursor_damaged");
  }
});

test("encodeGoFile() writes the very bytes that the Go server would", () => {
  for (const [index, [before, value]] of pairs.entries()) {
    expect(Buffer.compare(encodeGoFile(index), goFile(before, value))).toBe(0);
  }
});

test("encodeGoFile() refuses what does not fit into 64 bits", () => {
  for (const index of [93, 94, 100_000_000]) {
    const error = thrown(() => encodeGoFile(index));
    expect(error.code).toBe("bad_argument");
    expect(error.message).toContain("ends at 92");
  }
});
