/**
 * How often those who follow cursors are told something, by a clock that goes on only when the test says so: what is
 * left out under load cannot be told from what came late otherwise.
 */
import { expect, jest, onTestFinished, spyOn, test } from "bun:test";
import { DEFAULT_NAME } from "../../src/cursor-name.ts";
import type { CursorService } from "../../src/cursor/moves.ts";
import { FibError } from "../../src/errors.ts";
import { Broadcast } from "../../src/http/broadcast.ts";
import { BEGINNING, HEARTBEAT } from "../../src/http/event-stream.ts";
import { ModelCursors } from "../cursor/model.ts";

/** Timers and time of the test's own. Bun has none that stand still for `performance.now` as well. */
function openClock() {
  const timers = new Map<object, { call: () => void; atMs: number; periodMs?: number }>();
  const clock = { nowMs: 1000, timerCount: () => timers.size, advance };
  const add = (call: () => void, waitMs: number, isRepeated: boolean) => {
    const timer = {};
    timers.set(timer, { call, atMs: clock.nowMs + waitMs, ...(isRepeated && { periodMs: waitMs }) });
    return timer as never;
  };
  const remove = (timer: unknown) => void timers.delete(timer as object);
  const spies = [
    spyOn(performance, "now").mockImplementation(() => clock.nowMs),
    spyOn(globalThis, "setTimeout").mockImplementation(((call: () => void, waitMs: number) =>
      add(call, waitMs, false)) as never),
    spyOn(globalThis, "setInterval").mockImplementation(((call: () => void, waitMs: number) =>
      add(call, waitMs, true)) as never),
    spyOn(globalThis, "clearTimeout").mockImplementation(remove),
    spyOn(globalThis, "clearInterval").mockImplementation(remove),
  ];
  onTestFinished(() => {
    for (const spy of spies) spy.mockRestore();
  });

  /** Goes on to a moment, by all that is to happen before it. */
  async function advance(byMs: number): Promise<void> {
    const endMs = clock.nowMs + byMs;
    for (;;) {
      await settled();
      const [next] = [...timers].toSorted(([, a], [, b]) => a.atMs - b.atMs);
      if (next === undefined || next[1].atMs > endMs) break;
      const [timer, { call, atMs, periodMs }] = next;
      clock.nowMs = Math.max(clock.nowMs, atMs);
      if (periodMs === undefined) timers.delete(timer);
      else timers.set(timer, { call, periodMs, atMs: atMs + periodMs });
      call();
    }
    clock.nowMs = Math.max(clock.nowMs, endMs);
  }
  return clock;
}

/** What has begun is done: a turn ends in a turn of the loop, and its streams are read. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
}

function openPump(valueAt: (index: number) => string | Promise<string> = String) {
  const clock = openClock();
  const model = new ModelCursors({ indexMax: 1_000_000 });
  const stopping = new AbortController();
  const onBug = jest.fn();
  const broadcast = new Broadcast({
    valueAt,
    stopSignal: stopping.signal,
    onBug,
    sentBytes: { add: () => {} },
  });
  const move = async (name: string) =>
    void (await model.at(name).submit({ operation: "next" }, (outcome) => outcome));
  /** What one who follows has been told, without the beginning. */
  const follow = async (name: string) => {
    const told: { text: string; atMs: number }[] = [];
    const end = jest.fn();
    const stream = await broadcast.follow(name, model.at(name), undefined, end);
    const reader = stream.getReader();
    void (async () => {
      for (let part = await reader.read(); !part.done; part = await reader.read())
        told.push({ text: part.value, atMs: clock.nowMs });
    })();
    await settled();
    told.length = 0;
    return { told, end, leave: () => reader.cancel() };
  };
  return { clock, move, follow, broadcast, model, stopping, onBug };
}

