/**
 * One connection to Redis, as Bun has it: to a primary, and with a limit on silence.
 *
 * Bun's client rejects what is in flight when a connection breaks, and sends nothing
 * twice; that is what a move needs. It has no timeout for a reply, so a Redis that
 * hangs, or a network that swallows packets, would hold its callers for ever: here a
 * connection that owes replies and brings none for a while is closed. A timer for each
 * command would say the same and cost a timer for each command: replies come in order.
 *
 * A server that has become a replica refuses writes and answers reads from the past. So a connection is used when ROLE
 * has said that it leads to a primary, asks again every second, and is closed by an error that says so: whoever
 * connects next finds the new one.
 *
 * BullMQ's adapter takes any object of this shape, so its connections are watched too.
 * @module
 */
import { FibError } from "../errors.ts";
import type { RedisPlace, Target } from "./place.ts";

/** How a connection behaves. */
export interface ClientOptions {
  /** Called when the connection has ended, whoever ended it. */
  readonly onLost?: (reason: string) => void;
}

/** Silence after which a server that owes replies is taken for dead; a command that blocks may take its own time first. */
const SILENCE_MAX_MS = 2000;
/** Looks at the replies this often; a silence lasts up to this much longer than the limit. */
const WATCH_MS = 250;
/** Asks this often whether it is still a primary. */
const ROLE_MS = 1000;

/**
 * First words of errors of a server that is no primary, or not yet. NOREPLICAS and MISCONF are not among them: a primary
 * says these that waits for replicas or for its disk.
 */
const NOT_PRIMARY = new Set(["READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN"]);

/** The first word of an error of Redis. Before 7.0 one inside of a script stood further back. */
export function kindOf(message: string): string {
  return /^(?:ERR Error running script.*? -)?(\S*)/.exec(message)![1]!;
}

/** A connection that can be made once, and lost once. The two callbacks are for BullMQ's adapter. */
export class WatchedClient {
  onconnect: (() => void) | null = null;
  onclose: ((error: Error) => void) | null = null;

