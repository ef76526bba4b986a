/** The engine on Redis: the contract, and what several processes and a lossy queue add to it. */
import { expect, onTestFinished, setDefaultTimeout } from "bun:test";
import { RedisPlace } from "../../src/redis/place.ts";
import { isFinished } from "../../src/tasks/task.ts";
import { until } from "../binary.ts";
import { hasRedis, startRedis, withRedis } from "../redis.ts";
import { rejected } from "../refusal.ts";
import { type OpenEngine, testContract } from "./contract.ts";
import { testKinds } from "./kinds.ts";
import {
  ended,
  ENDLESS,
  LONG,
  openExecutor,
  openExecutorOn,
  openFront,
  SHORT,
  TIMEOUT_MS,
} from "./open-redis.ts";

setDefaultTimeout(TIMEOUT_MS);

const openEngine: OpenEngine = async ({ limits } = {}) => {
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
};

if (hasRedis) {
  testContract("shared", openEngine);
  testKinds("shared", openEngine);
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
  const { task } = await tasks.create(...LONG);
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
  const queue = await openQueue(new RedisPlace(redis.url), "fibserver", () => {});
  const keys = [task.id, Bun.randomUUIDv7()];
  await queue.add(keys);
  await until(
    "the queue is empty",
    async () => (await redis.cli("KEYS", "fibserver:queue:tasks:????????-????-*")) === "\n",
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
  const { task } = await tasks.create(...ENDLESS, "", { requestId: "maker" });
  // Two executors died of it, as far as the record says.
  await redis.cli("HSET", `fibserver:task:${task.id}`, "attempts", "2");
  const told: [requestId: string | undefined, reason: string | undefined][] = [];
  const pool = { threads: 1, run: () => Promise.reject(new Error("it is begun")) };
  const executor = await openExecutorOn(pool, redis, { attemptsMax: 2 }, redis, [], {
    onTaskEnd: ({ origin, reason }) => void told.push([origin.requestId, reason]),
  });
  expect(await ended(tasks, task.id)).toMatchObject({
    state: "failed",
    reason: "its executor died 2 times",
  });
  await until("it is told", () => told.length > 0);
  expect(told).toEqual([["maker", "its executor died 2 times"]]);
  await executor.close();
  await tasks.close();
});

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
  expect(await redis.cli("GET", "fibserver:kept-bytes")).toBe("0\n");
  await executor.close();
  const left = (await redis.cli("KEYS", "fibserver:*")).trim().split("\n");
  // The mark of a round is there when one has been made.
  const others = left.filter((key) => !key.startsWith("fibserver:queue:") && key !== "fibserver:round");
  expect(others.toSorted()).toEqual(["clock", "kept-bytes", "limits"].map((key) => `fibserver:${key}`));
  expect(left.filter((key) => /[\da-f]{8}-/.test(key))).toEqual([]);
  await tasks.close();
});

withRedis("a queue that is away refuses what would wait in it, and nothing else", async () => {
  await using store = await startRedis();
  await using queue = await startRedis();
  const tasks = await openFront(store, {}, queue);
  await queue.crash();
  await until("it is noticed", async () => (await tasks.check().catch(() => "away")) === "away");
  expect((await tasks.create(...SHORT)).task.state).toBe("ready");
  expect((await rejected(tasks.create(...LONG))).code).toBe("redis_unavailable");
  await queue.restart();
  await until("it is back", async () => (await tasks.check().catch(() => "away")) === undefined);
  expect((await tasks.create(...LONG)).task.state).toBe("queued");
  await tasks.close();
});

withRedis("a Redis that has lost its scripts takes tasks again at once", async () => {
  await using redis = await startRedis();
  const tasks = await openFront(redis);
  const executor = await openExecutor(redis);
  const ask = async (n: number) =>
    await tasks.create({ kind: "fibonacci", n }, 41_798).catch(() => undefined);
  expect((await ask(200_000))!.task.state).toBe("queued");
  await redis.cli("SCRIPT", "FLUSH");
  await until("the next is taken", async () => (await ask(200_001)) !== undefined);
  const { task } = (await ask(200_001))!;
  await until("it is ready", async () => (await tasks.find(task.id))?.state === "ready");
  await executor.close();
  await tasks.close();
});
