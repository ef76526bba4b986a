/** Tasks are created, followed, fetched and cancelled, also through connections that break. */
import { expect, setDefaultTimeout, test } from "bun:test";
import path from "node:path";
import { FibClient, FibClientError, type TaskStatus } from "../../src/client/client.ts";
import { startServer, temporaryFolder, until } from "../binary.ts";
import { sha256 } from "../oracle.ts";
import reference from "../vectors/reference.json" with { type: "json" };
import { startProxy } from "./proxy.ts";
import { openScripted, openServer, TASK } from "./server.ts";

setDefaultTimeout(300_000);

/** Half a minute, and 0.2 GB for each second. */
const LONG = { kind: "factorial", n: 100_000_000 } as const;
/** Ten seconds or so, with progress, in little memory. */
const WITH_PROGRESS = { kind: "remainder", n: 10n ** 7500n - 1n, mod: 10n ** 7500n - 3n } as const;
const LONG_ALLOWED = ["--max-digits", "1000000000"];
const MILLION = reference.fibonacci.find(({ n }) => n === 1_000_000)!;

test("Task.result() waits for the number, in each form", async () => {
  await using server = await openServer();
  const { tasks } = new FibClient(server.url);
  const task = await tasks.create({ kind: "fibonacci", n: 1_000_000 });
  expect(task.status).toMatchObject({ id: task.id, kind: "fibonacci", n: "1000000", digits: MILLION.bytes });
  const text = await task.result({ as: "text" });
  expect(sha256(text)).toBe(MILLION.sha256);
  expect(task.status).toMatchObject({ state: "ready", progress: 1 });
  expect(await new Response(await task.result({ as: "stream" })).text()).toBe(text);
  expect(String(await (await tasks.get(task.id)).result())).toBe(text);
});

test("TasksClient.create() takes every kind", async () => {
  await using server = await openServer();
  const { tasks } = new FibClient(server.url);
  expect(await (await tasks.create({ kind: "factorial", n: 20n })).result()).toBe(2_432_902_008_176_640_000n);
  expect(await (await tasks.create({ kind: "ackermann", m: 2, n: 3 })).result()).toBe(9n);
  const sequence = await tasks.create({ kind: "sequence", count: 5 });
  expect(await Array.fromAsync(sequence.terms())).toEqual([0n, 1n, 1n, 2n, 3n]);
  expect(await sequence.result({ as: "text" })).toBe("0\n1\n1\n2\n3\n");
  const later = await tasks.create({ kind: "sequence", from: 10, count: 2n });
  expect(await Array.fromAsync(later.terms({ as: "text" }))).toEqual(["55", "89"]);
  const again = await tasks.create({ kind: "sequence", from: 0, count: 5 });
  expect(again.id).toBe(sequence.id);
});

test("Task.events() tells how it is and each change until it has ended", async () => {
  await using server = await openServer();
  const { tasks } = new FibClient(server.url);
  const task = await tasks.create(WITH_PROGRESS);
  const seen: TaskStatus[] = [];
  for await (const status of task.events()) {
    seen.push(status);
    if (seen.length === 4) await (await tasks.get(task.id)).cancel();
  }
  const progress = seen.slice(0, -1).map((status) => status.progress);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  expect(new Set(progress).size).toBeGreaterThan(1);
  expect(seen.at(-1)!.state).toBe("cancelled");
  expect(task.status).toEqual(seen.at(-1)!);
  // One that has ended is told once.
  expect(await Array.fromAsync(task.events())).toHaveLength(1);
});

test("Task.events() goes on behind the last event after a cut", async () => {
  await using server = openScripted(
    () => Response.json(TASK),
    events(`retry: 1000\n\n: hello\n\n${event(0.1)}${event(0.2)}data: {"id":`),
    events(": nothing new\r\n\r\n"),
    events(event(1, "ready").replaceAll("\n", "\r\n")),
  );
  const task = await new FibClient(server.url).tasks.get("a");
  const seen: number[] = [];
  for await (const { progress } of task.events()) seen.push(progress);
  expect(seen).toEqual([0.1, 0.2, 1]);
  const ids = server.requests.map(({ headers }) => headers.get("last-event-id"));
  expect(ids).toEqual([null, null, "0.2", "0.2"]);
});

