/**
 * What `/v1/status` tells of a server that is set, and the clock that notes its counts.
 * @module
 */
import type { Config } from "../config/config.ts";
import { isLoopback } from "../config/network.ts";
import { type Counted, LastMinute } from "../http/last-minute.ts";
import type { StatusServices } from "../http/status.ts";

/** Opens it: from now on the last minute is noted. */
export function openStatusServices(
  config: Pick<Config, "host" | "tokensFile" | "tls" | "redis" | "indexMax" | "digitsMax" | "termsMax">,
  counted: Counted,
  pool: StatusServices["pool"],
): StatusServices {
  const { host, tokensFile, tls, redis } = config;
  const lastMinute = new LastMinute(counted);
  lastMinute.start();
  return {
    pool,
    lastMinute,
    storage: redis === undefined ? "files" : "redis",
    access: {
      from: isLoopback(host) ? "machine" : "network",
      tokens: tokensFile !== undefined,
      tls: tls !== undefined,
    },
    limits: { index: config.indexMax, digits: config.digitsMax, terms: config.termsMax },
  };
}
