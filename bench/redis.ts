/**
 * What does sharing cost? Tasks against bare BullMQ, the cursor against INCR, and executors against one another.
 *
 * Everything here is one redis-server that syncs each group of commands (`appendfsync always`).
 * @module
 */
import { createBunRedisClient, Queue, Worker } from "bullmq";
import path from "node:path";
import { DEFAULT_NAME } from "../src/cursor-name.ts";
import { RedisCursors } from "../src/cursor/redis.ts";
import { FibError } from "../src/errors.ts";
import { fibonacciDigits } from "../src/numbers/digits.ts";
import { RedisConnection } from "../src/redis/connection.ts";
import { RedisPlace } from "../src/redis/place.ts";
import { RedisTasks } from "../src/tasks/redis.ts";
import { interleave, mustBe, publish } from "./measure.ts";
import { startRedis } from "./servers.ts";

const TASK_COUNT = 2000;
const CONCURRENCY = 50;
/** Tasks of fixed work for the executors: some 100 ms of a thread each. */
const LONG_COUNT = 24;
const LONG_INDEX = 10_000_000;
const MOVE_COUNT = 20_000;
const CALLERS = 64;
const LIMITS = { tasksMax: 100_000, resultTtlMs: 600_000, resultBytesMax: 2 ** 30, attemptsMax: 3 };

/** Small tasks, moves, and executors. */
export async function benchRedis(rounds: number): Promise<void> {
  await compareTasks(rounds);
  await compareMoves(rounds);
  await compareExecutors(rounds);
}

async function compareTasks(rounds: number): Promise<void> {
  const samples = await interleave(rounds, { bare: bareTasks, bulk: bulkTasks, ours: sharedTasks });
  publish({
    title: `${TASK_COUNT.toLocaleString("en-US")} small tasks on Redis, accepted and finished`,
    rows: [
      { name: "BullMQ, add() for each", unit: "/s", samples: samples.bare },
      { name: "BullMQ, addBulk() of 200", unit: "/s", samples: samples.bulk },
      tasksRow(samples.ours, "BullMQ, add() for each", 1.2),
      tasksRow(samples.ours, "BullMQ, addBulk() of 200", 0.7),
    ],
  });
}

function tasksRow(samples: number[], against: string, ratio: number) {
  return { name: "fibserver's tasks", unit: "/s", samples, against, goal: { ratio } };
}

function bareTasks(): Promise<number> {
  return bareQueue(async (queue) => {
    await Promise.all(Array.from({ length: TASK_COUNT }, (_, n) => queue.add("task", { n })));
  });
}

function bulkTasks(): Promise<number> {
  return bareQueue(async (queue) => {
    for (let from = 0; from < TASK_COUNT; from += 200) {
      await queue.addBulk(Array.from({ length: 200 }, (_, i) => ({ name: "task", data: { n: from + i } })));
    }
  });
}

async function bareQueue(fill: (queue: Queue) => Promise<void>): Promise<number> {
  await using redis = await startRedis();
  const connections = [1, 2].map(() => createBunRedisClient(new Bun.RedisClient(redis.url)));
  for (const connection of connections) connection.on("error", () => {});
  const queue = new Queue("bare", { connection: connections[0]! });
  const done = Promise.withResolvers<void>();
  const worker = new Worker("bare", async () => {}, {
    connection: connections[1]!,
    concurrency: CONCURRENCY,
    removeOnComplete: { count: 0 },
  });
  let count = 0;
  worker.on("completed", () => ++count === TASK_COUNT && done.resolve());
  await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]);
  const startMs = performance.now();
  await fill(queue);
  await done.promise;
  const perSecond = (TASK_COUNT / (performance.now() - startMs)) * 1000;
  await worker.close();
  await queue.close();
  for (const connection of connections) connection.disconnect();
  return perSecond;
}

// Each is computed by the front and ready in the script that accepts it: no queue, no executor.
async function sharedTasks(): Promise<number> {
  await using redis = await startRedis();
  const tasks = await RedisTasks.open(placesOf(redis.url));
  const requests = Array.from({ length: TASK_COUNT }, (_, i) => ({
    n: 100 + i,
    sizeBytes: Number(fibonacciDigits(BigInt(100 + i))),
  }));
  const startMs = performance.now();
  const accepted = await Promise.all(
    requests.map(({ n, sizeBytes }) => tasks.create({ kind: "fibonacci", n }, sizeBytes)),
  );
  const perSecond = (TASK_COUNT / (performance.now() - startMs)) * 1000;
  mustBe(
    (await tasks.list({ state: "ready", limit: TASK_COUNT })).length,
    TASK_COUNT,
    "tasks that are ready",
  );
  const result = await (await tasks.openResult(accepted[0]!.task.id))!.read(0, 21);
  mustBe(Buffer.from(result).toString(), "354224848179261915075", "F(100)");
  await tasks.close();
  return perSecond;
}

