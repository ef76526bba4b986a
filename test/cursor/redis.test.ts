/**
 * The cursor in Redis keeps the rules of the file's, for several fronts at once, and says when it cannot.
 *
 * Method: the script is held against `applyToRecord` on random histories; two fronts share one real redis-server,
 * which is killed, stopped and emptied.
 */
import { expect, setDefaultTimeout } from "bun:test";
import * as fc from "fast-check";
import { applyToRecord, type Outcome } from "../../src/cursor/moves.ts";
import { initialRecord } from "../../src/cursor/record.ts";
import { FibError } from "../../src/errors.ts";
import { until } from "../binary.ts";
import { startRedis, withRedis } from "../redis.ts";
import { rejected } from "../refusal.ts";
import { openFront, summary } from "./redis-front.ts";
import { digest, requestAtRandom } from "./requests.ts";

setDefaultTimeout(300_000);

withRedis("RedisCursors does what applyToRecord() says, for any history and any grouping", async () => {
  await using server = await startRedis(["--appendonly", "no"]);
  const front = await openFront(server.url, { indexMax: 3 });
  const request = requestAtRandom(120);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(request, { minLength: 1, maxLength: 30 })), async (groups) => {
      await server.cli("FLUSHALL");
      await server.cli("HSET", "fibserver:cursor", "generation", "1", "index", "0");
      let record = initialRecord();
      for (const group of groups) {
        const expected = group.map((one) => {
          const step = applyToRecord(record, one, 3);
          record = step.record;
          return summary(step.outcome);
        });
        const found = await Promise.all(group.map((one) => front.ask(one)));
        expect(found.map(summary)).toEqual(expected);
      }
    }),
    { numRuns: 60 },
  );
});

withRedis("the last 100 keyed moves are replayed, the one before them is made again", async () => {
  await using server = await startRedis();
  const one = await openFront(server.url, { indexMax: 1000 });
  const two = await openFront(server.url, { indexMax: 1000 });
  for (let key = 0; key < 101; key++) await one.indexOf({ operation: "next", keyDigest: digest(key) });
  expect(await two.ask({ operation: "next", keyDigest: digest(1) })).toMatchObject({
    index: 2,
    replayed: true,
  });
  expect(await two.ask({ operation: "previous", keyDigest: digest(1) })).toMatchObject({
    code: "key_reused",
  });
  expect(await two.ask({ operation: "next", keyDigest: digest(0) })).toMatchObject({ index: 102 });
  expect(await server.cli("HLEN", "fibserver:cursor:keys")).toBe("100\n");
});

withRedis("two fronts make each move once, in one order", async () => {
  await using server = await startRedis();
  const fronts = [
    await openFront(server.url, { indexMax: 10_000 }),
    await openFront(server.url, { indexMax: 10_000 }),
  ];
  const seen: number[] = [];
  const clients = Array.from({ length: 64 }, async (_, client) => {
    let last = 0;
    for (let move = 0; move < 20; move++) {
      const index = await fronts[client % 2]!.indexOf({ operation: "next" });
      // What one client is answered goes up: the order is that of the answers.
      expect(index).toBeGreaterThan(last);
      last = index;
      seen.push(index);
    }
  });
  await Promise.all(clients);
  expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1280 }, (_, i) => i + 1));
});

withRedis("a Redis that is killed is refused at once, and the cursor goes on when it is back", async () => {
  await using server = await startRedis();
  const { indexOf, ask } = await openFront(server.url);
  expect(await indexOf({ operation: "next" })).toBe(1);
  await server.crash();
  let startMs = performance.now();
  const refuse = async () => {
    startMs = performance.now();
    expect(await ask({ operation: "next" })).toMatchObject({ code: "redis_unavailable" });
  };
  for (let i = 0; i < 3; i++) await refuse();
  // This process may have slept meanwhile.
  await until("it is refused at once", async () => {
    await refuse();
    return performance.now() - startMs < 1500;
  });
  await server.restart();
  await until("the cursor is back", async () => !((await ask({ operation: "current" })) instanceof FibError));
  expect(await indexOf({ operation: "current" })).toBe(1);
  expect(await indexOf({ operation: "next" })).toBe(2);
});

