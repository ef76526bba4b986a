/**
 * How fast are small tasks accepted and finished? Each is durable before its 202, and its result before it is ready.
 * @module
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { ackermannDigits } from "../src/numbers/digits.ts";
import { Pool } from "../src/numbers/pool.ts";
import { EmbeddedTasks } from "../src/tasks/embedded.ts";
import type { TaskQueue } from "../src/tasks/queue.ts";
import { interleave, mustBe, publish } from "./measure.ts";
import { wrk } from "./load.ts";
import { has, type Server, startFibserver, startRaw, withServer } from "./servers.ts";

const NEW_TASKS = "bench/new-tasks.lua";
const CLIENTS = 64;
const ALONE_COUNT = 500;
const COUNT = 5000;
/** The next task: all are different, or they would be one. */
let nextN = 10n ** 15n;

/** Accepted over HTTP; accepted and finished in this process, by 64 clients and by one. */
export async function benchTasks(rounds: number): Promise<void> {
  await check();
  const samples = await interleave(rounds, {
    ...(has("wrk") && {
      raw: () => withServer(startRaw(), accepted),
      accepted: () => withServer(startFibserver(), accepted),
    }),
    alone: () => withEmbedded((tasks) => finishedPerSecond(tasks, ALONE_COUNT, 1)),
    finished: () => withEmbedded((tasks) => finishedPerSecond(tasks, COUNT, CLIENTS)),
  });
  publish({
    title: "Small tasks, embedded",
    rows: [
      ...(samples.raw && samples.accepted
        ? [
            { name: `raw Bun.serve, ${CLIENTS} connections`, unit: "/s", samples: samples.raw },
            {
              name: "accepted over HTTP",
              unit: "/s",
              samples: samples.accepted,
              against: `raw Bun.serve, ${CLIENTS} connections`,
            },
          ]
        : []),
      { name: "finished, one client, a sync for each", unit: "/s", samples: samples.alone },
      {
        name: `finished, ${CLIENTS} clients`,
        unit: "/s",
        samples: samples.finished,
        against: "finished, one client, a sync for each",
      },
    ],
  });
}

/**
 * Small tasks that an engine accepts and computes in a second.
 *
 * @param clients - Each asks for its next task when the last was accepted.
 */
export async function finishedPerSecond(tasks: TaskQueue, count: number, clients: number): Promise<number> {
  const ids: string[] = [];
  const startMs = performance.now();
  let left = count;
  const client = async () => {
    while (left-- > 0) ids.push(await createSmall(tasks));
  };
  await Promise.all(Array.from({ length: clients }, client));
  await Promise.all(ids.map((id) => finished(tasks, id)));
  return (count / (performance.now() - startMs)) * 1000;
}

async function check(): Promise<void> {
  await withEmbedded(async (tasks) => {
    const n = nextN;
    const id = await createSmall(tasks);
    mustBe(await finished(tasks, id), "ready", "the state of a task");
    const result = (await tasks.openResult(id))!;
    const digits = Buffer.from(await result.read(0, result.sizeBytes)).toString();
    mustBe(digits, String(2n * n + 3n), "the result of a task");
    return 0;
  });
}

async function createSmall(tasks: TaskQueue): Promise<string> {
  const n = nextN++;
  const { task } = await tasks.create({ kind: "ackermann", m: 2n, n }, Number(ackermannDigits(2n, n)));
  return task.id;
}

async function finished(tasks: TaskQueue, id: string): Promise<string | undefined> {
  let state: string | undefined;
  for await (const task of tasks.watch(id, AbortSignal.timeout(60_000))) ({ state } = task);
  return state;
}

async function withEmbedded(measure: (tasks: TaskQueue) => Promise<number>): Promise<number> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "fibserver-bench-"));
  const pool = new Pool({ threads: 1, queueMax: 1 });
  const limits = { tasksMax: 2 * COUNT, resultTtlMs: 3_600_000, resultBytesMax: 2 ** 30, attemptsMax: 3 };
  const tasks = new EmbeddedTasks({
    path: path.join(folder, "tasks"),
    pool,
    limits,
    notice: (message) => console.log(message),
    onBug: (error) => {
      throw error;
    },
  });
  try {
    return await measure(tasks);
  } finally {
    await tasks.close();
    await pool.close();
    fs.rmSync(folder, { recursive: true });
  }
}

async function accepted(server: Server): Promise<number> {
  await wrk(server, NEW_TASKS, CLIENTS);
  return (await wrk(server, NEW_TASKS, CLIENTS, 2)).perSecond;
}
