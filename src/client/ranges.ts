/**
 * Between which numbers an answer lies, where that is known before: what lies elsewhere is not handed out.
 * @module
 */
import { FibClientError } from "./error.ts";
import { shown } from "./limits.ts";
import type { Open } from "./resume.ts";
import type { TaskStatus } from "./status.ts";

/** Between which numbers an answer lies, both ends with it. */
export type Range = readonly [bigint, bigint];

/** Of F(n) modulo a number. */
export const remainderRange = (mod: bigint): Range => [0n, mod - 1n];

/** Of the Pisano period of m. */
export const periodRange = (m: bigint): Range => [1n, 6n * m];

/** Of a task's result, where that is known. */
export function rangeOf({
  kind,
  m = "0",
  mod = "0",
}: Pick<TaskStatus, "kind" | "m" | "mod">): Range | undefined {
  if (kind === "remainder") return remainderRange(BigInt(mod));
  return kind === "pisano" ? periodRange(BigInt(m)) : undefined;
}

/**
 * Opens a number that lies between two others.
 *
 * What is longer is not read: a server that lies could send 20 million digits, which are a number after 41 s.
 *
 * @returns What throws {@link FibClientError} `bad_answer` for one that does not lie there.
 */
export function openWithin(open: Open, [min, max]: Range): Open {
  const digitsMax = String(max).length;
  async function* check(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    let text = "";
    for await (const piece of pieces) {
      text += new TextDecoder().decode(piece.subarray(0, digitsMax + 1));
      if (text.length > digitsMax) break;
    }
    const isRight =
      text.length <= digitsMax && !/^0./.test(text) && BigInt(text) >= min && BigInt(text) <= max;
    if (!isRight) {
      const words = `The server sent ${shown(text)} for a number from ${shown(min)} to ${shown(max)}`;
      throw new FibClientError("bad_answer", words);
    }
    yield new TextEncoder().encode(text);
  }
  return async (limits) => ({ sizeBytes: undefined, pieces: check((await open(limits)).pieces) });
}