test("Task.result() comes through connections that break again and again", async () => {
  await using server = await openServer();
  await using proxy = await startProxy(server.url, (connection) =>
    connection < 5 ? { cutAfterBytes: 700 + 9973 * connection } : {},
  );
  const task = await new FibClient(proxy.url).tasks.create({ kind: "fibonacci", n: 1_000_000 });
  expect(sha256(await task.result({ as: "text" }))).toBe(MILLION.sha256);
  expect(proxy.cutCount()).toBe(5);
});

test("Task.result() waits through kill -9 and a new start of the server", async () => {
  using folder = temporaryFolder();
  const args = ["-f", path.join(folder.path, "cursor"), "--max-computations", "1", ...LONG_ALLOWED];
  await using first = await startServer(args);
  let url = first.url;
  await using proxy = await startProxy(
    () => url,
    () => ({}),
  );
  const { tasks } = new FibClient(proxy.url, { retriesMax: 20 });
  // It takes the only thread, so that the other one waits.
  const long = await tasks.create(LONG);
  await until("it runs", async () => (await long.refresh()).state === "running");
  const task = await tasks.create({ kind: "fibonacci", n: 1_000_000 });
  const result = task.result({ as: "text" });
  await until("the wait has begun", async () => (await task.refresh()).state === "queued");
  // Whose port somebody else may have soon.
  url = "http://127.0.0.1:1";
  first.kill("SIGKILL");
  await first.ended();
  await using second = await startServer(args);
  url = second.url;
  expect(await long.cancel()).toMatchObject({ state: "cancelled" });
  expect(sha256(await result)).toBe(MILLION.sha256);
});

test("Task.cancel() ends a task, and whoever waits for its result is told", async () => {
  await using server = await openServer(LONG_ALLOWED);
  const { tasks } = new FibClient(server.url);
  const task = await tasks.create(LONG);
  expect(await refusal(task.result({ wait: false }))).toMatchObject({ code: "task_not_ready", status: 409 });
  const waiting = refusal(task.result());
  await until("it runs", async () => (await task.refresh()).state === "running");
  const other = await tasks.get(task.id);
  expect(await other.cancel()).toMatchObject({ id: task.id, state: "cancelled" });
  expect(other.status.state).toBe("cancelled");
  expect(await waiting).toMatchObject({ code: "task_cancelled" });
  expect(await other.refresh()).toMatchObject({ state: "cancelled" });
  expect(await refusal(other.result({ wait: false }))).toMatchObject({ status: 409 });
  // Once more, and nothing changes.
  expect(await other.cancel()).toEqual(other.status);
});

test("Task.cancel() that comes after the end takes no result from anybody", async () => {
  await using server = await openServer();
  const { tasks } = new FibClient(server.url);
  const task = await tasks.create({ kind: "fibonacci", n: 300 });
  await task.ready();
  expect(await task.cancel()).toMatchObject({ id: task.id, state: "ready" });
  expect(String(await (await tasks.get(task.id)).result())).toBe(String(await task.result()));
});

test("Task.cancel() unless shared spares what somebody else has asked for", async () => {
  await using server = await openServer(LONG_ALLOWED);
  const { tasks } = new FibClient(server.url);
  const task = await tasks.create(LONG);
  expect(task.status.requests).toBe(1);
  const other = await tasks.create(LONG);
  expect(other.id).toBe(task.id);
  const status = await task.cancel({ unlessShared: true });
  expect(["queued", "running"]).toContain(status.state);
  expect(status.requests).toBe(2);
  expect((await other.cancel()).state).toBe("cancelled");
  const alone = await tasks.create(LONG);
  expect((await alone.cancel({ unlessShared: true })).state).toBe("cancelled");
});

