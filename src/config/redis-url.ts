/**
 * URLs of Redis, checked by the settings and read by those who connect:
 *
 *   redis[s]://[[USER]:PASSWORD@]HOST[:PORT][/DB]
 *   redis[s]+sentinel://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]]…/NAME[/DB]
 *
 * The second names Sentinels, and what they call the primary; user and password are Redis's. A parser of our own,
 * because `new URL` refuses a list of hosts with ports.
 * @module
 */

/** What a URL says. */
export interface RedisUrl {
  readonly isTls: boolean;
  /** `USER:PASSWORD@` as it is written, or nothing. */
  readonly login: string;
  /** `HOST:PORT` of the Redis, or of each Sentinel; an IPv6 address in brackets. */
  readonly hosts: readonly string[];
  /** What Sentinel calls the primary; undefined where there is no Sentinel. */
  readonly name: string | undefined;
  readonly database: string;
}

const SHAPE = /^(rediss?)(\+sentinel)?:\/\/([^/?#]*@)?([^/?#@]+)(?:\/([^?#]*))?$/i;
const HOST = /^(\[[\da-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/i;
/** As Sentinel has names. */
const NAME = /^[\w.-]{1,100}$/;
const DATABASE = /^\d{0,4}$/;

/** Reads a URL; undefined for what is none. Says nothing about it: it may hold a password. */
export function parseRedisUrl(text: string): RedisUrl | undefined {
  const [, scheme, sentinel, login = "", list = "", path = ""] = SHAPE.exec(text) ?? [];
  if (scheme === undefined || !isDecodable(login)) return undefined;
  const isSentinel = sentinel !== undefined;
  const hosts = list.split(",").flatMap((host) => withPort(host, isSentinel ? 26_379 : 6379) ?? []);
  if (hosts.length !== list.split(",").length || (!isSentinel && hosts.length > 1)) return undefined;
  const isTls = scheme.toLowerCase() === "rediss";
  if (!isSentinel)
    return DATABASE.test(path) ? { isTls, login, hosts, name: undefined, database: path } : undefined;
  const [name = "", database = "", ...more] = path.split("/");
  if (!NAME.test(name) || !DATABASE.test(database) || more.length > 0) return undefined;
  return { isTls, login, hosts, name, database };
}

/** Where a URL leads, without its password: what may stand in a log. */
export function addressOf(url: string): string {
  return url.replace(/^([^/]*\/\/)[^/?#]*@/, "$1").replace(/\/$/, "");
}

function withPort(host: string, fallback: number): string | undefined {
  const [, name, port = String(fallback)] = HOST.exec(host) ?? [];
  return name === undefined || Number(port) < 1 || Number(port) > 65_535 ? undefined : `${name}:${port}`;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
