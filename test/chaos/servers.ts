/**
 * Two redis-servers, of which one is the primary and the other its replica; they can change places.
 *
 * Either somebody leads an address to the primary, and makes the replica the next one without losing anything; or a
 * Sentinel does it by itself, whenever the primary is silent for half a second, and what is not replicated is lost.
 * @module
 */
import { until } from "../binary.ts";
import { type Redis, startRedis } from "../redis.ts";
import { parseFields, startWatched, type Watched } from "../sentinel.ts";

// A replica that was away is served at once; nothing here is worth five seconds of waiting for more of them.
const SETTINGS = [
  "--repl-diskless-sync-delay",
  "0",
  "--repl-ping-replica-period",
  "1",
  "--maxmemory",
  "320mb",
];
/** A replica follows again within this, from a whole copy; and a Sentinel whose clock has stood does nothing for 30 s. */
const SETTLE_SECONDS = 120;

/** The two of a world. */
export interface Servers extends AsyncDisposable {
  /** How to find the primary, for those who do so themselves. */
  readonly sentinelUrl?: string;
  /** The one that is the primary, or was the last. */
  primary(): Promise<Redis>;
  /** Makes the other one the primary. */
  failover(): Promise<void>;
  /** Waits until the replica has everything again. */
  settle(): Promise<void>;
}

/** Two that change places when they are told to. */
export async function startPair(): Promise<Servers> {
  let [primary, replica] = [await startRedis(SETTINGS), await startRedis(SETTINGS)];
  const settle = () => until("the replica follows", () => isFollowed(primary), SETTLE_SECONDS);
  await follow(replica, primary);
  await settle();
  return {
    primary: () => Promise.resolve(primary),
    settle,
    // The old one takes nothing more, waits until the other has everything, and becomes its replica. Those who are connected
    // to it stay so, and are told READONLY from then on.
    async failover() {
      await settle();
      // Refused when it has lost its replica again.
      const begin = () => primary.cli("FAILOVER", "TO", "127.0.0.1", String(replica.port));
      await until("a failover begins", async () => (await begin()) === "OK\n");
      await until("the replica is the primary", () => isPrimary(replica));
      [primary, replica] = [replica, primary];
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([primary, replica].map((server) => server[Symbol.asyncDispose]()));
    },
  };
}

/** Two that a Sentinel watches. */
export async function startWatchedPair(): Promise<Servers> {
  const watched = await startWatched({ sentinelCount: 1, settings: SETTINGS });
  const primary = async () => (await elected(watched)).primary;
  return {
    sentinelUrl: watched.url,
    primary,
    settle: () =>
      until(
        "the replica follows",
        async () => {
          const now = await elected(watched);
          // One that was away when it lost its place still believes to have it, and Sentinel lets it for eight seconds.
          const isLeft = !now.isChanging && (await isPrimary(now.primary)) && (await isPrimary(now.replica));
          // Whatever has ended its connection meanwhile is looked at again.
          if (isLeft) await follow(now.replica, now.primary).catch(() => {});
          return !now.isChanging && (await isFollowed(now.primary));
        },
        SETTLE_SECONDS,
      ),
    failover: () => watched.failover(),
    [Symbol.asyncDispose]: () => watched[Symbol.asyncDispose](),
  };
}

/** What a Sentinel thinks. */
async function elected({ servers, sentinels, name }: Watched) {
  const { port, flags = "" } = parseFields(await sentinels[0]!.cli("SENTINEL", "MASTER", name));
  const primary = servers.find((server) => server.port === Number(port))!;
  return {
    primary,
    replica: servers.find((server) => server !== primary)!,
    isChanging: /failover|down/.test(flags),
  };
}

async function follow(replica: Redis, primary: Redis): Promise<void> {
  await replica.cli("REPLICAOF", "127.0.0.1", String(primary.port));
}

async function isPrimary(server: Redis): Promise<boolean> {
  return (await server.role()) === "master";
}

async function isFollowed(primary: Redis): Promise<boolean> {
  // One that becomes a replica ends its connections, redis-cli's too: then it has none.
  return (await primary.cli("INFO", "replication").catch(() => "")).includes("state=online");
}
