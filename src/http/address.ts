/**
 * Whose address a request has: the peer's, or what a proxy of ours says about its client.
 *
 * `X-Forwarded-For` grows at its right end, and anyone can send one that has something in it already. So it is
 * read from the right, over the addresses that are trusted, up to the first that is not: nobody but our own proxies
 * can have written that. What is no address there makes the whole header worthless.
 * @module
 */
import { BlockList, isIP } from "node:net";
import { FibError } from "../errors.ts";

/** The longest way to write an address. */
const ADDRESS_CHARS_MAX = 45;

/**
 * Makes the list of proxies that are believed.
 *
 * @param cidrs - Such as `10.0.0.0/8`, `fd00::/8` or `127.0.0.1`.
 * @throws {@link FibError} `bad_argument`, which names the flag.
 */
export function trustedProxies(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = "", bits, ...rest] = cidr.split("/");
    const family = isIP(address);
    const bitsMax = family === 4 ? 32 : 128;
    const prefix = bits === undefined ? bitsMax : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
    if (family === 0 || rest.length > 0 || !(prefix <= bitsMax)) {
      throw new FibError(
        "bad_argument",
        `Cannot use '${cidr}' for --trust-proxy (FIBSERVER_TRUST_PROXY): it takes addresses or networks, such as 127.0.0.1,10.0.0.0/8,fd00::/8`,
      );
    }
    list.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6");
  }
  return list;
}

/**
 * The client's address.
 *
 * @param peer - The address at the other end of the connection.
 * @param forwarded - `X-Forwarded-For`, if there is one.
 */
export function clientAddress(peer: string, forwarded: string | null, trusted: BlockList): string {
  if (forwarded === null || !isTrusted(peer, trusted)) return peer;
  for (let end = forwarded.length; end >= 0;) {
    const comma = end === 0 ? -1 : forwarded.lastIndexOf(",", end - 1);
    const address = forwarded.slice(comma + 1, end).trim();
    if (address.length > ADDRESS_CHARS_MAX || isIP(address) === 0) return peer;
    if (!isTrusted(address, trusted)) return address;
    end = comma;
  }
  return peer;
}

/**
 * Whether a client speaks TLS with a proxy that is believed.
 *
 * @param peer - The address at the other end of the connection.
 * @param forwarded - `X-Forwarded-Proto`, if there is one; where it has grown, the last word is our own proxy's.
 */
export function isForwardedSecure(peer: string, forwarded: string | null, trusted: BlockList): boolean {
  if (forwarded === null || !isTrusted(peer, trusted)) return false;
  return (
    forwarded
      .slice(forwarded.lastIndexOf(",") + 1)
      .trim()
      .toLowerCase() === "https"
  );
}

/** What stands for a client in a limit: its IPv4 address, or the /64 of its IPv6 address, all of which one has. */
export function holderOf(address: string): string {
  if (!address.includes(":")) return address;
  const words = wordsOf(address.split("%", 1)[0]!);
  const isMapped = words.slice(0, 5).every((word) => word === 0) && words[5] === 0xff_ff;
  if (isMapped)
    return words
      .slice(6)
      .map((word) => `${word >> 8}.${word & 0xff}`)
      .join(".");
  return `${words
    .slice(0, 4)
    .map((word) => word.toString(16))
    .join(":")}::/64`;
}

function isTrusted(address: string, trusted: BlockList): boolean {
  return trusted.check(address, address.includes(":") ? "ipv6" : "ipv4");
}

/** The eight numbers of an IPv6 address. */
function wordsOf(address: string): number[] {
  const [head = [], tail = []] = address.split("::", 2).map((half) => half.split(":").flatMap(wordsOfGroup));
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
}

/** One number, none for an empty group, or two for an IPv4 address at the end. */
function wordsOfGroup(group: string): number[] {
  if (group === "") return [];
  if (!group.includes(".")) return [Number.parseInt(group, 16)];
  const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
  return [a * 256 + b, c * 256 + d];
}
