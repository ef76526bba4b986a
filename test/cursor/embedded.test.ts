/**
 * Named cursors in a file as one process has them: when the file is made, when it is looked at, and what becomes of them
 * when somebody else holds it, moves it or removes it.
 */
import { Database } from "bun:sqlite";
import { expect, setDefaultTimeout, spyOn, test } from "bun:test";
import fs from "node:fs";
import { inspectDatabase } from "../../src/cursor/inspect.ts";
import { EmbeddedCursors } from "../../src/cursor/embedded.ts";
import type { CursorRequest } from "../../src/cursor/moves.ts";
import { Cursors } from "../../src/cursor/named.ts";
import type { CursorStore } from "../../src/cursor/store.ts";
import { LOOK_MS } from "../../src/cursor/watching.ts";
import { FibError } from "../../src/errors.ts";
import type { Calls } from "../../src/thread.ts";
import { until } from "../binary.ts";
import { temporaryFolder } from "../temporary.ts";
import { ask, LIMITS, must } from "./contract.ts";
import { ALL, damagePages, openCursors } from "./named-file.ts";

setDefaultTimeout(300_000);

const NEXT = { operation: "next" } as const;
const CURRENT = { operation: "current" } as const;

test("a file that was there and is gone is not made again, and its cursors do not begin anew", async () => {
  const { file, cursors } = await openCursors();
  await must(cursors, "alice", NEXT);
  fs.rmSync(file);
  const isTold = async () => /it is gone/.test(((await ask(cursors, "alice", NEXT)) as FibError).message);
  await until("it is tried again", isTold);
  expect(await ask(cursors, "alice", CURRENT)).toMatchObject({ code: "cursor_io" });
  expect(fs.existsSync(file)).toBe(false);
});

test("a file that is put in the place of an open one is served as it is, and the old one is whole", async () => {
  const { file, cursors, open } = await openCursors();
  const [other, old] = [`${file}.other`, `${file}.old`];
  const named = open(other);
  const others = new Cursors(cursors.default, named);
  for (const name of ["bob", "carol"]) for (let i = 0; i < 7; i++) await must(others, name, NEXT);
  await named.close();
  for (let i = 0; i < 3; i++) await must(cursors, "alice", NEXT);
  fs.renameSync(file, old);
  fs.renameSync(other, file);
  await until("it is served", async () => !((await ask(cursors, "bob", NEXT)) instanceof FibError));
  expect((await cursors.list(ALL)).map(({ name, index }) => [name, index])).toEqual([
    ["bob", 8],
    ["carol", 7],
    ["default", 0],
  ]);
  expect(inspectDatabase(old)).toMatchObject({ cursors: [{ name: "alice", index: 3 }], faults: [] });
  expect(inspectDatabase(file).faults).toEqual([]);
});

test.each(["-wal"])("a %s that is removed is noticed before anything is answered", async (end) => {
  const { file, cursors, open } = await openCursors();
  for (const index of [1, 2]) expect(await must(cursors, "alice", NEXT)).toMatchObject({ index });
  fs.rmSync(file + end);
  expect(await ask(cursors, "alice", NEXT)).toMatchObject({ code: "cursor_io" });
  const others = new Cursors(cursors.default, open());
  expect(await must(others, "alice", NEXT)).toMatchObject({ index: 3 });
  await until(
    "it goes on",
    async () => !((await ask(cursors, "alice", { operation: "current" })) instanceof FibError),
  );
  for (const [index, who] of [others, cursors, others].entries())
    expect(await must(who, "alice", NEXT)).toMatchObject({ index: 4 + index });
});

test("nothing is made before the first cursor", async () => {
  const { folder, cursors, named } = await openCursors();
  named.prepare();
  const requests: CursorRequest[] = [
    CURRENT,
    { operation: "previous" },
    { operation: "remove" },
    { operation: "next", ifGeneration: "any" },
    { operation: "set", target: 1, ifGeneration: [1] },
  ];
  const outcomes = await Promise.all(requests.map((request) => ask(cursors, "alice", request)));
  expect(outcomes.map((outcome) => (outcome as FibError).code)).toEqual([
    "cursor_unknown",
    "sequence_start",
    "cursor_unknown",
    "cursor_moved",
    "cursor_moved",
  ]);
  expect(await named.list(ALL)).toEqual([]);
  expect(fs.readdirSync(folder)).toEqual([]);
});

test("next at the last index makes no file", async () => {
  const { folder, cursors } = await openCursors(5000, { indexMax: 0 });
  expect(await ask(cursors, "alice", NEXT)).toMatchObject({ code: "sequence_end" });
  expect(fs.readdirSync(folder)).toEqual([]);
});

test("a writer that does not end is told of as the lock, reads go on, and so do moves when it ends", async () => {
  const lockedMs: number[] = [];
  const groups = { answered: () => {}, synced: () => {}, locked: (ms: number) => void lockedMs.push(ms) };
  const { file, cursors, notices } = await openCursors(300, {}, groups);
  await must(cursors, "alice", NEXT);
  const other = new Database(file);
  other.run("BEGIN IMMEDIATE");
  const message = `Cannot use ${file}: another process has held it for 300 ms; try again`;
  // In one group.
  const asked = [NEXT, CURRENT, NEXT].map((request) => ask(cursors, "alice", request));
  const unknown = ask(cursors, "bob", CURRENT);
  const [locked, read, alsoLocked] = await Promise.all(asked);
  for (const outcome of [locked, alsoLocked])
    expect(outcome).toMatchObject({ code: "cursor_locked", message });
  expect(read).toMatchObject({ index: 1 });
  expect(await unknown).toMatchObject({ code: "cursor_unknown" });
  expect(await must(cursors, "alice", CURRENT)).toMatchObject({ index: 1 });
  const move = must(cursors, "alice", NEXT);
  other.run("ROLLBACK");
  other.close();
  expect(await move).toMatchObject({ index: 2 });
  expect(notices).toEqual([]);
  // Three groups wanted the lock, the second in vain; who only reads wants none.
  expect(lockedMs).toHaveLength(3);
  expect(lockedMs[1]).toBeGreaterThanOrEqual(299);
});

