/** Each step of a task's life in Redis, by itself: what it leaves, what it needs, and what it makes room for. */
import { expect, setDefaultTimeout } from "bun:test";
import { KEPT_BYTES_MIN, RESULT_CHUNK_BYTES } from "../../src/tasks/script-base.ts";
import { until } from "../binary.ts";
import { rejected } from "../refusal.ts";
import { startRedis, withRedis } from "../redis.ts";
import { DIGITS, finishedFrom, keptBytes, LIMITS, openFront, openRecords, TIMEOUT_MS } from "./open-redis.ts";

setDefaultTimeout(TIMEOUT_MS);

const GOES_ON = new AbortController().signal;

withRedis("whatever ends a task, or gives it back, is done on a full Redis as well", async () => {
  await using redis = await startRedis();
  const { records, begin, close } = await openRecords(redis);
  const tasks = [await begin(), await begin(), await begin(), await begin(), await begin()] as const;
  await redis.cli("CONFIG", "SET", "maxmemory", "1");
  expect((await records.cancel(tasks[0].id, {})).task?.state).toBe("cancelled");
  expect(await records.requeue(tasks[1])).toBe(true);
  expect(await records.finish(tasks[2], { failure: "for a test" })).toBe("done");
  await records.unreserve(tasks[3]);
  await records.forget(tasks[4].id);
  expect(await records.find(tasks[4].id)).toBeUndefined();
  expect((await records.begin(tasks[1].id))?.state).toBe("running");
  await close();
});

withRedis("what a step promises waits for the replicas, and is refused without them", async () => {
  await using redis = await startRedis();
  const { begin, close } = await openRecords(redis);
  // Each on a connection of its own, where nothing else is waited for.
  const steps = await Promise.all([1, 2, 3, 4].map(() => openRecords(redis, LIMITS.resultBytesMax, 1)));
  let codes: string[] = [];
  // A Redis that takes a second more than the one that replicas have is taken for dead.
  await until("they are refused", async () => {
    const [one, two, three] = [await begin(), await begin(), await begin()];
    const refused = await Promise.all([
      rejected(steps[0]!.create()),
      rejected(steps[1]!.records.finish(one, { digits: DIGITS.subarray(0, 9) })),
      rejected(steps[2]!.records.cancel(two.id, {})),
      rejected(steps[3]!.records.forget(three.id)),
    ]);
    codes = refused.map(({ code }) => code);
    return !codes.includes("redis_unavailable");
  });
  expect(codes).toEqual(Array(4).fill("not_replicated"));
  for (const step of steps) await step.close();
  await close();
});

withRedis("room that an attempt asks for twice is taken once", async () => {
  await using redis = await startRedis();
  const { records, begin, close } = await openRecords(redis, DIGITS.length + KEPT_BYTES_MIN);
  const task = await begin();
  for (let again = 0; again < 2; again++) expect(await records.reserve(task, DIGITS)).toBe(true);
  expect(await keptBytes(redis)).toBe(DIGITS.length);
  await close();
});

withRedis("a result that needs more room than one script makes has it all the same", async () => {
  await using redis = await startRedis();
  // 800 of the 1000 have to go, and a script forgets 500 at most.
  const { records, begin, close } = await openRecords(redis, 1000 * KEPT_BYTES_MIN);
  await records.create(finishedFrom(0, 1000));
  expect(await records.reserve(await begin(), DIGITS)).toBe(true);
  expect(await keptBytes(redis)).toBeWithin(DIGITS.length, 1000 * KEPT_BYTES_MIN + 1);
  await close();
});

withRedis("a purge forgets all that has expired, and all that there is no room for", async () => {
  await using redis = await startRedis();
  const { records, close } = await openRecords(redis);
  await records.create(finishedFrom(0, 50));
  const { records: poorer, close: end } = await openRecords(redis, 45 * KEPT_BYTES_MIN);
  await poorer.purge();
  expect(await keptBytes(redis)).toBe(45 * KEPT_BYTES_MIN);
  const ids = (await redis.cli("ZRANGE", "fibserver:expiring", "0", "-1")).trim().split("\n");
  await redis.cli("ZADD", "fibserver:expiring", ...ids.flatMap((id) => ["1", id]));
  await poorer.purge();
  expect(await keptBytes(redis)).toBe(0);
  await close();
  await end();
});

withRedis("to forget a failed task takes nothing from the one that is computed in its place", async () => {
  await using redis = await startRedis();
  const { records, close } = await openRecords(redis);
  const ask = async () => {
    const [made] = await records.create([
      { request: { kind: "fibonacci", n: 7_000_000 }, sizeBytes: 9, holder: "" },
    ]);
    return made as Exclude<typeof made, "full" | undefined>;
  };
  const { task: failed } = await ask();
  await records.finish((await records.begin(failed.id))!, { failure: "for a test" });
  const { task: second } = await ask();
  expect(second.id).not.toBe(failed.id);
  await records.forget(failed.id);
  expect(await ask()).toMatchObject({ created: false, task: { id: second.id } });
  await close();
});

withRedis("an attempt begins at no progress, and one that is given back was never begun", async () => {
  await using redis = await startRedis();
  const { records, begin, close } = await openRecords(redis);
  const first = await begin();
  await records.progress(first, 0.5);
  const second = (await records.begin(first.id))!;
  expect(second.progress).toBe(0);
  await records.progress(second, 0.5);
  await records.requeue(second);
  expect(await records.find(first.id)).toMatchObject({
    state: "queued",
    progress: 0,
    attempts: 1,
    startedAtMs: undefined,
  });
  await close();
});

withRedis("who has been told to end writes no further chunk", async () => {
  await using redis = await startRedis();
  const { records, begin, close } = await openRecords(redis);
  const task = await begin();
  await records.reserve(task, DIGITS);
  const reason = new Error("it is cancelled");
  const writing = records.putChunks(task, DIGITS, AbortSignal.abort(reason));
  expect(await writing.catch((error: unknown) => error)).toBe(reason);
  expect(await redis.cli("KEYS", "fibserver:result:*")).toBe("\n");
  await close();
});

withRedis("a part of a result is itself wherever it begins and ends, also across two chunks", async () => {
  await using redis = await startRedis();
  const tasks = await openFront(redis);
  const { records, begin, close } = await openRecords(redis);
  const task = await begin();
  await records.reserve(task, DIGITS);
  await records.putChunks(task, DIGITS, GOES_ON);
  await records.finish(task, { digits: DIGITS });
  const { read, sizeBytes } = (await tasks.openResult(task.id))!;
  expect(sizeBytes).toBe(DIGITS.length);
  const edge = RESULT_CHUNK_BYTES;
  for (const [start, end] of [
    [edge - 5, edge + 5],
    [edge, 2 * edge],
    [edge - 1, edge],
    [3 * edge - 1, 4 * edge - 1],
    [7, 9],
    [10 * edge - 1, DIGITS.length],
  ] as const) {
    expect(Buffer.compare(await read(start, end), DIGITS.subarray(start, end))).toBe(0);
  }
  await close();
  await tasks.close();
});