test("one who follows is told 20 times a second at most, however often the others make a turn", async () => {
  const { clock, move, follow } = openPump();
  for (const name of ["alice", "bob"]) await move(name);
  const { told } = await follow("alice");
  await clock.advance(100);
  told.length = 0;
  for (let ms = 0; ms < 1000; ms++) {
    await move("alice");
    // Of whoever comes there is something to be told at once.
    if (ms % 10 === 0) await follow("bob");
    await clock.advance(1);
    // The next turn, and the silence.
    expect(clock.timerCount()).toBeLessThanOrEqual(2);
  }
  expect(told.length).toBeGreaterThan(10);
  for (const [i, { atMs }] of told.slice(1).entries())
    expect(atMs - told[i]!.atMs).toBeGreaterThanOrEqual(50);
  await clock.advance(50);
  expect(told.at(-1)!.text).toContain(`"index":"1001"`);
});

test("a turn tells 100, the next one comes 5 ms later, or when the work was a sixth of the time", async () => {
  let workMs = 0;
  const { clock, move, follow } = openPump((index) => {
    clock.nowMs += workMs;
    return String(index);
  });
  await move("alice");
  const followers = [];
  for (let i = 0; i < 250; i++) followers.push(await follow("alice"));
  await clock.advance(1000);
  // The text is made once, so it is the first turn that has work.
  for (const [work, turnsMs] of [
    [0, [0, 5, 10]],
    // Timers have no fractions; one is never early.
    [0.5, [0.5, 5.5, 10.5]],
    [4, [4, 25, 30]],
  ] as const) {
    for (const { told } of followers) told.length = 0;
    await clock.advance(1000);
    workMs = work;
    const startMs = clock.nowMs;
    await move("alice");
    await clock.advance(100);
    const turns = Map.groupBy(
      followers.flatMap(({ told }) => told),
      ({ atMs }) => atMs - startMs,
    );
    expect([...turns].map(([ms, { length }]) => [ms, length])).toEqual(
      turnsMs.map((ms, i) => [ms, [100, 100, 50][i]!]),
    );
  }
});

test("a comment comes after 15 s of silence, not before, and no timer stays when all have left", async () => {
  const { clock, move, follow } = openPump();
  await move("alice");
  for (const _ of ["first", "after all have left"]) {
    const { told, leave } = await follow("alice");
    await clock.advance(10_000);
    await move("alice");
    await clock.advance(14_900);
    expect(told.map(({ text }) => text)).not.toContain(HEARTBEAT);
    await clock.advance(1200);
    expect(told.map(({ text }) => text).filter((text) => text === HEARTBEAT)).toHaveLength(1);
    await clock.advance(13_000);
    expect(told.filter(({ text }) => text === HEARTBEAT)).toHaveLength(1);
    await leave();
    await clock.advance(100);
    expect(clock.timerCount()).toBe(0);
  }
});

test("a value is computed once for all who follow, one at a time, and told when it is there", async () => {
  const asked: number[] = [];
  let value = Promise.withResolvers<string>();
  const { clock, move, follow } = openPump((index) => {
    asked.push(index);
    return value.promise;
  });
  await move("alice");
  const followers = [];
  for (let i = 0; i < 3; i++) followers.push(await follow("alice"));
  await clock.advance(100);
  for (let i = 0; i < 2; i++) await move("alice");
  await clock.advance(100);
  expect(asked).toEqual([1]);
  for (const indices of [
    [1, 3],
    [1, 3],
  ]) {
    const { resolve } = value;
    value = Promise.withResolvers();
    resolve("a value");
    await clock.advance(100);
    expect(asked).toEqual(indices);
  }
  for (const { told } of followers)
    expect(told.map(({ text }) => /"index":"\d"/.exec(text)?.[0])).toEqual([`"index":"1"`, `"index":"3"`]);
});

test("a value that is refused is told by its digits, and is no bug", async () => {
  for (const isLater of [true, false]) {
    const { clock, move, follow, onBug } = openPump(() => {
      const refusal = new FibError("overloaded", "too much to do");
      if (isLater) return Promise.reject(refusal);
      throw refusal;
    });
    await move("alice");
    const { told } = await follow("alice");
    await clock.advance(100);
    expect(told.at(-1)!.text).toContain(`{"index":"1","digits":1}`);
    expect(onBug).not.toHaveBeenCalled();
  }
});

