/**
 * What every engine promises for what is found out about numbers, whose results have no length that is known before:
 * one suite, run against each of them, as contract.ts is.
 * @module
 */
import { describe, expect, test } from "bun:test";
import { LIMITS } from "../../src/config/config.ts";
import { compute } from "../../src/numbers/compute.ts";
import { type Job, jobOf } from "../../src/numbers/job.ts";
import { sizeJob } from "../../src/numbers/sizes.ts";
import { isFullPage, type TaskQueue } from "../../src/tasks/queue.ts";
import { requestKey, type Task } from "../../src/tasks/task.ts";
import { isRefused, rejected } from "../refusal.ts";
import type { OpenEngine } from "./contract.ts";

/** Generous: a busy machine is no failure. */
const TIMEOUT_MS = 300_000;

const SIZES = { digitsMax: 25_000_000, pisanoMax: 10n ** 18n };

const LONG = 10n ** 1500n - 1n;

/** Each kind, computed at once and on a thread. */
const JOBS: readonly (readonly [Job["kind"], ...bigint[]])[] = [
  ["lucas", 10n],
  ["lucas", 200_000n],
  ["remainder", 100n, 97n],
  ["remainder", LONG, LONG - 2n],
  // The result is much shorter than it could have been.
  ["remainder", 2n, LONG],
  // The longest that HTTP takes: an engine that kept it as it keeps numbers would need its length.
  ["remainder", 5n * BigInt(LIMITS.remainderDigitsMax), 10n ** BigInt(LIMITS.remainderDigitsMax - 6)],
  ["statistics", 100n],
  ["statistics", 1_000_000n],
  ["pisano", 10n],
  ["pisano", 999_999_999_999_999_989n],
];

async function ended(tasks: TaskQueue, { id }: Task): Promise<Task> {
  return (await Array.fromAsync(tasks.watch(id, AbortSignal.timeout(TIMEOUT_MS)))).at(-1)!;
}

async function textOf(tasks: TaskQueue, { id }: Task): Promise<string> {
  const result = (await tasks.openResult(id))!;
  const bytes = await result.read(0, result.sizeBytes);
  result.close();
  return Buffer.from(bytes).toString("latin1");
}

async function refusedAs(code: string, asked: Promise<unknown>): Promise<void> {
  expect((await rejected(asked)).code as string).toBe(code);
}

/** A task of a minute, whose request counts as 21: it has 15,011 characters. */
function long(i: number): readonly [Job, number] {
  return [jobOf("remainder", ["9".repeat(7500), String(10n ** 7499n + BigInt(i))]), 7500];
}

/** Runs the suite. */
export function testKinds(name: string, open: OpenEngine): void {
  describe(`${name}: kinds`, () => {
    test(
      "each is computed to the end, and what it has found is there after a restart",
      async () => {
        const { tasks, reopen } = await open();
        const made: { task: Task; text: string }[] = [];
        for (const [kind, ...values] of JOBS) {
          const { job, sizeBytes } = sizeJob(kind, values.map(String), SIZES);
          const { task } = await tasks.create(job, sizeBytes);
          expect(await ended(tasks, task)).toMatchObject({
            state: "ready",
            request: requestKey(job),
            sizeBytes,
          });
          const text = Buffer.from(compute(job)).toString("latin1");
          expect(await textOf(tasks, task)).toBe(text);
          expect((await tasks.create(job, sizeBytes)).created).toBe(false);
          made.push({ task, text });
        }
        const again = await reopen();
        for (const { task, text } of made) {
          expect((await again.find(task.id))?.request).toEqual(task.request);
          expect(await textOf(again, task)).toBe(text);
        }
      },
      TIMEOUT_MS,
    );

    test(
      "one that is cancelled while it runs frees its thread",
      async () => {
        const { tasks } = await open();
        const n = 10n ** 7500n - 1n;
        const { task } = await tasks.create({ kind: "remainder", n: String(n), mod: String(n - 2n) }, 7500);
        for await (const { state } of tasks.watch(task.id, AbortSignal.timeout(TIMEOUT_MS)))
          if (state === "running") await tasks.cancel(task.id);
        expect((await tasks.find(task.id))?.state).toBe("cancelled");
        const { task: next } = await tasks.create({ kind: "lucas", n: 200_000 }, 41_798);
        expect((await ended(tasks, next)).state).toBe("ready");
      },
      TIMEOUT_MS,
    );

    test(
      "a result that is longer than it can be fails, and a shorter number does too",
      async () => {
        const { tasks } = await open();
        for (const [job, sizeBytes] of [
          [jobOf("remainder", ["100", "10000"]), 2],
          [jobOf("lucas", ["10"]), 4],
        ] as const) {
          const { task } = await tasks.create(job, sizeBytes);
          expect((await ended(tasks, task)).state).toBe("failed");
          expect(await isRefused(textOf(tasks, task))).toBe(true);
        }
      },
      TIMEOUT_MS,
    );

    test(
      "a long request counts as several while it waits or runs, and one that counts for more than there is is had alone",
      async () => {
        const short = [jobOf("lucas", ["200000"]), 41_798] as const;
        const { tasks: first, reopen } = await open({ limits: { tasksMax: 100 } });
        const made = [await first.create(...long(1), "a"), await first.create(...long(2), "a")];
        await refusedAs("too_many_tasks", first.create(...long(3), "a"));
        const tasks = await reopen();
        const create = (i: number, holder: string) => tasks.create(...long(i), holder);
        await refusedAs("too_many_tasks", create(3, "a"));
        made.push(await create(3, "b"));
        await refusedAs("too_many_tasks", create(4, "b"));
        await tasks.cancel(made[0]!.task.id);
        made.push(await create(4, "b"));
        for (const { task } of made) await tasks.forget(task.id);
        await tasks.create(...short, "a");
        for (const { task } of made) expect(await tasks.find(task.id)).toBeUndefined();

        const { tasks: few } = await open({ limits: { tasksMax: 2 } });
        const { task: alone } = await few.create(...long(1), "a");
        await refusedAs("too_many_tasks", few.create(...short, "b"));
        await few.cancel(alone.id);
        expect((await ended(few, (await few.create(...short, "b")).task)).state).toBe("ready");
      },
      TIMEOUT_MS,
    );

    test(
      "a long request takes its part of the room, and a page of such ends early",
      async () => {
        const { tasks } = await open();
        const { resultBytes: before } = await tasks.count();
        const requests = Array.from({ length: 12 }, (_, i) =>
          jobOf("remainder", [String(10n ** 14_990n), String(i + 2)]),
        );
        const made: Task[] = [];
        for (const request of requests) made.push((await tasks.create(request, 2)).task);
        for (const task of made) await ended(tasks, task);
        const chars = requests.reduce((total, request) => total + requestKey(request).length, 0);
        expect((await tasks.count()).resultBytes - before).toBeGreaterThan(2 * chars);
        const page = await tasks.list({ limit: 1000 });
        expect([page.length < 12, isFullPage(page)]).toEqual([true, true]);
        const rest = await tasks.list({ limit: 1000, after: page.at(-1)!.id });
        expect([...page, ...rest].map(({ id }) => id)).toEqual(made.map(({ id }) => id));
        expect(isFullPage(rest)).toBe(false);
      },
      TIMEOUT_MS,
    );
  });
}
