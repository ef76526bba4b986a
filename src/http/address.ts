/**
 * Whose address a request has: the peer's, or what a proxy of ours says about its client.
 *
 * `X-Forwarded-For` grows at its right end, and anyone can send one that has something in it already. So it is
 * read from the right, over the addresses that are trusted, up to the first that is not: nobody but our own proxies
 * can have written that. What is no address there makes the whole header worthless.
 * @module
 */
import { BlockList, isIP } from "node:net";
import type { Config } from "../config/config.ts";

/** The longest way to write an address. */
const ADDRESS_CHARS_MAX = 45;

/** The list of proxies that are believed. */
export function proxyList(networks: Config["trustedProxies"]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits] = network.split("/");
    const isV4 = isIP(address) === 4;
    list.addSubnet(address, Number(bits ?? (isV4 ? 32 : 128)), isV4 ? "ipv4" : "ipv6");
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
 * Whether a client speaks TLS with a proxy that is believed; undefined when none says so or otherwise.
 *
 * @param peer - The address at the other end of the connection.
 * @param forwarded - `X-Forwarded-Proto`, if there is one; where it has grown, the last word is our own proxy's.
 */
export function isForwardedSecure(
  peer: string,
  forwarded: string | null,
  trusted: BlockList,
): boolean | undefined {
  if (forwarded === null || !isTrusted(peer, trusted)) return undefined;
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
