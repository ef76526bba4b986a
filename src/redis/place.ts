/**
 * Where a Redis is: one server, or whatever its Sentinels say is the primary now.
 *
 * Each new connection asks for itself and checks what it has found, so a failover needs no news: who is sent away by
 * the old primary asks again. And the first who finds the new one ends the others' connections to the old, which a
 * blocked or an idle connection to a machine that is gone would notice late. Rejected: to listen to `+switch-master`,
 * one more connection to keep for half a second less.
 * @module
 */
import { FibError } from "../errors.ts";
import type { RedisConfig } from "../redis-config.ts";
import { addressOf, parseRedisUrl, type RedisUrl } from "../redis-url.ts";
import { readTls, type Tls } from "./tls.ts";

/** What is not in a URL. */
export interface PlaceOptions {
  /** Replicas that must have what is promised; 0 for none. */
  readonly replicasMin?: number;
  /** `[USER:]PASSWORD` of the Sentinels themselves. */
  readonly sentinelAuth?: string | undefined;
  /** What TLS needs besides the system's authorities. */
  readonly tls?: Tls | undefined;
}

/** A server to connect to. The URL holds a password: never to be logged. */
export interface Target {
  readonly url: string;
  readonly tls: Tls | true | undefined;
  /** One that says nothing within this is away. */
  readonly connectTimeoutMs: number;
  /** The Sentinel that has named it. */
  readonly namedBy?: string;
}

/** A server that accepts a connection and says nothing within this is away; with Sentinel there may be another one. */
const CONNECT_TIMEOUT_MS = { alone: 2000, primary: 1000, sentinel: 500 } as const;

/** A Redis. One for all connections of a process to it. */
export class RedisPlace {
  /** Where it is, without the password: what may stand in a log. */
  readonly address: string;
  readonly replicasMin: number;
  readonly isTls: boolean;

  readonly #parsed: RedisUrl;
  readonly #options: PlaceOptions;
  /** The one that has answered last is the first. */
  readonly #sentinels: string[];
  /** Connections to a primary, and where that is. */
  readonly #connected = new Map<{ close: () => void }, string>();

  /** @throws {@link FibError} `bad_argument`; what is wrong with the URL is said without the URL. */
  constructor(url: string, options: PlaceOptions = {}) {
    const parsed = parseRedisUrl(url);
    if (parsed === undefined) throw new FibError("bad_argument", "Cannot use the URL of a Redis: it is none");
    this.address = addressOf(url);
    this.replicasMin = options.replicasMin ?? 0;
    this.isTls = parsed.isTls;
    this.#parsed = parsed;
    this.#options = options;
    this.#sentinels = parsed.name === undefined ? [] : [...parsed.hosts];
  }

  /** What a Sentinel calls it; undefined where there is none. */
  get name(): string | undefined {
    return this.#parsed.name;
  }

  /** The Sentinels, as servers. */
  get sentinels(): Target[] {
    return this.#sentinels.map((host) =>
      this.#target(host, sentinelLogin(this.#options.sentinelAuth), "sentinel"),
    );
  }

  /**
   * Finds the primary, as the first Sentinel has it that answers.
   *
   * @throws {@link FibError} `redis_unavailable` when none answers, `redis_unusable` for a name that one does not know.
   */
  async locate(): Promise<Target> {
    const { login, hosts, name, database } = this.#parsed;
    if (name === undefined) return this.#target(hosts[0]!, login, "alone", database);
    let isUnknown = false;
    for (const sentinel of this.sentinels) {
      const namedBy = sentinel.url;
      const found = await askSentinel(sentinel, name);
      if (Array.isArray(found)) {
        const [host, port] = found as [string, string];
        const at = `${host.includes(":") ? `[${host}]` : host}:${port}`;
        return { ...this.#target(at, login, "primary", database), namedBy };
      }
      isUnknown ||= found === null;
      this.distrust({ namedBy });
    }
    const cannot = `Cannot use Redis at ${this.address}`;
    if (isUnknown)
      throw new FibError(
        "redis_unusable",
        `${cannot}: its Sentinels know no primary called ${name}; SENTINEL MASTERS lists those they know`,
      );
    throw new FibError("redis_unavailable", `${cannot}: no Sentinel answers; try again`);
  }

  /** What a Sentinel has said was wrong, or it said nothing: another one is asked first. It may be cut off from the others. */
  distrust({ namedBy }: Pick<Target, "namedBy">): void {
    if (this.sentinels[0]?.url === namedBy) this.#sentinels.push(...this.#sentinels.splice(0, 1));
  }

  /** A connection has found the primary: the others to another server end. */
  settle(connection: { close: () => void }, { url }: Target): void {
    this.#connected.set(connection, url);
    for (const [other, at] of this.#connected) if (at !== url) other.close();
  }

  /** A connection has ended. */
  leave(connection: { close: () => void }): void {
    this.#connected.delete(connection);
  }

  #target(host: string, login: string, kind: keyof typeof CONNECT_TIMEOUT_MS, database = ""): Target {
    return {
      url: `redis${this.isTls ? "s" : ""}://${login}${host}/${database}`,
      tls: this.isTls ? (this.#options.tls ?? true) : undefined,
      connectTimeoutMs: CONNECT_TIMEOUT_MS[kind],
    };
  }
}

/**
 * The places of the settings; one and the same when the URLs are.
 *
 * @throws {@link FibError} `bad_argument` for files of TLS that cannot be used.
 */
export function placesOf(config: RedisConfig): { readonly queue: RedisPlace; readonly store: RedisPlace } {
  const { queueUrl, storeUrl, replicasMin, sentinelAuth } = config;
  const options = { replicasMin, sentinelAuth, tls: readTls(config.tlsFiles) };
  const store = new RedisPlace(storeUrl, options);
  return { store, queue: queueUrl === storeUrl ? store : new RedisPlace(queueUrl, options) };
}

/** The primary's host and port, null when the name is unknown there, undefined when there is no answer. */
async function askSentinel({ url, tls, connectTimeoutMs }: Target, name: string): Promise<unknown> {
  const client = new Bun.RedisClient(url, {
    autoReconnect: false,
    enableOfflineQueue: false,
    connectionTimeout: connectTimeoutMs,
    ...(tls && { tls }),
  });
  const tooLong = setTimeout(() => client.close(), 2 * connectTimeoutMs);
  try {
    await client.connect();
    return await client.send("SENTINEL", ["GET-MASTER-ADDR-BY-NAME", name]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(tooLong);
    client.close();
  }
}

function sentinelLogin(auth: string | undefined): string {
  if (auth === undefined || auth === "") return "";
  const colon = auth.indexOf(":");
  const [user, password] = colon < 0 ? ["", auth] : [auth.slice(0, colon), auth.slice(colon + 1)];
  return `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`;
}
