/** Redis never fills up with what nobody wants: room, attempts, limits, pages. */
import { expect, setDefaultTimeout } from "bun:test";
import { fibonacciDigits } from "../../src/numbers/digits.ts";
import { fibonacci } from "../../src/numbers/fibonacci.ts";
import { Pool } from "../../src/numbers/pool.ts";
import { RedisConnection } from "../../src/redis/connection.ts";
import { RedisPlace } from "../../src/redis/place.ts";
import { KEPT_BYTES_MIN } from "../../src/tasks/script-base.ts";
import { SharedLimits } from "../../src/tasks/shared-limits.ts";
import { until } from "../binary.ts";
import { rejected } from "../refusal.ts";
import { type Redis, startRedis, withRedis } from "../redis.ts";
import {
  DIGITS,
  ENDLESS,
  finishedFrom,
  keptBytes,
  LIMITS,
  LONG,
  openExecutor,
  openExecutorOn,
  openFront,
  openRecords,
  SHORT,
  TIMEOUT_MS,
} from "./open-redis.ts";

setDefaultTimeout(TIMEOUT_MS);

const GOES_ON = new AbortController().signal;
async function chunkCount(redis: Redis): Promise<number> {
  return (await redis.cli("KEYS", "fibserver:result:*")).trim().split("\n").filter(Boolean).length;
}

withRedis("what ends in whatever way leaves no chunk behind, and gives its room back", async () => {
  await using redis = await startRedis();
  const { records, begin, close } = await openRecords(redis);
  const endings = {
    cancel: (id: string) => records.cancel(id, {}),
    forget: (id: string) => records.forget(id),
    fail: (id: string) => records.finish({ id, attempts: 1 }, { failure: "for a test" }),
    requeue: (id: string) => records.requeue({ id, attempts: 1 }),
    unreserve: (id: string) => records.unreserve({ id, attempts: 1 }),
    "begin again": (id: string) => records.begin(id),
  };
  for (const [name, end] of Object.entries(endings)) {
    const task = await begin();
    expect(await records.reserve(task, DIGITS)).toBe(true);
    expect(await keptBytes(redis)).toBe(DIGITS.length);
    expect(await records.putChunks(task, DIGITS, GOES_ON)).toBe(true);
    expect(await chunkCount(redis)).toBe(11);
    await end(task.id);
    expect([name, await chunkCount(redis)]).toEqual([name, 0]);
    expect([name, await redis.cli("HGET", "fibserver:holders", "")]).toEqual([
      name,
      ["cancel", "forget", "fail"].includes(name) ? "\n" : "1\n",
    ]);
    expect([name, await keptBytes(redis)]).toEqual([
      name,
      ["cancel", "fail"].includes(name) ? KEPT_BYTES_MIN : 0,
    ]);
    await records.forget(task.id);
  }
  await close();
});

withRedis("an attempt that is over writes nothing any more, whatever it tries", async () => {
  await using redis = await startRedis();
  const { records, begin, close } = await openRecords(redis);
  const first = await begin();
  expect(await records.reserve(first, DIGITS)).toBe(true);
  const second = (await records.begin(first.id))!;
  expect(second.attempts).toBe(2);
  expect(await records.reserve(second, DIGITS)).toBe(true);
  expect(await records.putChunks(first, DIGITS, GOES_ON)).toBe(false);
  expect(await records.reserve(first, DIGITS)).toBe("over");
  expect(await records.finish(first, { digits: DIGITS })).toBe("over");
  expect(await records.finish(first, { failure: "late" })).toBe("over");
  expect(await records.progress(first, 0.5)).toBe(false);
  expect(await records.requeue(first)).toBe(false);
  await records.unreserve(first);
  expect(await records.find(first.id)).toMatchObject({ state: "running", attempts: 2, progress: 0 });
  expect(await chunkCount(redis)).toBe(0);
  expect(await records.putChunks(second, DIGITS, GOES_ON)).toBe(true);
  expect(await records.finish(second, { digits: DIGITS })).toBe("done");
  expect(await keptBytes(redis)).toBe(DIGITS.length);
  await close();
});

