/** What fronts do besides answering: their rounds, their watchers, and a queue that is full or away. */
import { describe, expect, setDefaultTimeout } from "bun:test";
import { until } from "../binary.ts";
import { isRefused, rejected } from "../refusal.ts";
import { startRedis, withRedis } from "../redis.ts";
import { ended, LONG, openExecutor, openFront, openRecords, SHORT, TIMEOUT_MS } from "./open-redis.ts";

setDefaultTimeout(TIMEOUT_MS);

/** Counts as 21 tasks. */
const long = (digit: string) =>
  ({ kind: "remainder", n: digit.repeat(7500), mod: "7".repeat(7500) }) as const;

// Most of them wait for a timer: side by side they take as long as the slowest.
describe.concurrent("fronts", () => {
  withRedis("a front that nobody asks heals the queue, forgets, sweeps and repeats the limits", async () => {
    await using redis = await startRedis();
    const tasks = await openFront(redis, { resultTtlMs: 500 });
    const { records, begin, close } = await openRecords(redis);
    const waits = await Promise.all(
      [300_000, 300_001].map((n) => tasks.create({ kind: "fibonacci", n }, 62_695, String(n))),
    );
    // Of two that wait the queue has lost one, and of those that run one.
    const running = await begin();
    const lost = [waits[0]!.task.id, running.id].map((id) => `fibserver:queue:tasks:${id}`);
    await redis.cli("DEL", ...lost);
    const { task: expired } = await tasks.create(...SHORT);
    const chunk = `fibserver:result:${Bun.randomUUIDv7()}:0`;
    await redis.cli("SET", chunk, "x");
    const count = (...keys: string[]) => redis.cli("EXISTS", ...keys);
    await until("the queue has them again", async () => (await count(...lost)) === "2\n");
    await until(
      "what has expired is gone",
      async () => (await count(`fibserver:task:${expired.id}`)) === "0\n",
    );
    await until("what is nobody's is gone", async () => (await count(chunk)) === "0\n");
    let leastMs = Infinity;
    await until("the limits are repeated, and never lapse", async () => {
      const leftMs = Number(await redis.cli("PTTL", "fibserver:limits"));
      expect(leftMs).toBePositive();
      const isRepeated = leftMs > leastMs;
      leastMs = leftMs;
      return isRepeated;
    });
    expect(await records.find(running.id)).toMatchObject({ state: "running", attempts: 1 });
    await close();
    await tasks.close();
  });

  withRedis("what another version has counted wrong is right again, and no address is shut out", async () => {
    await using redis = await startRedis();
    const tasks = await openFront(redis, { tasksMax: 100 });
    await tasks.create(long("8"), 7500, "a");
    const { task } = await tasks.create(long("9"), 7500, "a");
    // As a process ends it that counts it as one.
    await tasks.cancel(task.id);
    expect(await redis.cli("HINCRBY", "fibserver:holders", "a", "20")).toBe("41\n");
    expect(await redis.cli("INCRBY", "fibserver:open-more", "20")).toBe("40\n");
    const isCounted = async () =>
      (await redis.cli("HGET", "fibserver:holders", "a")) === "21\n" &&
      (await redis.cli("GET", "fibserver:open-more")) === "20\n";
    await until("it is counted anew", isCounted);
    await tasks.close();
  });

  withRedis(
    "what only a newer version can compute is shown, and waits for one without holding up others",
    async () => {
      await using redis = await startRedis();
      const tasks = await openFront(redis);
      const { task } = await tasks.create(...LONG);
      const record = `fibserver:task:${task.id}`;
      await redis.cli("HSET", record, "key", "zeta 200000");
      const executor = await openExecutor(redis);
      const delivered = async () => (await redis.cli("EXISTS", `fibserver:queue:tasks:${task.id}`)) === "1\n";
      await until("its delivery has ended", async () => !(await delivered()));
      expect(await tasks.list({ limit: 9 })).toMatchObject([
        { id: task.id, request: "zeta 200000", state: "queued", attempts: 0 },
      ]);
      const { task: next } = await tasks.create({ kind: "fibonacci", n: 200_001 }, 41_798);
      expect((await ended(tasks, next.id))?.state).toBe("ready");
      // As for an executor that knows it.
      await redis.cli("HSET", record, "key", "fibonacci 200000");
      expect(await ended(tasks, task.id)).toMatchObject({ state: "ready", attempts: 1 });
      await executor.close();
      await tasks.close();
    },
  );

  withRedis("a change that nobody was told of is seen by who watches", async () => {
    await using redis = await startRedis();
    const tasks = await openFront(redis);
    const { task } = await tasks.create(...LONG);
    const watch = tasks.watch(task.id, AbortSignal.timeout(TIMEOUT_MS));
    expect((await watch.next()).value).toMatchObject({ state: "queued" });
    await redis.cli("HSET", `fibserver:task:${task.id}`, "state", "cancelled");
    // Whoever watches is told the same again from time to time.
    expect((await Array.fromAsync(watch)).at(-1)).toMatchObject({ state: "cancelled" });
    await tasks.close();
  });

  withRedis(
    "of two who watch a task one stays, and sees its end, which leaves nothing in the queue",
    async () => {
      await using redis = await startRedis();
      const tasks = await openFront(redis);
      const { task } = await tasks.create(...LONG);
      const leaving = new AbortController();
      const leaves = tasks.watch(task.id, leaving.signal);
      const stays = tasks.watch(task.id, AbortSignal.timeout(TIMEOUT_MS));
      for (const watch of [leaves, stays]) await watch.next();
      const left = Array.fromAsync(leaves);
      leaving.abort();
      expect((await left).filter(({ state }) => state !== "queued")).toEqual([]);
      await tasks.cancel(task.id);
      expect((await Array.fromAsync(stays)).at(-1)).toMatchObject({ state: "cancelled" });
      const isQueued = () => redis.cli("EXISTS", `fibserver:queue:tasks:${task.id}`);
      await until("the queue has forgotten it", async () => (await isQueued()) === "0\n");
      await tasks.close();
    },
  );

  withRedis("a queue that is full refuses what would wait in it, says so, and recovers", async () => {
    await using store = await startRedis();
    await using queue = await startRedis();
    const tasks = await openFront(store, {}, queue);
    await queue.cli("CONFIG", "SET", "maxmemory", "1");
    expect((await rejected(tasks.check())).code).toBe("redis_full");
    expect((await rejected(tasks.create(...LONG))).code).toBe("redis_full");
    await queue.cli("CONFIG", "SET", "maxmemory", "0");
    expect((await tasks.create(...LONG)).task.state).toBe("queued");
    await tasks.close();
  });

  withRedis("what a queue that is away refuses leaves no record", async () => {
    await using store = await startRedis();
    await using queue = await startRedis();
    const tasks = await openFront(store, {}, queue);
    await queue.crash();
    await until("it is noticed", () => isRefused(tasks.check()));
    expect((await rejected(tasks.create(...LONG))).code).toBe("redis_unavailable");
    expect(await tasks.list({ limit: 1 })).toEqual([]);
    await tasks.close();
  });

  withRedis("a front that ends while it takes a task answers for it first", async () => {
    await using redis = await startRedis();
    const tasks = await openFront(redis);
    const making = tasks.create(...LONG);
    await tasks.close();
    expect((await making).task.state).toBe("queued");
  });
});