test("a lock that is met while the file is opened is told of as that, and the next request does not wait for it", async () => {
  for (const mode of ["DELETE", "WAL"]) {
    const { file, cursors, notices } = await openCursors(300);
    using other = new Database(file);
    other.run(`PRAGMA journal_mode = ${mode}`);
    other.run("BEGIN IMMEDIATE");
    expect(await ask(cursors, "alice", NEXT)).toMatchObject({ code: "cursor_locked" });
    other.run("ROLLBACK");
    expect(await must(cursors, "alice", NEXT)).toMatchObject({ index: 1, isNew: true });
    expect(notices).toEqual([]);
  }
});

test("a file that fails is told of once until it is well again, a lock never, and each thread is ended", async () => {
  const path = `${temporaryFolder()}/cursors`;
  fs.writeFileSync(path, "");
  let nowMs = performance.now();
  using _ = spyOn(performance, "now").mockImplementation(() => nowMs);
  let trouble: FibError | undefined;
  let threadCount = 0;
  const call = async () => {
    if (trouble !== undefined) throw trouble;
    return [];
  };
  const start = () => {
    threadCount++;
    return { call, end: () => void threadCount-- } as unknown as Calls<CursorStore>;
  };
  const notices: string[] = [];
  const onFailure = ({ message }: Error) => void notices.push(message);
  const named = new EmbeddedCursors({
    path,
    limits: LIMITS,
    lockTimeoutMs: 300,
    start,
    notice: () => {},
    onFailure,
  });
  const meet = async (error: FibError | undefined) => {
    trouble = error;
    try {
      return [await named.list(ALL), threadCount, notices.length];
    } catch (refusal) {
      return [(refusal as FibError).code, threadCount, notices.length];
    }
  };
  const [io, locked] = (["cursor_io", "cursor_locked"] as const).map((code) => new FibError(code, code));
  expect(await meet(io)).toEqual(["cursor_io", 0, 1]);
  expect(await meet(undefined)).toEqual(["cursor_io", 0, 1]);
  nowMs += 2000;
  expect(await meet(io)).toEqual(["cursor_io", 0, 1]);
  nowMs += 2000;
  expect(await meet(undefined)).toEqual([[], 1, 1]);
  expect(await meet(locked)).toEqual(["cursor_locked", 1, 1]);
  expect(await meet(undefined)).toEqual([[], 1, 1]);
  expect(await meet(io)).toEqual(["cursor_io", 0, 2]);
  nowMs += 2000;
  expect(await meet(undefined)).toEqual([[], 1, 2]);
  await named.close();
  expect(threadCount).toBe(0);
});

test("close() waits for what was asked, and what is asked later opens nothing", async () => {
  const { cursors, named } = await openCursors();
  const asked = ask(cursors, "alice", NEXT);
  await named.close();
  expect(await asked).toMatchObject({ index: 1 });
  const message = /it is closed$/;
  expect(((await ask(cursors, "alice", NEXT)) as FibError).message).toMatch(message);
  expect(await named.list(ALL).catch(String)).toMatch(message);
});

test("who watches where no file is makes none", async () => {
  const { folder, named } = await openCursors();
  using begun = spyOn(globalThis, "setInterval");
  const end = named.at("alice").watch(() => {});
  const [look] = begun.mock.calls[0]! as unknown as [() => void];
  look();
  await named.list(ALL);
  end();
  expect(fs.readdirSync(folder)).toEqual([]);
});

test("nothing is looked for unless somebody watches", async () => {
  const { named, cursors } = await openCursors();
  using begun = spyOn(globalThis, "setInterval");
  using ended = spyOn(globalThis, "clearInterval");
  await must(cursors, "alice", NEXT);
  await named.list(ALL);
  expect(begun).not.toHaveBeenCalled();
  const ends = ["alice", "bob"].map((name) => named.at(name).watch(() => {}));
  const timers = begun.mock.results.map(({ value }) => value);
  expect(begun.mock.calls.every(([, periodMs]) => periodMs === LOOK_MS)).toBe(true);
  expect(LOOK_MS).toBeLessThan(250);
  for (const end of ends) end();
  const stopped = ended.mock.calls.map(([timer]) => timer as unknown);
  for (const timer of timers) expect(stopped).toContain(timer);
});

test("inspectDatabase() tells what is there, and what can be read of a damaged file", async () => {
  const { file, named, cursors } = await openCursors();
  for (const name of ["bob", "alice", `client-${"0".repeat(64)}`]) await must(cursors, name, NEXT);
  await named.close();
  const found = inspectDatabase(file);
  expect(found).toEqual({
    cursors: [
      { name: "alice", index: 1, generation: 2 },
      { name: "bob", index: 1, generation: 1 },
    ],
    clientCount: 1,
    faults: [],
  });
  damagePages(file);
  expect(inspectDatabase(file).faults).not.toEqual([]);
  fs.writeFileSync(file, Buffer.alloc(8192, "no database "));
  expect(() => inspectDatabase(file)).toThrow(`Cannot use ${file}: file is not a database`);
  expect(() => inspectDatabase(`${file}.none`)).toThrow(`Cannot read ${file}.none: `);
});
