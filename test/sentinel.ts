/**
 * A primary, its replicas, and Sentinels that watch them, for a test: real ones, on free ports of the loopback.
 *
 * Each process has a folder of its own, keeps its port and data through a kill -9, and is ended by its pid.
 * @module
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { until } from "./binary.ts";
import { freePort, type Redis, startRedis } from "./redis.ts";

/** How the Sentinels call the primary. */
const NAME = "fib";
/** Silence after which a Sentinel takes a server for dead. */
const DOWN_AFTER_MS = 500;

/** Servers of which one is the primary, and who chooses another when it is gone. */
export interface Watched extends AsyncDisposable {
  /** Such as `redis+sentinel://127.0.0.1:1,127.0.0.1:2/fib`. */
  readonly url: string;
  /** How the Sentinels call the primary. */
  readonly name: string;
  /** The first has been the primary at the start. */
  readonly servers: readonly Redis[];
  readonly sentinels: readonly Sentinel[];
  /** The server that says that it is the primary, of those that answer. */
  primary(except?: Redis): Promise<Redis | undefined>;
  /** Has the first Sentinel make a replica the primary, though nothing is wrong, and waits until it has. */
  failover(): Promise<void>;
  /** Waits until all replicas have what the primary had when it was asked; while all are well. */
  replicated(): Promise<void>;
}

/** One Sentinel. */
interface Sentinel {
  readonly port: number;
  kill(signal: NodeJS.Signals): void;
  cli(...command: string[]): Promise<string>;
}

/**
 * Starts them, and waits until each Sentinel knows all replicas and the other Sentinels.
 *
 * @param settings - Further settings of each redis-server.
 */
export async function startWatched({
  replicaCount = 1,
  sentinelCount = 3,
  settings = [],
}: {
  readonly replicaCount?: number;
  readonly sentinelCount?: number;
  readonly settings?: readonly string[];
} = {}): Promise<Watched> {
  await using started = new AsyncDisposableStack();
  // Or a replica would wait for five seconds, should another one come.
  const eager = ["--repl-diskless-sync-delay", "0", ...settings];
  const primary = started.use(await startRedis(eager));
  const servers = [primary];
  for (let i = 0; i < replicaCount; i++) {
    const replicaOf = ["--replicaof", "127.0.0.1", String(primary.port)];
    servers.push(started.use(await startRedis([...eager, ...replicaOf])));
  }
  await until("the replicas are connected", async () => {
    return (await primary.cli("INFO", "replication")).split("state=online").length > replicaCount;
  });
  const quorum = Math.floor(sentinelCount / 2) + 1;
  const sentinels: Sentinel[] = [];
  for (let i = 0; i < sentinelCount; i++) {
    const sentinel = await startSentinel(primary.port, quorum);
    sentinels.push(started.use(sentinel));
  }
  await until("the Sentinels know each other and the replicas", async () => {
    const seen = await Promise.all(sentinels.map((sentinel) => sentinel.cli("SENTINEL", "MASTER", NAME)));
    return seen.map(parseFields).every((fields) => {
      const [replicas, others] = ["num-slaves", "num-other-sentinels"].map((name) => Number(fields[name]));
      return replicas === replicaCount && others === sentinelCount - 1;
    });
  });
  const primaryBut = async (except?: Redis) => {
    for (const server of servers) {
      if (server !== except && (await server.role()) === "master") return server;
    }
    return undefined;
  };
  const offsets = async (name: string) => {
    const info = (await (await primaryBut())?.cli("INFO", "replication").catch(() => "")) ?? "";
    return [...info.matchAll(new RegExp(`${name}(\\d+)`, "g"))].map(([, offset]) => Number(offset));
  };
  const all = started.move();
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",")}/${NAME}`,
    name: NAME,
    servers,
    sentinels,
    primary: primaryBut,
    failover: async () => {
      const [sentinel] = sentinels;
      let before: string | undefined;
      await until("Sentinel has made another one the primary", async () => {
        const { port, flags } = parseFields(await sentinel!.cli("SENTINEL", "MASTER", NAME));
        before ??= port;
        if (port !== before) return port !== undefined;
        // Refused until it has seen that a replica is in good health; and one that took too long is given up.
        if (!flags?.includes("failover")) await sentinel!.cli("SENTINEL", "FAILOVER", NAME);
        return false;
      });
    },
    replicated: async () => {
      let wanted: number | undefined;
      // One that is busy may not say in time that it is the primary.
      await until("a primary says what it has", async () => {
        [wanted] = await offsets("master_repl_offset:");
        return wanted !== undefined;
      });
      await until("the replicas have it", async () => {
        const had = await offsets(",offset=");
        return had.filter((offset) => offset >= wanted!).length >= replicaCount;
      });
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** What a Sentinel says of a primary, by name. */
export function parseFields(text: string): Readonly<Record<string, string>> {
  const lines = text.split("\n");
  return Object.fromEntries(lines.flatMap((name, at) => (at % 2 === 0 ? [[name, lines[at + 1] ?? ""]] : [])));
}

/**
 * Starts one that watches a primary of the loopback.
 *
 * @param settings - Further lines of its file; the last wins.
 * @param access - What redis-cli needs besides the port.
 */
export async function startSentinel(
  primaryPort: number,
  quorum: number,
  settings: readonly string[] = [],
  access: readonly string[] = [],
): Promise<Sentinel & AsyncDisposable> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "fibserver-sentinel-"));
  const port = await freePort();
  const file = path.join(folder, "sentinel.conf");
  const lines = [
    `${access.includes("--tls") ? "port 0\ntls-port" : "port"} ${port}`,
    "bind 127.0.0.1",
    `dir ${folder}`,
    `sentinel monitor ${NAME} 127.0.0.1 ${primaryPort} ${quorum}`,
    `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
    // A failover that was not finished is tried again after twice as long.
    `sentinel failover-timeout ${NAME} 2000`,
    ...settings,
  ];
  fs.writeFileSync(file, `${lines.join("\n")}\n`);
  const child = Bun.spawn(["redis-server", file, "--sentinel"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const cli = (...command: string[]) => Bun.$`redis-cli -p ${port} ${access} ${command}`.nothrow().text();
  await until("redis-sentinel answers", async () => {
    if (child.exitCode !== null) throw new Error(`redis-sentinel ended with ${child.exitCode}`);
    return (await Bun.$`redis-cli -p ${port} ${access} PING`.nothrow().quiet().text()) !== "";
  });
  return {
    port,
    kill: (signal) => child.kill(signal),
    cli,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}
