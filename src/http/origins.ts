/**
 * Pages of other origins that may ask (`--allow-origin`), by CORS: they may what a program may.
 *
 * A browser tells the origin of a page in `Origin`, which no page can forge, and shows an answer to a page only where the
 * answer names that origin. What is no `fetch` of the page, such as a picture or a link in it, carries no `Origin` and
 * stays refused (browser.ts). Pages of all other origins stay where they were.
 * @see https://fetch.spec.whatwg.org/#http-cors-protocol
 * @module
 */
import { FibError } from "../errors.ts";
import type { Origins } from "./entry.ts";
import { METHODS } from "./methods.ts";

/** What a page may send besides what any page may. */
const REQUEST_HEADERS = [
  "Authorization", "Cache-Control", "Content-Type", "Idempotency-Key", "If-Match", "If-Modified-Since", "If-None-Match",
  "If-Range", "Last-Event-ID", "Prefer", "Range", "X-Request-Id", "traceparent", "tracestate",
].join(", "); // prettier-ignore

/** What a page may read besides what it may anyway: a test holds it against the description. */
const RESPONSE_HEADERS = [
  "Accept-Ranges", "Allow", "Content-Range", "ETag", "Fibserver-Term", "Idempotency-Replayed", "Location", "Preference-Applied", "Retry-After",
  "Server-Timing", "WWW-Authenticate", "X-Request-Id",
].join(", "); // prettier-ignore

/** The most that Chromium believes. */
const MAX_AGE_SECONDS = 7200;

/** The origins that were allowed. */
export class AllowedOrigins implements Origins {
  readonly #origins: ReadonlySet<string>;
  readonly #hasAny: boolean;
  readonly #hasCookies: boolean;

  /**
   * @param origins - As browsers spell them; `*` for all.
   * @param hasCookies - Whether pages may send and get cookies, as `--per-client` needs; not with `*`.
   */
  constructor(origins: readonly string[], hasCookies: boolean) {
    this.#origins = new Set(origins);
    this.#hasAny = this.#origins.has("*");
    this.#hasCookies = hasCookies;
  }

  preflight(request: Request): Response | FibError | undefined {
    const { method, headers } = request;
    const isPreflight = method === "OPTIONS" && headers.has("access-control-request-method");
    if (!isPreflight || !headers.has("origin")) return undefined;
    if (!this.allows(request)) {
      return new FibError("forbidden", "Cannot answer pages of this origin: allow it with --allow-origin");
    }
    return new Response(null, {
      status: 204,
      headers: {
        "access-control-allow-methods": [...METHODS, "HEAD"].join(", "),
        "access-control-allow-headers": REQUEST_HEADERS,
        "access-control-max-age": String(MAX_AGE_SECONDS),
      },
    });
  }

  allows({ headers }: Request): boolean {
    const origin = headers.get("origin");
    return origin !== null && (this.#hasAny || this.#origins.has(origin));
  }

  open(request: Request, { headers }: Response): void {
    // A cache must not give the answer for one page to another, also where this one is for none.
    headers.append("vary", "Origin");
    if (!this.allows(request)) return;
    headers.set("access-control-allow-origin", this.#hasAny ? "*" : request.headers.get("origin")!);
    headers.set("access-control-expose-headers", RESPONSE_HEADERS);
    if (this.#hasCookies) headers.set("access-control-allow-credentials", "true");
  }
}
