/**
 * Which requests of `/` are for the page, whatever else is answered there.
 * @module
 */
import type { Asked } from "./asker.ts";
import { queryAll } from "./parameters.ts";

/**
 * Whether somebody looks at `/` with a browser: `Accept` names HTML itself, which browsers do and curl, wget and `fetch`
 * do not, and wants it no less than JSON. Terms (`?sn=`) are never HTML.
 */
export function asksForPage(asked: Asked): boolean {
  const accept = asked.req.raw.headers.get("accept");
  if (accept === null) return false;
  const html = qualityOf(accept, ["text/html"]);
  const json = qualityOf(accept, ["application/json", "application/*", "*/*", "*"]);
  return html > 0 && html >= json && queryAll(asked, "sn").length === 0;
}

/** How much the first of these ranges that is named is wanted; 0 when none is. */
function qualityOf(accept: string, ranges: readonly string[]): number {
  const named = accept.split(",").map((range) => range.split(";").map((word) => word.trim().toLowerCase()));
  const found = ranges.map((name) => named.find(([range]) => range === name)).find(Boolean);
  const weight = found?.find((parameter) => parameter.startsWith("q="));
  if (weight === undefined) return found === undefined ? 0 : 1;
  return Number(weight.slice("q=".length)) || 0;
}
