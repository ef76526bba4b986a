/**
 * For which names the server answers.
 *
 * A page whose own name is made to point at this machine (DNS rebinding) is of one origin with us, and could read
 * and move everything. It cannot choose the Host, which is its name. An address is nobody's name, and so harmless.
 * @module
 */
import fs from "node:fs";
import { isIP } from "node:net";
import os from "node:os";
import { isLoopback } from "../config/network.ts";
import { FibError } from "../errors.ts";
import { shortened } from "../shell-word.ts";

/** A name or an address, and perhaps a port. Each character is looked at twice at most. */
const HOST = /^([\w.-]+|\[[\da-f:.]+\])(?::(\d{1,5}))?$/i;
const PORT_MAX = 65_535;

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
  const isLocal = isLoopback(hostname);
  const listened = hostname.includes(":") ? `[${hostname}]` : hostname.toLowerCase();
  const names = new Set([listened, "localhost", "127.0.0.1", "[::1]", ...allowHosts]);
  if (!isLocal) for (const name of machineNames()) names.add(name);
  const isOurs = (name: string) => names.has(name) || (!isLocal && isIP(name.replace(/^\[|\]$/g, "")) !== 0);
  // Requests come with few hosts: the last good one answers nearly all of them.
  let knownHost: string | undefined;
  return ({ headers }) => {
    // Not from the URL: Bun takes the first of two Hosts for it, and makes a bare path with what is no host.
    const host = headers.get("host") ?? "";
    if (host === knownHost) return undefined;
    const [, given, port] = HOST.exec(host) ?? [];
    const name = given?.toLowerCase();
    // No URL can be made with a port beyond the last.
    if (name === undefined || Number(port ?? 0) > PORT_MAX) {
      return new FibError(
        "bad_argument",
        "Cannot answer: a request needs one Host header with one name in it",
      );
    }
    if (!isOurs(name)) {
      return new FibError(
        "forbidden",
        `Cannot answer for the host '${shortened(name)}': allow it with --allow-host`,
      );
    }
    knownHost = host;
    return undefined;
  };
}

/** What this machine calls itself, alone and in the domains that it searches. */
function machineNames(): string[] {
  const own = os.hostname().toLowerCase();
  const short = own.split(".", 1)[0]!;
  return [own, short, ...["local", ...searchDomains()].map((domain) => `${short}.${domain}`)];
}

function searchDomains(): string[] {
  try {
    const lines = fs.readFileSync("/etc/resolv.conf", "utf8").toLowerCase().split("\n");
    const words = lines.map((line) => line.trim().split(/\s+/));
    return words
      .filter(([keyword]) => keyword === "search" || keyword === "domain")
      .flatMap((line) => line.slice(1));
  } catch {
    return [];
  }
}