function placesOf(url: string) {
  const place = new RedisPlace(url);
  return { queue: place, store: place, prefix: "fibserver", limits: LIMITS, onError: () => {} };
}

async function compareMoves(rounds: number): Promise<void> {
  const samples = await interleave(rounds, { increments, moves });
  publish({
    title: `The cursor on Redis, ${CALLERS} callers`,
    rows: [
      { name: "bare INCR", unit: "/s", samples: samples.increments },
      { name: "durable moves", unit: "/s", samples: samples.moves, against: "bare INCR" },
    ],
  });
}

async function increments(): Promise<number> {
  await using redis = await startRedis();
  const connection = await RedisConnection.open(new RedisPlace(redis.url));
  const perSecond = await perSecondOf(async () => void (await connection.send("INCR", ["n"])));
  mustBe(await connection.send("GET", ["n"]), String(MOVE_COUNT), "the counter");
  await connection.close();
  return perSecond;
}

async function moves(): Promise<number> {
  await using redis = await startRedis();
  const connection = await RedisConnection.open(new RedisPlace(redis.url));
  const cursors = await RedisCursors.open({
    redis: connection,
    prefix: "fibserver",
    indexMax: 1_000_000,
    cursorsMax: 0,
    clientsMax: 0,
    clientTtlMs: Number.MAX_SAFE_INTEGER,
    notice: () => {},
  });
  const cursor = cursors.at(DEFAULT_NAME);
  let indexMax = 0;
  const perSecond = await perSecondOf(() =>
    cursor.submit({ operation: "next" }, (outcome) => {
      if (outcome instanceof FibError) throw outcome;
      indexMax = Math.max(indexMax, outcome.index);
    }),
  );
  mustBe(indexMax, MOVE_COUNT, "the cursor");
  await cursors.close();
  await connection.close();
  return perSecond;
}

async function perSecondOf(move: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  let left = MOVE_COUNT;
  const caller = async () => {
    while (left-- > 0) await move();
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return (MOVE_COUNT / (performance.now() - startMs)) * 1000;
}

async function compareExecutors(rounds: number): Promise<void> {
  const samples = await interleave(rounds, {
    1: () => longTasks(1),
    2: () => longTasks(2),
    4: () => longTasks(4),
  });
  publish({
    title: `${LONG_COUNT} tasks of fixed work, by executors (${navigator.hardwareConcurrency} CPUs)`,
    rows: [
      { name: "one executor of one thread", unit: "/s", samples: samples[1] },
      { name: "two", unit: "/s", samples: samples[2], against: "one executor of one thread" },
      { name: "four", unit: "/s", samples: samples[4], against: "one executor of one thread" },
    ],
  });
}

async function longTasks(executorCount: number): Promise<number> {
  await using redis = await startRedis();
  const tasks = await RedisTasks.open(placesOf(redis.url));
  const executors = await Promise.all(Array.from({ length: executorCount }, () => startExecutor(redis.url)));
  const startMs = performance.now();
  for (let i = 0; i < LONG_COUNT; i++) {
    const n = LONG_INDEX + i;
    await tasks.create({ kind: "fibonacci", n }, Number(fibonacciDigits(BigInt(n))));
  }
  while ((await tasks.list({ state: "ready", limit: LONG_COUNT })).length < LONG_COUNT) await Bun.sleep(5);
  const perSecond = (LONG_COUNT / (performance.now() - startMs)) * 1000;
  for (const executor of executors) {
    executor.kill();
    await executor.exited;
  }
  await tasks.close();
  return perSecond;
}

async function startExecutor(url: string) {
  const command = [path.resolve("dist/fibserver"), "worker", "--redis", url, "--max-computations", "1"];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  let log = "";
  for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
    log += chunk;
    if (log.includes("Computing for")) return child;
  }
  throw new Error(`An executor did not start: ${log}`);
}
