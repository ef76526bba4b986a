/**
 * Which representation a client gets: `?format=`, else `Accept`, else the default.
 * @module
 */
import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { FibError } from "../errors.ts";
import { shortened } from "../shell-word.ts";
import { queryOnce } from "./parameters.ts";

/** The representations, and what they are called on the wire. */
export const MEDIA_TYPES = {
  text: "text/plain",
  json: "application/json",
  ndjson: "application/x-ndjson",
  csv: "text/csv",
} as const;

export type Format = keyof typeof MEDIA_TYPES;

/**
 * Chooses a representation.
 *
 * @param fallback - For a client that takes anything.
 * @throws {@link FibError} `bad_argument`, when `?format=` is given twice; `not_acceptable`, when it or `Accept` names none of ours.
 * @see RFC 9110, 12.5.1
 */
export function chooseFormat(c: Context, fallback: Format): Format {
  const formats = Object.keys(MEDIA_TYPES) as Format[];
  const asked = queryOnce(c, "format");
  if (asked !== undefined) {
    if (Object.hasOwn(MEDIA_TYPES, asked)) return asked as Format;
    throw new FibError(
      "not_acceptable",
      `Cannot write '${shortened(asked)}': format takes ${formats.join(", ")}`,
    );
  }
  // The fallback first: among equals, and for */*, it wins.
  const ordered = [fallback, ...formats.filter((format) => format !== fallback)];
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
  const chosen = formats.find((format) => MEDIA_TYPES[format] === type);
  if (chosen !== undefined) return chosen;
  throw new FibError(
    "not_acceptable",
    `Cannot write what Accept asks for: there is ${Object.values(MEDIA_TYPES).join(", ")}`,
  );
}
