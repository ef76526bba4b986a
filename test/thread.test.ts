/** A thread that waits for a disk: its calls in order, its errors as they were, its end at once. */
import { expect, onTestFinished, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { FibError } from "../src/errors.ts";
import { Thread } from "../src/thread.ts";
import type { Echo } from "./echo-worker.ts";
import { rejected } from "./refusal.ts";
import { temporaryFolder } from "./temporary.ts";

function start(): Thread<Echo> {
  const thread = new Thread<Echo>(new URL("./echo-worker.ts", import.meta.url));
  onTestFinished(() => thread.end());
  return thread;
}

function makeFifo(): string {
  const fifo = path.join(temporaryFolder(), "fifo");
  expect(Bun.spawnSync(["mkfifo", fifo]).exitCode).toBe(0);
  return fifo;
}

test("call() makes the calls in their order, and answers each", async () => {
  const thread = start();
  const answers = await Promise.all(["a", "b", "c"].map((text) => thread.call("echo", [text])));
  expect(answers).toEqual([
    [1, "a"],
    [2, "b"],
    [3, "c"],
  ]);
});

test("call() hands a buffer over without a copy", async () => {
  const bytes = new Uint8Array(1000);
  expect(await start().call("sizeOf", [bytes], [bytes.buffer])).toBe(1000);
  expect(bytes.length).toBe(0);
});

test("call() throws what the method throws: a FibError as one, anything else with its stack", async () => {
  const thread = start();
  expect(await rejected(thread.call("refuse", []))).toMatchObject({ code: "tasks_io", message: "no" });
  const bug = await thread.call("crash", []).catch((error: unknown) => error);
  expect(bug).not.toBeInstanceOf(FibError);
  expect((bug as Error).message).toContain("echo-worker.ts");
  expect(await thread.call("echo", ["on"])).toEqual([1, "on"]);
});

test("call() rejects what cannot be copied, and every later answer goes to whoever asked", async () => {
  const thread = start();
  const [wrong, right] = [thread.call("echo", [(() => {}) as never]), thread.call("echo", ["right"])];
  expect(await wrong.catch((error: unknown) => (error as Error).name)).toBe("DataCloneError");
  expect(await right).toEqual([1, "right"]);
});

test("the loop goes on while the thread waits, and end() refuses those who wait", async () => {
  const thread = start();
  const fifo = makeFifo();
  const waiting = thread.call("wait", [fifo]);
  const behind = thread.call("echo", ["behind"]);
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(Bun.peek.status(waiting)).toBe("pending");
  thread.end();
  for (const call of [waiting, behind, thread.call("echo", ["late"])])
    expect((await rejected(call)).message).toContain("it was ended");
  // So that a thread which still waits can end; without blocking, should it be gone.
  const fd = fs.openSync(fifo, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
  fs.closeSync(fd);
});