test("who reads slowly is sent one event, and the next when that is read: the last", async () => {
  const { clock, broadcast, model, move } = openPump();
  await move("alice");
  const stream = await broadcast.follow("alice", model.at("alice"), undefined, () => {});
  const reader = stream.getReader();
  await reader.read();
  for (let i = 0; i < 3; i++) {
    await clock.advance(100);
    await move("alice");
  }
  await clock.advance(100);
  expect((await reader.read()).value).toContain(`"index":"1"`);
  const last = reader.read();
  await clock.advance(100);
  expect((await last).value).toContain(`"index":"4"`);
});

test("nothing is kept of those who have left, also while others stay", async () => {
  const { clock, move, follow } = openPump();
  await move("alice");
  await follow("alice");
  for (const waitMs of [0, 10, 200]) {
    const ends: WeakRef<object>[] = [];
    for (let i = 0; i < 200; i++) {
      const { leave, end } = await follow("alice");
      ends.push(new WeakRef(end));
      await clock.advance(waitMs);
      await leave();
    }
    await clock.advance(1000);
    Bun.gc(true);
    // Some are still on the stack.
    expect(ends.filter((end) => end.deref() !== undefined).length).toBeLessThan(50);
  }
});

test("a removal is told also to one who has been told nothing else, and that is all", async () => {
  const { clock, follow, move, model } = openPump();
  await move("alice");
  const { told } = await follow("alice");
  await model.at("alice").submit({ operation: "remove" }, () => {});
  await clock.advance(100);
  expect(told.map(({ text }) => text)).toEqual(["event: removed\ndata: {}\n\n"]);
});

test("a cursor that is made anew is followed, and ended, apart from those who are told of the end of the old one", async () => {
  const { clock, follow, move, model, stopping } = openPump();
  await move("alice");
  const old = await follow("alice");
  await model.at("alice").submit({ operation: "remove" }, () => {});
  await move("alice");
  const anew = await follow("alice");
  await clock.advance(100);
  expect([old.end, anew.end].map(({ mock }) => mock.calls.length)).toEqual([1, 0]);
  stopping.abort();
  expect(anew.end).toHaveBeenCalledTimes(1);
});

test("one that a stop has ended, and whose client then leaves, has ended once", async () => {
  const { clock, broadcast, move, model, stopping } = openPump();
  await move("alice");
  const end = jest.fn();
  const stream = await broadcast.follow("alice", model.at("alice"), undefined, end);
  await clock.advance(100);
  stopping.abort();
  await stream.cancel();
  expect(end).toHaveBeenCalledTimes(1);
});

test("what is told last is where the cursor is, also where it has moved since whoever comes was answered", async () => {
  const { clock, broadcast, model, move } = openPump();
  await move("alice");
  const cursor = model.at("alice");
  const submit: CursorService["submit"] = async (request, answer) => {
    const outcome = await cursor.submit(request, (position) => position);
    await move("alice");
    return answer(outcome);
  };
  const stream = await broadcast.follow("alice", { ...cursor, submit }, undefined, () => {});
  const reader = stream.getReader();
  expect((await reader.read()).value).toBe(BEGINNING);
  const told = reader.read();
  await clock.advance(1);
  expect((await told).value).toContain(`"index":"2"`);
});

test("who comes while a stop begins is ended, whether the cursor has answered or not", async () => {
  for (const isBefore of [true, false]) {
    const { broadcast, model, stopping } = openPump();
    const cursor = model.at(DEFAULT_NAME);
    const end = jest.fn();
    if (isBefore) stopping.abort();
    const submit: CursorService["submit"] = async (_, answer) => {
      stopping.abort();
      return answer({ index: 0, generation: 0 });
    };
    const stream = await broadcast.follow(DEFAULT_NAME, { ...cursor, submit }, undefined, end);
    expect(await Array.fromAsync(stream)).toEqual([BEGINNING]);
    expect(end).toHaveBeenCalledTimes(1);
  }
});
