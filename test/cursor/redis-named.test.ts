/**
 * Named cursors in Redis keep the rules of the model, whatever is grouped with whatever; their limits, and their lists.
 */
import { expect, setDefaultTimeout } from "bun:test";
import * as fc from "fast-check";
import { clientName, DEFAULT_NAME } from "../../src/cursor-name.ts";
import { applyToRecord, type CursorRequest, type Outcome } from "../../src/cursor/moves.ts";
import { Cursors } from "../../src/cursor/named.ts";
import { initialRecord } from "../../src/cursor/record.ts";
import { FibError } from "../../src/errors.ts";
import { until } from "../binary.ts";
import { startRedis, withRedis } from "../redis.ts";
import { rejected } from "../refusal.ts";
import { ModelCursors } from "./model.ts";
import { openFront, summary } from "./redis-front.ts";
import { digest, requestAtRandom } from "./requests.ts";

setDefaultTimeout(300_000);

const CLIENT = clientName("a cookie");
const NEXT: CursorRequest = { operation: "next" };
const CURRENT: CursorRequest = { operation: "current" };
const REMOVE: CursorRequest = { operation: "remove" };

const keyed = (key: number): CursorRequest => ({ operation: "next", keyDigest: digest(key) });

/** The code of a refusal, or the position: the two differ in what they say of a limit. */
const seen = (outcome: Outcome) => (outcome instanceof FibError ? outcome.code : summary(outcome));

const codeOrIndex = (outcome: Outcome) => (outcome instanceof FibError ? outcome.code : outcome.index);

interface Asked {
  readonly name: string;
  readonly request: CursorRequest;
}

const askedAtRandom: fc.Arbitrary<Asked> = fc.record({
  name: fc.constantFrom("alice", "bob", "carol", DEFAULT_NAME, CLIENT),
  request: requestAtRandom(20),
});

withRedis("RedisCursors does what the model does, for any history of any names in any grouping", async () => {
  await using server = await startRedis(["--appendonly", "no"]);
  const limits = { indexMax: 3, cursorsMax: 2 };
  const front = await openFront(server.url, limits);
  const histories = fc.array(fc.array(askedAtRandom, { minLength: 1, maxLength: 30 }), { size: "+1" });
  const count = async (...command: string[]) => Number(await server.cli(...command));
  await fc.assert(
    fc.asyncProperty(histories, async (groups) => {
      await server.cli("FLUSHALL");
      await server.cli("HSET", "fibserver:cursor", "generation", "1", "index", "0");
      const model = new ModelCursors(limits);
      let record = initialRecord();
      const expectedOf = ({ name, request }: Asked) => {
        if (name !== DEFAULT_NAME) return model.apply(name, request);
        const step = applyToRecord(record, request, limits.indexMax);
        record = step.record;
        return step.outcome;
      };
      for (const group of groups) {
        const expected = group.map((asked) => seen(expectedOf(asked)));
        const found = await Promise.all(group.map(({ name, request }) => front.askOf(name, request)));
        expect(found.map(seen)).toEqual(expected);
      }
      const listed = await front.cursors.list({ prefix: "", after: "", limit: 10 });
      const inModel = await model.list({ prefix: "", after: "", limit: 10 });
      expect(listed.map(({ name, index }) => [name, index])).toEqual(
        inModel.map(({ name, index }) => [name, index]),
      );
      // Nothing is left of what was removed.
      expect(await count("ZCARD", "fibserver:names")).toBe(listed.length);
      const hasClient = !(model.apply(CLIENT, CURRENT) instanceof FibError);
      const clients =
        (await count("ZCARD", "fibserver:clients:new")) + (await count("ZCARD", "fibserver:clients:back"));
      expect(clients).toBe(hasClient ? 1 : 0);
      const hashes = (await server.cli("KEYS", "fibserver:cursors:*")).split("\n");
      expect(hashes.filter((key) => key !== "" && !/:(keys|ring)$/.test(key))).toHaveLength(
        listed.length + clients,
      );
      for (const key of hashes.filter((each) => /:(keys|ring)$/.test(each)))
        expect(hashes).toContain(key.replace(/:(keys|ring)$/, ""));
    }),
    { numRuns: 100 },
  );
});

withRedis("each name remembers its own last 100 keyed moves, also those of one group", async () => {
  await using server = await startRedis();
  const one = await openFront(server.url, { indexMax: 1000 });
  const two = await openFront(server.url, { indexMax: 1000 });
  await Promise.all(
    ["alice", "bob"].flatMap((name) => Array.from({ length: 101 }, (_, key) => one.askOf(name, keyed(key)))),
  );
  for (const name of ["alice", "bob"]) {
    expect(await two.askOf(name, keyed(1))).toMatchObject({ index: 2, replayed: true });
    expect(await two.askOf(name, keyed(0))).toMatchObject({ index: 102 });
    expect(await server.cli("HLEN", `fibserver:cursors:${name}:keys`)).toBe("100\n");
  }
  expect(await two.indexOf(CURRENT)).toBe(0);
});

