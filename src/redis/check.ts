/**
 * Is this a Redis that keeps our promises? Asked once, at the start.
 * @module
 */
import { FibError } from "../errors.ts";
import { CLUSTER } from "./advice.ts";
import type { RedisConnection } from "./connection.ts";

/** The scripts use `ZRANGE … BYLEX`, which came with it. */
const VERSION_MIN = { major: 6, minor: 2 } as const;

/** Who asks. */
interface CheckOptions {
  /** Replicas that must have what is promised; 0 for none. */
  readonly replicasMin: number;
  /** Gets a line for each setting that weakens what is promised. */
  readonly warn: (message: string) => void;
}

/**
 * Refuses a Redis that cannot be used, and says what weakens what is promised.
 *
 * @throws {@link FibError} `redis_unusable`; others as {@link RedisConnection.send}.
 */
export async function checkRedis(redis: RedisConnection, { replicasMin, warn }: CheckOptions): Promise<void> {
  const { address } = redis;
  const info = parseInfo(String(await redis.send("INFO", [])));
  refuseUnusable(info, address);
  const replicaCount = Number(info["connected_slaves"]);
  if (replicaCount < replicasMin) {
    warn(
      `Redis at ${address} has ${replicaCount} of the ${replicasMin} replicas that --redis-wait asks for: moves and tasks are refused until it has them`,
    );
  }
  const policy = info["maxmemory_policy"];
  if (policy !== undefined && policy !== "noeviction") {
    warn(
      `Redis at ${address} may drop what it holds when memory runs out: set maxmemory-policy to noeviction, it is ${policy}`,
    );
  }
  if (info["aof_enabled"] === "0") {
    warn(
      `Redis at ${address} loses accepted tasks and answered moves when it restarts: set appendonly to yes`,
    );
  }
  const sync = await appendSync(redis);
  if (sync === undefined) {
    warn(
      `Redis at ${address} does not tell its appendfsync: anything but always can lose the last second in a crash`,
    );
  } else if (sync !== "always") {
    warn(`Redis at ${address} can lose the last second in a crash: set appendfsync to always, it is ${sync}`);
  }
}

function refuseUnusable(info: Readonly<Record<string, string>>, address: string): void {
  const version = info["redis_version"] ?? "0.0";
  const refuse = (reason: string) => {
    throw new FibError("redis_unusable", `Cannot use Redis at ${address}: ${reason}`);
  };
  if (isTooOld(version)) refuse(tooOld(version));
  if (info["cluster_enabled"] === "1") refuse(CLUSTER);
}

/** Whether a version is older than the scripts need. */
export function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < VERSION_MIN.major || (major === VERSION_MIN.major && minor < VERSION_MIN.minor);
}

/** What is to be said of it. */
export function tooOld(version: string): string {
  return `it is version ${version}, and fibserver needs ${VERSION_MIN.major}.${VERSION_MIN.minor} or newer`;
}

// Managed servers often refuse CONFIG.
async function appendSync(redis: RedisConnection): Promise<string | undefined> {
  try {
    const reply = (await redis.send("CONFIG", ["GET", "appendfsync"])) as Record<string, string>;
    return reply["appendfsync"];
  } catch (error) {
    if (error instanceof FibError && error.code === "redis_unusable") return undefined;
    throw error;
  }
}

function parseInfo(text: string): Record<string, string> {
  const lines = text.split(/\r?\n/).map((line) => line.split(":", 2) as [string, string?]);
  return Object.fromEntries(lines.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}
