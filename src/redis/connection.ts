/**
 * A connection to Redis that comes back by itself, and whose errors say what to do.
 *
 * While Redis is away every command is refused at once: a request that would only wait
 * is better told to come again (503 with Retry-After) than held. Nothing that was in
 * flight when a connection broke is sent again: it may have been done, and only who
 * asked knows whether doing it twice is harmless.
 *
 * No message here holds a URL with its password; see {@link addressOf}.
 * @module
 */
import { FibError } from "../errors.ts";
import { WatchedClient } from "./client.ts";
import { placeOf, type RedisPlace } from "./place.ts";

/** Silence after which a server that owes replies is taken for dead. */
const SILENCE_MAX_MS = 2000;
/** Pauses between attempts to connect, doubled from the first to the last. */
const RECONNECT_MS = { first: 50, last: 1000 } as const;
/** Commands that may wait for a reply; beyond it they are refused. */
const OWED_COUNT_MAX = 100_000;

/** How long replicas may take to say that they have something. Less than the silence above. */
const REPLICATED_TIMEOUT_MS = 1000;

/** A Lua script and the name that Redis keeps it under. */
export interface Script {
  readonly text: string;
  readonly sha1: string;
}

/** Told when the connection is lost and when it is back. */
export interface ConnectionEvents {
  readonly onLost?: ((address: string) => void) | undefined;
  readonly onBack?: ((address: string) => void) | undefined;
}

/** A script was run, and too few replicas have said in time that they have what it wrote. */
export class NotReplicatedError extends FibError {
  /** What the script has returned all the same. */
  readonly reply: unknown;

  constructor(message: string, reply: unknown) {
    super("not_replicated", message);
    this.reply = reply;
  }
}

/** Prepares a script for {@link RedisConnection.run}. */
export function defineScript(text: string): Script {
  return { text, sha1: new Bun.CryptoHasher("sha1").update(text).digest("hex") };
}

