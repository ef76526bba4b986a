/**
 * The queue: answers first, short ones first, and nobody starves.
 *
 * Method: threads and a clock are simulated. A history is what comes and when; what is checked is when each starts.
 */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { JobQueue, OVERTAKEN_MAX, type Waiting } from "../../src/numbers/job-queue.ts";

/** A job that has started, and what it has left waiting. */
type Started = Waiting & { readonly startMs: number; readonly behind: { answers: number; tasks: number } };

const answer = (sinceMs: number, costMs: number): Waiting => ({ background: false, sinceMs, costMs });
const task = (sinceMs: number, costMs: number): Waiting => ({ background: true, sinceMs, costMs });
const every = (count: number, ms: number, make: (atMs: number) => Waiting): Waiting[] =>
  Array.from({ length: count }, (_, i) => make(i * ms));

/**
 * Runs a history to its end on so many threads.
 *
 * @param waitingMax - What comes while so many wait is refused.
 * @returns All that has started, in this order.
 */
function simulate(history: readonly Waiting[], threads: number, waitingMax = Infinity): Started[] {
  const coming = history.toSorted((a, b) => a.sinceMs - b.sinceMs);
  const queue = new JobQueue<Waiting>();
  const started: Started[] = [];
  const behind = { answers: 0, tasks: 0 };
  const freeAtMs = Array.from({ length: threads }, () => 0);
  let nextIndex = 0;
  for (let nowMs = 0; nowMs < Infinity;) {
    start(nowMs);
    for (; nextIndex < coming.length && coming[nextIndex]!.sinceMs <= nowMs; nextIndex++) {
      if (queue.size >= waitingMax) continue;
      const job = coming[nextIndex]!;
      queue.add(job);
      behind[job.background ? "tasks" : "answers"]++;
      start(nowMs);
    }
    const events = [...freeAtMs, coming[nextIndex]?.sinceMs ?? Infinity];
    nowMs = Math.min(...events.filter((atMs) => atMs > nowMs));
  }
  expect(queue.size).toBe(0);
  return started;

  function start(nowMs: number): void {
    for (const [thread, atMs] of freeAtMs.entries()) {
      const job = atMs <= nowMs ? queue.take(nowMs) : undefined;
      if (job === undefined) continue;
      behind[job.background ? "tasks" : "answers"]--;
      started.push({ ...job, startMs: nowMs, behind: { ...behind } });
      freeAtMs[thread] = nowMs + job.costMs;
    }
  }
}