  readonly #place: RedisPlace;
  readonly #options: ClientOptions;
  #raw: Bun.RedisClient | undefined;
  #isReady = false;
  #hasEnded = false;
  #owedCount = 0;
  #heardAtMs = 0;
  #blockedUntilMs = 0;
  #lookedAtMs = 0;
  #roleAtMs = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(place: RedisPlace, options: ClientOptions = {}) {
    this.#place = place;
    this.#options = options;
  }

  /** Whether commands can be sent. */
  get connected(): boolean {
    return this.#isReady && this.#raw?.connected === true;
  }

  /**
   * Finds the primary, connects, and logs in with the user and the password that are in the URL.
   *
   * @throws {@link FibError} as `RedisPlace.locate`; also for a replica. Others are Bun's.
   */
  async connect(): Promise<void> {
    try {
      const target = await this.#place.locate();
      await this.#connectTo(target);
      if (this.#hasEnded) throw new Error("Connection closed");
      this.#place.settle(this, target);
    } catch (error) {
      this.#end(error as Error);
      throw error;
    }
    this.#isReady = true;
    this.#roleAtMs = performance.now();
    this.onconnect?.();
  }

  /** Sends a command; rejected when the connection is lost before the reply: it may have been done then. */
  async send(command: string, args: string[]): Promise<unknown> {
    // BullMQ waits for a task in this way.
    if (command === "BZPOPMIN") this.#blockedUntilMs = performance.now() + Number(args.at(-1)) * 1000;
    const reply = await this.#whenReady((raw) => raw.send(command, args));
    // A transaction is answered as a whole, with its errors inside.
    if (command === "EXEC" && Array.isArray(reply)) reply.forEach((each) => this.#heed(each));
    return reply;
  }

  /** The value of a key as bytes. */
  getBuffer(key: string): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.#whenReady((raw) => raw.getBuffer(key));
  }

  /** Listens to a channel; the connection can do nothing else from then on. */
  async subscribe(channel: string, listener: (message: string) => void): Promise<void> {
    await this.#whenReady((raw) => raw.subscribe(channel, (message) => listener(message)));
  }

  /** Ends the connection; what is in flight is rejected. */
  close(): void {
    this.#end(new Error("Connection closed"));
  }

  /** A further connection to the same place. */
  duplicate(): Promise<WatchedClient> {
    return Promise.resolve(new WatchedClient(this.#place, this.#options));
  }

  async #connectTo(target: Target): Promise<void> {
    const { url, tls, connectTimeoutMs } = target;
    if (this.#hasEnded) throw new Error("Connection closed");
    this.#raw = new Bun.RedisClient(url, {
      autoReconnect: false,
      enableOfflineQueue: false,
      connectionTimeout: connectTimeoutMs,
      ...(tls && { tls }),
    });
    // This is no event of the web: the client has one place for it.
    Object.assign(this.#raw, { onclose: (error: Error) => this.#end(error) });
    try {
      await this.#raw.connect();
      this.#lookedAtMs = performance.now();
      this.#watch = setInterval(() => this.#look(), WATCH_MS);
      this.#watch.unref();
      // PING is refused by a server that is loading its data, which tells its role all the same.
      const [role] = await Promise.all(
        ["ROLE", "PING"].map((command) => this.#owed((raw) => raw.send(command, []))),
      );
      this.#mustBePrimary(role);
    } catch (error) {
      this.#place.distrust(target);
      throw error;
    }
  }

  /**
   * What comes before it is connected is refused, in words by which BullMQ knows that it has to pause. Bun's own differ,
   * and then BullMQ asks again at once, and for ever: the loop never turns, and nothing is ever connected.
   */
  async #whenReady<T>(ask: (raw: Bun.RedisClient) => Promise<T>): Promise<T> {
    if (!this.connected) throw new Error("Connection closed");
    return await this.#owed(ask);
  }

  async #owed<T>(ask: (raw: Bun.RedisClient) => Promise<T>): Promise<T> {
    if (this.#raw === undefined) throw new Error("Connection closed");
    if (this.#owedCount++ === 0) this.#heardAtMs = performance.now();
    try {
      return await ask(this.#raw);
    } catch (error) {
      this.#heed(error);
      throw error;
    } finally {
      this.#owedCount--;
      this.#heardAtMs = performance.now();
    }
  }

  #heed(reply: unknown): void {
    if (reply instanceof Error && NOT_PRIMARY.has(kindOf(reply.message))) this.#end(reply);
  }

  #look(): void {
    const nowMs = performance.now();
    // A process that has stood still has not listened: what came meanwhile is read after this.
    const stoodMs = nowMs - this.#lookedAtMs - WATCH_MS;
    if (stoodMs > WATCH_MS) this.#heardAtMs = Math.min(nowMs, this.#heardAtMs + stoodMs);
    this.#lookedAtMs = nowMs;
    const silenceMs = nowMs - Math.max(this.#heardAtMs, this.#blockedUntilMs);
    if (this.#owedCount > 0 && silenceMs > SILENCE_MAX_MS) {
      return this.#end(new Error(`Connection closed: no answer for ${SILENCE_MAX_MS} ms`));
    }
    if (!this.#isReady || nowMs - this.#roleAtMs < ROLE_MS) return;
    this.#roleAtMs = Infinity;
    this.send("ROLE", [])
      .then((role) => this.#mustBePrimary(role))
      .catch((error: Error) => error instanceof FibError && this.#end(error))
      .finally(() => (this.#roleAtMs = performance.now()));
  }

  #mustBePrimary(role: unknown): void {
    if (Array.isArray(role) && role[0] === "master") return;
    const { address, name } = this.#place;
    const cannot = `Cannot use Redis at ${address}`;
    if (Array.isArray(role) && role[0] === "sentinel") {
      throw new FibError(
        "redis_unusable",
        `${cannot}: it is a Sentinel; try redis+sentinel://HOST:PORT/NAME`,
      );
    }
    const what = `${cannot}: it is a replica, which takes no writes`;
    if (name === undefined) throw new FibError("redis_unusable", `${what}; name its primary`);
    throw new FibError("redis_unavailable", `${what}, and its Sentinels name no other yet; try again`);
  }

  #end(error: Error): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#isReady = false;
    clearInterval(this.#watch);
    this.#place.leave(this);
    this.#raw?.close();
    this.onclose?.(error);
    this.#options.onLost?.(error.message);
  }
}