/** Where a URL leads, without its password: what may stand in a log. */
export function addressOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === "/" ? "" : pathname}`;
}

/** One server, connected whenever it can be. */
export class RedisConnection {
  /** Where it leads, without the password. */
  readonly address: string;

  readonly #place: RedisPlace;
  readonly #events: ConnectionEvents;
  /** Set up anew on each connection, before anybody else may use it. */
  readonly #prepare: (client: WatchedClient) => Promise<void>;
  #client: WatchedClient | undefined;
  #owedCount = 0;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  #wasLost = false;

  private constructor(
    place: RedisPlace | string,
    events: ConnectionEvents,
    prepare: (client: WatchedClient) => Promise<void>,
  ) {
    this.#place = placeOf(place);
    this.address = addressOf(this.#place.url);
    this.#events = events;
    this.#prepare = prepare;
  }

  /**
   * Connects for the first time.
   *
   * @param prepare - Is done on each new connection before it is used, such as a subscription.
   * @throws {@link FibError} `redis_unavailable`.
   */
  static async open(
    place: RedisPlace | string,
    events: ConnectionEvents = {},
    prepare: (client: WatchedClient) => Promise<void> = () => Promise.resolve(),
  ): Promise<RedisConnection> {
    const connection = new RedisConnection(place, events, prepare);
    try {
      await connection.#connect();
    } catch (error) {
      await connection.close();
      throw connection.#explain(error);
    }
    return connection;
  }

  /** Whether commands can be sent now. */
  get isConnected(): boolean {
    return this.#client?.connected === true;
  }

  /**
   * Sends one command.
   *
   * @throws {@link FibError} `redis_unavailable`, also when the connection broke before the reply: the command
   * may have been done or not. `redis_unusable` for an error that does not pass by itself.
   */
  async send(command: string, args: string[]): Promise<unknown> {
    const client = this.#usable();
    this.#owedCount++;
    try {
      return await client.send(command, args);
    } catch (error) {
      throw this.#explain(error);
    } finally {
      this.#owedCount--;
    }
  }

  /**
   * Runs a script, which is one atomic step. Throws as {@link send} does.
   *
   * @param options - `replicated`: it makes a promise, so what it wrote must be with as many replicas as the place asks
   * for. WAIT goes out right behind the script: it is for all that this connection has written.
   * @throws {@link NotReplicatedError} with what the script has returned.
   */
  async run(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    { replicated = false }: { readonly replicated?: boolean } = {},
  ): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    const replicasMin = replicated ? (this.#place.replicasMin ?? 0) : 0;
    try {
      return await this.#runOnce("EVALSHA", script.sha1, rest, replicasMin);
    } catch (error) {
      // Redis forgets its scripts when it restarts, and has then done nothing.
      if (!(error as Error).message.startsWith("NOSCRIPT")) throw this.#explain(error);
    }
    try {
      return await this.#runOnce("EVAL", script.text, rest, replicasMin);
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** The value of a key as bytes, or undefined. Throws as {@link send} does. */
  async bytes(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      return (await this.#usable().getBuffer(key)) ?? undefined;
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** Ends it for good; what is in flight is refused. */
  close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#client?.close();
    this.#client = undefined;
    return Promise.resolve();
  }

  #usable(): WatchedClient {
    const client = this.#client;
    if (client === undefined || !client.connected) throw this.#unavailable("it is not connected");
    if (this.#owedCount >= OWED_COUNT_MAX) {
      throw new FibError("overloaded", `Cannot ask Redis: ${OWED_COUNT_MAX} commands wait already`);
    }
    return client;
  }

  async #runOnce(command: string, script: string, rest: string[], replicasMin: number): Promise<unknown> {
    const client = this.#usable();
    this.#owedCount++;
    try {
      const done = client.send(command, [script, ...rest]);
      if (replicasMin === 0) return await done;
      const counted = client.send("WAIT", [String(replicasMin), String(REPLICATED_TIMEOUT_MS)]);
      // An error of the script says more, and then nobody asks for this one.
      counted.catch(() => {});
      const reply = await done;
      const count = Number(await counted);
      if (count >= replicasMin) return reply;
      throw new NotReplicatedError(
        `Cannot promise it: ${count} of ${replicasMin} replicas of Redis at ${this.address} have said in ${REPLICATED_TIMEOUT_MS} ms that they have it; it may have been done`,
        reply,
      );
    } finally {
      this.#owedCount--;
    }
  }

  async #connect(): Promise<void> {
    const client: WatchedClient = new WatchedClient(this.#place, {
      silenceMaxMs: SILENCE_MAX_MS,
      onLost: () => this.#client === client && this.#lost(),
    });
    try {
      await client.connect();
      await this.#prepare(client);
    } catch (error) {
      client.close();
      throw error;
    }
    // It was closed while this connected.
    if (this.#closed) return client.close();
    this.#client = client;
    if (this.#wasLost) this.#events.onBack?.(this.address);
    this.#wasLost = false;
  }

  #lost(): void {
    this.#client = undefined;
    if (this.#closed) return;
    this.#wasLost = true;
    this.#events.onLost?.(this.address);
    this.#reconnectIn(RECONNECT_MS.first);
  }

  #reconnectIn(pauseMs: number): void {
    // Jitter, or all that lost the same server would come back in one instant.
    const jitteredMs = pauseMs * (0.5 + Math.random());
    this.#retry = setTimeout(() => {
      this.#connect().catch(() => {
        if (!this.#closed) this.#reconnectIn(Math.min(pauseMs * 2, RECONNECT_MS.last));
      });
    }, jitteredMs);
  }

  #unavailable(reason: string, cause?: unknown): FibError {
    return new FibError("redis_unavailable", `Cannot use Redis at ${this.address}: ${reason}; try again`, {
      cause,
    });
  }

  #explain(error: unknown): FibError {
    if (error instanceof FibError) return error;
    const message = (error as Error).message.replace(/\.$/, "");
    const [kind = ""] = message.split(" ", 1);
    const said = `Cannot use Redis at ${this.address}: ${message}`;
    if (kind === "OOM")
      return new FibError("redis_full", `${said}; make room, or raise maxmemory`, { cause: error });
    if (PASSING.has(kind)) return new FibError("redis_unavailable", `${said}; try again`, { cause: error });
    if (/^[A-Z]{3,}$/.test(kind)) {
      return new FibError("redis_unusable", ADVICE[kind] ? `${said}; ${ADVICE[kind]}` : said, {
        cause: error,
      });
    }
    return this.#unavailable("the connection was lost", error);
  }
}

/** First words of Redis's errors that pass by themselves, or once somebody has helped it. */
const PASSING = new Set([
  "LOADING",
  "BUSY",
  "MASTERDOWN",
  "CLUSTERDOWN",
  "NOREPLICAS",
  "READONLY",
  "MISCONF",
  "TRYAGAIN",
]);

/** What to do about an error, by its first word. */
export const ADVICE: Readonly<Record<string, string>> = {
  WRONGTYPE:
    "something else uses our keys: give fibserver a database of its own, as in redis://HOST:6379/1, or a --redis-prefix",
  NOAUTH: "put the password into the URL, as in redis://:PASSWORD@HOST:6379",
  WRONGPASS: "the user name or the password in the URL is wrong",
  NOPERM:
    "the user in the URL needs more rights: ~PREFIX:* &PREFIX:* +@all, where PREFIX is fibserver or your --redis-prefix",
  MOVED: "it is a cluster, and fibserver needs a single server",
};
