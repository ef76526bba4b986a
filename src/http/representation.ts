/**
 * Which representation a client gets (`?format=`, else `Accept`, else the default), and what its content is called.
 * @module
 */
import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { LIMITS } from "../config/config.ts";
import { FibError } from "../errors.ts";
import { shortened } from "../shell-word.ts";
import { queryOnce } from "./parameters.ts";

/** Goes into every ETag: to be raised when the same request is to get other bytes. */
export const FORMAT_VERSION = 1;

/** The representations, and what they are called on the wire. */
export const MEDIA_TYPES = {
  text: "text/plain",
  json: "application/json",
  ndjson: "application/x-ndjson",
  csv: "text/csv",
} as const;

export type Format = keyof typeof MEDIA_TYPES;

const FORMATS = Object.keys(MEDIA_TYPES) as Format[];

/**
 * What a content is called, for its ETag: readable, but for what is too long to be read, of which it has a hash.
 *
 * @param parts - What was asked for; without dots and commas.
 */
export function contentName(parts: readonly (string | number)[], format: string): string {
  const short = parts.map((part) => {
    const text = String(part);
    return text.length <= LIMITS.parameterDigitsMax
      ? text
      : `sha256-${new Bun.CryptoHasher("sha256").update(text).digest("base64url")}`;
  });
  return [FORMAT_VERSION, ...short, format].join(".");
}

/**
 * Reads `?format=`.
 *
 * @param named - Representations that are had by it alone.
 * @returns undefined without one.
 * @throws {@link FibError} `bad_argument`, when it is given twice; `not_acceptable`, when it names none of ours.
 */
export function readFormat<Named extends string = never>(
  c: Context,
  named: readonly Named[] = [],
): Format | Named | undefined {
  const asked = queryOnce(c, "format");
  if (asked === undefined) return undefined;
  const known = [...FORMATS, ...named];
  const found = known.find((format) => format === asked);
  if (found !== undefined) return found;
  throw new FibError(
    "not_acceptable",
    `Cannot write '${shortened(asked)}': format takes ${known.join(", ")}`,
  );
}

/**
 * Chooses a representation.
 *
 * @param fallback - For a client that takes anything.
 * @param named - Further ones, which are had by `?format=` alone.
 * @throws {@link FibError} As {@link readFormat}; `not_acceptable`, when `Accept` names none of ours.
 * @see RFC 9110, 12.5.1
 */
export function chooseFormat<Named extends string = never>(
  c: Context,
  fallback: Format,
  named: readonly Named[] = [],
): Format | Named {
  const asked = readFormat(c, named);
  if (asked !== undefined) return asked;
  // The fallback first: among equals, and for */*, it wins.
  const ordered = [fallback, ...FORMATS.filter((format) => format !== fallback)];
  const type = accepts(c, {
    header: "Accept",
    supports: Object.values(MEDIA_TYPES),
    default: MEDIA_TYPES[fallback],
    match: (wanted) => {
      const quality = (mediaType: string) => {
        // Some clients write * for */*.
        const ranges = [mediaType, `${mediaType.split("/")[0]}/*`, "*/*", "*"];
        const best = ranges
          .map((range) => wanted.find(({ type: name }) => name.toLowerCase() === range))
          .find(Boolean);
        return best?.q ?? 0;
      };
      const rated = ordered.map((format) => ({ type: MEDIA_TYPES[format], q: quality(MEDIA_TYPES[format]) }));
      const best = rated.toSorted((a, b) => b.q - a.q)[0]!;
      return best.q > 0 ? best.type : "";
    },
  });
  const chosen = FORMATS.find((format) => MEDIA_TYPES[format] === type);
  if (chosen !== undefined) return chosen;
  throw new FibError(
    "not_acceptable",
    `Cannot write what Accept asks for: there is ${Object.values(MEDIA_TYPES).join(", ")}`,
  );
}
