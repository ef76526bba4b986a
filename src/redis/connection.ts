/**
 * A connection to Redis that comes back by itself, and whose errors say what to do.
 *
 * While Redis is away every command is refused at once: a request that would only wait
 * is better told to come again (503 with Retry-After) than held. Nothing that was in
 * flight when a connection broke is sent again: it may have been done, and only who
 * asked knows whether doing it twice is harmless.
 *
 * No message here holds a URL with its password; see `addressOf`.
 * @module
 */
import { FibError } from "../errors.ts";
import { advised } from "./advice.ts";
import { kindOf, WatchedClient } from "./client.ts";
import type { RedisPlace } from "./place.ts";

/** Pauses between attempts to connect, doubled from the first to the last: a new primary is not missed for longer. */
const RECONNECT_MS = { first: 50, last: 250 } as const;
/** Commands that may wait for a reply; beyond it they are refused. */
const OWED_COUNT_MAX = 100_000;

/** How long replicas may take to say that they have something: less than the silence that ends a connection. */
const REPLICATED_TIMEOUT_MS = 1000;

/** A Lua script and the name that Redis keeps it under. */
export interface Script {
  readonly text: string;
  readonly sha1: string;
}

/** Told when the connection is lost and when it is back. */
export interface ConnectionEvents {
  readonly onLost?: ((address: string, reason: string) => void) | undefined;
  readonly onBack?: ((address: string) => void) | undefined;
  /** Told how long each question has waited for its answer, or for the loss of the connection. */
  readonly onReply?: ((waitMs: number) => void) | undefined;
}

/** What was asked may have been done or not. */
export class DoubtfulError extends FibError {
  /** What a script has returned all the same; undefined when the connection broke before. */
  readonly reply: unknown;

  constructor(
    code: "redis_unavailable" | "not_replicated",
    message: string,
    { reply, cause }: { readonly reply?: unknown; readonly cause?: unknown },
  ) {
    super(code, message, { cause });
    this.reply = reply;
  }
}