withRedis("a retry of the move that made a cursor says again that it did", async () => {
  await using server = await startRedis();
  const { askOf } = await openFront(server.url);
  const put: CursorRequest = { operation: "set", target: 7, keyDigest: digest(1) };
  expect(await askOf("alice", put)).toEqual({ index: 7, generation: 1, isNew: true });
  await askOf("alice", NEXT);
  expect(await askOf("alice", put)).toEqual({ index: 7, generation: 2, replayed: true, isNew: true });
});

withRedis(
  "a cursor that is made again has neither the keys nor the generations of the one before",
  async () => {
    await using server = await startRedis();
    const { askOf } = await openFront(server.url);
    expect(await askOf("alice", keyed(1))).toMatchObject({ generation: 1 });
    expect(await askOf("alice", REMOVE)).toMatchObject({ index: 1, generation: 1 });
    expect(await askOf("alice", CURRENT)).toMatchObject({ code: "cursor_unknown" });
    expect(await askOf("alice", keyed(1))).toEqual({ index: 1, generation: 2, isNew: true });
    expect(await askOf("alice", { operation: "next", ifGeneration: [1] })).toMatchObject({
      code: "cursor_moved",
    });
  },
);

withRedis("two fronts make each move of each name once, in one order", async () => {
  await using server = await startRedis();
  const fronts = [
    await openFront(server.url, { indexMax: 10_000 }),
    await openFront(server.url, { indexMax: 10_000 }),
  ];
  const names = [DEFAULT_NAME, "alice", "bob", CLIENT];
  const indices = new Map(names.map((name) => [name, [] as number[]]));
  const callers = Array.from({ length: 64 }, async (_, caller) => {
    const name = names[caller % names.length]!;
    for (let move = 0; move < 20; move++)
      indices.get(name)!.push(await fronts[(caller >> 2) % 2]!.indexOf(NEXT, name));
  });
  await Promise.all(callers);
  for (const name of names)
    expect(indices.get(name)!.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 320 }, (_, i) => i + 1),
    );
});

withRedis("list() gives pages in the order of names, without clients, each with its time", async () => {
  await using server = await startRedis();
  const { cursors, askOf } = await openFront(server.url);
  const facade = new Cursors(cursors.at(DEFAULT_NAME), cursors);
  const names = ["a", "a-b", "a.b", "a0", "aa", "b", "default0", "defaul", "z", "z9_", "0"];
  const sinceMs = Date.now();
  for (const name of [...names, CLIENT]) await askOf(name, NEXT);
  const found: string[] = [];
  for (let after = ""; ; after = found.at(-1)!) {
    const page = await facade.list({ prefix: "", after, limit: 3 });
    found.push(...page.map(({ name }) => name));
    for (const { name, index, movedAtMs } of page) {
      expect(index).toBe(name === DEFAULT_NAME ? 0 : 1);
      if (name === DEFAULT_NAME) expect(movedAtMs).toBeUndefined();
      else expect(movedAtMs).toBeWithin(sinceMs - 1000, Date.now() + 1000);
    }
    if (page.length < 3) break;
  }
  expect(found).toEqual([...names, DEFAULT_NAME].toSorted());
  const listed = async (prefix: string, after = "") =>
    (await facade.list({ prefix, after, limit: 100 })).map(({ name }) => name);
  expect(await listed("a")).toEqual(["a", "a-b", "a.b", "a0", "aa"]);
  expect(await listed("a", "a.b")).toEqual(["a0", "aa"]);
  expect(await listed("a", "zz")).toEqual([]);
  expect(await listed("b", "a")).toEqual(["b"]);
  expect(await listed("defaul")).toEqual(["defaul", DEFAULT_NAME, "default0"]);
  expect(await listed("client-")).toEqual([]);
});

withRedis("beyond --max-cursors none is made, and one that goes makes room for another", async () => {
  await using server = await startRedis();
  const { askOf } = await openFront(server.url, { cursorsMax: 2 });
  const asked = await Promise.all(["alice", "bob", "carol"].map((name) => askOf(name, NEXT)));
  expect(asked.map(seen).at(-1)).toBe("too_many_cursors");
  expect(await askOf("alice", NEXT)).toMatchObject({ index: 2 });
  // Clients' own are apart.
  expect(await askOf(CLIENT, NEXT)).toMatchObject({ index: 1 });
  const [, made] = await Promise.all([askOf("alice", REMOVE), askOf("carol", NEXT)]);
  expect(made).toMatchObject({ index: 1, isNew: true });
});

