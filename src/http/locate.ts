/**
 * `/v1/sequence/locate`: where in the text of a sequence a term is, or which term is at a byte. By formula, in
 * 0.07 ms: nothing is computed, however long the text is.
 *
 * Each byte belongs to one term: what stands before the first to the first, what stands behind the last to the last, and a
 * separator to the term before it. So `bytes=firstByte-lastByte` of `/v1/sequence` is what it says, and whatever
 * `Fibserver-Term` says of a range is said here of its first byte.
 * @module
 */
import type { Context } from "hono";
import { FibError } from "../errors.ts";
import { LAYOUTS } from "../numbers/layouts.ts";
import { SequenceOffsets } from "../numbers/offsets.ts";
import type { SizedSequence } from "../numbers/sizes.ts";
import { shortened } from "../shell-word.ts";
import { parseNatural, queryOnce } from "./parameters.ts";
import { contentName, MEDIA_TYPES, readFormat } from "./representation.ts";
import { contentOf, type Resource } from "./resource.ts";

/**
 * What is asked about some terms, as something that can be sent.
 *
 * @throws {@link FibError} `bad_argument`, `not_acceptable`.
 */
export function placeResource(c: Context, { from, count, start }: SizedSequence): Resource {
  // By ?format= alone: Accept is about this answer, which is JSON, and not about that text.
  const format = readFormat(c, ["bfile"]) ?? "text";
  const { by, value } = readPlace(c);
  const offsets = new SequenceOffsets(LAYOUTS[format], from, count, start);
  const position =
    by === "index" ? positionOfIndex(value, from, count) : positionOfByte(value, offsets, count);
  const firstByte = offsets.offsetOf(position);
  const place = {
    index: String(from + position),
    firstByte,
    lastByte: offsets.endOf(position) - 1,
    offset: by === "index" ? 0 : Number(value) - firstByte,
    sizeBytes: offsets.sizeBytes,
  };
  const asked = ["locate", from, count, ...(start ?? []).map(String), by, String(value)];
  return {
    name: contentName(asked, format),
    contentType: MEDIA_TYPES.json,
    ...contentOf(JSON.stringify(place)),
  };
}

function readPlace(c: Context): { by: "index" | "byte"; value: bigint } {
  const [index, byte] = [queryOnce(c, "index"), queryOnce(c, "byte")];
  if (index !== undefined && byte === undefined) return { by: "index", value: parseNatural(index, "index") };
  if (byte !== undefined && index === undefined) return { by: "byte", value: parseNatural(byte, "byte") };
  throw new FibError(
    "bad_argument",
    "Cannot locate: give index=K for where the term K is, or byte=B for which term is there, and not both",
  );
}

function positionOfIndex(index: bigint, from: number, count: number): number {
  const position = index - BigInt(from);
  if (position >= 0n && position < count) return Number(position);
  throw outside(`index ${index}`, count, `the terms are those of ${from} to ${from + count - 1}`);
}

function positionOfByte(byte: bigint, offsets: SequenceOffsets, count: number): number {
  if (count > 0 && byte < offsets.sizeBytes) return offsets.positionOf(Number(byte));
  throw outside(`byte ${byte}`, count, `the bytes are 0 to ${offsets.sizeBytes - 1}`);
}

function outside(what: string, count: number, extent: string): FibError {
  const reason =
    count === 0
      ? "there are no terms; ask with a count"
      : `${extent}; ask for one of these, or with another from and count`;
  return new FibError("bad_argument", `Cannot locate ${shortened(what)}: ${reason}`);
}
