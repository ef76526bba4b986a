/** Results: each is computed once, lives while somebody reads it, and together they keep to their room. */
import { expect, test } from "bun:test";
import { FibError } from "../../src/errors.ts";
import { fibonacci } from "../../src/numbers/fibonacci.ts";
import type { Job } from "../../src/numbers/job.ts";
import type { RunOptions } from "../../src/numbers/pool.ts";
import { Results } from "../../src/numbers/results.ts";
import { rejected } from "../refusal.ts";

const nobody = new AbortController().signal;
const F = (n: number) => ({ kind: "fibonacci", n }) as const;

/** A pool whose jobs end when the test says so. */
function heldPool() {
  const runs: {
    job: Job;
    signal: AbortSignal;
    done: (digits?: Uint8Array<ArrayBuffer>) => void;
    fail: (error: Error) => void;
  }[] = [];
  const run = (job: Job, { signal }: RunOptions = {}) => {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    signal!.addEventListener("abort", () => reject(signal!.reason as Error));
    runs.push({ job, signal: signal!, done: (digits = new Uint8Array(9)) => resolve(digits), fail: reject });
    return promise;
  };
  return { runs, run };
}

test("take() computes short numbers at once, without the pool", async () => {
  const { runs, run } = heldPool();
  const results = new Results({ run }, 1);
  const { digits, release } = await results.take(F(20_000), 4180, nobody);
  expect(digits).toEqual(fibonacci(20_000));
  release();
  expect(runs).toEqual([]);
});

test("take() runs a job once for all who ask while it runs or is read", async () => {
  const { runs, run } = heldPool();
  const results = new Results({ run }, 1e6);
  const first = results.take(F(100_000), 20_899, nobody);
  const second = results.take(F(100_000), 20_899, nobody);
  expect(runs.map(({ job }) => job)).toEqual([F(100_000)]);
  const digits = new Uint8Array(20_899);
  runs[0]!.done(digits);
  const third = await results.take(F(100_000), 20_899, nobody);
  for (const result of [await first, await second, third]) expect(result.digits).toBe(digits);
  expect(runs.length).toBe(1);
});

test("take() says for whom it computes: the first who asked", async () => {
  const holders: (string | undefined)[] = [];
  const run = async (_: Job, { holder }: RunOptions = {}) => {
    holders.push(holder);
    return new Uint8Array(20_899);
  };
  const results = new Results({ run }, 1e6);
  const asked = ["first", "second"].map((holder) => results.take(F(100_000), 20_899, nobody, holder));
  await Promise.all([...asked, results.take(F(100_001), 20_899, nobody)]);
  expect(holders).toEqual(["first", ""]);
});

test("take() tells kinds and arguments apart", async () => {
  const { runs, run } = heldPool();
  const results = new Results({ run }, 1e9);
  const jobs: Job[] = [
    F(100_000),
    F(100_001),
    { kind: "factorial", n: 100_000 },
    { kind: "ackermann", m: 3n, n: 100_000n },
    { kind: "ackermann", m: 3n, n: 100_001n },
    { kind: "ackermann", m: 31n, n: 1n },
    { kind: "ackermann", m: 3n, n: 11n },
  ];
  for (const job of jobs) void results.take(job, 20_000, nobody);
  expect(runs.map(({ job }) => job)).toEqual(jobs);
});

test("the last reader who leaves ends the computation, and not an earlier one", async () => {
  const { runs, run } = heldPool();
  const results = new Results({ run }, 1e6);
  const clients = [new AbortController(), new AbortController()];
  const taken = clients.map(({ signal }) => rejected(results.take(F(100_000), 20_899, signal)));
  clients[0]!.abort();
  expect(runs[0]!.signal.aborted).toBe(false);
  clients[1]!.abort();
  expect(runs[0]!.signal.aborted).toBe(true);
  for (const error of await Promise.all(taken)) expect(error).toBeInstanceOf(FibError);
  // It is asked for again: a new computation.
  void results.take(F(100_000), 20_899, nobody);
  expect(runs.length).toBe(2);
});

test("a client that has left already computes nothing", async () => {
  const { runs, run } = heldPool();
  const results = new Results({ run }, 1e6);
  await rejected(results.take(F(100_000), 20_899, AbortSignal.abort()));
  expect(runs.every(({ signal }) => signal.aborted)).toBe(true);
});

test("results that are read have a room; what they leave, also twice, is free again once", async () => {
  const { runs, run } = heldPool();
  const results = new Results({ run }, 100_000);
  const take = async (n: number) => {
    const taken = results.take(F(n), 40_000, nobody);
    runs.at(-1)?.done();
    return taken;
  };
  const [first, second] = [await take(1), await take(2)];
  expect((await rejected(take(3))).code).toBe("overloaded");
  // Joining costs nothing.
  const joined = await take(1);
  first.release();
  first.release();
  expect((await rejected(take(3))).code).toBe("overloaded");
  joined.release();
  await take(3);
  expect((await rejected(take(4))).code).toBe("overloaded");
  second.release();
  second.release();
  await take(4);
  expect((await rejected(take(5))).code).toBe("overloaded");
});

test("a result that is larger than all the room is had when nothing else is read", async () => {
  const { runs, run } = heldPool();
  const results = new Results({ run }, 100_000);
  const taken = results.take(F(1), 1_000_000, nobody);
  runs[0]!.done();
  const { release } = await taken;
  expect((await rejected(results.take(F(2), 10_000, nobody))).code).toBe("overloaded");
  release();
  void results.take(F(2), 10_000, nobody);
  expect(runs.length).toBe(2);
});

test("a computation that fails leaves nothing behind, and is tried again when asked for", async () => {
  const { runs, run } = heldPool();
  const results = new Results({ run }, 30_000);
  const taken = [1, 2].map(() => rejected(results.take(F(100_000), 20_899, nobody)));
  runs[0]!.fail(new FibError("overloaded", "made up"));
  for (const { message } of await Promise.all(taken)) expect(message).toBe("made up");
  const again = results.take(F(100_000), 20_899, nobody);
  runs[1]!.done();
  expect((await again).digits.length).toBe(9);
});