withRedis("a Redis that hangs is given up after two seconds, and a keyed retry moves once", async () => {
  await using server = await startRedis();
  const { ask, indexOf } = await openFront(server.url);
  server.kill("SIGSTOP");
  const startMs = performance.now();
  const keyed = { operation: "next", keyDigest: digest(7) } as const;
  expect(await ask(keyed)).toMatchObject({ code: "redis_unavailable" });
  expect(performance.now() - startMs).toBeWithin(1900, 10_000);
  // What was sent may still be done: then the retry finds it.
  server.kill("SIGCONT");
  await until("the cursor is back", async () => !((await ask(keyed)) instanceof FibError));
  expect(await indexOf({ operation: "current" })).toBe(1);
});

withRedis("a cursor that is gone from Redis is refused, and only an opening makes a new one", async () => {
  await using server = await startRedis();
  const front = await openFront(server.url);
  expect(front.notices).toEqual([expect.stringContaining("a new one begins at index 0")]);
  await front.indexOf({ operation: "next" });
  await server.cli("DEL", "fibserver:cursor");
  expect(await front.ask({ operation: "next" })).toMatchObject({ code: "redis_unusable" });
  expect(await server.cli("EXISTS", "fibserver:cursor")).toBe("0\n");
  await openFront(server.url);
  expect(await front.indexOf({ operation: "next" })).toBe(1);
  expect((await openFront(server.url)).notices).toEqual([]);
});

withRedis("more requests than may wait for a Redis that hangs are refused at once", async () => {
  await using server = await startRedis();
  const { ask } = await openFront(server.url);
  server.kill("SIGSTOP");
  // One group is under way.
  const asked = Array.from({ length: 101_000 }, () => ask({ operation: "current" }));
  expect(await ask({ operation: "current" })).toMatchObject({ code: "overloaded" });
  server.kill("SIGCONT");
  await Promise.all(asked);
  await until("it answers again", async () => !((await ask({ operation: "current" })) instanceof FibError));
});

withRedis("a new cursor knows nothing of the moves of the one before", async () => {
  await using server = await startRedis();
  const front = await openFront(server.url);
  const keyed = { operation: "next", keyDigest: digest(1) } as const;
  await front.indexOf({ operation: "next" });
  expect(await front.ask(keyed)).toMatchObject({ index: 2 });
  await server.cli("DEL", "fibserver:cursor");
  await openFront(server.url);
  expect(await front.ask(keyed)).toEqual({ index: 1, generation: 2 });
});

withRedis("a replay is promised only when the replicas have the move, whoever made it", async () => {
  await using server = await startRedis(["--repl-diskless-sync-delay", "0"]);
  await using replica = await startRedis(["--replicaof", "127.0.0.1", String(server.port)]);
  const isOnline = async () => (await server.cli("INFO", "replication")).includes("state=online");
  await until("the replica is there", isOnline);
  const careless = await openFront(server.url);
  const careful = await openFront(server.url, {}, 1);
  const keyed = { operation: "next", keyDigest: digest(1) } as const;
  replica.kill("SIGSTOP");
  expect(await careless.indexOf(keyed)).toBe(1);
  // A Redis that takes a second more to say so is taken for dead.
  let refusal: Outcome | undefined;
  await until("it is refused", async () => {
    refusal = await careful.ask(keyed);
    return !(refusal instanceof FibError && refusal.code === "redis_unavailable");
  });
  expect(refusal).toMatchObject({ code: "not_replicated" });
  replica.kill("SIGCONT");
  await until("it is promised", async () => !((await careful.ask(keyed)) instanceof FibError));
  expect(await careful.ask(keyed)).toMatchObject({ index: 1, replayed: true });
});

withRedis("keys of another type are refused with what to do", async () => {
  await using server = await startRedis();
  await server.cli("SET", "fibserver:cursor", "something else");
  const error = await rejected(openFront(server.url).then(({ indexOf }) => indexOf({ operation: "next" })));
  expect(error.code).toBe("redis_unusable");
  expect(error.message).toContain("a database of its own");
});
