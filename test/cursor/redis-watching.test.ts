/**
 * Watching cursors in Redis: each front hears of every change, whoever makes it, and the last one always.
 */
import { expect, setDefaultTimeout } from "bun:test";
import { DEFAULT_NAME } from "../../src/cursor-name.ts";
import type { CursorRequest } from "../../src/cursor/moves.ts";
import { FibError } from "../../src/errors.ts";
import { until } from "../binary.ts";
import { type Redis, startRedis, withRedis } from "../redis.ts";
import { openFront } from "./redis-front.ts";

setDefaultTimeout(300_000);

const NEXT: CursorRequest = { operation: "next" };
const CURRENT: CursorRequest = { operation: "current" };

async function listenerCount(server: Redis): Promise<number> {
  return Number((await server.cli("PUBSUB", "NUMSUB", "fibserver:moves")).split("\n")[1]);
}

/** Calls of a command since the server was started. */
async function callCount(server: Redis, command: string): Promise<number> {
  const stats = await server.cli("INFO", "commandstats");
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

withRedis("what one front moves, another one that watches is told, the default cursor too", async () => {
  await using server = await startRedis();
  const mover = await openFront(server.url);
  const watcher = await openFront(server.url);
  for (const name of [DEFAULT_NAME, "alice"]) {
    await mover.indexOf(NEXT, name);
    const { told, end } = watcher.watch(name);
    await mover.indexOf(NEXT, name);
    await until("it is told", () => told.at(-1)?.index === 2);
    await mover.indexOf({ operation: "set", target: 2 }, name);
    await until("it is told of a move to the same place", () => told.length > 1);
    await mover.askOf(name, { operation: "remove" });
    if (name !== DEFAULT_NAME) await until("it is told that it is gone", () => told.at(-1) === undefined);
    end();
  }
});

withRedis("its own moves are told at once, without the channel, in their order", async () => {
  await using server = await startRedis();
  const { watch, indexOf } = await openFront(server.url);
  const { told } = watch("alice");
  for (let index = 1; index <= 5; index++) {
    await indexOf(NEXT, "alice");
    expect(told.at(-1)?.index).toBe(index);
  }
});

withRedis("a retry tells nobody where the cursor was", async () => {
  await using server = await startRedis();
  const { watch, askOf } = await openFront(server.url);
  const keyed: CursorRequest = { operation: "next", keyDigest: new Uint8Array(16) };
  const { told } = watch("alice");
  await askOf("alice", keyed);
  await server.cli("HSET", "fibserver:cursors:alice", "generation", "2", "index", "50");
  expect(await askOf("alice", keyed)).toMatchObject({ index: 1, generation: 2, replayed: true });
  await askOf("alice", CURRENT);
  expect(told.map((position) => position?.index)).toEqual([1, 50]);
});

withRedis("of many changes some are left out, never the last, and none comes out of order", async () => {
  await using server = await startRedis();
  const mover = await openFront(server.url, { indexMax: 1e6 });
  const watcher = await openFront(server.url, { indexMax: 1e6 });
  const { told } = watcher.watch("alice");
  await until("it listens", async () => (await listenerCount(server)) === 1);
  const readsBefore = await callCount(server, "evalsha");
  const MOVES = 2000;
  const startMs = performance.now();
  for (let move = 0; move < MOVES; move++) await mover.indexOf(NEXT, "alice");
  await until("the last is told", () => told.at(-1)?.index === MOVES);
  const generations = told.map((position) => position!.generation);
  expect(generations).toEqual(generations.toSorted((a, b) => a - b));
  // One read for many messages: for those of 50 ms, however long all take, besides the first.
  const readsMax = (performance.now() - startMs) / 45 + 5;
  expect((await callCount(server, "evalsha")) - readsBefore - MOVES).toBeLessThan(readsMax);
});

withRedis("one that is not there yet is not told of as removed", async () => {
  await using server = await startRedis();
  const mover = await openFront(server.url);
  const watcher = await openFront(server.url);
  const callsBefore = await callCount(server, "evalsha");
  const { told } = watcher.watch("alice");
  await until("it has read", async () => (await callCount(server, "evalsha")) > callsBefore);
  await watcher.askOf("alice", CURRENT);
  await mover.indexOf(NEXT, "alice");
  await until("it is told", () => told.length > 0);
  expect(told[0]).toMatchObject({ index: 1 });
});

withRedis("a front listens while it watches something, and only then", async () => {
  await using server = await startRedis();
  const front = await openFront(server.url);
  await front.indexOf(NEXT, "alice");
  expect(await listenerCount(server)).toBe(0);
  const ends = ["alice", "bob", DEFAULT_NAME].map((name) => front.watch(name).end);
  await until("it listens", async () => (await listenerCount(server)) === 1);
  ends.slice(1).forEach((end) => end());
  await front.indexOf(NEXT, "alice");
  expect(await listenerCount(server)).toBe(1);
  ends[0]!();
  await until("nobody listens", async () => (await listenerCount(server)) === 0);
  front.watch("alice");
  await until("it listens again", async () => (await listenerCount(server)) === 1);
  await front.cursors.close();
  await until("nobody listens", async () => (await listenerCount(server)) === 0);
});

withRedis("what was moved while a subscription was broken is told when it is back", async () => {
  await using server = await startRedis();
  const mover = await openFront(server.url);
  const watcher = await openFront(server.url);
  for (const name of ["alice", "bob"]) await mover.indexOf(NEXT, name);
  const alice = watcher.watch("alice");
  const bob = watcher.watch("bob");
  await until("both are told", () => alice.told.length > 0 && bob.told.length > 0);
  // Nobody is told of this; and it is there before anybody can have subscribed again.
  const script = `redis.call('HSET', 'fibserver:cursors:alice', 'generation', 7, 'index', 50)
    redis.call('DEL', 'fibserver:cursors:bob')`;
  await server.cli("EVAL", script, "0");
  await server.cli("CLIENT", "KILL", "TYPE", "pubsub");
  await until("the move is told", () => alice.told.at(-1)?.index === 50);
  await until("the removal is told", () => bob.told.at(-1) === undefined);
});

withRedis("a Redis that was away, also when watching began, is listened to when it is back", async () => {
  await using server = await startRedis();
  const mover = await openFront(server.url);
  const watcher = await openFront(server.url);
  const early = watcher.watch("alice");
  await mover.indexOf(NEXT, "alice");
  await until("it is told", () => early.told.at(-1)?.index === 1);
  await server.crash();
  early.end();
  const { told } = watcher.watch("alice");
  await server.restart();
  await until("the position is told", () => told.at(-1)?.index === 1);
  await until("it can move", async () => !((await mover.askOf("alice", CURRENT)) instanceof FibError));
  await mover.indexOf(NEXT, "alice");
  await until("the move is told", () => told.at(-1)?.index === 2);
});
