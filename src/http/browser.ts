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
 * Says why a request must not change anything.
 *
 * @param what - What it would do, for the error.
 * @returns undefined for a program, for a page of ours, and for a person who typed the address.
 */
export function refuseForeignPage(request: Request, what = "move the cursor"): FibError | undefined {
  const { headers } = request;
  const site = headers.get("sec-fetch-site");
  const purpose = headers.get("sec-purpose") ?? headers.get("purpose");
  if (site !== null && site !== "same-origin" && site !== "none") {
    return new FibError("forbidden", `Cannot ${what}: the request comes from a ${site} page`);
  }
  if (purpose?.includes("prefetch")) {
    return new FibError("forbidden", `Cannot ${what}: a prefetch must not change anything`);
  }
  // Browsers too old for Sec-Fetch-Site; they leave Origin out of a GET.
  const origin = request.method === "GET" ? null : headers.get("origin");
  if (site === null && origin !== null && origin !== URL.parse(request.url)?.origin) {
    return new FibError("forbidden", `Cannot ${what}: the request comes from a page of ${origin}`);
  }
  return undefined;
}

/** A name or an address, and perhaps a port. */
const HOST = /^([\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

/**
 * Checks the Host of every request.
 *
 * @param hostname - The address that is listened on.
 * @param allowHosts - Names that are ours as well, lower case, without a port.
 * @returns A function from a request to why it is refused, or undefined.
 */
export function hostGuard(
  hostname: string,
  allowHosts: readonly string[],
): (request: Request) => FibError | undefined {
  const loopback = /^(127\.|localhost$|::1$)/.test(hostname);
  const own = hostname.includes(":") ? `[${hostname}]` : hostname.toLowerCase();
  const names = new Set([own, "localhost", "127.0.0.1", "[::1]", ...allowHosts]);
  const open = !loopback && allowHosts.length === 0;
  // Requests come with few hosts: the last good one answers nearly all of them.
  let knownHost: string | undefined;
  return ({ headers }) => {
    // Not from the URL: Bun takes the first of two Hosts for it, and makes a bare path with what is no host.
    const host = headers.get("host") ?? "";
    if (host === knownHost) return undefined;
    const name = HOST.exec(host)?.[1]?.toLowerCase();
    if (name === undefined) {
      return new FibError(
        "bad_argument",
        "Cannot answer: a request needs one Host header with one name in it",
      );
    }
    if (!open && !names.has(name)) {
      return new FibError(
        "forbidden",
        `Cannot answer for the host '${name.slice(0, 80)}': allow it with --allow-host`,
      );
    }
    knownHost = host;
    return undefined;
  };
}
