/** The pool: right results, a bounded queue, and a thread that is free again however a job ends. */
import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { FibError } from "../../src/errors.ts";
import { distrusted, onNotice } from "../../src/notices.ts";
import { fibonacci } from "../../src/numbers/fibonacci.ts";
import { Pool, type PoolOptions } from "../../src/numbers/pool.ts";
import type { Span } from "../../src/tracing.ts";
import { until } from "../binary.ts";

/** Takes long enough (a minute or so) to be in the middle of its work whenever it is aborted. */
const ENDLESS = { kind: "fibonacci", n: 2_000_000_000 } as const;
const SMALL = { kind: "fibonacci", n: 100 } as const;

const pools: Pool[] = [];
const open = (options: PoolOptions): Pool => {
  const pool = new Pool(options);
  pools.push(pool);
  return pool;
};
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

const text = (digits: Uint8Array): string => new TextDecoder().decode(digits);
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error: unknown) => error,
  );

/** A worker file of this content, to see what the pool makes of it. */
const workerOf = (source: string): URL => {
  const path = join(mkdtempSync(join(tmpdir(), "pool-")), "worker.ts");
  writeFileSync(path, source);
  return pathToFileURL(path);
};

/** A file of `src/` as it is written in an import. */
const at = (file: string): string => JSON.stringify(import.meta.resolve(`../../src/${file}`));

test("who counts hears in milliseconds how long a thread had a job", async () => {
  const doneMs: number[] = [];
  const pool = open({
    threads: 1,
    queueMax: 1,
    onComputed: ({ durationMs }) => void doneMs.push(durationMs),
  });
  await pool.run({ kind: "fibonacci", n: 2_000_000 });
  expect(doneMs).toHaveLength(1);
  // Of seconds it would be some hundredths.
  expect(doneMs[0]).toBeGreaterThan(1);
});

test("a computation that is ended is so in its trace, too", async () => {
  const ends: (string | undefined)[] = [];
  const span: Span = {
    traceparent: "",
    child: () => span,
    tell: () => {},
    end: (reason) => void ends.push(reason),
  };
  const pool = open({ threads: 1, queueMax: 1 });
  const abort = new AbortController();
  const running = pool.run(ENDLESS, {
    signal: abort.signal,
    onStart: () => abort.abort(new Error("left")),
    span,
  });
  expect(await failure(running)).toMatchObject({ message: "left" });
  await pool.run(SMALL, { span });
  expect(ends).toEqual(["left", undefined]);
});

test("run() computes every kind of job", async () => {
  const pool = open({ threads: 2, queueMax: 10 });
  const results = await Promise.all([
    pool.run(SMALL),
    pool.run({ kind: "fibonacci", n: 300_000 }),
    pool.run({ kind: "factorial", n: 20 }),
    pool.run({ kind: "ackermann", m: 2n, n: 10n ** 30n }),
  ]);
  expect(text(results[0])).toBe("354224848179261915075");
  expect(results[1]).toEqual(fibonacci(300_000));
  expect(results.slice(2).map((digits) => text(digits))).toEqual([
    "2432902008176640000",
    "2000000000000000000000000000003",
  ]);
  expect([pool.running, pool.waiting]).toEqual([0, 0]);
});

test("run() gives every caller its own result, 200 jobs on two threads", async () => {
  const pool = open({ threads: 2, queueMax: 400 });
  const indices = Array.from({ length: 200 }, (_, i) => 20_000 + i);
  const results = await Promise.all(indices.map((n) => pool.run({ kind: "fibonacci", n })));
  for (const [i, n] of indices.entries()) expect(results[i]).toEqual(fibonacci(n));
});

test("run() refuses what the queue does not hold, half of it for one holder, and works on", async () => {
  const pool = open({ threads: 1, queueMax: 4 });
  const controller = new AbortController();
  const running = failure(pool.run(ENDLESS, { signal: controller.signal }));
  const of = (holder: string, count: number) =>
    Array.from({ length: count }, () => failure(pool.run(SMALL, { holder })));
  const [greedy, other, third] = [of("greedy", 9), of("other", 9), of("third", 9)];
  expect([pool.running, pool.waiting]).toEqual([1, 4]);
  controller.abort();
  await running;
  for (const [answers, servedCount] of [
    [greedy, 2],
    [other, 1],
    [third, 1],
  ] as const) {
    const errors = await Promise.all(answers);
    expect(errors.filter((error) => error === "no error").length).toBe(servedCount);
    for (const error of errors.filter((one) => one !== "no error")) {
      expect(error).toMatchObject({ name: "FibError", code: "overloaded" });
    }
  }
  // What has left the queue, served or aborted, leaves its places to others.
  expect(await failure(pool.run(SMALL, { holder: "greedy" }))).toBe("no error");
  const [first, second] = [new AbortController(), new AbortController()];
  const again = [failure(pool.run(ENDLESS, { signal: first.signal }))];
  for (let i = 0; i < 10; i++) again.push(failure(pool.run(SMALL, { signal: AbortSignal.abort() })));
  again.push(
    failure(pool.run(SMALL, { signal: second.signal })),
    failure(pool.run(SMALL, { signal: second.signal })),
  );
  second.abort();
  const last = failure(pool.run(SMALL));
  expect(pool.waiting).toBe(1);
  first.abort();
  expect(await last).toBe("no error");
  await Promise.all(again);
});

