/**
 * Watching a cursor within one process: the last position always, nothing that is not so, and nobody is starved.
 */
import { expect, onTestFinished, setDefaultTimeout, spyOn, test } from "bun:test";
import path from "node:path";
import type { Outcome, Position } from "../../src/cursor/moves.ts";
import { Cursors } from "../../src/cursor/named.ts";
import { DEFAULT_NAME } from "../../src/cursor-name.ts";
import { LOOK_MS, lookAgain, Watching } from "../../src/cursor/watching.ts";
import { FibError } from "../../src/errors.ts";
import { until } from "../binary.ts";
import { must } from "./contract.ts";
import { openCursors } from "./named-file.ts";
import { openCursor, temporaryFolder } from "../temporary.ts";

setDefaultTimeout(300_000);

const NEXT = { operation: "next" } as const;
const REMOVE = { operation: "remove" } as const;

type Watched = (listener: (position: Position | undefined) => void) => () => void;

/** What is told from now on: indices, and undefined for a removal. */
function indicesOf(watch: Watched): (number | undefined)[] {
  const told: (number | undefined)[] = [];
  onTestFinished(watch((position) => told.push(position?.index)));
  return told;
}

/** Named cursors, and another process's worth of them. */
async function openBoth() {
  const { named, cursors, open } = await openCursors();
  const others = new Cursors(cursors.default, open());
  return { others, watch: (name: string) => indicesOf((listener) => named.at(name).watch(listener)), named };
}

test("who watches is told of another process while other names are watched and left all the time", async () => {
  const { named, others, watch } = await openBoth();
  const told = watch("alice");
  const churn = setInterval(() => named.at("bob").watch(() => {})(), LOOK_MS / 4);
  onTestFinished(() => clearInterval(churn));
  for (const index of [1, 2]) {
    await must(others, "alice", NEXT);
    await until("it is told", () => told.at(-1) === index);
  }
});

test("its own moves are told at once, in their order", async () => {
  const { cursors } = await openCursors();
  for (const name of [DEFAULT_NAME, "alice"]) {
    const told = indicesOf((listener) => cursors.at(name).watch(listener));
    for (const index of [1, 2, 3]) {
      await must(cursors, name, NEXT);
      expect(told.at(-1)).toBe(index);
    }
    // A look before the first one was made has found where it was.
    expect(told.filter((index) => index !== 0)).toEqual([1, 2, 3]);
  }
});

test("a name that never was is not told as removed, and one that was is told so once", async () => {
  const { others, watch } = await openBoth();
  const [alice, bob] = [watch("alice"), watch("bob")];
  const lookedAt = async () => {
    const { index } = await must(others, "alice", NEXT);
    await until("it is looked at", () => alice.at(-1) === index);
  };
  await must(others, "carol", NEXT);
  await lookedAt();
  expect(bob).toEqual([]);
  await must(others, "bob", NEXT);
  await until("it is told", () => bob.length > 0);
  await must(others, "bob", REMOVE);
  await until("its end is told", () => bob.length > 1);
  await lookedAt();
  expect(bob).toEqual([1, undefined]);
});

test("publishGroup() tells the last of each cursor, and nothing of replays and refusals", () => {
  const watching = new Watching();
  const told = new Map<string, (number | undefined)[]>();
  for (const name of ["alice", "bob", "carol", "dave", "erin"])
    watching.watch(name, (position) => told.set(name, [...(told.get(name) ?? []), position?.index]));
  for (const name of ["bob", "carol"]) watching.publish(name, { index: 7, generation: 1 });
  told.clear();
  const done: (readonly [string, "next" | "remove" | "current", Outcome])[] = [
    ["alice", "next", { index: 1, generation: 2 }],
    ["bob", "next", { index: 8, generation: 3 }],
    ["carol", "current", new FibError("cursor_unknown", "none")],
    ["alice", "next", { index: 2, generation: 4 }],
    ["bob", "remove", { index: 8, generation: 3 }],
    ["alice", "next", { index: 1, generation: 4, replayed: true }],
    ["alice", "next", new FibError("cursor_moved", "not that")],
    ["dave", "next", { index: 5, generation: 5, replayed: true }],
    ["erin", "current", new FibError("cursor_locked", "not now")],
  ];
  const group = done.map(([name, operation]) => ({ name, request: { operation } }));
  const outcomes = done.map(([, , outcome]) => outcome);
  watching.publishGroup(group, outcomes);
  expect(Object.fromEntries(told)).toEqual({ alice: [2], bob: [undefined], carol: [undefined] });
});

