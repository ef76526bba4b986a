/**
 * What a browser must not be made to do by a page of somebody else.
 *
 * The cursor moves without a password and by GET, so a picture on any page could move it, and a link that is
 * prefetched would. Where a request comes from is told by headers that a page cannot forge: `Sec-Fetch-*` to a
 * server on https or loopback, `Origin` and `Referer` to any. A page may leave the last one out; what then still
 * says that it is for a picture, a film or a style sheet is refused as well. A script, a frame or a link of a page
 * that hides its address looks like a program, or a person who typed the address: nothing tells them apart.
 * Programs send none of these headers. Pages of the origins of `--allow-origin` are taken for programs, see `origins.ts`.
 * @see https://www.w3.org/TR/fetch-metadata/
 * @module
 */
import { FibError } from "../errors.ts";
import { shortened } from "../shell-word.ts";
import { type Asked, isAllowedPage, isSecure } from "./asker.ts";

/**
 * Headers for all answers but those of `/api0`: nothing is taken for another type than it has, and no page of
 * another origin embeds it. There each would cost 1% of all requests a second, and JSON cannot be embedded.
 */
export const GUARDED = {
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
} as const;

/** {@link GUARDED}, for what is true only now. */
export const NO_STORE = { ...GUARDED, "cache-control": "no-store" } as const;

/** Headers by which a browser says that it looks ahead. */
const PURPOSES = ["sec-purpose", "purpose", "x-purpose", "x-moz"] as const;

/**
 * Says why a request must not change anything.
 *
 * @param what - What it would do, for the error.
 * @returns undefined for a program, for a page of ours, and for a person who typed the address.
 */
export function refuseForeignPage(asked: Asked, what?: string): FibError | undefined {
  return refusal(what, foreignReason(asked));
}

/** The same for what is changed by a plain GET, which a film or a sound may send: some say no more than a range. */
export function refuseForeignGet(asked: Asked, what?: string): FibError | undefined {
  if (asked.req.raw.headers.has("range")) return refusal(what, EMBEDDED_REASON);
  return refuseForeignPage(asked, what);
}

/** The same for what makes the server work for long. A person may follow a link to it. */
export function refuseForeignWork(asked: Asked): FibError | undefined {
  const { headers } = asked.req.raw;
  // Of a page of its own: a click may also fill a hundred hidden frames.
  const isFollowed =
    headers.get("sec-fetch-mode") === "navigate" &&
    headers.get("sec-fetch-dest") === "document" &&
    headers.get("sec-fetch-user") === "?1";
  return isFollowed ? undefined : refuseForeignPage(asked, "do this, which is long");
}

function refusal(what = "move the cursor", reason: string | undefined): FibError | undefined {
  return reason === undefined ? undefined : new FibError("forbidden", `Cannot ${what}: ${reason}`);
}

function foreignReason(asked: Asked): string | undefined {
  const { url, headers } = asked.req.raw;
  for (const name of PURPOSES) {
    const purpose = headers.get(name);
    if (purpose !== null && /prefetch|prerender|preview/i.test(purpose)) return "a browser only looks ahead";
  }
  // What it embeds shows its origin as well, where it asks for that (`crossorigin`).
  if (isAllowedPage(asked)) return isEmbedded(headers) ? EMBEDDED_REASON : undefined;
  const site = headers.get("sec-fetch-site");
  if (site === "same-origin" || site === "none") return undefined;
  if (site !== null) return `the request comes from a ${shortened(site)} page`;
  const page = headers.get("origin") ?? headers.get("referer");
  if (page !== null) {
    // Behind a proxy that is believed, and speaks TLS for us, our own pages are on https.
    const isOurs = isOwn(page, url) || (isSecure(asked) && isOwn(page, url.replace(/^http:/, "https:")));
    return isOurs ? undefined : `the request comes from a page of ${shortened(page)}`;
  }
  return isForEmbedding(headers) ? EMBEDDED_REASON : undefined;
}

/** Whether a page embeds what it asks for, in place of reading it by a script or going there. */
function isEmbedded(headers: Headers): boolean {
  const destination = headers.get("sec-fetch-dest");
  if (destination === null) return isForEmbedding(headers);
  return destination !== "empty" && destination !== "document";
}

function isForEmbedding(headers: Headers): boolean {
  const accept = headers.get("accept");
  return accept !== null && EMBEDDED.test(accept);
}

const EMBEDDED_REASON = "it is nothing to embed in a page";

/** What an element that shows a picture, a film or a style sheet asks for first. */
const EMBEDDED = /^\s*(?:image|video|audio)\/|^\s*text\/css/i;

// An Origin, or a Referer, which goes on with a path. No URL is made of it: this is on the way of each move.
function isOwn(page: string, url: string): boolean {
  const end = url.indexOf("/", "https://".length);
  return end !== -1 && page.startsWith(url.slice(0, end)) && (page.length === end || page[end] === "/");
}
