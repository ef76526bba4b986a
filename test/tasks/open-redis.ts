/** Fronts and executors in the test's own process, on a Redis of its own. @module */
import { Pool } from "../../src/numbers/pool.ts";
import type { TaskLimits, TaskQueue } from "../../src/tasks/queue.ts";
import { RedisConnection } from "../../src/redis/connection.ts";
import { RedisPlace } from "../../src/redis/place.ts";
import { TaskRecords } from "../../src/tasks/records.ts";
import { RedisExecutor, type RedisExecutorOptions } from "../../src/tasks/redis-executor.ts";
import { RedisTasks } from "../../src/tasks/redis.ts";
import { RESULT_CHUNK_BYTES } from "../../src/tasks/script-base.ts";
import { SharedLimits } from "../../src/tasks/shared-limits.ts";
import type { Task, TaskRequest } from "../../src/tasks/task.ts";
import { patiently, type Redis } from "../redis.ts";

export const LIMITS: TaskLimits = {
  tasksMax: 1000,
  resultTtlMs: 3_600_000,
  resultBytesMax: 2 ** 30,
  attemptsMax: 3,
};
/** Generous: a busy machine is no failure. */
export const TIMEOUT_MS = 300_000;

type Request = readonly [request: TaskRequest, sizeBytes: number];
type Place = Pick<Redis, "url">;

/** F(200,000): on a thread. */
export const LONG: Request = [{ kind: "fibonacci", n: 200_000 }, 41_798];
export const SHORT: Request = [{ kind: "fibonacci", n: 100 }, 21];
/** Half a minute, and 0.2 GB for each second. */
export const ENDLESS: Request = [{ kind: "factorial", n: 100_000_000 }, 756_570_557];

function placeOptions(store: Place, limits: Partial<TaskLimits>, queue: Place, notices: string[]) {
  const place = new RedisPlace(store.url);
  return {
    store: place,
    queue: queue === store ? place : new RedisPlace(queue.url),
    prefix: "fibserver",
    limits: { ...LIMITS, ...limits },
    notice: (message: string) => notices.push(message),
    onError: () => {},
  };
}

/** A front, which its test closes. */
export async function openFront(
  store: Place,
  limits: Partial<TaskLimits> = {},
  queue: Place = store,
  notices: string[] = [],
): Promise<RedisTasks> {
  return await patiently(() => RedisTasks.open(placeOptions(store, limits, queue, notices)));
}

/** An executor with one thread, which its test closes. */
export async function openExecutor(
  store: Place,
  limits: Partial<TaskLimits> = {},
  queue: Place = store,
  notices: string[] = [],
): Promise<{ readonly close: () => Promise<void> }> {
  const pool = new Pool({ threads: 1, queueMax: 1 });
  const executor = await openExecutorOn(pool, store, limits, queue, notices);
  const close = async () => {
    await executor.close();
    await pool.close();
  };
  return { close };
}

/** An executor with threads of the test's, which its test closes. */
export async function openExecutorOn(
  pool: Pick<Pool, "run" | "threads">,
  store: Place,
  limits: Partial<TaskLimits> = {},
  queue: Place = store,
  notices: string[] = [],
  told: Pick<RedisExecutorOptions, "onTaskEnd" | "tracer"> = {},
): Promise<RedisExecutor> {
  return await patiently(() =>
    RedisExecutor.open({ ...placeOptions(store, limits, queue, notices), pool, ...told }),
  );
}

/** Ten chunks and a bit, each of which is known by its digits. */
export const DIGITS = new Uint8Array(RESULT_CHUNK_BYTES * 10 + 7).map(
  (_, at) => 0x30 + (Math.floor(at / RESULT_CHUNK_BYTES) % 10),
);

/** The steps by themselves, as several executors would make them in turn; the result of each task is {@link DIGITS}. */
export async function openRecords(redis: Place, resultBytesMax = LIMITS.resultBytesMax, replicasMin = 0) {
  const connection = await patiently(() => RedisConnection.open(new RedisPlace(redis.url, { replicasMin })));
  const limits = new SharedLimits(connection, "fibserver", { ...LIMITS, resultBytesMax });
  const records = new TaskRecords(connection, "fibserver", limits);
  let n = 1_000_000;
  const create = async () => {
    const [made] = await records.create([
      { request: { kind: "fibonacci", n: n++ }, sizeBytes: DIGITS.length, holder: "" },
    ]);
    if (made === undefined || made === "full") throw new Error("no task");
    return made.task;
  };
  const begin = async () => (await records.begin((await create()).id))!;
  return { records, create, begin, close: () => connection.close() };
}

/** Tasks to create that are finished at once, each another sequence. */
export const finishedFrom = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    request: { kind: "sequence", from: from + i, count: 1 } as const,
    sizeBytes: 2,
    holder: "",
    outcome: {},
  }));

/** What results take, as Redis counts it. */
export async function keptBytes(redis: Redis): Promise<number> {
  return Number(await redis.cli("GET", "fibserver:kept-bytes"));
}

/** The task's last state. */
export async function ended(tasks: TaskQueue, id: string): Promise<Task | undefined> {
  return (await Array.fromAsync(tasks.watch(id, AbortSignal.timeout(TIMEOUT_MS)))).at(-1);
}
