/**
 * What a client has already, and which part it wants: entity tags and byte ranges, read in linear time.
 *
 * Headers come from anybody and may have 15,000 characters. An expression that can try many ways to read one
 * takes minutes for some, so there is none here: headers are split at commas, and each part is looked at once.
 * @see RFC 9110, sections 13 and 14
 * @module
 */
import type { ByteRange } from "../numbers/sequence.ts";

/** What a list of entity tags names: `*`, or the tags without what makes them weak. */
export interface TagList {
  readonly isAny: boolean;
  readonly strong: readonly string[];
  readonly weak: readonly string[];
}

/** Reads `If-Match` or `If-None-Match`; undefined without one. */
export function parseTags(header: string | undefined): TagList | undefined {
  if (header === undefined) return undefined;
  const tags = header.split(",").map((tag) => tag.trim());
  return {
    // Also where two lines were joined: a condition that is dropped would let everything through.
    isAny: tags.every((tag) => tag === "*"),
    strong: tags.filter((tag) => tag.startsWith('"')),
    weak: tags.filter((tag) => tag.startsWith('W/"')).map((tag) => tag.slice(2)),
  };
}

/** Whether `If-Match` lets a request through (13.1.1): a tag that a cache has weakened matches nothing. */
export function passesIfMatch(header: string | undefined, etag: string): boolean {
  const tags = parseTags(header);
  return tags === undefined || tags.isAny || tags.strong.includes(etag);
}

/** Whether `If-None-Match` names what there is (13.1.2): 304 for a GET. */
export function namesCurrent(header: string | undefined, etag: string): boolean {
  const tags = parseTags(header);
  return tags !== undefined && (tags.isAny || tags.strong.includes(etag) || tags.weak.includes(etag));
}

/**
 * The one range that a Range header asks for.
 *
 * @returns The bytes; undefined to send everything: for a unit that is not bytes, and for several ranges, which
 * 14.2 allows; or "unsatisfiable", when no byte of it is there, and for what is no range.
 */
export function parseRange(header: string, sizeBytes: number): ByteRange | "unsatisfiable" | undefined {
  const equals = header.indexOf("=");
  if (header.slice(0, Math.max(equals, 0)).trim().toLowerCase() !== "bytes") return undefined;
  const specs = header.slice(equals + 1).split(",");
  const ranges = specs.filter((spec) => spec.trim() !== "").map((spec) => parseSpec(spec, sizeBytes));
  const satisfiable = ranges.filter((range) => range !== "malformed" && range.start < range.end);
  if (satisfiable.length === 0 || ranges.includes("malformed")) return "unsatisfiable";
  return ranges.length === 1 ? (satisfiable[0] as ByteRange) : undefined;
}

/** `5-9`, `5-` or `-5`; empty when it lies outside. */
function parseSpec(spec: string, sizeBytes: number): ByteRange | "malformed" {
  const dash = spec.indexOf("-");
  const first = spec.slice(0, Math.max(dash, 0)).trim();
  const last = spec.slice(dash + 1).trim();
  if (dash === -1 || !isDigits(first) || !isDigits(last) || first + last === "") return "malformed";
  if (first === "") return { start: Math.max(0, sizeBytes - Number(last)), end: sizeBytes };
  const start = Number(first);
  return { start, end: last === "" ? sizeBytes : Math.min(Number(last) + 1, sizeBytes) };
}

function isDigits(text: string): boolean {
  return /^\d*$/.test(text);
}
