/** Lines that cannot be written are told later, and nobody waits. Method: the queue, with a thread that the test plays. */
import { expect, test } from "bun:test";
import { LogQueue } from "../src/log-queue.ts";

/** A queue, what its thread was given, and how that answers: with the count of lines that it has written. */
function playedQueue() {
  const batches: string[][] = [];
  const answers: ((written: number) => void)[] = [];
  const call = async (_: "write", [lines]: [readonly string[]]) => {
    batches.push([...lines]);
    const { promise, resolve } = Promise.withResolvers<number>();
    answers.push(resolve);
    return promise;
  };
  const queue = new LogQueue({ call: call as never }, (count) => `lost ${count}\n`);
  /** Answers the batch under way, and waits until the queue has heard it. */
  const answer = async (written: number) => {
    answers.shift()!(written);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  };
  return { queue, batches, answer };
}

test("what comes while a line is written goes along with the next, in order", async () => {
  const { queue, batches, answer } = playedQueue();
  for (const line of ["1\n", "2\n", "3\n"]) queue.add(line);
  await answer(1);
  await answer(2);
  expect(batches).toEqual([["1\n"], ["2\n", "3\n"]]);
  expect(await queue.end()).toBe(true);
});

test("lines that could not be written are told behind the next one that can", async () => {
  const { queue, batches, answer } = playedQueue();
  queue.add("1\n");
  await answer(0);
  queue.add("2\n");
  // Nor could that be told.
  await answer(1);
  queue.add("3\n");
  await answer(2);
  queue.add("4\n");
  await answer(1);
  expect(batches).toEqual([["1\n"], ["2\n", "lost 1\n"], ["3\n", "lost 1\n"], ["4\n"]]);
});

test("once the queue is full no later line overtakes those that are lost", async () => {
  const { queue, batches, answer } = playedQueue();
  queue.add("1\n");
  queue.add("2\n");
  queue.add("x".repeat(1 << 23));
  queue.add("short\n");
  await answer(1);
  queue.add("3\n");
  await answer(2);
  await answer(1);
  expect(batches).toEqual([["1\n"], ["2\n", "lost 2\n"], ["3\n"]]);
});

test("a line that is too long for the queue is told as lost at once", () => {
  const { queue, batches } = playedQueue();
  queue.add("x".repeat(1 << 23));
  expect(batches).toEqual([["lost 1\n"]]);
});

test("the end does not wait for a reader that has stalled", async () => {
  const { queue } = playedQueue();
  queue.add("1\n");
  expect(await queue.end()).toBe(false);
});

test("the end has time for the thread when the machine has stood still", async () => {
  const { queue, answer } = playedQueue();
  queue.add("1\n");
  const end = queue.end();
  // Longer than it waits.
  Bun.sleepSync(600);
  setTimeout(() => void answer(1), 5);
  expect(await end).toBe(true);
});