test("run() in the background starts behind who waits, is not limited, and can be held", async () => {
  const pool = open({ threads: 1, queueMax: 9 });
  const started: string[] = [];
  const run = (name: string, background: boolean) =>
    pool.run(SMALL, { background, onStart: () => started.push(name) });
  const first = run("first", false);
  expect(started).toEqual(["first"]);
  const others = [...Array.from({ length: 20 }, () => run("task", true)), run("answer", false)];
  await Promise.all([first, ...others]);
  expect(started).toEqual(["first", "answer", ...Array.from({ length: 20 }, () => "task")]);

  pool.holdBackground(true);
  const held = run("held", true);
  await run("not held", false);
  expect([started.at(-1), pool.running, pool.waiting]).toEqual(["not held", 0, 1]);
  pool.holdBackground(false);
  await held;
  expect(started.at(-1)).toBe("held");
});

test("run() starts a short job before the long ones that wait", async () => {
  const pool = open({ threads: 1, queueMax: 9 });
  const started: number[] = [];
  const run = (n: number) =>
    pool.run({ kind: "factorial", n }, { background: true, onStart: () => started.push(n) });
  await Promise.all([...Array.from({ length: 21 }, (_, i) => run(100_000 + i)), run(2000)]);
  // Should this machine have stood still for some milliseconds, a long one was older.
  expect(started.indexOf(2000)).toBeWithin(1, 5);
});

test("run() aborted while running ends the thread and frees its place", async () => {
  const pool = open({ threads: 1, queueMax: 5 });
  for (let round = 0; round < 5; round++) {
    const controller = new AbortController();
    const started = Promise.withResolvers<void>();
    const job = pool.run(ENDLESS, { signal: controller.signal, onProgress: () => started.resolve() });
    const next = pool.run(SMALL);
    // At once, or in the middle of the computation.
    if (round % 2 === 0) await started.promise;
    const reason = new Error("the client left");
    controller.abort(reason);
    expect(await failure(job)).toBe(reason);
    expect(text(await next)).toBe("354224848179261915075");
  }
}, 300_000);

test("run() aborted while waiting leaves the queue", async () => {
  const pool = open({ threads: 1, queueMax: 5 });
  const [first, second] = [new AbortController(), new AbortController()];
  const running = failure(pool.run(ENDLESS, { signal: first.signal }));
  const waiting = failure(pool.run(SMALL, { signal: second.signal }));
  second.abort();
  expect(await waiting).toMatchObject({ name: "AbortError" });
  expect([pool.running, pool.waiting]).toEqual([1, 0]);
  first.abort();
  await running;
  expect(await failure(pool.run(SMALL, { signal: first.signal }))).toMatchObject({ name: "AbortError" });
});

test("run() reports progress that grows", async () => {
  const pool = open({ threads: 1, queueMax: 0 });
  const fractions: number[] = [];
  await pool.run(
    { kind: "fibonacci", n: 60_000_000 },
    { onProgress: (fraction) => fractions.push(fraction) },
  );
  expect(fractions.length).toBeGreaterThan(0);
  expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
  expect(fractions.every((fraction) => fraction > 0 && fraction <= 1)).toBe(true);
}, 300_000);

test("run() passes a FibError on and keeps the thread", async () => {
  const pool = open({ threads: 1, queueMax: 1 });
  const error = await failure(pool.run({ kind: "ackermann", m: 4n, n: 3n }));
  expect(error).toBeInstanceOf(FibError);
  expect(error).toMatchObject({ code: "result_too_large", message: expect.stringContaining("A(4,3)") });
  expect(text(await pool.run(SMALL))).toBe("354224848179261915075");
});

for (const [what, source] of [
  ["throws while loading", "throw new Error('broken')"],
  ["throws at the first job", "self.onmessage = () => { throw new Error('broken'); }"],
  ["exits", "self.onmessage = () => process.exit(3)"],
  ["answers with a failure", "self.onmessage = () => postMessage({ kind: 'failed', message: 'broken' })"],
] as const) {
  test(`run() rejects with "internal" when the thread ${what}, and frees its place`, async () => {
    const pool = open({ threads: 1, queueMax: 5, workerUrl: workerOf(source) });
    const errors = await Promise.all([1, 2, 3].map(() => failure(pool.run(SMALL))));
    for (const error of errors) expect(error).toMatchObject({ name: "FibError", code: "internal" });
    expect([pool.running, pool.waiting]).toEqual([0, 0]);
  });
}