withRedis(
  "results have no more room than there is, also while they are written; the oldest give way",
  async () => {
    await using redis = await startRedis();
    const { records, begin, close } = await openRecords(redis, DIGITS.length + 3 * KEPT_BYTES_MIN);
    const [first, second] = [await begin(), await begin()];
    expect(await records.reserve(first, DIGITS)).toBe(true);
    expect(await records.reserve(second, DIGITS)).toBe(false);
    await records.putChunks(first, DIGITS, GOES_ON);
    await records.finish(first, { digits: DIGITS });
    expect(await records.reserve(second, DIGITS)).toBe(true);
    expect(await records.find(first.id)).toBeUndefined();
    expect(await keptBytes(redis)).toBe(DIGITS.length);
    await records.putChunks(second, DIGITS, GOES_ON);
    await records.finish(second, { digits: DIGITS });
    expect(await chunkCount(redis)).toBe(11);
    await close();
  },
);

withRedis("one budget counts records, too: a flood of small tasks stays within it", async () => {
  await using redis = await startRedis();
  const tasks = await openFront(redis, { resultBytesMax: 100 * KEPT_BYTES_MIN });
  const made = await Promise.all(
    Array.from({ length: 1000 }, (_, n) => tasks.create({ kind: "fibonacci", n }, fibonacci(n).length)),
  );
  expect(new Set(made.map(({ task }) => task.id)).size).toBe(1000);
  expect(made.every(({ task }) => task.state === "ready")).toBe(true);
  expect(await keptBytes(redis)).toBe(100 * KEPT_BYTES_MIN);
  const left = await tasks.list({ limit: 1000 });
  expect(left.map(({ id }) => id)).toEqual(made.slice(900).map(({ task }) => task.id));
  expect(await chunkCount(redis)).toBe(100);
  // What is counted for one is more than it takes.
  const perTask = Number(await redis.cli("MEMORY", "USAGE", `fibserver:task:${left[0]!.id}`));
  expect(perTask).toBeLessThan(KEPT_BYTES_MIN / 4);
  await tasks.close();
});

withRedis("chunks that no task counts are found by the sweep, and no other", async () => {
  await using redis = await startRedis();
  const { records, begin, close } = await openRecords(redis);
  const task = await begin();
  await records.reserve(task, DIGITS);
  await records.putChunks(task, DIGITS, GOES_ON);
  await redis.cli("SET", `fibserver:result:${Bun.randomUUIDv7()}:0`, "x");
  await redis.cli("SET", `fibserver:result:${task.id}:11`, "x");
  let from = "0";
  do from = await records.sweep(from);
  while (from !== "0");
  expect(await chunkCount(redis)).toBe(11);
  await records.finish(task, { digits: DIGITS });
  expect((await records.chunkAt(task.id, DIGITS.length - 1))!.bytes.length).toBe(7);
  await close();
});

withRedis("a page is whole, and says where the next begins, also when others have expired", async () => {
  await using redis = await startRedis();
  const tasks = await openFront(redis);
  const ids: string[] = [];
  for (let n = 0; n < 60; n++) {
    ids.push((await tasks.create({ kind: "fibonacci", n }, fibonacci(n).length)).task.id);
  }
  // Two of three, and not yet forgotten.
  const expired = ids.filter((_, i) => i % 3 !== 0);
  for (const id of expired) await redis.cli("HSET", `fibserver:task:${id}`, "expires", "1");
  for (const state of [undefined, "ready"] as const) {
    const seen: string[] = [];
    for (let after: string | undefined; ;) {
      const page = await tasks.list({ limit: 5, after, state });
      seen.push(...page.map(({ id }) => id));
      if (seen.length < 20) expect(page.length).toBe(5);
      else break;
      after = page.at(-1)!.id;
    }
    expect(seen).toEqual(ids.filter((_, i) => i % 3 === 0));
    expect(await tasks.list({ limit: 5, after: seen.at(-1), state })).toEqual([]);
  }
  await tasks.close();
});

