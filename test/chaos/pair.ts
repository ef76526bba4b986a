/**
 * Two redis-servers, of which one is the primary and the other its replica; they can change places.
 * @module
 */
import { until } from "../binary.ts";
import { type Redis, startRedis } from "../redis.ts";

// A replica that was away is served at once; nothing here is worth five seconds of waiting for more of them.
const SETTINGS = ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"];

/** Such a pair. */
export class Pair implements AsyncDisposable {
  #primary: Redis;
  #replica: Redis;

  private constructor(primary: Redis, replica: Redis) {
    this.#primary = primary;
    this.#replica = replica;
  }

  static async open(): Promise<Pair> {
    const pair = new Pair(await startRedis(SETTINGS), await startRedis(SETTINGS));
    await pair.#follow();
    await pair.#untilReplicated();
    return pair;
  }

  get primary(): Redis {
    return this.#primary;
  }

  /** Starts a primary again that was killed. */
  async restart(): Promise<void> {
    await this.#primary.restart();
  }

  /**
   * Makes the replica the primary, without losing anything: the old one takes nothing more, waits until the other has
   * everything, and becomes its replica. Those who are connected to it stay so, and are told READONLY from then on.
   */
  async failover(): Promise<void> {
    await this.#untilReplicated();
    await this.#primary.cli("FAILOVER", "TO", "127.0.0.1", String(this.#replica.port));
    await until("the replica is the primary", async () =>
      (await this.#replica.cli("ROLE")).startsWith("master"),
    );
    [this.#primary, this.#replica] = [this.#replica, this.#primary];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#primary[Symbol.asyncDispose](), this.#replica[Symbol.asyncDispose]()]);
  }

  async #follow(): Promise<void> {
    await this.#replica.cli("REPLICAOF", "127.0.0.1", String(this.#primary.port));
  }

  async #untilReplicated(): Promise<void> {
    await until("the replica follows", async () =>
      (await this.#primary.cli("INFO", "replication")).includes("state=online"),
    );
  }
}
