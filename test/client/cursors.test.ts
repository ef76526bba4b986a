/** Cursors by name, on a server: made, moved, listed, removed and watched, also through connections that break. */
import { expect, setDefaultTimeout, test } from "bun:test";
import path from "node:path";
import { FibClient, FibClientError, type WatchedPosition } from "../../src/client/client.ts";
import { startServer, temporaryFolder } from "../binary.ts";
import { startProxy } from "./proxy.ts";
import { openServer } from "./server.ts";

setDefaultTimeout(300_000);

const DEEP = ["--max-index", "10000"];

test("FibClient.cursor is the default cursor, and called with a name the one of that name", async () => {
  await using server = await openServer();
  const fib = new FibClient(server.url);
  const alice = fib.cursor("alice");
  expect(await refusal(alice.current())).toMatchObject({ code: "cursor_unknown", status: 404 });
  expect(await refusal(alice.previous())).toMatchObject({ code: "sequence_start", status: 409 });
  expect(await alice.next()).toMatchObject({ index: 1, value: 1n, replayed: false });
  expect(await alice.set(7)).toMatchObject({ index: 7, value: 13n, created: false });
  expect(await alice.previous({ as: "text" })).toMatchObject({ index: 6, value: "8" });
  expect(await alice.next({ as: "none" })).toMatchObject({ index: 7, value: undefined });
  expect(await fib.cursor.next()).toMatchObject({ index: 1 });
  expect(await fib.cursor("default").next()).toMatchObject({ index: 2 });
  expect((await fib.cursor.current()).index).toBe(2);
  expect((await fib.cursor("alice").current()).index).toBe(7);
});

test("CursorClient.set() says whether it has made the cursor, also when its first answer was lost", async () => {
  await using server = await openServer();
  const fib = new FibClient(server.url);
  expect(await fib.cursor("a").set(5, { ifNone: true })).toMatchObject({ index: 5, created: true });
  expect(await refusal(fib.cursor("a").set(6, { ifNone: true }))).toMatchObject({
    code: "precondition_failed",
    status: 412,
  });
  await using proxy = await startProxy(server.url, (connection) => ({ swallow: connection === 0 }));
  expect(await new FibClient(proxy.url).cursor("b").set(5, { ifNone: true })).toMatchObject({
    index: 5,
    created: true,
    replayed: true,
  });
  for (const replayed of [false, true])
    expect(await fib.cursor("b").set(5, { key: "k" })).toMatchObject({ created: false, replayed });
});

test("CursorClient moves and removes only what ifMatch names", async () => {
  await using server = await openServer();
  const cursor = new FibClient(server.url).cursor("a");
  const { etag: old } = await cursor.set(5);
  const { etag } = await cursor.next();
  for (const operation of ["next", "previous", "remove"] as const) {
    expect(await refusal(cursor[operation]({ ifMatch: old }))).toMatchObject({
      code: "cursor_moved",
      status: 412,
    });
  }
  expect((await cursor.current()).etag).toBe(etag);
  await cursor.remove({ ifMatch: etag });
  for (const operation of ["next", "remove"] as const) {
    expect(await refusal(cursor[operation]({ ifMatch: etag }))).toMatchObject({ code: "cursor_moved" });
  }
  const { etag: anew } = await cursor.next();
  expect([old, etag]).not.toContain(anew);
});

test("CursorClient.remove() finds one the first time, or says that there is none", async () => {
  await using server = await openServer();
  const fib = new FibClient(server.url);
  await fib.cursor("a").next();
  expect(await fib.cursor("a").remove()).toBeUndefined();
  expect(await refusal(fib.cursor("a").remove())).toMatchObject({ code: "cursor_unknown", status: 404 });
  for (const cursor of [fib.cursor, fib.cursor("default")]) {
    expect(await refusal(cursor.remove())).toMatchObject({ code: "cursor_permanent", status: 409 });
  }
});

test("CursorClient.remove() is sent again when the answer was lost, and has done it", async () => {
  await using server = await openServer();
  const direct = new FibClient(server.url).cursor("a");
  for (const hasCondition of [false, true]) {
    await using proxy = await startProxy(server.url, (connection) => ({ swallow: connection === 0 }));
    const { etag } = await direct.next();
    await new FibClient(proxy.url).cursor("a").remove({ ifMatch: hasCondition ? etag : undefined });
    expect(proxy.cutCount()).toBe(1);
    expect(await refusal(direct.current())).toMatchObject({ code: "cursor_unknown" });
  }
});

