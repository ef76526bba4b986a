/**
 * The Go cursor server's file: 16 bytes, two signed big-endian 64-bit integers, F(n-1) and F(n).
 *
 * It is taken over once, when fibserver first opens it, and can be written again by
 * `fibserver cursor export --go`. Both ways go through the list of all pairs that fit:
 * there are 93, and a list cannot be off by one where a formula can. Pure.
 * @module
 */
import { FibError } from "../errors.ts";

export const GO_FILE_BYTES = 16;

// Index 0 is (-1,0) on disk: the Go server's mark for "there is nothing before 0".
const PAIRS: readonly (readonly [bigint, bigint])[] = (() => {
  const pairs: [bigint, bigint][] = [[-1n, 0n]];
  for (
    let [value, next] = [1n, 1n], before = 0n;
    value < 2n ** 63n;
    [before, value, next] = [value, next, value + next]
  ) {
    pairs.push([before, value]);
  }
  return pairs;
})();

/**
 * Reads the position out of a Go server's file.
 *
 * @param bytes - The whole file, {@link GO_FILE_BYTES} bytes.
 * @returns The index n.
 * @throws {@link FibError} `cursor_damaged`, when the two numbers are not neighbours in the sequence.
 */
export function decodeGoFile(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, GO_FILE_BYTES);
  const [before, value] = [view.getBigInt64(0), view.getBigInt64(8)];
  if (before === 0n && value === 0n) return 0;
  const index = PAIRS.findIndex((pair) => pair[0] === before && pair[1] === value);
  if (index >= 0) return index;
  throw new FibError(
    "cursor_damaged",
    `it has the size of a Go server's file, but (${before}, ${value}) are not neighbours in the sequence`,
  );
}

/**
 * Writes a position as the Go server would.
 *
 * @throws {@link FibError} `bad_argument`, when F(index) does not fit into 64 bits.
 */
export function encodeGoFile(index: number): Uint8Array {
  const pair = PAIRS[index];
  if (pair === undefined) {
    throw new FibError(
      "bad_argument",
      `Cannot export index ${index}: a Go server's file ends at ${PAIRS.length - 1}, the last that fits into 64 bits`,
    );
  }
  const bytes = new Uint8Array(GO_FILE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, pair[0]);
  view.setBigInt64(8, pair[1]);
  return bytes;
}