/** Prepares a script for {@link RedisConnection.run}. */
export function defineScript(text: string): Script {
  return { text, sha1: new Bun.CryptoHasher("sha1").update(text).digest("hex") };
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
  /** Scripts whose text this connection has sent. */
  readonly #known = new Set<Script>();
  #owedCount = 0;
  #retry: NodeJS.Timeout | undefined;
  /** Why the last attempt to come back has failed. */
  #failure: Error | undefined;
  #closed = false;
  #wasLost = false;

  private constructor(
    place: RedisPlace,
    events: ConnectionEvents,
    prepare: (client: WatchedClient) => Promise<void>,
  ) {
    this.#place = place;
    this.address = this.#place.address;
    this.#events = events;
    this.#prepare = prepare;
  }

  /**
   * Connects for the first time.
   *
   * @param prepare - Is done on each new connection before it is used, such as a subscription.
   * @throws {@link FibError} `redis_unavailable`, `redis_unusable`.
   */
  static async open(
    place: RedisPlace,
    events: ConnectionEvents = {},
    prepare: (client: WatchedClient) => Promise<void> = () => Promise.resolve(),
  ): Promise<RedisConnection> {
    const connection = new RedisConnection(place, events, prepare);
    try {
      await connection.#connect();
    } catch (error) {
      await connection.close();
      throw connection.#explain(error, "no connection could be made");
    }
    return connection;
  }

  /**
   * Listens to a channel over a further connection, which is made as soon as it can be, and again when it was lost.
   *
   * @param onListening - Told after each new connection: what was said before may not have been heard.
   * @returns That connection, to be closed.
   */
  listen(
    channel: string,
    onMessage: (message: string) => void,
    onListening: () => void,
  ): Pick<RedisConnection, "close"> {
    const listener = new RedisConnection(this.#place, {}, async (client) => {
      await client.subscribe(channel, onMessage);
      onListening();
    });
    listener.#keepTrying(RECONNECT_MS.first);
    return listener;
  }

  /**
   * Sends one command.
   *
   * @throws {@link FibError} `redis_unavailable`; `redis_full`; `redis_unusable` for an error that does not pass by
   * itself. {@link DoubtfulError} when the connection broke before the reply.
   */
  async send(command: string, args: string[]): Promise<unknown> {
    try {
      return await this.#ask((client) => client.send(command, args));
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /**
   * Runs a script, which is one atomic step. Throws as {@link send} does.
   *
   * @param options - `replicated`: it makes a promise, so what it wrote must be with as many replicas as the place asks
   * for. WAIT goes out right behind the script: it is for all that this connection has written.
   * @throws {@link DoubtfulError} `not_replicated` with what the script has returned.
   */
  async run(
    script: Script,
    keys: readonly string[],
    args: readonly string[],
    { replicated = false }: { readonly replicated?: boolean } = {},
  ): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    const replicasMin = replicated ? this.#place.replicasMin : 0;
    // A WAIT behind a script that is not there would hold up the second try: the text goes first where there is one.
    if (replicasMin === 0 || this.#known.has(script)) {
      try {
        return await this.#runOnce("EVALSHA", script.sha1, rest, replicasMin);
      } catch (error) {
        // Redis forgets its scripts when it restarts, and has then done nothing.
        if (!(error as Error).message.startsWith("NOSCRIPT")) throw this.#explain(error);
      }
    }
    try {
      const reply = this.#runOnce("EVAL", script.text, rest, replicasMin);
      this.#known.add(script);
      return await reply;
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** The value of a key as bytes, or undefined. Throws as {@link send} does. */
  async bytes(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      return (await this.#ask((client) => client.getBuffer(key))) ?? undefined;
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** Whether something can be asked now. */
  get isConnected(): boolean {
    return this.#client?.connected === true;
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
    if (client === undefined || !client.connected) throw this.#notConnected();
    if (this.#owedCount >= OWED_COUNT_MAX) {
      throw new FibError("overloaded", `Cannot ask Redis: ${OWED_COUNT_MAX} commands wait already`);
    }
    return client;
  }

  async #ask<T>(question: (client: WatchedClient) => Promise<T>): Promise<T> {
    const client = this.#usable();
    const startMs = performance.now();
    this.#owedCount++;
    try {
      return await question(client);
    } finally {
      this.#owedCount--;
      this.#events.onReply?.(performance.now() - startMs);
    }
  }

  #runOnce(command: string, script: string, rest: string[], replicasMin: number): Promise<unknown> {
    return this.#ask(async (client) => {
      const done = client.send(command, [script, ...rest]);
      if (replicasMin === 0) return await done;
      const counted = client.send("WAIT", [String(replicasMin), String(REPLICATED_TIMEOUT_MS)]);
      // An error of the script says more, and then nobody asks for this one.
      counted.catch(() => {});
      const reply = await done;
      const count = Number(await counted);
      if (count >= replicasMin) return reply;
      const had = `${count} of ${replicasMin} replicas had it after ${REPLICATED_TIMEOUT_MS} ms`;
      throw new DoubtfulError("not_replicated", `Cannot use Redis at ${this.address}: ${had}`, { reply });
    });
  }

  async #connect(): Promise<void> {
    const client: WatchedClient = new WatchedClient(this.#place, {
      onLost: (reason) => this.#client === client && this.#lost(reason),
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
    this.#known.clear();
    if (this.#wasLost) this.#events.onBack?.(this.address);
    this.#wasLost = false;
  }

  #lost(reason: string): void {
    this.#client = undefined;
    this.#failure = undefined;
    if (this.#closed) return;
    this.#wasLost = true;
    this.#events.onLost?.(this.address, reason);
    this.#reconnectIn(RECONNECT_MS.first);
  }

  #reconnectIn(pauseMs: number): void {
    // Jitter, or all that lost the same server would come back in one instant.
    const jitteredMs = pauseMs * (0.5 + Math.random());
    this.#retry = setTimeout(() => this.#keepTrying(Math.min(pauseMs * 2, RECONNECT_MS.last)), jitteredMs);
  }

  #keepTrying(pauseMs: number): void {
    this.#connect().catch((error: Error) => {
      this.#failure = error;
      if (!this.#closed) this.#reconnectIn(pauseMs);
    });
  }

  #notConnected(): FibError {
    if (!(this.#failure instanceof FibError)) return this.#unavailable("it is not connected");
    // It may pass: a replica can become a primary again.
    return new FibError("redis_unavailable", this.#failure.message, { cause: this.#failure });
  }

  #unavailable(reason: string, cause?: unknown): FibError {
    return new FibError("redis_unavailable", `Cannot use Redis at ${this.address}: ${reason}; try again`, {
      cause,
    });
  }

  #explain(error: unknown, lost?: string): FibError {
    if (error instanceof FibError) return error;
    const message = (error as Error).message.replace(/\.$/, "");
    const kind = kindOf(message);
    if (!/^[A-Z]{3,}$/.test(kind)) {
      if (lost !== undefined) return this.#unavailable(lost, error);
      const text = `Cannot use Redis at ${this.address}: the connection was lost before the answer`;
      return new DoubtfulError("redis_unavailable", text, { cause: error });
    }
    const said = `Cannot use Redis at ${this.address}: ${advised(message, this.#place)}`;
    if (kind === "OOM") return new FibError("redis_full", said, { cause: error });
    if (kind === "NOREPLICAS") return new FibError("not_replicated", said, { cause: error });
    // A replica ends what waits there; the script before it was run by a primary.
    if (kind === "UNBLOCKED") return new DoubtfulError("redis_unavailable", said, { cause: error });
    if (PASSING.has(kind)) return new FibError("redis_unavailable", `${said}; try again`, { cause: error });
    return new FibError("redis_unusable", said, { cause: error });
  }
}

/** First words of Redis's errors that pass by themselves, or once somebody has helped it. */
const PASSING = new Set(["LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "READONLY", "MISCONF"]);
