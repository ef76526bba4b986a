/**
 * BullMQ, which brings the ids of tasks to executors: one each, again when an executor dies, and no more than it can do.
 *
 * What has to be known about BullMQ here: a plain `Bun.RedisClient` is ignored in favour of
 * 127.0.0.1:6379, so the adapter stands between; its adapter pauses up to 20 s between attempts to
 * connect, and a server that was away for ten seconds should not be missed for thirty;
 * a job that "stalled" twice is failed by default, here the task's own count of attempts decides.
 * @module
 */
import { createBunRedisClient, Queue, Worker, type Job as BullJob, type WorkerOptions } from "bullmq";
import { FibError } from "../errors.ts";
import { WatchedClient } from "../redis/client.ts";
import type { RedisPlace } from "../redis/place.ts";

/** An id that was brought; the record says everything else. */
export type Delivery = BullJob<object, void>;

const NAME = "tasks";
/** An executor that has not renewed its lock for so long is taken for dead. */
const LOCK_MS = 3000;
/** How often one of the executors looks for such locks; a task is begun again after at most a lock and two looks. */
const STALLED_LOOK_MS = 1000;
/** A worker asks again after so many seconds without a task: a failover may have lost what would wake it. */
const BLOCK_SECONDS = 2;
/** The most that is paused between two attempts to connect. */
const RECONNECT_MS_MAX = 1000;
/**
 * A job that fails in BullMQ's eyes has met a bug or a Redis that was away: it is tried again at once, and who failed
 * has paused. BullMQ's own pauses go by the clocks of the executors, which disagree.
 */
const JOB_OPTIONS = { attempts: 1000, removeOnComplete: true, removeOnFail: true } as const;

type Connection = ReturnType<typeof createBunRedisClient>;

/** All of BullMQ's keys begin with this. */
function queuePrefix(prefix: string): string {
  return `${prefix}:queue`;
}

/** Where the queue keeps what it knows of a task, as long as it has it. */
export function deliveryKey(prefix: string, id: string): string {
  return `${queuePrefix(prefix)}:${NAME}:${id}`;
}

/** Opens the queue for those who put tasks into it. @throws {@link FibError} `redis_unavailable`. */
export async function openQueue(place: RedisPlace, prefix: string, onError: (error: Error) => void) {
  const connections = new Connections(place, onError);
  const queue = new Queue(NAME, {
    connection: connections.first,
    prefix: queuePrefix(prefix),
    skipVersionCheck: true,
    skipMetasUpdate: true,
    streams: { events: { maxLen: 100 } },
  });
  queue.on("error", onError);
  await connected(queue, connections, place);
  return {
    isConnected: () => connections.first.status === "ready",
    /** Puts tasks in; one that is in it stays where it is. */
    add: async (ids: readonly string[]) => {
      const jobs = ids.map((id) => ({ name: NAME, data: {}, opts: { ...JOB_OPTIONS, jobId: id } }));
      try {
        await queue.addBulk(jobs);
      } catch (error) {
        if (!(error as Error).message.startsWith("NOSCRIPT")) throw error;
        // SCRIPT FLUSH: the adapter believes what it has loaded is there as long as its connection.
        (connections.first as unknown as { loadedScriptShas: Set<string> }).loadedScriptShas.clear();
        await queue.addBulk(jobs);
      }
    },
    // An executor may have it already; then the record says that it is cancelled.
    remove: async (id: string) => void (await queue.remove(id).catch(() => 0)),
    close: async () => {
      await queue.close();
      connections.disconnect();
    },
  };
}

/** Begins to take tasks from a queue. @throws {@link FibError} `redis_unavailable`. */
export async function openWorker(
  place: RedisPlace,
  prefix: string,
  concurrency: number,
  process: (delivery: Delivery, token: string) => Promise<void>,
  onError: (error: Error) => void,
): Promise<{ readonly isConnected: () => boolean; readonly close: () => Promise<void> }> {
  const connections = new Connections(place, onError);
  const options: WorkerOptions = {
    connection: connections.first,
    prefix: queuePrefix(prefix),
    concurrency,
    skipVersionCheck: true,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_LOOK_MS,
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    drainDelay: BLOCK_SECONDS,
    runRetryDelay: RECONNECT_MS_MAX,
  };
  const worker = new Worker<object, void>(NAME, (delivery, token = "") => process(delivery, token), options);
  worker.on("error", onError);
  await connected(worker, connections, place);
  return {
    isConnected: () => connections.first.status === "ready",
    close: async () => {
      await worker.close();
      connections.disconnect();
    },
  };
}

/**
 * Waits for the first connection. Without that BullMQ never recovers from one that fails: its worker asks again at once,
 * for ever, and the loop stands still.
 */
async function connected(
  user: Pick<Queue, "waitUntilReady">,
  connections: Connections,
  { address }: RedisPlace,
): Promise<void> {
  try {
    await user.waitUntilReady();
  } catch (error) {
    connections.disconnect();
    const reason = "the connection was lost while the queue was opened; try again";
    throw new FibError("redis_unavailable", `Cannot use Redis at ${address}: ${reason}`, { cause: error });
  }
}

/** A connection for BullMQ, with the copies that it makes of it for blocking commands. */
class Connections {
  readonly first: Connection;
  readonly #all: Connection[] = [];

  constructor(place: RedisPlace, onError: (error: Error) => void) {
    // BullMQ's type asks for three commands more than its adapter ever calls on it.
    const raw = new WatchedClient(place) as unknown as Parameters<typeof createBunRedisClient>[0];
    this.first = this.#tame(createBunRedisClient(raw), onError);
  }

  /** Ends them all. The adapter's own way does nothing to one that tries to come back, and it would try for ever. */
  disconnect(): void {
    for (const connection of this.#all) {
      connection.disconnect();
      Object.assign(connection, { status: "end" });
    }
  }

  // An error that nobody listens to ends the process, and BullMQ stops listening before it closes.
  #tame(connection: Connection, onError: (error: Error) => void): Connection {
    const duplicate = connection.duplicate.bind(connection);
    this.#all.push(connection);
    connection.on("error", onError);
    return Object.assign(connection, {
      maxReconnectDelay: RECONNECT_MS_MAX,
      duplicate: (...args: Parameters<Connection["duplicate"]>) => this.#tame(duplicate(...args), onError),
    });
  }
}
