/**
 * What a browser must not be made to do by a page of somebody else.
 *
 * The cursor moves without a password and by GET, so a picture on any page could move
 * it; a link that is prefetched would; and a page whose name is made to point at
 * 127.0.0.1 (DNS rebinding) could read it too. The first two are told by headers that
 * a page cannot forge, the third by the Host. Programs send none of these headers.
 * @see https://www.w3.org/TR/fetch-metadata/
 * @module
 */
import { FibError } from "../errors.ts";

/**
 * Says why a request must not move the cursor.
 *
 * @returns undefined for a program, for a page of ours, and for a person who typed the address.
 */
export function refuseForeignPage(request: Request): FibError | undefined {
  const { headers } = request;
  const site = headers.get("sec-fetch-site");
  const purpose = headers.get("sec-purpose") ?? headers.get("purpose");
  if (site !== null && site !== "same-origin" && site !== "none") {
    return new FibError("forbidden", `Cannot move the cursor: the request comes from a ${site} page`);
  }
  if (purpose?.includes("prefetch")) {
    return new FibError("forbidden", "Cannot move the cursor: a prefetch must not change anything");
  }
  // Browsers too old for Sec-Fetch-Site; they leave Origin out of a GET.
  const origin = request.method === "GET" ? null : headers.get("origin");
  if (site === null && origin !== null && origin !== new URL(request.url).origin) {
    return new FibError("forbidden", `Cannot move the cursor: the request comes from a page of ${origin}`);
  }
  return undefined;
}

/**
 * Checks the Host of every request.
 *
 * @param hostname - The address that is listened on.
 * @param allowHosts - Names that are ours as well, lower case, without a port.
 * @returns A function from a request's URL to why it is refused, or undefined.
 */
export function hostGuard(
  hostname: string,
  allowHosts: readonly string[],
): (url: string) => FibError | undefined {
  const loopback = /^(127\.|localhost$|::1$)/.test(hostname);
  const names = new Set([hostname, "localhost", "127.0.0.1", "[::1]", ...allowHosts]);
  const open = !loopback && allowHosts.length === 0;
  // Requests come from few origins: the last good one answers nearly all of them.
  let knownOrigin = "\0";
  return (url) => {
    if (url.startsWith(knownOrigin)) return undefined;
    const end = url.indexOf("/", "http://".length);
    const authority = url.slice("http://".length, end).toLowerCase();
    if (authority.includes(","))
      return new FibError("bad_argument", "Cannot answer: the request has two Host headers");
    const name = authority.replace(/:\d+$/, "");
    if (!open && !names.has(name)) {
      return new FibError(
        "forbidden",
        `Cannot answer for the host '${name.slice(0, 80)}': allow it with --allow-host`,
      );
    }
    knownOrigin = url.slice(0, end + 1);
    return undefined;
  };
}