withRedis("ids never go back, whatever Redis's clock does", async () => {
  await using redis = await startRedis();
  const tasks = await openFront(redis);
  const { task: before } = await tasks.create(...SHORT);
  // As a failover to a machine an hour ahead, and back, leaves it.
  await redis.cli("SET", "fibserver:clock", String((Date.now() + 3_600_000) * 1024 + 1020));
  const made = await Promise.all(
    Array.from({ length: 50 }, (_, n) => tasks.create({ kind: "fibonacci", n }, fibonacci(n).length)),
  );
  const ids = [before.id, ...made.map(({ task }) => task.id)];
  expect(ids.toSorted()).toEqual(ids);
  expect(ids.every((id) => /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/.test(id))).toBe(
    true,
  );
  expect((await tasks.list({ limit: 100, after: before.id })).length).toBe(50);
  await tasks.close();
});

withRedis(
  "limits are those of whoever was first, the others say which, and they pass with the first",
  async () => {
    await using redis = await startRedis();
    const notices: string[] = [];
    const first = await openFront(redis, { tasksMax: 2, resultTtlMs: 100_000 });
    const second = await openFront(redis, { tasksMax: 20, resultTtlMs: 1000 }, redis, notices);
    expect(notices).toEqual([
      expect.stringMatching(/^--max-tasks is 20 here and 2 for those who were there first/),
      expect.stringMatching(/^--result-ttl is 1 here and 100 for/),
    ]);
    const agreeing = await RedisConnection.open(new RedisPlace(redis.url));
    const told: string[] = [];
    const again = new SharedLimits(agreeing, "fibserver", LIMITS, (message) => told.push(message));
    for (let round = 0; round < 2; round++) await again.agree();
    expect(told.length).toBe(2);
    await agreeing.close();
    for (const n of [300_000, 300_001]) await second.create({ kind: "fibonacci", n }, 62_695, String(n));
    expect((await rejected(second.create({ kind: "fibonacci", n: 300_002 }, 62_696))).message).toContain(
      "2 may wait or run",
    );
    const { expiresAtMs, finishedAtMs } = (await second.create(...SHORT)).task;
    expect(expiresAtMs! - finishedAtMs!).toBe(100_000);
    for (const front of [first, second]) await front.close();
    // Nobody has repeated them since.
    expect(Number(await redis.cli("PTTL", "fibserver:limits"))).toBeWithin(1, 30_001);
    await redis.cli("DEL", "fibserver:limits");
    const third = await openFront(redis, { tasksMax: 3, resultTtlMs: 1000 }, redis, notices);
    expect(notices.length).toBe(2);
    await third.create({ kind: "fibonacci", n: 300_002 }, 62_696);
    await third.close();
  },
);

withRedis("a Redis with little memory is not filled with results, and that is told", async () => {
  await using redis = await startRedis(["--maxmemory", "10mb"]);
  const notices: string[] = [];
  const tasks = await openFront(redis, {}, redis, notices);
  expect(notices).toEqual([
    "--result-budget is 1024, and Redis has a maxmemory of 10 MB: 6 MB of it are for results",
  ]);
  expect((await rejected(tasks.create({ kind: "fibonacci", n: 40_000_000 }, 8_359_506))).message).toContain(
    "room for",
  );
  await tasks.close();
});

withRedis(
  "what long requests count for is nothing once none is open, whatever was lost meanwhile",
  async () => {
    await using redis = await startRedis();
    const tasks = await openFront(redis, { tasksMax: 10 });
    await redis.cli("SET", "fibserver:open-more", "99");
    const { task } = await tasks.create(...LONG);
    expect(await redis.cli("GET", "fibserver:open-more")).toBe("0\n");
    const long = { kind: "remainder", n: "9".repeat(7500), mod: "8".repeat(7500) } as const;
    expect((await rejected(tasks.create(long, 7500))).code).toBe("too_many_tasks");
    await tasks.cancel(task.id);
    const { task: alone } = await tasks.create(long, 7500);
    expect(await redis.cli("GET", "fibserver:open-more")).toBe("20\n");
    await tasks.forget(alone.id);
    expect(await redis.cli("GET", "fibserver:open-more")).toBe("0\n");
    await tasks.close();
  },
);

