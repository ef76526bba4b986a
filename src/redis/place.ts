/**
 * Where a Redis is: one server, or whatever its Sentinels say is the primary now.
 *
 * Each new connection asks for itself and checks what it has found. And as long as there are connections, Sentinel is
 * asked every second: it tells the old primary some ten seconds after it has named a new one, and until then that one
 * takes writes which are lost with it. The first who finds the new one ends the others' connections to the old, which a
 * blocked or an idle connection to a machine that is gone would notice late. Rejected: to listen to `+switch-master`, one
 * more connection that has to be kept, and may be silent because it is broken.
 * @module
 */
import { addressOf, parseRedisUrl, type RedisUrl } from "../config/redis-url.ts";
import type { RedisConfig } from "../config/redis.ts";
import { FibError } from "../errors.ts";
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

/** Sentinel is asked this often whether the primary is still the one. */
const FOLLOW_MS = 1000;

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
  #following: NodeJS.Timeout | undefined;

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
      // null when it does not know the name.
      const found = await ask(sentinel, "SENTINEL", ["GET-MASTER-ADDR-BY-NAME", name]);
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
    this.#leaveOthers(url);
    if (this.name === undefined || this.#following !== undefined) return;
    this.#following = setInterval(() => void this.#follow(), FOLLOW_MS);
    this.#following.unref();
  }

  /** A connection has ended. */
  leave(connection: { close: () => void }): void {
    this.#connected.delete(connection);
    if (this.#connected.size > 0) return;
    clearInterval(this.#following);
    this.#following = undefined;
  }

  /** Ends the connections to a primary that is none any more, as Sentinel has it. */
  async #follow(): Promise<void> {
    const named = await this.locate().catch(() => undefined);
    if (named === undefined || [...this.#connected.values()].every((at) => at === named.url)) return;
    // One that is wrong must not cut off what works.
    const role = await ask(named, "ROLE", []);
    if (Array.isArray(role) && role[0] === "master") this.#leaveOthers(named.url);
    else this.distrust(named);
  }

  #leaveOthers(url: string): void {
    for (const [connection, at] of this.#connected) if (at !== url) connection.close();
  }

  #target(host: string, login: string, kind: keyof typeof CONNECT_TIMEOUT_MS, database = ""): Target {
    return {
      url: `redis${this.isTls ? "s" : ""}://${login}${host}/${database}`,
      tls: this.isTls ? (this.#options.tls ?? true) : undefined,
      connectTimeoutMs: CONNECT_TIMEOUT_MS[kind],
    };
  }
}

/** Where a process finds what is shared; one place when it is one Redis. */
export interface Places {
  readonly queue: RedisPlace;
  readonly store: RedisPlace;
}

/**
 * The places of the settings; one and the same when the URLs are.
 *
 * @throws {@link FibError} `bad_argument` for files of TLS that cannot be used.
 */
export async function placesOf(config: RedisConfig): Promise<Places> {
  const { queueUrl, storeUrl, replicasMin, sentinelAuth } = config;
  const options = { replicasMin, sentinelAuth, tls: await readTls(config.tlsFiles) };
  const store = new RedisPlace(storeUrl, options);
  return { store, queue: queueUrl === storeUrl ? store : new RedisPlace(queueUrl, options) };
}

/** One answer of a server; undefined when there is none. */
async function ask(
  { url, tls, connectTimeoutMs }: Target,
  command: string,
  args: string[],
): Promise<unknown> {
  const client = new Bun.RedisClient(url, {
    autoReconnect: false,
    enableOfflineQueue: false,
    connectionTimeout: connectTimeoutMs,
    ...(tls && { tls }),
  });
  const tooLong = setTimeout(() => client.close(), 2 * connectTimeoutMs);
  try {
    await client.connect();
    return await client.send(command, args);
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