withRedis("a full Redis makes no cursor, and moves, removes and reads those that are there", async () => {
  await using server = await startRedis();
  const { ask, askOf } = await openFront(server.url);
  for (const name of ["alice", "bob"]) await askOf(name, NEXT);
  await server.cli("CONFIG", "SET", "maxmemory", "1");
  // Each in a group of its own, then all in one.
  expect(codeOrIndex(await ask(keyed(1)))).toBe(1);
  expect(codeOrIndex(await askOf("alice", keyed(1)))).toBe(2);
  expect(codeOrIndex(await askOf("carol", NEXT))).toBe("redis_full");
  const outcomes = await Promise.all([
    askOf("carol", NEXT),
    askOf("alice", NEXT),
    askOf(CLIENT, NEXT),
    askOf("bob", REMOVE),
    ask(keyed(2)),
  ]);
  expect(outcomes.map(codeOrIndex)).toEqual(["redis_full", 3, "redis_full", 1, 2]);
  expect(await askOf("carol", CURRENT)).toMatchObject({ code: "cursor_unknown" });
  await server.cli("CONFIG", "SET", "maxmemory", "0");
  expect(await askOf("carol", NEXT)).toMatchObject({ index: 1, isNew: true });
});

withRedis(
  "a cursor whose keys are something else stops its own group before anything has changed",
  async () => {
    await using server = await startRedis();
    const { askOf } = await openFront(server.url);
    for (const name of ["alice", "bob"]) await askOf(name, NEXT);
    await server.cli("SET", "fibserver:cursors:bob:ring", "something else");
    const outcomes = await Promise.all([askOf("alice", keyed(1)), askOf("bob", keyed(1))]);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ code: "redis_unusable" });
    expect(await askOf("alice", keyed(1))).toEqual({ index: 2, generation: 3 });
  },
);

withRedis("where the default cursor is gone, nobody begins anew behind their owners' backs", async () => {
  await using server = await startRedis();
  const front = await openFront(server.url);
  await front.askOf("alice", NEXT);
  await server.cli("FLUSHALL");
  expect(await front.askOf("alice", NEXT)).toMatchObject({ code: "redis_unusable" });
  const list = front.cursors.list({ prefix: "", after: "", limit: 1 });
  expect((await rejected(list)).code).toBe("redis_unusable");
  await openFront(server.url);
  expect(await front.askOf("alice", CURRENT)).toMatchObject({ code: "cursor_unknown" });
});

withRedis("a Redis that is killed is refused at once, and each name goes on where it was", async () => {
  await using server = await startRedis();
  const { askOf } = await openFront(server.url);
  for (const name of ["alice", "bob", "bob"]) await askOf(name, NEXT);
  await server.crash();
  expect(await askOf("alice", NEXT)).toMatchObject({ code: "redis_unavailable" });
  await server.restart();
  await until("it is back", async () => !((await askOf("alice", CURRENT)) instanceof FibError));
  expect(await Promise.all([askOf("alice", NEXT), askOf("bob", NEXT)])).toMatchObject([
    { index: 2, generation: 4 },
    { index: 3, generation: 5 },
  ]);
});

withRedis(
  "--redis-wait is for moves, retries and removals of each name, not for reads and refusals",
  async () => {
    await using server = await startRedis(["--repl-diskless-sync-delay", "0"]);
    await using replica = await startRedis(["--replicaof", "127.0.0.1", String(server.port)]);
    const isOnline = async () => (await server.cli("INFO", "replication")).includes("state=online");
    await until("the replica is there", isOnline);
    const careless = await openFront(server.url);
    const careful = await openFront(server.url, {}, 1);
    // The replica has a second each time.
    for (const name of ["alice", "bob"]) {
      const isPromised = async () => !((await careful.askOf(name, keyed(0))) instanceof FibError);
      await until("its first move is promised", isPromised);
    }
    replica.kill("SIGSTOP");
    expect(await careless.askOf("alice", keyed(1))).toMatchObject({ index: 2 });
    const outcomes = await Promise.all([
      careful.askOf("alice", keyed(1)),
      careful.askOf("bob", REMOVE),
      careful.askOf("alice", CURRENT),
      careful.askOf("alice", { operation: "next", ifNone: true }),
    ]);
    expect(outcomes.map(codeOrIndex)).toEqual(["not_replicated", "not_replicated", 2, "precondition_failed"]);
    replica.kill("SIGCONT");
    await until(
      "it is promised",
      async () => !((await careful.askOf("alice", keyed(1))) instanceof FibError),
    );
    expect(await careful.askOf("alice", keyed(1))).toMatchObject({ index: 2, replayed: true });
  },
);