test("CursorsClient.list() gives all cursors in the order of their names, those with a prefix, and so many", async () => {
  await using server = await openServer(DEEP);
  const fib = new FibClient(server.url);
  const names = Array.from({ length: 120 }, (_, i) => `n${String(i).padStart(3, "0")}`);
  await Promise.all(names.map((name, i) => fib.cursor(name).set(i)));
  const all = await Array.fromAsync(fib.cursors.list());
  expect(all.map(({ name }) => name)).toEqual(["default", ...names]);
  expect(all[0]).toEqual({ name: "default", index: 0, movedAt: undefined });
  expect(all[8]).toEqual({ name: "n007", index: 7, movedAt: expect.stringMatching(/^\d{4}-.*Z$/) });
  expect(await Array.fromAsync(fib.cursors.list({ prefix: "n01" }))).toHaveLength(10);
  expect(await Array.fromAsync(fib.cursors.list({ prefix: "x" }))).toEqual([]);
  expect(await Array.fromAsync(fib.cursors.list({ limit: 2 }))).toEqual(all.slice(0, 2));
});

test("CursorClient.watch() tells where it stands and each change, and ends when it is removed", async () => {
  await using server = await openServer(DEEP);
  const cursor = new FibClient(server.url).cursor("a");
  await cursor.set(7);
  const seen: WatchedPosition[] = [];
  for await (const position of cursor.watch()) {
    seen.push(position);
    if (seen.length === 1) await cursor.next();
    else if (seen.length === 2) await cursor.set(5000);
    else await cursor.remove({ ifMatch: position.etag });
  }
  expect(seen).toEqual([
    { index: 7, value: 13n, digits: 2, etag: expect.any(String) },
    { index: 8, value: 21n, digits: 2, etag: expect.any(String) },
    { index: 5000, value: undefined, digits: 1045, etag: expect.any(String) },
  ]);
  expect(await refusal(cursor.watch().next())).toMatchObject({ code: "cursor_unknown", status: 404 });
});

test("CursorClient.watch() goes on after cuts, and tells the last position", async () => {
  await using server = await openServer();
  await using proxy = await startProxy(server.url, (connection) =>
    connection < 10 ? { cutAfterBytes: 300 + 101 * connection } : {},
  );
  const { cursor } = new FibClient(server.url);
  const indexes: number[] = [];
  for await (const { index, value } of new FibClient(proxy.url).cursor.watch({ as: "text" })) {
    indexes.push(index);
    expect(value).toMatch(/^\d+$/);
    if (index === 60) break;
    await cursor.next();
  }
  expect(indexes).toEqual(Array.from({ length: 61 }, (_, i) => i));
  expect(proxy.cutCount()).toBeGreaterThan(2);
});

test("CursorClient.watch() goes on through kill -9 and a new start of the server", async () => {
  using folder = temporaryFolder();
  const args = ["-f", path.join(folder.path, "cursor")];
  await using first = await startServer(args);
  let url = first.url;
  await using proxy = await startProxy(
    () => url,
    () => ({}),
  );
  const cursor = new FibClient(proxy.url, { retriesMax: 20 }).cursor("a");
  await cursor.set(7);
  const positions = cursor.watch();
  expect((await positions.next()).value).toMatchObject({ index: 7 });
  const second = positions.next();
  first.kill("SIGKILL");
  await first.ended();
  await using again = await startServer(args);
  url = again.url;
  await cursor.next();
  expect((await second).value).toMatchObject({ index: 8, value: 21n });
  await cursor.remove();
  expect(await positions.next()).toEqual({ done: true, value: undefined });
});

test("an AbortSignal ends the watch of a cursor that rests, with its reason", async () => {
  await using server = await openServer();
  const { cursor } = new FibClient(server.url);
  const abort = new AbortController();
  const positions = cursor.watch({ signal: abort.signal });
  expect((await positions.next()).value).toMatchObject({ index: 0, value: 0n });
  const next = positions.next().catch((error: unknown) => error);
  abort.abort(new Error("enough"));
  expect(await next).toEqual(new Error("enough"));
});

async function refusal(call: Promise<unknown>): Promise<FibClientError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FibClientError);
  return error as FibClientError;
}
