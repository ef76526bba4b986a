/**
 * The executor on Redis loses no task and keeps none: what it does when a task is another's, when Redis is away or full,
 * when it heard nothing for a while, and when it ends.
 *
 * Method: threads that do what the test says, so that each moment of a task can be held.
 */
import { expect, onTestFinished, setDefaultTimeout, spyOn } from "bun:test";
import { FibError } from "../../src/errors.ts";
import type { Digits } from "../../src/numbers/decimal.ts";
import type { RunOptions } from "../../src/numbers/pool.ts";
import { TaskRecords } from "../../src/tasks/records.ts";
import type { Span } from "../../src/tracing.ts";
import { until } from "../binary.ts";
import { type Redis, startRedis, withRedis } from "../redis.ts";
import { isRefused, rejected } from "../refusal.ts";
import { DIGITS, keptBytes, LONG, openExecutorOn, openFront, TIMEOUT_MS } from "./open-redis.ts";

setDefaultTimeout(TIMEOUT_MS);

const QUEUE = "fibserver:queue:tasks";

/** One computation, which the test ends. */
interface Run {
  readonly signal: AbortSignal;
  readonly onProgress: (fraction: number) => void;
  readonly done: (digits: Digits) => void;
}

/** Threads whose computations the test ends. */
function holdPool() {
  const runs: Run[] = [];
  const run = (_: unknown, { signal, onProgress }: RunOptions = {}) => {
    const { promise, resolve, reject } = Promise.withResolvers<Digits>();
    signal!.addEventListener("abort", () => reject(signal!.reason as Error));
    runs.push({ signal: signal!, onProgress: onProgress!, done: resolve });
    return promise;
  };
  return { runs, pool: { run, threads: 2 } };
}

/** An executor that has begun this task, and its front. */
async function openHeld(
  store: Redis,
  request = LONG,
  queue = store,
  told: Parameters<typeof openExecutorOn>[5] = {},
) {
  const { runs, pool } = holdPool();
  const tasks = await openFront(store, {}, queue);
  const executor = await openExecutorOn(pool, store, {}, queue, [], told);
  const { task } = await tasks.create(...request);
  await until("it is begun", () => runs.length === 1);
  const close = async () => {
    const left = await executor.close();
    await tasks.close();
    return left;
  };
  return { tasks, executor, id: task.id, record: `fibserver:task:${task.id}`, runs, close };
}

/** What the queue loses now is lost: no front puts it back. */
async function noFrontHeals(redis: Redis): Promise<void> {
  await redis.cli("SET", "fibserver:round", "1");
}

function reasonOf({ signal }: Run): string | undefined {
  return signal.aborted ? (signal.reason as Error).message : undefined;
}

withRedis("an executor that learns that its task is another's computes no further", async () => {
  await using redis = await startRedis();
  const { record, runs, close } = await openHeld(redis);
  await redis.cli("HINCRBY", record, "attempts", "1");
  expect(runs[0]!.signal.aborted).toBe(false);
  runs[0]!.onProgress(0.5);
  await until("it is ended", () => reasonOf(runs[0]!) === "it is another's");
  expect(await redis.cli("HGET", record, "progress")).toBe("0\n");
  await close();
});

withRedis("an executor that was deaf when its task was cancelled sees it when it hears again", async () => {
  await using redis = await startRedis();
  const { record, runs, close } = await openHeld(redis);
  await redis.cli("HSET", record, "state", "cancelled");
  await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
  await until("it is ended", () => reasonOf(runs[0]!) === "it has ended");
  await close();
});

withRedis("a result that nobody wants any more is told of neither as one nor as a failure", async () => {
  await using redis = await startRedis();
  const { runs, pool } = holdPool();
  const tasks = await openFront(redis);
  const ends: string[] = [];
  const executor = await openExecutorOn(pool, redis, {}, redis, [], {
    onTaskEnd: ({ id }) => void ends.push(id),
  });
  const [, sizeBytes] = LONG;
  const begin = async (n: number) => {
    const { task } = await tasks.create({ kind: "fibonacci", n }, sizeBytes);
    await until("it is begun", () => runs.length === n);
    return task.id;
  };
  const end = (length: number) => runs.at(-1)!.done(new Uint8Array(length).fill(0x31));
  // One that is right, and one of a wrong size, which fails.
  for (const [n, length] of [[1, sizeBytes], [2, sizeBytes - 1]] as const) {
    await redis.cli("HSET", `fibserver:task:${await begin(n)}`, "state", "cancelled");
    end(length);
  } // prettier-ignore
  const wanted = await begin(3);
  end(sizeBytes);
  await until("its end is told", () => ends.includes(wanted));
  await executor.close();
  await tasks.close();
  expect(ends).toEqual([wanted]);
});

withRedis("a task that comes to its executor again is computed once, and can be cancelled", async () => {
  await using redis = await startRedis();
  const { tasks, id, runs, close } = await openHeld(redis);
  await noFrontHeals(redis);
  for (let stallCount = 1; stallCount <= 2; stallCount++) {
    // Its lock ran out, and another's look has put it back.
    await redis.cli("DEL", `${QUEUE}:${id}:lock`);
    await until("it is begun again", () => runs.length === 1 + stallCount);
    expect(reasonOf(runs[stallCount - 1]!)).toBe("it is begun again");
  }
  expect(await tasks.find(id)).toMatchObject({ state: "running", attempts: 3 });
  await tasks.cancel(id);
  await until("it is ended", () => reasonOf(runs[2]!) === "it is cancelled");
  await close();
});

