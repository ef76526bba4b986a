/** What the part Tasks works out by itself: titles, file names, how long there is still to go, and which tasks it shows. */
import { expect, test } from "bun:test";
import { type FibClient, FibClientError, type TaskStatus } from "@fibserver/client";
import { askedOf, computationOf, fileOf, taskTitle } from "../../src/web/kinds.ts";
import { Paces } from "../../src/web/pace.ts";
import { readTasks } from "../../src/web/tasks/task-list.ts";

function task(given: Partial<TaskStatus>): TaskStatus {
  const createdAt = "2026-01-01T00:00:00.000Z";
  return {
    id: "a",
    kind: "fibonacci",
    state: "ready",
    progress: 1,
    attempts: 1,
    requests: 1,
    createdAt,
    ...given,
  };
}

test("taskTitle() says what is computed, with long arguments folded", () => {
  const titles = [
    task({ n: "10000000" }),
    task({ kind: "factorial", n: "1000000" }),
    task({ kind: "ackermann", m: "3", n: "20" }),
    task({ kind: "lucas", n: "7" }),
    task({ kind: "remainder", n: `1${"0".repeat(100)}`, mod: "97" }),
    task({ kind: "pisano", m: "1000" }),
    task({ kind: "statistics", n: "1000" }),
    task({ kind: "sequence", from: "0", count: "1000000" }),
    task({ kind: "sequence", from: "0", count: "10", start: "2,1" }),
  ].map((each) => taskTitle(each).replaceAll("\u202f", " "));
  expect(titles).toEqual([
    "F(10 000 000)",
    "1 000 000!",
    "A(3, 20)",
    "L(7)",
    "F(100 000 000 … 000 000 000) mod 97",
    "Period of F(n) mod 1 000",
    "Digits of F(1 000)",
    "F(0) to F(999 999)",
    "Terms 0 to 9 of 2, 1, …",
  ]);
});

test("fileOf() is a name for any file system, however long the arguments are", () => {
  expect(fileOf(askedOf(task({ kind: "ackermann", m: "3", n: "20" })))).toBe("ackermann-3-20.txt");
  expect(fileOf(askedOf(task({ n: "9".repeat(5000) })))).toMatch(/^fibonacci-[\d.]{1,30}\.txt$/);
});

test("computationOf() gives the arguments their names", () => {
  const asked = { kind: "remainder", numbers: ["10^2", "7"] } as const;
  expect(computationOf(asked)).toEqual({ kind: "remainder", n: 100n, mod: 7n });
});

test("Paces.secondsLeft() is told at an even pace alone, and anew when a task begins anew", () => {
  const paces = new Paces();
  const see = (progress: readonly number[], beginMs = 0) =>
    progress.forEach((part, i) => paces.note([{ id: "a", progress: part }], beginMs + i * 1000));
  see([0, 0.01]);
  expect(paces.secondsLeft("a")).toBeUndefined();
  see([0, 0.1, 0.2, 0.3, 0.4]);
  expect(paces.secondsLeft("a")).toBeCloseTo(6);
  see([0.5, 0.51, 0.52, 0.53, 0.54], 5000);
  expect(paces.secondsLeft("a")).toBeUndefined();
  // What stands still has no end.
  see([0.6, 0.6, 0.6, 0.6], 12_000);
  expect(paces.secondsLeft("a")).toBeUndefined();
  paces.note([], 20_000);
  see([0.1, 0.2], 30_000);
  expect(paces.secondsLeft("a")).toBeUndefined();
  // After a crash, between two looks.
  see([0, 0.1, 0.2, 0.3], 40_000);
  expect(paces.secondsLeft("a")).toBeCloseTo(7);
  // What was long ago does not count.
  see(
    Array.from({ length: 20 }, (_, i) => 0.3 + i / 1000),
    50_000,
  );
  see(
    Array.from({ length: 17 }, (_, i) => 0.32 + i / 50),
    70_000,
  );
  expect(paces.secondsLeft("a")).toBeCloseTo(18);
});

/** A server whose tasks are these by state; what happens while it is asked happens in `onList`. */
function scripted(tasks: TaskStatus[], onList = () => {}) {
  const asked: string[] = [];
  const status = async () => {
    asked.push("status");
    return {
      tasks: Object.fromEntries(
        ["queued", "running", "ready", "failed", "cancelled"].map((state) => [
          state,
          tasks.filter((each) => each.state === state).length,
        ]),
      ),
    };
  };
  async function* list({ state, limit }: { state: string; limit: number }) {
    asked.push(state);
    const found = tasks.filter((each) => each.state === state).toReversed();
    for (const each of found.slice(0, limit)) yield { status: each };
    onList();
  }
  const get = async (id: string) => {
    asked.push(`get ${id}`);
    return { status: tasks.find((each) => each.id === id) };
  };
  return { client: { status, tasks: { list, get } } as unknown as FibClient, asked };
}

test("readTasks() shows what waits and runs and the newest that have ended, and counts the others", async () => {
  const many = Array.from({ length: 300 }, (_, i) => task({ id: String(1000 + i) }));
  many[5] = task({ id: "1005", state: "running" });
  many[299] = task({ id: "1299", state: "failed" });
  const { client } = scripted(many);
  const { tasks, endedMore, waitingMore } = await readTasks(client, { endedMax: 3, id: "1100" });
  expect(tasks.map(({ id }) => id)).toEqual(["1299", "1298", "1297", "1100", "1005"]);
  expect({ endedMore, waitingMore }).toEqual({ endedMore: 295, waitingMore: 0 });
});

test("readTasks() asks an idle server for nothing that is not there", async () => {
  const { client, asked } = scripted([task({})]);
  await readTasks(client, { endedMax: 8 });
  expect(asked).toEqual(["status", "ready"]);
});

test("readTasks() asks once how many there are where it is not told", async () => {
  const { client, asked } = scripted([task({})]);
  client.status = () => {
    asked.push("status");
    return Promise.reject(new FibClientError("forbidden", "", { status: 403 }));
  };
  for (let i = 0; i < 2; i++) expect((await readTasks(client, { endedMax: 8 })).tasks).toEqual([task({})]);
  expect(asked.filter((each) => each === "status")).toHaveLength(1);
});

test("readTasks() asks for one task only if it is not among the others", async () => {
  const { client, asked } = scripted([task({ id: "1" }), task({ id: "2" })]);
  await readTasks(client, { endedMax: 1, id: "2" });
  await readTasks(client, { endedMax: 1, id: "1" });
  expect(asked).toEqual(["status", "ready", "status", "ready", "get 1"]);
});

test("readTasks() finds a task once that goes on while it is looked for", async () => {
  for (const states of [["running"], ["running", "ready"]] as const) {
    const moving = [task({ id: "1", state: "queued" })];
    let step = 0;
    const { client } = scripted(moving, () => {
      const state = states[step++];
      if (state !== undefined) moving[0] = task({ id: "1", state });
    });
    const { tasks } = await readTasks(client, { endedMax: 8 });
    expect(tasks).toEqual([task({ id: "1", state: states.at(-1)! })]);
  }
});
