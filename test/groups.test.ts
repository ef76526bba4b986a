/** Groups: one at a time, what comes meanwhile is the next one's, and none is larger than it may be. */
import { expect, test } from "bun:test";
import { Groups } from "../src/groups.ts";
import { until } from "./binary.ts";

/** Groups that end when the test says so; each request's outcome is itself. */
function openHeld(countMax: number) {
  const applied: { requests: number[]; done: () => void }[] = [];
  const settled: number[] = [];
  const groups = new Groups<number, number>(countMax, (requests) => {
    const { promise, resolve } = Promise.withResolvers<readonly number[]>();
    applied.push({ requests, done: () => resolve(requests) });
    return promise;
  });
  const add = (...requests: number[]) => {
    for (const request of requests) groups.add(request, (outcome) => settled.push(outcome));
  };
  return { groups, applied, settled, add };
}

test("what is added in one turn of the loop is one group, also behind an await", async () => {
  const { applied, add } = openHeld(10);
  add(1);
  await Promise.resolve();
  add(2, 3);
  await until("it is applied", () => applied.length > 0);
  expect(applied[0]!.requests).toEqual([1, 2, 3]);
});

test("a group takes so many, in their order, and the rest waits for it to end", async () => {
  const { groups, applied, settled, add } = openHeld(2);
  add(1, 2, 3);
  await until("it is applied", () => applied.length > 0);
  add(4, 5);
  expect([applied.map(({ requests }) => requests), groups.waitingCount]).toEqual([[[1, 2]], 3]);
  for (const count of [2, 3]) {
    applied.at(-1)!.done();
    await until("the next one is applied", () => applied.length === count);
  }
  expect(settled).toEqual([1, 2, 3, 4]);
  expect(applied.map(({ requests }) => requests)).toEqual([[1, 2], [3, 4], [5]]);
});

test("idle() resolves when the last one has ended, also when an outcome has led to it", async () => {
  const { groups, applied, settled, add } = openHeld(1);
  await groups.idle();
  groups.add(1, (outcome) => void Promise.resolve(outcome).then(() => add(2)));
  const idle = groups.idle().then(() => settled.slice());
  for (const count of [1, 2]) {
    await until("it is applied", () => applied.length === count);
    applied.at(-1)!.done();
  }
  expect(await idle).toEqual([2]);
});
