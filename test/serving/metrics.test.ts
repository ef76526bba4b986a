/** Facts that no healthy machine tells, or not when a test wants it, are counted under the right names. */
import { expect, test } from "bun:test";
import { countServer, countTasks, showServer } from "../../src/serving/metrics.ts";
import { FibError } from "../../src/errors.ts";
import { Registry } from "../../src/metrics.ts";
import { distrusted, noticeFailed } from "../../src/notices.ts";
import { NO_TASKS } from "../../src/tasks/queue.ts";
import { Scrape } from "../scrape.ts";
import { TASK_ARGUMENTS } from "../../src/tasks/task.ts";

/** What a scrape of it would say now. */
async function told(registry: Registry): Promise<Scrape> {
  return new Scrape(await registry.text("prometheus"));
}

const NONE = { count: 0 };
/** A server in which nothing happens. */
const IDLE = {
  cursors: { waitingCount: () => 0, count: async () => ({ cursors: 0, clients: 0 }) },
  redis: undefined,
  pool: { running: 0, waiting: 0 },
  tasks: { count: async () => NO_TASKS },
  streams: NONE,
  watchers: NONE,
  cursorWatchers: NONE,
} as const;

test("a result that failed a check is counted by the check", async () => {
  const registry = new Registry();
  countServer(registry);
  const before = { ...distrusted };
  noticeFailed("residue", "F(100)");
  expect((await told(registry)).by("fibserver_distrusted_total")).toEqual({
    'stage="rounding"': before.rounding,
    'stage="residue"': before.residue + 1,
    'stage="recurrence"': before.recurrence,
    'stage="bounds"': before.bounds,
  });
});

test("each kind begins at 0: of what appears at 1 Prometheus sees no growth", async () => {
  const registry = new Registry();
  countServer(registry);
  countTasks(registry);
  const found = await told(registry);
  const ofJobs = [
    "fibonacci", "lucas", "pair", "factorial", "ackermann", "remainder", "statistics", "pisano", "ends", "zeckendorf",
  ]; // prettier-ignore
  expect(found.by("fibserver_digits_total")).toEqual(
    Object.fromEntries(ofJobs.map((kind) => [`kind="${kind}"`, 0])),
  );
  for (const kind of ofJobs) expect(found.get(`fibserver_computation_seconds_count{kind="${kind}"}`)).toBe(0);
  const finished = found.by("fibserver_tasks_finished_total");
  for (const kind of Object.keys(TASK_ARGUMENTS)) {
    for (const outcome of ["ready", "failed", "cancelled"])
      expect(finished[`kind="${kind}",outcome="${outcome}"`]).toBe(0);
  }
  const moves = found.by("fibserver_cursor_moves_total");
  for (const outcome of ["ok", "cursor_io", "redis_full"])
    expect(moves[`operation="next",outcome="${outcome}"`]).toBe(0);
});

test("a group is one observation, whatever its moves come to; who only reads is not in it", async () => {
  const registry = new Registry();
  const { answered } = countServer(registry);
  const operations = ["next", "current", "next", "set", "next", "remove"] as const;
  const done = { index: 1, generation: 1 };
  const refusal = new FibError("cursor_locked", "Cannot lock it");
  const outcomes = [done, done, { ...done, replayed: true }, done, refusal, refusal];
  answered(
    operations.map((operation) => ({ operation })),
    outcomes,
  );
  answered([{ operation: "current" }], [done]);
  const found = await told(registry);
  expect(found.histogram("fibserver_cursor_group_size", "5.0")).toEqual({ count: 1, sum: 5, upTo: 1 });
  expect(found.counted("fibserver_cursor_moves_total")).toEqual({
    'operation="next",outcome="ok"': 1,
    'operation="next",outcome="replayed"': 1,
    'operation="next",outcome="cursor_locked"': 1,
    'operation="set",outcome="ok"': 1,
    'operation="remove",outcome="cursor_locked"': 1,
  });
});

test("how long the oldest task has waited is told in seconds", async () => {
  const registry = new Registry();
  showServer(registry, { ...IDLE, tasks: { count: async () => ({ ...NO_TASKS, oldestQueuedMs: 1500 }) } });
  expect((await told(registry)).get("fibserver_task_age_seconds")).toBe(1.5);
});

test("a store that hangs is asked once, left out, and told again when it has answered", async () => {
  const registry = new Registry();
  let askedCount = 0;
  let answer = Promise.withResolvers<{ cursors: number; clients: number }>();
  const count = () => {
    askedCount++;
    return answer.promise;
  };
  showServer(registry, { ...IDLE, cursors: { waitingCount: () => 7, count } });
  for (let i = 0; i < 3; i++) {
    const found = await told(registry);
    expect([found.get("fibserver_cursors"), found.get("fibserver_clients")]).toEqual([undefined, undefined]);
    expect(found.get("fibserver_cursor_waiting")).toBe(7);
    expect(found.by("fibserver_tasks")['state="queued"']).toBe(0);
    expect(askedCount).toBe(1);
  }
  answer.resolve({ cursors: 1, clients: 2 });
  await answer.promise;
  const found = await told(registry);
  expect([found.get("fibserver_cursors"), found.get("fibserver_clients")]).toEqual([1, 2]);
  expect(askedCount).toBe(2);

  answer = Promise.withResolvers();
  answer.reject(new Error("the file is gone"));
  const without = await told(registry);
  expect([without.get("fibserver_cursors"), without.get("fibserver_clients")]).toEqual([
    undefined,
    undefined,
  ]);
});
