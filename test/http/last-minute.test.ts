/** The last minute, by a clock that the tests turn. */
import { expect, jest, onTestFinished, spyOn, test } from "bun:test";
import * as fc from "fast-check";
import { LastMinute, type Minute } from "../../src/http/last-minute.ts";
import { Registry } from "../../src/metrics.ts";

/** A registry with what is looked at, and a clock. */
function open() {
  const metrics = new Registry();
  const requests = metrics.histogram("requests", "", ["method", "route", "status"]);
  const moves = metrics.counter("moves", "", ["operation", "outcome"]);
  const syncs = metrics.histogram("syncs", "");
  const groups = metrics.histogram("groups", "");
  const clock = { ms: 5000 };
  const minute = new LastMinute({ requests, moves, groups, syncs }, () => clock.ms);
  /** Lets seconds go by, and does in each what it is told. */
  const pass = (seconds: number, each = () => {}) => {
    for (let i = 0; i < seconds; i++) {
      each();
      clock.ms += 1000;
      if (clock.ms % 5000 === 0) minute.note();
    }
  };
  return { requests, moves, groups, syncs, clock, minute, pass };
}

test("nothing has happened yet: no rate is a division by zero", () => {
  expect(open().minute.read()).toEqual({
    seconds: 0,
    requestsPerSecond: 0,
    movesPerSecond: 0,
    errorsPerSecond: 0,
    requestSeconds: { p50: null, p90: null, p99: null },
    syncSeconds: { p50: null, p90: null, p99: null },
    groupSize: null,
  });
});

test("how many moves were taken together is their mean over the minute, and nothing once none were", () => {
  const { groups, minute, pass } = open();
  pass(10, () => groups.cell().observe(100));
  pass(66);
  expect(minute.read().groupSize).toBeNull();
  pass(3, () => [1, 7].forEach((moves) => groups.cell().observe(moves)));
  expect(minute.read().groupSize).toBe(4);
});

test("a clock notes the counts twelve times a minute", () => {
  jest.useFakeTimers();
  onTestFinished(() => void jest.useRealTimers());
  const { minute } = open();
  const note = spyOn(minute, "note");
  minute.start();
  jest.advanceTimersByTime(60_000);
  expect(note).toHaveBeenCalledTimes(12);
});

test("before a minute is over, what there was counts for the time that there was", () => {
  const { moves, minute, pass } = open();
  pass(8, () => moves.cell("next", "ok").add(3));
  expect(minute.read()).toMatchObject({ seconds: 8, movesPerSecond: 3 });
});

test("what is older than a minute, and a step of the ring, is forgotten", () => {
  const { moves, requests, minute, pass } = open();
  pass(100, () => {
    moves.cell("next", "ok").add(1000);
    requests.cell("GET", "/", "500").observe(5);
  });
  pass(66, () => {
    moves.cell("previous", "ok").add(2);
    requests.cell("GET", "/", "200").observe(0.02);
  });
  const { seconds, movesPerSecond, errorsPerSecond, requestSeconds } = minute.read();
  expect(seconds).toBeGreaterThanOrEqual(60);
  expect(seconds).toBeLessThan(65);
  expect({ movesPerSecond, errorsPerSecond }).toEqual({ movesPerSecond: 2, errorsPerSecond: 0 });
  expect(requestSeconds.p99).toBeLessThanOrEqual(0.025);
});

test("a timer that came late makes the minute longer, and no rate wrong", () => {
  const { moves, clock, minute } = open();
  clock.ms += 600_000;
  moves.cell("set", "ok").add(1200);
  expect(minute.read()).toMatchObject({ seconds: 600, movesPerSecond: 2 });
  minute.note();
  clock.ms += 1000;
  expect(minute.read()).toMatchObject({ seconds: 601 });
});

test("a look at the cursor, a refused move and a removed cursor are no moves; only what the server failed at is an error", () => {
  const { moves, requests, minute, pass } = open();
  const statuses = ["200", "304", "409", "499", "507"];
  pass(1, () => {
    for (const [operation, outcome] of [
      ["current", "ok"],
      ["remove", "ok"],
      ["next", "sequence_end"],
      ["next", "cursor_io"],
    ])
      moves.cell(operation!, outcome!).add(7);
    for (const status of statuses) requests.cell("GET", "/", status).observe(0.001);
    for (const status of ["500", "503"]) requests.cell("POST", "/", status).observe(0.001);
  });
  expect(minute.read()).toMatchObject({ movesPerSecond: 0, errorsPerSecond: 2, requestsPerSecond: 7 });
});

test("a quantile lies between the bounds of the value that it stands for", () => {
  const value = fc.double({ min: 0.000_001, max: 9.99, noNaN: true });
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 300 }), (values) => {
      const { syncs, minute, pass } = open();
      pass(1, () => values.forEach((seconds) => syncs.cell().observe(seconds)));
      const sorted = values.toSorted((a, b) => a - b);
      for (const [name, part] of [
        ["p50", 0.5],
        ["p90", 0.9],
        ["p99", 0.99],
      ] as const) {
        const exact = sorted[Math.ceil(part * sorted.length - 1e-9) - 1]!;
        const { bounds } = syncs.cell();
        const i = bounds.findIndex((bound) => exact <= bound);
        const found = minute.read().syncSeconds[name]!;
        expect(found).toBeGreaterThanOrEqual(bounds[i - 1] ?? 0);
        // But for the last bit: 0.001 + 0.0015 is more than 0.0025.
        expect(found).toBeLessThanOrEqual(bounds[i]! * (1 + 2 * Number.EPSILON));
      }
    }),
  );
});

test("beyond the last bound a quantile is that bound, as Prometheus has it", () => {
  const { syncs, minute, pass } = open();
  pass(1, () => syncs.cell().observe(3600));
  expect(minute.read().syncSeconds).toEqual({ p50: 10, p90: 10, p99: 10 } satisfies Minute["syncSeconds"]);
});

test("a server on Redis has no syncs", () => {
  const { requests, moves, groups } = open();
  const minute = new LastMinute({ requests, moves, groups, syncs: undefined });
  minute.note();
  expect(minute.read()).toMatchObject({ movesPerSecond: 0, syncSeconds: { p50: null } });
});
