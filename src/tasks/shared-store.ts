/**
 * What fronts and executors have in common on Redis: connections to its two halves, the records, the limits that hold
 * for all, and the news of tasks that change.
 * @module
 */
import { type ConnectionEvents, defineScript, RedisConnection } from "../redis/connection.ts";
import type { RedisPlace } from "../redis/place.ts";
import type { TaskLimits } from "./queue.ts";
import { TaskRecords } from "./records.ts";
import { SharedLimits } from "./shared-limits.ts";
import type { TaskState } from "./task.ts";

/** How a process is connected. */
export interface SharedStoreOptions {
  /** Holds the queue: nothing in it may be lost, so `appendfsync always`. */
  readonly queue: RedisPlace;
  /** Holds tasks and results; one and the same place when the two halves are one Redis. */
  readonly store: RedisPlace;
  /** What all keys and the channel begin with, before a colon. */
  readonly prefix: string;
  readonly limits: TaskLimits;
  /** Told of limits that others have set to other values. */
  readonly notice?: ((message: string) => void) | undefined;
  readonly events?: ConnectionEvents;
}

/** Who hears of changes. */
export interface Listener {
  /** Of each; "forgotten" for a task that is no more. */
  readonly onChange: (id: string, state: TaskState | "forgotten") => void;
  /** After each new connection: what was said before that has not been heard. */
  readonly onListening: () => void;
}

const READY = defineScript(`return redis.call('SET', KEYS[1], '1')`);

/** How often the limits are repeated. */
const AGREE_MS = 10_000;

/** One process's part. */
export class SharedStore {
  readonly prefix: string;
  readonly store: RedisConnection;
  /** The Redis of the queue: the same connection when there is one for both. */
  readonly queue: RedisConnection;
  readonly limits: SharedLimits;
  readonly records: TaskRecords;
  readonly #agreeing: NodeJS.Timeout;
  #listener: RedisConnection | undefined;

  private constructor(options: SharedStoreOptions, store: RedisConnection, queue: RedisConnection) {
    this.prefix = options.prefix;
    this.store = store;
    this.queue = queue;
    this.limits = new SharedLimits(store, options.prefix, options.limits, options.notice);
    this.records = new TaskRecords(store, options.prefix, this.limits);
    // What is not agreed now is agreed later: the limits of last time go on.
    this.#agreeing = setInterval(() => void this.limits.agree().catch(() => {}), AGREE_MS);
    this.#agreeing.unref();
  }

  /**
   * Connects.
   *
   * @throws {@link FibError} `redis_unavailable`, `redis_unusable`.
   */
  static async open(options: SharedStoreOptions, { onChange, onListening }: Listener): Promise<SharedStore> {
    const { prefix, events } = options;
    const store = await RedisConnection.open(options.store, events);
    const queue = options.queue === options.store ? store : await RedisConnection.open(options.queue, events);
    const shared = new SharedStore(options, store, queue);
    await shared.limits.agree();
    shared.#listener = await RedisConnection.open(options.store, {}, async (client) => {
      await client.subscribe(`${prefix}:changes`, (message) => {
        const [id = "", state = ""] = message.split(" ");
        onChange(id, state as TaskState | "forgotten");
      });
      onListening();
    });
    return shared;
  }

  /** Whether both halves can be asked now. */
  get isConnected(): boolean {
    return this.store.isConnected && this.queue.isConnected;
  }

  /** Writes as a task does: a Redis that is full, a replica, or without enough replicas is of no use. @throws {@link FibError} then. */
  async check(): Promise<void> {
    const key = `${this.prefix}:ready`;
    await this.store.run(READY, [key], [], { replicated: true });
    if (this.queue !== this.store) await this.queue.send("SET", [key, "1"]);
  }

  /** Ends the connections. */
  async close(): Promise<void> {
    clearInterval(this.#agreeing);
    await this.#listener?.close();
    for (const redis of new Set([this.store, this.queue])) await redis.close();
  }
}