withRedis("a task that cannot be begun stays in the queue, and is begun once it can", async () => {
  await using redis = await startRedis();
  const tasks = await openFront(redis);
  await tasks.create(...LONG);
  await noFrontHeals(redis);
  await redis.cli("SET", "fibserver:tasks:running", "somebody's");
  const { runs, pool } = holdPool();
  const executor = await openExecutorOn(pool, redis);
  const triedCount = async () =>
    Number(/errorstat_WRONGTYPE:count=(\d+)/.exec(await redis.cli("INFO", "errorstats"))?.[1] ?? 0);
  await until("it is tried again", async () => (await triedCount()) > 1);
  expect(runs.length).toBe(0);
  await redis.cli("DEL", "fibserver:tasks:running");
  await until("it is begun", () => runs.length === 1);
  await executor.close();
  await tasks.close();
});

withRedis("a result that Redis cannot take yet is kept until it can, and not computed again", async () => {
  await using store = await startRedis();
  await using queue = await startRedis();
  const replicasMin = (count: string) => store.cli("CONFIG", "SET", "min-replicas-to-write", count);
  for (const [begin, end] of [
    [() => store.crash(), () => store.restart()],
    [() => replicasMin("1"), () => replicasMin("0")],
  ] as const) {
    const { tasks, id, runs, close } = await openHeld(store, LONG, queue);
    await begin();
    runs[0]!.done(new Uint8Array(LONG[1]).fill(0x31));
    await until("it is noticed", () => isRefused(tasks.check()));
    await end();
    const find = () => tasks.find(id).catch(() => undefined);
    await until("it is ready", async () => (await find())?.state === "ready");
    expect(await tasks.find(id)).toMatchObject({ attempts: 1 });
    expect(runs.length).toBe(1);
    await tasks.forget(id);
    await close();
  }
});

withRedis(
  "how a task has ended is told once, and its span is no failure, though that is heard before its answer, or the answer is lost",
  async () => {
    await using redis = await startRedis();
    // oxlint-disable-next-line typescript/unbound-method -- it is called on the records
    const { finish } = TaskRecords.prototype;
    const finishing = spyOn(TaskRecords.prototype, "finish");
    onTestFinished(() => finishing.mockRestore());
    for (const isLost of [false, true]) {
      const [ends, failures] = [[] as string[], [] as (string | undefined)[]];
      const span: Span = {
        traceparent: "",
        child: () => span,
        tell: () => {},
        end: (failure) => void failures.push(failure),
      };
      const { tasks, runs, close } = await openHeld(redis, LONG, redis, {
        onTaskEnd: ({ state }) => void ends.push(state),
        tracer: { start: () => span },
      });
      finishing.mockImplementationOnce(async function (this: TaskRecords, ...args) {
        const ended = await finish.apply(this, args);
        await until("it is heard", () => reasonOf(runs[0]!) === "it is ready");
        if (isLost) throw new FibError("redis_unavailable", "made up");
        return ended;
      });
      runs[0]!.done(new Uint8Array(LONG[1]).fill(0x31));
      await until("it is told", () => ends.length > 0);
      await until("its span is over", () => failures.length > 1);
      expect(ends).toEqual(["ready"]);
      expect(failures[0]).toBeUndefined();
      for (const { id } of await tasks.list({ limit: 10 })) await tasks.forget(id);
      await close();
    }
  },
);

withRedis("room that cannot be filled is given back, and taken again once it can", async () => {
  await using redis = await startRedis();
  const { tasks, id, runs, close } = await openHeld(redis, [LONG[0], DIGITS.length]);
  await redis.cli("CONFIG", "SET", "maxmemory", "1");
  runs[0]!.done(DIGITS);
  const isFull = async () => (await redis.cli("INFO", "errorstats")).includes("errorstat_OOM");
  await until("a chunk is refused", isFull);
  await until("the room is given back", async () => (await keptBytes(redis)) === 0);
  await redis.cli("CONFIG", "SET", "maxmemory", "0");
  await until("it is ready", async () => (await tasks.find(id))?.state === "ready");
  expect(await keptBytes(redis)).toBe(DIGITS.length);
  expect(runs.length).toBe(1);
  await close();
});

withRedis("an executor that ends puts what it computes where the next one takes it at once", async () => {
  await using redis = await startRedis();
  const { executor, tasks, id, runs, close } = await openHeld(redis);
  const closing = executor.close();
  expect(await rejected(executor.check())).toMatchObject({
    code: "overloaded",
    message: expect.stringContaining("is stopping") as string,
  });
  expect(await closing).toBe(0);
  expect(reasonOf(runs[0]!)).toBe("the executor ends");
  expect(await tasks.find(id)).toMatchObject({ state: "queued", attempts: 0 });
  expect(await redis.cli("LRANGE", `${QUEUE}:wait`, "0", "-1")).toBe(`${id}\n`);
  expect(await redis.cli("EXISTS", `${QUEUE}:active`, `${QUEUE}:${id}:lock`)).toBe("0\n");
  await close();
});