test("Task.forget() removes a task in any state, and may be repeated", async () => {
  await using server = await openServer(LONG_ALLOWED);
  const { tasks } = new FibClient(server.url);
  const ready = await tasks.create({ kind: "fibonacci", n: 300 });
  await ready.ready();
  const runs = await tasks.create(LONG);
  const waiting = refusal(runs.result());
  await until("it runs", async () => (await runs.refresh()).state === "running");
  for (const task of [ready, runs]) {
    await task.forget();
    expect(await refusal(task.refresh())).toMatchObject({ code: "task_unknown", status: 404 });
    expect(await refusal(task.cancel())).toMatchObject({ code: "task_unknown", status: 404 });
    await task.forget();
    await tasks.forget(task.id);
  }
  expect(await waiting).toMatchObject({ code: "task_unknown" });
  expect(await Array.fromAsync(tasks.list())).toEqual([]);
  expect(await refusal(tasks.forget("abc"))).toMatchObject({ code: "task_unknown", status: 404 });
});

test("Task.cancel() and Task.forget() are sent again when the answer was lost", async () => {
  await using server = await openServer(LONG_ALLOWED);
  // The server has done it, and the client does not know.
  let toLose = 0;
  const fate = {
    get swallow() {
      return toLose-- > 0;
    },
  };
  await using proxy = await startProxy(server.url, () => fate);
  const task = await new FibClient(proxy.url).tasks.create(LONG);
  const { tasks } = new FibClient(server.url);
  toLose = 1;
  expect(await task.cancel()).toMatchObject({ id: task.id, state: "cancelled" });
  expect((await tasks.get(task.id)).status).toEqual(task.status);
  toLose = 1;
  await task.forget();
  expect(await refusal(tasks.get(task.id))).toMatchObject({ code: "task_unknown" });
  expect(proxy.cutCount()).toBe(2);
});

test("Task.result() says why a task has failed", async () => {
  await using server = openScripted(() =>
    Response.json({ ...TASK, state: "failed", reason: "it is Monday" }),
  );
  const task = await new FibClient(server.url).tasks.get("a");
  expect(await refusal(task.result())).toMatchObject({
    code: "task_failed",
    detail: expect.stringContaining("it is Monday"),
  });
});

test("TasksClient.list() gives all tasks in order, page by page, and those in one state", async () => {
  await using server = await openServer();
  const { tasks } = new FibClient(server.url);
  const ids: string[] = [];
  for (let n = 0; n < 120; n++) ids.push((await tasks.create({ kind: "fibonacci", n })).id);
  const listed = await Array.fromAsync(tasks.list());
  expect(listed.map(({ id }) => id)).toEqual(ids);
  await listed.at(-1)!.ready();
  const after = await Array.fromAsync(tasks.list({ state: "ready", after: ids[117] }));
  expect(after.map(({ id }) => id)).toContain(ids[119]!);
  expect(await Array.fromAsync(tasks.list({ state: "failed" }))).toEqual([]);
});

test("an AbortSignal ends the wait for a result, and leaves the task alone", async () => {
  await using server = await openServer(LONG_ALLOWED);
  const { tasks } = new FibClient(server.url);
  const task = await tasks.create(LONG);
  const abort = new AbortController();
  const waiting = task.result({ signal: abort.signal }).catch((error: unknown) => error);
  await until("it runs", async () => (await tasks.get(task.id)).status.state === "running");
  abort.abort(new Error("no more"));
  expect(await waiting).toEqual(new Error("no more"));
  expect((await task.refresh()).state).toBe("running");
});

test("an id that is none asks for nothing else", async () => {
  await using server = await openServer();
  const { tasks } = new FibClient(server.url);
  for (const id of ["../cursor", "x/result", "%2e%2e", "a b"]) {
    expect(await refusal(tasks.get(id))).toMatchObject({ status: 404 });
  }
});

function event(progress: number, state = "running"): string {
  return `id: ${progress}\ndata: ${JSON.stringify({ ...TASK, state, progress })}\n\n`;
}

function events(text: string): () => Response {
  return () => new Response(text, { headers: { "content-type": "text/event-stream" } });
}

async function refusal(call: Promise<unknown>): Promise<unknown> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FibClientError);
  return error;
}