withRedis("a queue that has lost 10,000 tasks has them again soon", async () => {
  await using store = await startRedis();
  await using queue = await startRedis();
  const tasks = await openFront(store, { tasksMax: 10_000 }, queue);
  await Promise.all(
    Array.from({ length: 10_000 }, (_, i) =>
      tasks.create(
        { kind: "fibonacci", n: 30_000 + i },
        Number(fibonacciDigits(BigInt(30_000 + i))),
        String(i),
      ),
    ),
  );
  await queue.cli("FLUSHALL");
  const waiting = async () => Number(await queue.cli("LLEN", "fibserver:queue:tasks:wait"));
  await until("all are there again", async () => (await waiting()) === 10_000);
  const executor = await openExecutor(store, {}, queue);
  await until("they are taken", async () => (await waiting()) < 9900);
  await executor.close();
  await tasks.close();
});

withRedis("a full Redis refuses what needs room, goes on with what does not, and recovers", async () => {
  await using redis = await startRedis(["--maxmemory", "12mb"]);
  const tasks = await openFront(redis);
  const executor = await openExecutor(redis);
  const { task: old } = await tasks.create(...SHORT);
  await redis.cli("EVAL", "redis.call('SET', 'somebody', string.rep('x', 12000000))", "0");
  expect((await rejected(tasks.check())).code).toBe("redis_full");
  expect((await rejected(tasks.create({ kind: "fibonacci", n: 101 }, 21))).code).toBe("redis_full");
  expect((await rejected(tasks.create(...LONG))).code).toBe("redis_full");
  expect(await tasks.find(old.id)).toEqual(old);
  expect((await tasks.list({ limit: 5 })).length).toBe(1);
  // A front that starts meanwhile starts.
  const another = await openFront(redis);
  await another.forget(old.id);
  expect(await tasks.find(old.id)).toBeUndefined();
  await another.close();
  await redis.cli("DEL", "somebody");
  await tasks.check();
  const { task } = await tasks.create(...LONG);
  await until("it is ready", async () => (await tasks.find(task.id))?.state === "ready");
  await executor.close();
  await tasks.close();
});

withRedis("room that has become too small is made a bit at a time, and all of it in one round", async () => {
  await using redis = await startRedis();
  const { records, close } = await openRecords(redis);
  await records.create(finishedFrom(0, 1700));
  expect(await keptBytes(redis)).toBe(1700 * KEPT_BYTES_MIN);
  await close();
  const { records: poorer, close: end } = await openRecords(redis, 100 * KEPT_BYTES_MIN);
  // 200 new ones, each of which finds too much: together they forget no more than one would.
  await poorer.create(finishedFrom(2000, 200));
  expect(await keptBytes(redis)).toBe((1700 + 200 - 500) * KEPT_BYTES_MIN);
  await poorer.purge();
  expect(await keptBytes(redis)).toBe(100 * KEPT_BYTES_MIN);
  await end();
});

withRedis("an answer of Redis that was damaged on its way is no answer, and worth another try", async () => {
  await using redis = await startRedis();
  const { records, begin, close } = await openRecords(redis);
  const { id } = await begin();
  for (const [field, value] of [
    ["key", "fibonacK 7"],
    ["created", "17x"],
    ["size", "12 3"],
  ] as const) {
    const before = (await redis.cli("HGET", `fibserver:task:${id}`, field)).trim();
    await redis.cli("HSET", `fibserver:task:${id}`, field, value);
    expect((await rejected(records.find(id))).code).toBe("redis_unavailable");
    await redis.cli("HSET", `fibserver:task:${id}`, field, before);
  }
  expect(await records.find(id)).toMatchObject({ id });
  await close();
});