test("run() ends a thread that holds much memory", async () => {
  // The thread numbers its jobs, and says that it holds 1 GB after the second.
  const source = `let jobs = 0;
    self.onmessage = () => {
      jobs++;
      const memoryBytes = jobs === 2 ? 2 ** 30 : 0;
      postMessage({ kind: "done", result: Uint8Array.of(48 + jobs), memoryBytes });
    };`;
  const pool = open({ threads: 1, queueMax: 9, workerUrl: workerOf(source) });
  const results = await Promise.all([1, 2, 3, 4, 5].map(() => pool.run(SMALL)));
  expect(results.map(text)).toEqual(["1", "2", "1", "2", "1"]);
});

test("a check that fails on a thread is told and counted here, also when the job is aborted", async () => {
  // The worker as it is, behind something that distrusts each job first.
  const distrusting = workerOf(`import { notice } from ${at("notices.ts")};
    self.addEventListener("message", ({ data }) => notice("F(" + data.n + ") failed", "residue"));`);
  const workerUrl = workerOf(
    `import ${JSON.stringify(distrusting.href)}; import ${at("numbers/worker.ts")};`,
  );
  const pool = open({ threads: 1, queueMax: 9, workerUrl });
  const before = distrusted.residue;
  const told: string[] = [];
  onNotice((message) => told.push(message));
  expect(text(await pool.run(SMALL))).toBe("354224848179261915075");
  expect(told).toEqual(["F(100) failed"]);
  const controller = new AbortController();
  const endless = failure(pool.run(ENDLESS, { signal: controller.signal }));
  await until("it is told", () => told.length === 2);
  controller.abort();
  await endless;
  onNotice(() => {});
  expect([told[1], distrusted.residue - before]).toEqual(["F(2000000000) failed", 2]);
});

test("prepare() starts the thread of the first job, and keeps nothing running", async () => {
  const script = `
    const { Pool } = await import("./src/numbers/pool.ts");
    let started = 0;
    const { Worker } = globalThis;
    globalThis.Worker = class extends Worker { constructor(...all) { super(...all); started++; } };
    const pool = new Pool({ threads: 2, queueMax: 1 });
    pool.prepare();
    pool.prepare();
    const before = started;
    await pool.run({ kind: "fibonacci", n: 10 });
    console.log(before, started);`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  expect(await child.stdout.text()).toBe("1 1\n");
  expect(await child.exited).toBe(0);
});

test("run() ends a thread that has failed, and keeps one that has refused its job", async () => {
  // The thread numbers its jobs, and the second one fails.
  for (const [code, next] of [
    ["undefined", "1"],
    ["'result_too_large'", "3"],
  ] as const) {
    const workerUrl = workerOf(`let jobs = 0;
      self.onmessage = () => {
        jobs++;
        if (jobs === 2) postMessage({ kind: "failed", message: "made up", code: ${code} });
        else postMessage({ kind: "done", result: Uint8Array.of(48 + jobs), memoryBytes: 0 });
      };`);
    const pool = open({ threads: 1, queueMax: 9, workerUrl });
    await pool.run(SMALL);
    await failure(pool.run(SMALL));
    expect(text(await pool.run(SMALL)), code).toBe(next);
  }
});

test("refuseWaiting() rejects the answers that wait and would have to; what runs and the background go on", async () => {
  const pool = open({ threads: 1, queueMax: 5 });
  const abort = new AbortController();
  const running = failure(pool.run(ENDLESS, { signal: abort.signal }));
  const waiting = failure(pool.run(SMALL));
  const background = pool.run(SMALL, { background: true });
  pool.refuseWaiting();
  for (const refused of [await waiting, await failure(pool.run(SMALL))]) {
    expect(refused).toMatchObject({ code: "overloaded" });
  }
  expect([Bun.peek.status(running), pool.waiting]).toEqual(["pending", 1]);
  abort.abort();
  await Promise.all([running, background]);
});

test("close() rejects what runs and waits, and every later run()", async () => {
  const pool = open({ threads: 1, queueMax: 5 });
  const jobs = [failure(pool.run(ENDLESS)), failure(pool.run(SMALL))];
  await pool.close();
  for (const error of await Promise.all([...jobs, failure(pool.run(SMALL))])) {
    expect(error).toMatchObject({ name: "FibError", code: "overloaded" });
  }
});

test("an idle pool does not keep the process running", async () => {
  const script = `
    const { Pool } = await import("./src/numbers/pool.ts");
    const digits = await new Pool({ threads: 2, queueMax: 1 }).run({ kind: "fibonacci", n: 10 });
    console.log(new TextDecoder().decode(digits));`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  expect(await child.stdout.text()).toBe("55\n");
  expect(await child.exited).toBe(0);
});
