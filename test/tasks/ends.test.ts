/** Who hears how tasks end: each once, when it is on disk, whoever has ended it. */
import { Database } from "bun:sqlite";
import { expect, onTestFinished, test } from "bun:test";
import path from "node:path";
import { Pool } from "../../src/numbers/pool.ts";
import { EmbeddedTasks } from "../../src/tasks/embedded.ts";
import type { EndedTask } from "../../src/tasks/queue.ts";
import { until } from "../binary.ts";
import { temporaryFolder } from "../temporary.ts";

test("short and long ones, cancelled ones, and those that cannot be computed are told with who made them", async () => {
  const file = path.join(temporaryFolder(), "cursor.tasks");
  const told: (Pick<EndedTask, "state" | "reason"> & { readonly maker: string; readonly onDisk: string })[] =
    [];
  const pool = new Pool({ threads: 1, queueMax: 1 });
  const tasks = new EmbeddedTasks({
    path: file,
    pool,
    limits: { tasksMax: 10, resultTtlMs: 3_600_000, resultBytesMax: 2 ** 30, attemptsMax: 3 },
    notice: () => {},
    onBug: () => {},
    onTaskEnd: ({ id, state, reason, origin }) => {
      using database = new Database(file, { readonly: true });
      const row = database.query("SELECT state FROM tasks WHERE id = ?").get(id) as { state: string };
      told.push({ state, reason, maker: origin.requestId!, onDisk: row.state });
    },
  });
  onTestFinished(async () => {
    await tasks.close();
    await pool.close();
  });
  const make = (maker: string, kind: "fibonacci" | "factorial", n: number, digits: number) =>
    tasks.create({ kind, n }, digits, "", { requestId: maker });
  const hears = (count: number) => until(`${count} are told`, () => told.length === count);

  await make("short", "fibonacci", 100, 21);
  await hears(1);
  await make("long", "fibonacci", 200_000, 41_798);
  await hears(2);
  const { task } = await make("cancelled", "factorial", 100_000_000, 756_570_557);
  for (let i = 0; i < 2; i++) await tasks.cancel(task.id);
  await hears(3);
  await make("wrong", "fibonacci", 200_001, 41_797);
  await hears(4);
  expect(told).toEqual([
    { maker: "short", state: "ready", reason: undefined, onDisk: "ready" },
    { maker: "long", state: "ready", reason: undefined, onDisk: "ready" },
    { maker: "cancelled", state: "cancelled", reason: undefined, onDisk: "cancelled" },
    {
      maker: "wrong",
      state: "failed",
      reason: "the result has 41798 bytes, and 41797 were predicted",
      onDisk: "failed",
    },
  ]);
});