test("publishGroup() tells a removal in the group that has shown the cursor first, and none where none was", () => {
  const watching = new Watching();
  const told: [string, number | undefined][] = [];
  for (const name of ["alice", "bob", "carol"])
    watching.watch(name, (position) => told.push([name, position?.index]));
  const at: Position = { index: 7, generation: 3 };
  const none = new FibError("cursor_unknown", "none");
  const done: (readonly [string, "remove" | "current", Outcome])[] = [
    ["alice", "current", at],
    ["alice", "remove", at],
    ["alice", "current", none],
    ["bob", "current", none],
    ["carol", "remove", none],
  ];
  const group = done.map(([name, operation]) => ({ name, request: { operation } }));
  watching.publishGroup(
    group,
    done.map(([, , outcome]) => outcome),
  );
  expect(told).toEqual([["alice", undefined]]);
});

test("who ends twice, or leaves others behind, ends nothing of theirs", () => {
  const watching = new Watching();
  const watch = (told: (number | undefined)[]) =>
    watching.watch("alice", (position) => told.push(position?.index));
  const [first, second, third]: (number | undefined)[][] = [[], [], []];
  const ends = [watch(first!), watch(second!)];
  ends[0]!();
  watching.publish("alice", { index: 1, generation: 1 });
  ends[1]!();
  watch(third!);
  for (const end of ends) end();
  watching.publish("alice", { index: 2, generation: 2 });
  expect([first, second, third]).toEqual([[], [1], [2]]);
});

test("looks come one at a time, one that fails ends nothing, and no process is kept for them", async () => {
  using begun = spyOn(globalThis, "setInterval");
  const looks: PromiseWithResolvers<void>[] = [];
  const end = lookAgain(() => {
    looks.push(Promise.withResolvers());
    return looks.at(-1)!.promise;
  });
  onTestFinished(end);
  const [tick] = begun.mock.calls[0]! as unknown as [() => void];
  expect((begun.mock.results[0]!.value as Timer).hasRef()).toBe(false);
  for (let count = 1; count < 4; count++) {
    for (let i = 0; i < 2; i++) tick();
    expect(looks).toHaveLength(count);
    looks.at(-1)!.reject(new FibError("cursor_io", "not now"));
    await new Promise(setImmediate);
  }
});

test("a cursor that is closed is looked at no more", async () => {
  const { cursor } = await openCursor(path.join(temporaryFolder(), "cursor"));
  using begun = spyOn(globalThis, "setInterval");
  using ended = spyOn(globalThis, "clearInterval");
  cursor.watch(() => {});
  await cursor.close();
  expect(ended.mock.calls.map(([timer]) => timer as unknown)).toContain(begun.mock.results[0]!.value);
});

test("publish() tells another index also where its generation is that of what was told", () => {
  const watching = new Watching();
  const told = indicesOf((listener) => watching.watch("alice", listener));
  for (const index of [11, 50, 50]) watching.publish("alice", { index, generation: 2 });
  expect(told).toEqual([11, 50]);
});

test("a file that two move at once is never told as removed, and both are told the last position", async () => {
  const file = path.join(temporaryFolder(), "cursor");
  const both = await Promise.all([1, 2].map(() => openCursor(file, { indexMax: 1_000_000 })));
  const told = both.map(({ cursor }) => indicesOf((listener) => cursor.watch(listener)));
  let count = 0;
  for (const round of [0, 1]) {
    await Promise.all(
      both.map(async ({ must: move }) => {
        for (let i = 0; i < 100; i++) await move("next");
      }),
    );
    // The other one has to look for it.
    await both[round]!.must("next");
    count += 201;
    await until("both are told", () => told.every((indices) => indices.at(-1) === count));
  }
  for (const indices of told) {
    expect(indices).not.toContain(undefined);
    expect(indices).toEqual(indices.toSorted((a, b) => a! - b!));
  }
});
