/** Watching: nobody is kept waiting, nothing is kept for those who left. */
import { expect, test } from "bun:test";
import { Changes } from "../../src/tasks/changes.ts";
import type { Task, TaskState } from "../../src/tasks/task.ts";
import { aTask } from "./a-task.ts";

function taskIn(state: TaskState, progress = 0): Task {
  return aTask({ state, progress, attempts: 1 });
}

const never = new AbortController().signal;

test("watch() skips what was overtaken while its reader was busy, but not the end", async () => {
  const changes = new Changes();
  const watch = changes.watch("a", never, async () => taskIn("queued"));
  expect((await watch.next()).value).toMatchObject({ state: "queued" });
  for (const progress of [0.1, 0.2, 0.3]) changes.publish(taskIn("running", progress));
  expect((await watch.next()).value).toMatchObject({ progress: 0.3 });
  changes.publish(taskIn("running", 0.4));
  changes.publish(taskIn("ready", 1));
  expect((await watch.next()).value).toMatchObject({ state: "ready" });
  expect(await watch.next()).toEqual({ done: true, value: undefined });
  expect(changes.count).toBe(0);
});

test("watch() misses nothing that happens while it looks for the task", async () => {
  const changes = new Changes();
  const watch = changes.watch("a", never, async () => {
    const found = taskIn("running");
    changes.publish(taskIn("ready", 1));
    return found;
  });
  const states = await Array.fromAsync(watch);
  expect(states.map(({ state }) => state)).toEqual(["running", "ready"]);
});

test("watch() ends when its task is forgotten, or was never there", async () => {
  const changes = new Changes();
  const watch = changes.watch("a", never, async () => taskIn("queued"));
  await watch.next();
  const next = watch.next();
  changes.forget("a");
  expect((await next).done).toBe(true);
  expect(await Array.fromAsync(changes.watch("b", never, async () => undefined))).toEqual([]);
  expect(changes.count).toBe(0);
});

test("a watcher who leaves, by the signal or by the loop, is forgotten; the others go on", async () => {
  const changes = new Changes();
  const controller = new AbortController();
  const find = async () => taskIn("queued");
  const leaving = changes.watch("a", controller.signal, find);
  const breaking = changes.watch("a", never, find);
  const staying = changes.watch("a", never, find);
  for (const watch of [leaving, breaking, staying]) await watch.next();
  expect(changes.count).toBe(3);
  const waiting = leaving.next();
  controller.abort();
  expect((await waiting).done).toBe(true);
  await breaking.return();
  expect(changes.count).toBe(1);
  changes.publish(taskIn("ready", 1));
  expect((await staying.next()).value).toMatchObject({ state: "ready" });
  expect((await staying.next()).done).toBe(true);
  expect(changes.count).toBe(0);
});

test("watch() that cannot find out passes the error on, and is forgotten", async () => {
  const changes = new Changes();
  const watch = changes.watch("a", never, async () => {
    throw new Error("no disk");
  });
  const outcome = await watch.next().catch((error: unknown) => String(error));
  expect(outcome).toBe("Error: no disk");
  expect((await watch.next()).done).toBe(true);
  expect(changes.count).toBe(0);
});
