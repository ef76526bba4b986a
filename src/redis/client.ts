/**
 * One connection to Redis, as Bun has it, with a limit on silence.
 *
 * Bun's client rejects what is in flight when a connection breaks, and sends nothing
 * twice; that is what a move needs. It has no timeout for a reply, so a Redis that
 * hangs, or a network that swallows packets, would hold its callers for ever: here a
 * connection that owes replies and brings none for a while is closed. A timer for each
 * command would say the same and cost a timer for each command: replies come in order.
 *
 * BullMQ's adapter takes any object of this shape, so its connections are watched too.
 * @module
 */

import { placeOf, type RedisPlace } from "./place.ts";

/** How a connection behaves. */
export interface ClientOptions {
  /** A connection that owes replies and brings none for so long is closed. */
  readonly silenceMaxMs: number;
  /** Called when the connection has ended, whoever ended it. */
  readonly onLost?: () => void;
}

/** Looks at the replies this often; a silence lasts up to this much longer than the limit. */
const WATCH_MS = 250;
/** A server that accepts a connection and says nothing within this is away. */
const CONNECT_TIMEOUT_MS = 2000;

/** A connection that can be made once, and lost once. The two callbacks are for BullMQ's adapter. */
export class WatchedClient {
  onconnect: (() => void) | null = null;
  onclose: ((error: Error) => void) | null = null;

  readonly #place: RedisPlace | string;
  readonly #options: ClientOptions;
  readonly #raw: Bun.RedisClient;
  #owedCount = 0;
  #heardAtMs = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(place: RedisPlace | string, options: ClientOptions) {
    this.#place = place;
    this.#options = options;
    this.#raw = new Bun.RedisClient(placeOf(place).url, {
      autoReconnect: false,
      enableOfflineQueue: false,
      connectionTimeout: CONNECT_TIMEOUT_MS,
    });
    // These are no events of the web: the client has one place for each.
    Object.assign(this.#raw, {
      onconnect: () => this.onconnect?.(),
      onclose: (error: Error) => {
        clearInterval(this.#watch);
        this.onclose?.(error);
        options.onLost?.();
      },
    });
  }

  /** Whether commands can be sent. */
  get connected(): boolean {
    return this.#raw.connected;
  }

  /** Connects, and logs in with the user and the password that are in the URL. */
  async connect(): Promise<void> {
    await this.#raw.connect();
    clearInterval(this.#watch);
    this.#watch = setInterval(() => {
      const silenceMs = performance.now() - this.#heardAtMs;
      if (this.#owedCount > 0 && silenceMs > this.#options.silenceMaxMs) this.close();
    }, WATCH_MS);
    this.#watch.unref();
  }

  /** Sends a command; rejected when the connection is lost before the reply: it may have been done then. */
  async send(command: string, args: string[]): Promise<unknown> {
    if (this.#owedCount++ === 0) this.#heardAtMs = performance.now();
    try {
      return await this.#raw.send(command, args);
    } finally {
      this.#owedCount--;
      this.#heardAtMs = performance.now();
    }
  }

  /** The value of a key as bytes. */
  getBuffer(key: string): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.#raw.getBuffer(key);
  }

  /** Listens to a channel; the connection can do nothing else from then on. */
  async subscribe(channel: string, listener: (message: string) => void): Promise<void> {
    await this.#raw.subscribe(channel, (message) => listener(message));
  }

  /** Ends the connection; what is in flight is rejected. */
  close(): void {
    clearInterval(this.#watch);
    this.#raw.close();
  }

  /** A further connection to the same server. */
  duplicate(): Promise<WatchedClient> {
    return Promise.resolve(new WatchedClient(this.#place, this.#options));
  }
}
