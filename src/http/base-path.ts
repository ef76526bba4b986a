/**
 * `--base-path /fib`: the whole server below a path, for a proxy that passes the path on as it came.
 *
 * One function says what a request asks for within the server, and it is Hono's `getPath`: routes, rights, metrics and
 * logs see the patterns that they always see. Whatever is told to a client goes by the path that it has sent.
 *
 * Rejected: Hono's `basePath()`, by which the prefix stands in every pattern, and so in the table of rights, in the names
 * of metrics and in the description; a copy of each request with a shorter URL, which takes 0.4 µs and is no request of a
 * connection any more (no address of its client, no time limit).
 * @module
 */
import type { Context } from "hono";
import { getPath } from "hono/utils/url";
import { NO_STORE } from "./browser.ts";

/** For those who start and watch a server, and know nothing of its clients: at the root as well. */
const AT_ROOT: ReadonlySet<string> = new Set(["/livez", "/readyz", "/metrics"]);

/** In the place of a path, which begins with a slash: no route has it. */
export const OUTSIDE = "outside";

/**
 * What requests ask for within the server.
 *
 * @param basePath - Such as `/fib`; empty for the root.
 * @returns A function from a request to a path such as `/v1/cursor`, decoded as Hono does it; to {@link OUTSIDE} for what
 *   is not the server's. Its address without the slash at the end is `/`, see {@link toFolder}.
 */
export function pathWithin(basePath: string): (request: Request) => string {
  if (basePath === "") return getPath;
  const folder = `${basePath}/`;
  return (request) => {
    const path = getPath(request);
    if (path.startsWith(folder)) return path.slice(basePath.length);
    if (path === basePath) return "/";
    return AT_ROOT.has(path) ? path : OUTSIDE;
  };
}

/** The address of another path of the server, as the client of a request has to ask for it. */
export function addressOf(c: Context, path: string): string {
  const whole = getPath(c.req.raw);
  // Who has left out the slash behind the prefix is at / as well.
  return (whole.endsWith(c.req.path) ? whole.slice(0, -c.req.path.length) : whole) + path;
}

/**
 * Sends who has left out the slash behind the prefix to where it is: names in a page are relative to its folder. Not for
 * ever, since another start of the server may be elsewhere.
 *
 * @returns undefined for whoever is there already.
 */
export function toFolder(c: Context): Response | undefined {
  const path = getPath(c.req.raw);
  if (path.endsWith("/")) return undefined;
  const { url } = c.req.raw;
  const query = url.indexOf("?");
  const location = `${path}/${query === -1 ? "" : url.slice(query)}`;
  return new Response(null, { status: 308, headers: { location, ...NO_STORE } });
}
