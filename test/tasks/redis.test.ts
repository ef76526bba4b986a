/** The engine on Redis: the contract, and what several processes and a lossy queue add to it. */
import { expect, onTestFinished, setDefaultTimeout } from "bun:test";
import { Pool } from "../../src/numbers/pool.ts";
import type { TaskLimits, TaskQueue } from "../../src/tasks/queue.ts";
import { RedisExecutor } from "../../src/tasks/redis-executor.ts";
import { RedisTasks } from "../../src/tasks/redis.ts";
import { isFinished, type TaskRequest } from "../../src/tasks/task.ts";
import { until } from "../binary.ts";
import { hasRedis, type Redis, startRedis, withRedis } from "../redis.ts";
import { testContract } from "./contract.ts";

const LIMITS: TaskLimits = {
  tasksMax: 1000,
  resultTtlMs: 3_600_000,
  resultBytesMax: 2 ** 30,
  attemptsMax: 3,
};
const TIMEOUT_MS = 60_000;
setDefaultTimeout(TIMEOUT_MS);

/** F(200,000): on a thread. */
const LONG: Request = [{ kind: "fibonacci", n: 200_000 }, 41_798];
const SHORT: Request = [{ kind: "fibonacci", n: 100 }, 21];
/** Half a minute, and 0.2 GB for each second. */
const ENDLESS: Request = [{ kind: "factorial", n: 100_000_000 }, 756_570_557];

type Request = readonly [request: TaskRequest, sizeBytes: number];
type Place = Pick<Redis, "url">;

/** A front, which its test closes. */
async function openFront(store: Place, limits: Partial<TaskLimits> = {}, queue: Place = store) {
  return await RedisTasks.open({
    storeUrl: store.url,
    prefix: "fibserver",
    queueUrl: queue.url,
    limits: { ...LIMITS, ...limits },
    onError: () => {},
  });
}

/** An executor with one thread, which its test closes. */
async function openExecutor(store: Place, limits: Partial<TaskLimits> = {}, queue: Place = store) {
  const pool = new Pool({ threads: 1, queueMax: 1 });
  const executor = await RedisExecutor.open({
    storeUrl: store.url,
    prefix: "fibserver",
    queueUrl: queue.url,
    limits: { ...LIMITS, ...limits },
    pool,
    onError: () => {},
  });
  const close = async () => {
    await executor.close();
    await pool.close();
  };
  return { close };
}

/** The task's last state. */
async function ended(tasks: TaskQueue, id: string) {
  return (await Array.fromAsync(tasks.watch(id, AbortSignal.timeout(TIMEOUT_MS)))).at(-1);
}

if (hasRedis) {
  testContract("shared", async ({ limits } = {}) => {
    const redis = await startRedis();
    const open = async () => ({
      tasks: await openFront(redis, limits),
      executor: await openExecutor(redis, limits),
    });
    let engine = await open();
    const close = async () => {
      await engine.executor.close();
      await engine.tasks.close();
    };
    onTestFinished(async () => {
      await close();
      await redis[Symbol.asyncDispose]();
    });
    const reopen = async () => {
      await close();
      engine = await open();
      return engine.tasks;
    };
    return { tasks: engine.tasks, reopen };
  });
}

withRedis("queue and store may be two servers", async () => {
  await using store = await startRedis();
  await using queue = await startRedis();
  const tasks = await openFront(store, {}, queue);
  const executor = await openExecutor(store, {}, queue);
  for (const request of [SHORT, LONG]) {
    const { task } = await tasks.create(...request);
    expect(await ended(tasks, task.id)).toMatchObject({ state: "ready" });
  }
  expect(await store.cli("KEYS", "fibserver:queue*")).toBe("\n");
  expect(await queue.cli("KEYS", "fibserver:task*")).toBe("\n");
  await executor.close();
  await tasks.close();
});

withRedis("two fronts see the same tasks, and the progress of what runs elsewhere", async () => {
  await using redis = await startRedis();
  const [one, two] = [await openFront(redis), await openFront(redis)];
  const executor = await openExecutor(redis);
  const { task } = await one.create({ kind: "fibonacci", n: 60_000_000 }, 12_539_259);
  expect(await two.create({ kind: "fibonacci", n: 60_000_000 }, 12_539_259)).toMatchObject({
    created: false,
    task: { id: task.id },
  });
  expect(await ended(two, task.id)).toMatchObject({ state: "ready", progress: 1 });
  expect((await two.list({ limit: 10 })).map(({ id }) => id)).toEqual([task.id]);
  await executor.close();
  for (const front of [one, two]) await front.close();
});

