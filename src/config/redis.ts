/**
 * What can be set about Redis.
 *
 * What is set and cannot take effect is refused: a program that believes itself on Redis must not move a local file.
 * @module
 */
import type { PemFile } from "../certificates.ts";
import { FibError } from "../errors.ts";
import { parseRedisUrl } from "./redis-url.ts";
import { fileOf, type Setting, type Settings } from "./settings.ts";
import { shortened } from "../shell-word.ts";

/** What is shared through Redis. The URLs hold passwords: never to be logged. */
export interface RedisConfig {
  readonly queueUrl: string;
  readonly storeUrl: string;
  /** All keys begin with it and a colon. */
  readonly prefix: string;
  /** `[USER:]PASSWORD` of the Sentinels. */
  readonly sentinelAuth: string | undefined;
  readonly tlsFiles: TlsFiles;
  /** A move, and what a task promises, is answered when so many replicas have it. */
  readonly replicasMin: number;
}

/** The files that TLS needs. */
export type TlsFiles = { readonly [file in "cert" | "key" | "ca"]?: PemFile | undefined };

/** Flags that name a Redis. */
export const REDIS_URLS = ["redis", "redis-queue", "redis-store"] as const;
/** Flags that say more about the Redis that one of those has named. */
export const REDIS_OPTIONS = [
  "redis-prefix",
  "redis-wait",
  "redis-tls-cert",
  "redis-tls-key",
  "redis-tls-ca",
] as const;

/**
 * Reads them all.
 *
 * @returns undefined when no Redis is named.
 * @throws {@link FibError} `bad_argument`, which shows no URL: it may hold a password.
 */
export function redisConfig({
  setting,
  integer,
}: Pick<Settings, "setting" | "integer">): RedisConfig | undefined {
  const [both, ownQueue, ownStore] = REDIS_URLS.map((name) => redisUrl(setting(name)));
  const [queueUrl, storeUrl] = [ownQueue ?? both, ownStore ?? both];
  if (queueUrl === undefined && storeUrl === undefined) return undefined;
  if (queueUrl === undefined || storeUrl === undefined) {
    throw new FibError(
      "bad_argument",
      "Cannot use one Redis of two: give --redis URL, or both --redis-queue URL and --redis-store URL",
    );
  }
  return {
    queueUrl,
    storeUrl,
    prefix: redisPrefix(setting("redis-prefix")),
    // Only in the environment: ps shows no password there.
    sentinelAuth: setting("sentinel-auth").text,
    tlsFiles: tlsFiles(
      setting,
      [queueUrl, storeUrl].some((url) => parseRedisUrl(url)!.isTls),
    ),
    replicasMin: integer("redis-wait", 0, 0, 100),
  };
}

// What is wrong with a URL is said without the URL: it may hold a password.
function redisUrl({ text, source }: Setting): string | undefined {
  if (text === undefined || parseRedisUrl(text) !== undefined) return text;
  const examples = /^rediss?\+sentinel:/i.test(text)
    ? "redis+sentinel://:PASSWORD@HOST1:26379,HOST2:26379/NAME, where NAME is what Sentinel calls the primary"
    : "redis://127.0.0.1:6379 or rediss://:PASSWORD@HOST:6379/0";
  throw new FibError(
    "bad_argument",
    `Cannot use ${text === "" ? "an empty " : ""}${source}: it takes a URL such as ${examples}, with special characters of the password as %XX`,
  );
}

function redisPrefix({ text = "fibserver", source }: Setting): string {
  if (/^[\w.-]+(:[\w.-]+)*$/.test(text) && text.length <= 100) return text;
  throw new FibError(
    "bad_argument",
    `Cannot use '${shortened(text)}' for ${source}: it takes letters, digits, _ . - and colons inside, such as fibserver or team:fib`,
  );
}

function tlsFiles(setting: Settings["setting"], isTls: boolean): TlsFiles {
  const [cert, key, ca] = ["cert", "key", "ca"].map((file) => {
    const given = setting(`redis-tls-${file}`);
    const { source } = given;
    const path = fileOf(given);
    if (path === undefined) return undefined;
    if (isTls) return { path, source };
    const cannot = `Cannot use ${source}: that is for rediss:// and rediss+sentinel://`;
    throw new FibError("bad_argument", cannot);
  });
  return { cert, key, ca };
}