const waitMs = ({ startMs, sinceMs }: Started): number => startMs - sinceMs;
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Numbers that look random and are the same in each run, from 0 to 1. */
function* randoms(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

/** What comes at random moments with sizes of which few make most of the work (Pareto, exponent 1.2). */
function heavyTailed(
  count: number,
  load: number,
  make: (atMs: number, costMs: number) => Waiting,
): Waiting[] {
  const random = randoms(count);
  const costs = Array.from({ length: count }, () => Math.min(0.2 / random.next().value ** (1 / 1.2), 250));
  const meanMs = costs.reduce((sum, cost) => sum + cost, 0) / count;
  let atMs = 0;
  return costs.map((costMs) => {
    atMs += (-Math.log(1 - random.next().value) * meanMs) / load;
    return make(atMs, costMs);
  });
}

describe("take()", () => {
  test("has the short one first, behind however many long ones", () => {
    const factorials = every(21, 0, () => task(0, 80));
    const [, second, ...others] = simulate([...factorials, task(40, 0.2)], 1);
    expect(second).toMatchObject({ costMs: 0.2, startMs: 80 });
    expect(others.length).toBe(20);
  });

  test("keeps the order in which equals came", () => {
    const started = simulate(
      every(100, 1, (atMs) => answer(atMs, 10)),
      1,
    );
    expect(started.map(({ sinceMs }) => sinceMs)).toEqual(
      every(100, 1, (atMs) => answer(atMs, 10)).map((a) => a.sinceMs),
    );
  });

  test("has an answer before each task, however long both have waited", () => {
    const started = simulate([task(0, 10), ...every(5, 0, () => task(0, 0.1)), answer(9, 200)], 1);
    expect(started.findIndex(({ background }) => !background)).toBe(1);
  });

  test("leaves the background where it is when only answers may start", () => {
    const queue = new JobQueue<Waiting>();
    const [waiting, asked] = [task(0, 1), answer(0, 1)];
    queue.add(waiting);
    expect(queue.take(5, true)).toBeUndefined();
    queue.add(asked);
    expect([queue.take(5, true), queue.take(5, true), queue.take(5)]).toEqual([asked, undefined, waiting]);
  });

  test("does not find what was deleted or cleared", () => {
    const queue = new JobQueue<Waiting>();
    const jobs = [task(0, 1), answer(0, 1), answer(0, 2), task(0, 2)];
    for (const job of jobs) queue.add(job);
    for (const job of jobs.slice(0, 2)) queue.delete(job);
    expect(queue.size).toBe(2);
    expect(new Set(queue.clear())).toEqual(new Set(jobs.slice(2)));
    expect([queue.size, queue.take(9)]).toEqual([0, undefined]);
  });
});

describe("nobody starves", () => {
  const anyJob = fc.record({
    background: fc.boolean(),
    sinceMs: fc.integer({ min: 0, max: 3000 }),
    costMs: fc.oneof(fc.constantFrom(0.1, 1, 250), fc.double({ min: 0.1, max: 300, noNaN: true })),
  });
  const history = fc.array(anyJob, { maxLength: 150, size: "max" });
  const threads = fc.integer({ min: 1, max: 3 });

  test("all of any history starts once, and no thread is idle while one waits", () => {
    fc.assert(
      fc.property(history, threads, (jobs, count) => {
        const started = simulate(jobs, count);
        expect(started.length).toBe(jobs.length);
        for (const { startMs, sinceMs } of started) {
          if (startMs === sinceMs) continue;
          const running = started.filter(
            (other) => other.startMs < startMs && other.startMs + other.costMs >= startMs,
          );
          expect(running.length).toBeGreaterThanOrEqual(count);
        }
      }),
    );
  });

  test("answers overtake a task that waits eight times in a row at most, and a task an answer only then", () => {
    fc.assert(
      fc.property(history, threads, (jobs, count) => {
        const started = simulate(jobs, count);
        let overtakenCount = 0;
        for (const { background, behind } of started) {
          if (background && behind.answers > 0) expect(overtakenCount).toBe(OVERTAKEN_MAX);
          overtakenCount = background || behind.tasks === 0 ? 0 : overtakenCount + 1;
          expect(overtakenCount).toBeLessThanOrEqual(OVERTAKEN_MAX);
        }
      }),
    );
  });

  test("a giant among small ones that never end starts within twice its cost for each that waits", () => {
    for (const waitingMax of [4, 64]) {
      for (const overload of [0.99, 1.5, 10]) {
        const costMs = 200;
        const boundMs = 2 * waitingMax * costMs;
        const small = every(boundMs * overload, 1 / overload, (atMs) => answer(atMs, 1));
        const started = simulate([...small, answer(0, costMs)], 1, waitingMax);
        const giant = started.find((job) => job.costMs === costMs)!;
        expect(waitMs(giant)).toBeLessThanOrEqual(boundMs);
        // It does wait: with shortest first alone for ever.
        if (overload > 1) expect(waitMs(giant)).toBeGreaterThan((waitingMax * costMs) / 2);
      }
    }
  });

  test("any job starts within the bound that job-queue.ts gives", () => {
    const waiting = fc.integer({ min: 1, max: 10 });
    fc.assert(
      fc.property(history, threads, waiting, (jobs, count, waitingMax) => {
        const answers = jobs.map((one) => ({ ...one, background: false }));
        const started = simulate(answers, count, waitingMax);
        const longestMs = Math.max(0, ...started.map(({ costMs }) => costMs));
        for (const { sinceMs, startMs, costMs } of started) {
          const before = started.filter(
            (one) => one.sinceMs <= sinceMs && one.startMs + one.costMs > sinceMs,
          );
          const beforeMs = before.reduce((sum, one) => sum + one.costMs, 0);
          const boundMs = (2 * (beforeMs + waitingMax * costMs)) / count + longestMs;
          expect(startMs - sinceMs).toBeLessThanOrEqual(boundMs);
        }
      }),
    );
  });
});

describe("under load", () => {
  test("sizes with a heavy tail: half of all wait a third of what they would in their order", () => {
    const jobs = heavyTailed(20_000, 0.9, answer);
    const waits = simulate(jobs, 1).map(waitMs);
    let freeAtMs = 0;
    const inOrder = jobs.map(({ sinceMs, costMs }) => {
      const startMs = Math.max(freeAtMs, sinceMs);
      freeAtMs = startMs + costMs;
      return startMs - sinceMs;
    });
    expect(median(waits)).toBeLessThan(median(inOrder) / 3);
    // The longest wait grows, and not without end.
    expect(Math.max(...waits)).toBeLessThan(3 * Math.max(...inOrder));
  });

  test("more answers than can be computed: a task is each ninth start", () => {
    const tasks = every(500, 0, () => task(0, 5));
    const started = simulate([...heavyTailed(20_000, 3, answer), ...tasks], 1, 564);
    const contended = started.filter(({ behind }) => behind.answers > 0 && behind.tasks > 0);
    expect(contended.length).toBeGreaterThan(900);
    const share = contended.filter(({ background }) => background).length / contended.length;
    expect(share).toBeGreaterThan(0.11);
    expect(share).toBeLessThan(0.115);
    expect(started.filter(({ background }) => background).length).toBe(500);
  });

  test("more tasks than can be computed: answers wait for one of them", () => {
    const tasks = heavyTailed(10_000, 3, task);
    const answers = every(100, 300, (atMs) => answer(atMs, 50));
    const started = simulate([...tasks, ...answers], 1);
    const waits = started.filter(({ background }) => !background).map(waitMs);
    expect(Math.max(...waits)).toBeLessThanOrEqual(250);
    expect(started.length).toBe(10_100);
  });
});