withRedis("a result that has just given way is none, and never half an answer", async () => {
  await using redis = await startRedis();
  const tasks = await openFront(redis);
  const { task } = await tasks.create(...SHORT);
  const result = (await tasks.openResult(task.id))!;
  await redis.cli("DEL", `fibserver:result:${task.id}:0`);
  expect(await tasks.openResult(task.id)).toBeUndefined();
  // What was opened before has it still.
  expect((await result.read(0, 21)).length).toBe(21);
  await tasks.close();
});

withRedis("a result of which a failover has lost a part is not visible, and is written again", async () => {
  await using redis = await startRedis();
  const { records, begin, close } = await openRecords(redis);
  for (const lost of [
    ["DEL", "fibserver:result:ID:4"],
    ["DEL", "fibserver:result:ID:10"],
    ["HDEL", "fibserver:task:ID", "stored"],
  ]) {
    const task = await begin();
    const write = async () => {
      expect(await records.reserve(task, DIGITS)).toBe(true);
      expect(await records.putChunks(task, DIGITS, GOES_ON)).toBe(true);
    };
    await write();
    await redis.cli(...lost.map((word) => word.replace("ID", task.id)));
    expect(await records.finish(task, { digits: DIGITS })).toBe("torn");
    expect(await records.find(task.id)).toMatchObject({ state: "running" });
    await write();
    expect(await records.finish(task, { digits: DIGITS })).toBe("done");
    expect(await records.find(task.id)).toMatchObject({ state: "ready" });
    await records.forget(task.id);
    expect(await keptBytes(redis)).toBe(0);
    expect(await chunkCount(redis)).toBe(0);
  }
  await close();
});

withRedis("what has just been made or has ended never gives way to what is being written", async () => {
  await using redis = await startRedis();
  const roomBytes = DIGITS.length + 100;
  const tasks = await openFront(redis, { resultBytesMax: roomBytes });
  const { records, begin, close } = await openRecords(redis, roomBytes);
  const [large, small] = [await begin(), await begin()];
  expect(await records.reserve(large, DIGITS)).toBe(true);
  expect((await tasks.create(...SHORT)).task.state).toBe("ready");
  expect(await records.finish(small, { digits: DIGITS.subarray(0, 9) })).toBe("done");
  expect((await records.find(small.id))?.state).toBe("ready");
  await close();
  await tasks.close();
});

withRedis(
  "what the queue knows and has in none of its lists is put into it again, and nothing twice",
  async () => {
    await using redis = await startRedis();
    const tasks = await openFront(redis);
    const threads = new Pool({ threads: 1, queueMax: 1 });
    let held: AbortSignal | undefined;
    // The first computation goes on until it is told to end.
    const run: Pool["run"] = (job, options) => {
      if (held !== undefined) return threads.run(job, options);
      const { signal } = options!;
      held = signal!;
      return new Promise((_, reject) => {
        signal!.addEventListener("abort", () => reject(signal!.reason as Error));
      });
    };
    const executor = await openExecutorOn({ threads: 1, run }, redis);
    const endless = (await tasks.create(...ENDLESS, "other")).task.id;
    await until("it runs", () => held !== undefined);
    const ids: string[] = [];
    for (let i = 0; i < 3; i++)
      ids.push((await tasks.create({ kind: "fibonacci", n: 200_000 + i }, 41_798, String(i))).task.id);
    // Two of them, and the third stays.
    for (const id of ids.slice(0, 2)) await redis.cli("LREM", "fibserver:queue:tasks:wait", "0", id);
    await until(
      "both are back",
      async () => (await redis.cli("LLEN", "fibserver:queue:tasks:wait")) === "3\n",
    );
    expect(await redis.cli("LLEN", "fibserver:queue:tasks:active")).toBe("1\n");
    await tasks.forget(endless);
    for (const id of ids)
      await until(`${id} is ready`, async () => (await tasks.find(id))?.state === "ready");
    expect((await tasks.list({ limit: 9 })).every(({ attempts }) => attempts === 1)).toBe(true);
    await executor.close();
    await threads.close();
    await tasks.close();
  },
);
