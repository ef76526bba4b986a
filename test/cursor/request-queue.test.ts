/** What waits for a store: it is bounded, what goes wrong is told to who asked, and a close waits for it. */
import { expect, jest, test } from "bun:test";
import type { GroupWatch } from "../../src/cursor/group-watch.ts";
import type { NamedRequest, Outcome } from "../../src/cursor/moves.ts";
import { RequestQueue } from "../../src/cursor/request-queue.ts";
import { Watching } from "../../src/cursor/watching.ts";
import { FibError } from "../../src/errors.ts";

const NEXT = { operation: "next" } as const;
const CLOSED = new FibError("cursor_io", "it is closed");

type Apply = (group: readonly NamedRequest[]) => Promise<readonly Outcome[]>;

function openQueue(apply: Apply) {
  const stop = jest.fn();
  const refused: string[] = [];
  const answered: GroupWatch["answered"] = (_, outcomes) =>
    refused.push(...outcomes.flatMap((outcome) => (outcome instanceof FibError ? [outcome.code] : [])));
  const queue = new RequestQueue(100, apply, new Watching(() => stop), answered);
  const ask = (name: string) => queue.at(name).submit(NEXT, (outcome) => outcome);
  return { queue, ask, stop, refused };
}

test("100,000 wait, and no more; those that did are served", async () => {
  const held = Promise.withResolvers<void>();
  const { ask, refused } = openQueue(async (group) => {
    await held.promise;
    return group.map((_, i) => ({ index: i, generation: 1 }));
  });
  const asked: Promise<Outcome>[] = [];
  // A group that is being applied waits for nothing.
  for (let i = 0; i < 100; i++) asked.push(ask("alice"));
  await new Promise(setImmediate);
  for (let i = 0; i < 100_000; i++) asked.push(ask("alice"));
  expect(await ask("alice")).toMatchObject({ code: "overloaded" });
  expect(refused).toEqual(["overloaded"]);
  held.resolve();
  for (const outcome of await Promise.all(asked)) expect(outcome).not.toBeInstanceOf(FibError);
});

test("what a group throws refuses all of it, and what an answer throws is its own", async () => {
  const bug = new TypeError("inside");
  const { ask, queue } = openQueue(() => Promise.reject(bug));
  for (const outcome of await Promise.all(["alice", "bob"].map(ask)))
    expect(outcome).toMatchObject({ code: "internal", cause: bug });
  const answer = () => {
    throw bug;
  };
  const refused = queue.at("alice").submit(NEXT, answer);
  expect(await refused.catch((error: unknown) => error)).toBe(bug);
});

test("close() serves what waits, refuses what comes later, and ends the looking", async () => {
  let closedWhenApplied: unknown;
  const { ask, queue, stop, refused } = openQueue(async (group) => {
    closedWhenApplied = queue.closed;
    return group.map(() => ({ index: 1, generation: 1 }));
  });
  queue.at("alice").watch(() => {});
  const asked = ask("alice");
  const closing = queue.close(CLOSED);
  expect(await asked).toEqual({ index: 1, generation: 1 });
  await closing;
  expect([closedWhenApplied, stop.mock.calls.length]).toEqual([undefined, 1]);
  expect(await ask("alice")).toBe(CLOSED);
  expect(refused).toEqual(["cursor_io"]);
});