withRedis("what the queue has lost is put into it again", async () => {
  await using store = await startRedis();
  await using queue = await startRedis();
  const tasks = await openFront(store, {}, queue);
  const { task } = await tasks.create(...SHORT);
  await queue.cli("FLUSHALL");
  const executor = await openExecutor(store, {}, queue);
  expect(await ended(tasks, task.id)).toMatchObject({ state: "ready", attempts: 1 });
  await executor.close();
  await tasks.close();
});

withRedis("what the queue brings twice is done once, and what is unknown is dropped", async () => {
  await using redis = await startRedis();
  const tasks = await openFront(redis);
  const executor = await openExecutor(redis);
  const { task } = await tasks.create(...LONG);
  const ready = await ended(tasks, task.id);
  const { openQueue } = await import("../../src/tasks/delivery.ts");
  const queue = await openQueue(redis.url, "long", () => {});
  const keys = [task.id, Bun.randomUUIDv7()];
  await queue.add(keys.map((id) => ({ id, key: "fibonacci 200000", sizeBytes: 41_798 })));
  await until(
    "the queue is empty",
    async () => (await redis.cli("KEYS", "fibserver:queue:long:????????-????-*")) === "\n",
  );
  expect(await tasks.find(task.id)).toEqual(ready);
  expect(await tasks.find(keys[1]!)).toBeUndefined();
  await queue.close();
  await executor.close();
  await tasks.close();
});

withRedis("a task that ends its executor each time is given up", async () => {
  await using redis = await startRedis();
  const tasks = await openFront(redis, { attemptsMax: 2 });
  const { task } = await tasks.create(...ENDLESS);
  // Two executors died of it, as far as the record says.
  await redis.cli("HSET", `fibserver:task:${task.id}`, "attempts", "2");
  const executor = await openExecutor(redis, { attemptsMax: 2 });
  expect(await ended(tasks, task.id)).toMatchObject({
    state: "failed",
    reason: "its executor died 2 times",
  });
  await executor.close();
  await tasks.close();
});

withRedis(
  "a task of a front that counted nothing was asked for once, and is counted from then on",
  async () => {
    await using redis = await startRedis();
    const tasks = await openFront(redis);
    const { task } = await tasks.create(...LONG);
    const uncount = () => redis.cli("HDEL", `fibserver:task:${task.id}`, "requests");
    await uncount();
    expect(await tasks.find(task.id)).toMatchObject({ requestCount: 1 });
    expect(await tasks.create(...LONG)).toMatchObject({ created: false, task: { requestCount: 2 } });
    expect(await tasks.cancel(task.id, { unlessShared: true })).toMatchObject({ state: "queued" });
    await uncount();
    expect(await tasks.cancel(task.id, { unlessShared: true })).toMatchObject({ state: "cancelled" });
    await tasks.close();
  },
);

withRedis("what one front forgets ends on the executor, and for who watches at another front", async () => {
  await using redis = await startRedis();
  const [one, two] = [await openFront(redis), await openFront(redis)];
  const executor = await openExecutor(redis);
  const { task } = await one.create(...ENDLESS);
  const states: string[] = [];
  for await (const { state } of two.watch(task.id, AbortSignal.timeout(TIMEOUT_MS))) {
    if (state === "running" && !states.includes(state)) await one.forget(task.id);
    states.push(state);
  }
  const { task: next } = await two.create(...LONG);
  await until("the thread is free", async () => (await two.find(next.id))?.state === "ready");
  expect(states).toContain("running");
  expect((await two.list({ limit: 10 })).map(({ id }) => id)).not.toContain(task.id);
  await executor.close();
  for (const front of [one, two]) await front.close();
});

withRedis("nothing is left in Redis of a task that was forgotten, and the room is counted back", async () => {
  await using redis = await startRedis();
  const tasks = await openFront(redis);
  const executor = await openExecutor(redis);
  for (const request of [SHORT, LONG]) {
    const { task } = await tasks.create(...request);
    expect(isFinished((await ended(tasks, task.id))!.state)).toBe(true);
    await tasks.forget(task.id);
  }
  const open = [await tasks.create(...ENDLESS), await tasks.create(...LONG)].map(({ task }) => task.id);
  await until("one runs", async () => (await tasks.find(open[0]!))?.state === "running");
  for (const id of open) await tasks.forget(id);
  expect(await redis.cli("GET", "fibserver:stored-bytes")).toBe("0\n");
  await executor.close();
  const left = (await redis.cli("KEYS", "fibserver:*")).trim().split("\n");
  expect(left.filter((key) => !key.startsWith("fibserver:queue:"))).toEqual(["fibserver:stored-bytes"]);
  expect(left.filter((key) => /[\da-f]{8}-/.test(key))).toEqual([]);
  await tasks.close();
});
