/** Every row of the HTTP contract for named cursors, through the app itself, with a model of what keeps them. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { parseName } from "../../src/cursor-name.ts";
import type { NamedCursors } from "../../src/cursor/named.ts";
import { digestOfKey } from "../../src/cursor/record.ts";
import { CODES, FibError } from "../../src/errors.ts";
import { ModelCursors } from "../cursor/model.ts";
import { problemOf } from "../refusal.ts";
import { openServices } from "../services.ts";

async function openApp(options: Parameters<typeof openServices>[0] = {}) {
  const services = await openServices(options);
  const { app } = services;
  const request = async (line: string, headers: Record<string, string> = {}, body?: string) => {
    const [method, target] = line.split(" ") as [string, string];
    return app.request(target, { method, headers, ...(body !== undefined && { body }) });
  };
  /** The status, and the code of a refusal. */
  const told = async (...asked: Parameters<typeof request>) => {
    const response = await request(...asked);
    return response.status < 400 ? [response.status] : [response.status, (await problemOf(response)).code];
  };
  const json = async (...asked: Parameters<typeof request>) => (await request(...asked)).json();
  return { ...services, request, told, json };
}

const at = (index: number) => JSON.stringify({ index: String(index) });

describe("/v1/cursors/{name}", () => {
  test("PUT makes it with 201 and Location, then goes there with 200; GET and HEAD show it", async () => {
    const { request, json } = await openApp();
    const made = await request("PUT /v1/cursors/alice", {}, at(7));
    expect([made.status, made.headers.get("location")]).toEqual([201, "/v1/cursors/alice"]);
    expect(await made.json()).toEqual({ name: "alice", index: "7", value: "13" });
    const moved = await request("PUT /v1/cursors/alice", {}, at(8));
    expect([moved.status, moved.headers.get("location")]).toEqual([200, null]);
    const shown = await request("GET /v1/cursors/alice");
    expect(await shown.text()).toBe(`{"name":"alice","index":"8","value":"21"}`);
    expect(Object.fromEntries(shown.headers)).toEqual({
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "cross-origin-resource-policy": "same-origin",
      etag: moved.headers.get("etag")!,
    });
    expect(moved.headers.get("etag")).not.toBe(made.headers.get("etag"));
    const head = await request("HEAD /v1/cursors/alice");
    expect([head.status, head.headers.get("etag")]).toEqual([200, moved.headers.get("etag")]);
    expect(await json("GET /v1/cursor")).toEqual({ index: "0", value: "0" });
  });

  test("next makes it at 0 and moves it; previous does not, nor does anything with If-Match", async () => {
    const { request, told, json } = await openApp();
    expect(await told("GET /v1/cursors/bob")).toEqual([404, "cursor_unknown"]);
    expect(await told("HEAD /v1/cursors/bob")).toEqual([404, "cursor_unknown"]);
    expect(await told("POST /v1/cursors/bob/previous")).toEqual([409, "sequence_start"]);
    for (const match of [`"1"`, "*"]) {
      for (const line of [
        "POST /v1/cursors/bob/next",
        "POST /v1/cursors/bob/previous",
        "DELETE /v1/cursors/bob",
      ])
        expect(await told(line, { "if-match": match })).toEqual([412, "cursor_moved"]);
      expect(await told("PUT /v1/cursors/bob", { "if-match": match }, at(3))).toEqual([412, "cursor_moved"]);
    }
    expect(await json("GET /v1/cursors")).toEqual({ cursors: [{ name: "default", index: "0" }] });
    const next = await request("POST /v1/cursors/bob/next");
    expect([next.status, await next.json()]).toEqual([200, { name: "bob", index: "1", value: "1" }]);
    const etag = next.headers.get("etag")!;
    expect(await told("GET /v1/cursors/bob", { "if-none-match": etag })).toEqual([304]);
    expect(await told("GET /v1/cursors/bob", { "if-match": `"0"` })).toEqual([412, "cursor_moved"]);
    for (const other of [etag.replace('"', '"0'), etag.replaceAll('"', ""), `W/${etag}`, `*, "0"`])
      expect(await told("POST /v1/cursors/bob/next", { "if-match": other })).toEqual([412, "cursor_moved"]);
    // As two lines of the header arrive.
    for (const any of ["*", "*, *"])
      expect(await told("PUT /v1/cursors/bob", { "if-none-match": any }, at(3))).toEqual([
        412,
        "precondition_failed",
      ]);
    expect(await told("POST /v1/cursors/bob/next", { "if-match": etag })).toEqual([200]);
    expect(await told("POST /v1/cursors/bob/next", { "if-match": etag })).toEqual([412, "cursor_moved"]);
    expect(await told("POST /v1/cursors/bob/next", { "if-match": "*" })).toEqual([200]);
  });

  test("If-None-Match: * only makes it, by PUT and by POST", async () => {
    const { told, json } = await openApp();
    const ifNone = { "if-none-match": "*" };
    expect(await told("PUT /v1/cursors/alice", ifNone, at(3))).toEqual([201]);
    expect(await told("PUT /v1/cursors/alice", ifNone, at(4))).toEqual([412, "precondition_failed"]);
    expect(await told("POST /v1/cursors/alice/next", ifNone)).toEqual([412, "precondition_failed"]);
    expect(await told("POST /v1/cursors/bob/next", ifNone)).toEqual([200]);
    for (const target of ["/v1/cursor", "/v1/cursors/default"])
      expect(await told(`PUT ${target}`, ifNone, at(4))).toEqual([412, "precondition_failed"]);
    expect(await json("GET /v1/cursors/alice")).toMatchObject({ index: "3" });
  });

  test("a key moves a cursor once, and is its own", async () => {
    const { request, told, json } = await openApp();
    const key = { "idempotency-key": "k" };
    const first = await request("PUT /v1/cursors/alice", key, at(5));
    const again = await request("PUT /v1/cursors/alice", key, at(5));
    expect([first.status, again.status]).toEqual([201, 201]);
    expect([again.headers.get("etag"), again.headers.get("idempotency-replayed")]).toEqual([null, "true"]);
    for (const _ of ["made nothing", "is replayed"])
      expect(await told("PUT /v1/cursors/alice", { "idempotency-key": "other" }, at(5))).toEqual([200]);
    expect(await told("PUT /v1/cursors/alice", key, at(6))).toEqual([422, "key_reused"]);
    expect(await told("POST /v1/cursors/alice/next", key)).toEqual([422, "key_reused"]);
    expect(await told("POST /v1/cursors/bob/next", key)).toEqual([200]);
    await request("POST /v1/cursors/bob/next", key);
    expect(await json("GET /v1/cursors/bob")).toMatchObject({ index: "1" });
    expect(await told("PUT /v1/cursors/alice", { "idempotency-key": "" }, at(6))).toEqual([
      400,
      "bad_argument",
    ]);
  });

  test("DELETE removes it once, with If-Match too; no ETag of it fits the next of its name", async () => {
    const { request, told } = await openApp();
    const etag = (await request("POST /v1/cursors/alice/next")).headers.get("etag")!;
    await request("POST /v1/cursors/alice/next");
    expect(await told("DELETE /v1/cursors/alice", { "if-match": etag })).toEqual([412, "cursor_moved"]);
    const response = await request("DELETE /v1/cursors/alice", { "if-match": "*" });
    expect([response.status, await response.text()]).toEqual([204, ""]);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await told("DELETE /v1/cursors/alice")).toEqual([404, "cursor_unknown"]);
    expect(await told("POST /v1/cursors/alice/next")).toEqual([200]);
    expect(await told("POST /v1/cursors/alice/next", { "if-match": etag })).toEqual([412, "cursor_moved"]);
  });

  test("default is the default cursor under its name, and cannot be removed", async () => {
    const { request, told, json } = await openApp();
    const named = await request("POST /v1/cursors/default/next");
    expect(await named.json()).toEqual({ name: "default", index: "1", value: "1" });
    const plain = await request("GET /v1/cursor");
    expect(await plain.text()).toBe(`{"index":"1","value":"1"}`);
    expect(plain.headers.get("etag")).toBe(named.headers.get("etag"));
    expect(await told("PUT /v1/cursors/default", {}, at(9))).toEqual([200]);
    expect(await told("DELETE /v1/cursors/default")).toEqual([409, "cursor_permanent"]);
    expect(await told("DELETE /v1/cursors/default", { "if-match": `"1"` })).toEqual([412, "cursor_moved"]);
    expect(await told("DELETE /v1/cursor")).toEqual([409, "cursor_permanent"]);
    expect(await json("GET /v1/cursor")).toEqual({ index: "9", value: "34" });
  });

  test("both ends of the sequence, and one cursor too many, are refused", async () => {
    const { told } = await openApp({ indexMax: 5, named: new ModelCursors({ indexMax: 5, cursorsMax: 1 }) });
    expect(await told("PUT /v1/cursors/a", {}, at(6))).toEqual([400, "bad_argument"]);
    expect(await told("PUT /v1/cursors/a", {}, at(5))).toEqual([201]);
    expect(await told("POST /v1/cursors/a/next")).toEqual([507, "sequence_end"]);
    expect(await told("POST /v1/cursors/b/next")).toEqual([429, "too_many_cursors"]);
    expect(await told("PUT /v1/cursors/a", {}, at(0))).toEqual([200]);
    expect(await told("POST /v1/cursors/a/previous")).toEqual([409, "sequence_start"]);
  });

  test("a name that is none is 400 on every route, and says what a name is", async () => {
    const { request } = await openApp();
    const names = [
      "Alice", "_a", "-a", ".a", "a%20b", "caf%C3%A9", "%00", "a%2Fb", "a".repeat(65), "a".repeat(15_000), "client-",
      `client-${"0".repeat(64)}`, "a%0A", "%F0%9F%98%80", "%zz", "a:b", "a,b", "%E2%80%AEa",
    ]; // prettier-ignore
    for (const name of names) {
      for (const [method, rest, body] of [
        ["GET", ""],
        ["HEAD", ""],
        ["PUT", "", at(1)],
        ["DELETE", ""],
        ["POST", "/next"],
        ["POST", "/previous"],
        ["GET", "/events"],
      ] as const) {
        const response = await request(`${method} /v1/cursors/${name}${rest}`, {}, body);
        const { code, detail } = await problemOf(response);
        expect([name.slice(0, 80), response.status, code]).toEqual([name.slice(0, 80), 400, "bad_argument"]);
        expect(detail).toMatch(/1 to 64 of a-z|client- are reserved/);
        expect(detail.length).toBeLessThan(300);
      }
    }
    for (const name of ["a", "0", "a.b_c-d", "a".repeat(64), "clients", "next", "events"])
      expect((await request(`POST /v1/cursors/${name}/next`)).status, name).toBe(200);
  });

  test("no GET or HEAD moves one, another method is 405, and a foreign page changes nothing", async () => {
    const { request, told, json } = await openApp();
    await request("PUT /v1/cursors/alice", {}, at(5));
    for (const [target, allow] of [
      ["/v1/cursors", "GET, HEAD"],
      ["/v1/cursors/alice", "GET, PUT, DELETE, HEAD"],
      ["/v1/cursors/alice/next", "POST"],
      ["/v1/cursors/alice/previous", "POST"],
      ["/v1/cursors/alice/events", "GET, HEAD"],
      ["/v1/cursor/events", "GET, HEAD"],
    ] as const) {
      for (const method of ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]) {
        if (allow.split(", ").includes(method)) continue;
        const response = await request(`${method} ${target}`, {}, method === "PUT" ? at(1) : undefined);
        expect([method, target, response.status, response.headers.get("allow")]).toEqual([
          method,
          target,
          405,
          allow,
        ]);
      }
    }
    for (const page of [
      { origin: "https://evil.test" },
      { referer: "http://evil.test/x" },
      { "sec-fetch-site": "cross-site" },
      { accept: "image/png" },
      { purpose: "prefetch" },
    ]) {
      for (const [line, body] of [
        ["POST /v1/cursors/alice/next"],
        ["POST /v1/cursors/alice/previous"],
        ["PUT /v1/cursors/alice", at(0)],
        ["PUT /v1/cursors/new", at(0)],
        ["DELETE /v1/cursors/alice"],
        ["GET /v1/cursors/alice/events"],
        ["GET /v1/cursor/events"],
      ] as const)
        expect(await told(line, page, body)).toEqual([403, "forbidden"]);
    }
    expect(await json("GET /v1/cursors")).toEqual({
      cursors: [
        { name: "alice", index: "5", movedAt: "1970-01-01T00:00:00.000Z" },
        { name: "default", index: "0" },
      ],
    });
  });
});

describe("GET /v1/cursors", () => {
  test("lists pages in the order of names, default among them, clients' own never", async () => {
    const { request, json, cursors } = await openApp();
    const names = ["a", "b.1", "b.2", "c", "e", "z"];
    for (const name of names.toReversed()) await request(`PUT /v1/cursors/${name}`, {}, at(2));
    await cursors.at(`client-${"0".repeat(64)}`).submit({ operation: "next" }, () => {});
    const all = ["a", "b.1", "b.2", "c", "default", "e", "z"];
    const list = async (query: string) => {
      const body = (await json(`GET /v1/cursors${query}`)) as { cursors: { name: string }[]; next?: string };
      return { names: body.cursors.map(({ name }) => name), next: body.next };
    };
    expect(await list("")).toEqual({ names: all, next: undefined });
    expect(await list("?prefix=b.")).toEqual({ names: ["b.1", "b.2"], next: undefined });
    expect(await list("?prefix=client")).toEqual({ names: [], next: undefined });
    expect(await list("?prefix=d&after=default")).toEqual({ names: [], next: undefined });
    for (const limit of [1, 2, 3, 7]) {
      const seen: string[] = [];
      for (let after: string | undefined = ""; after !== undefined;) {
        const page = await list(`?limit=${limit}${after && `&after=${after}`}`);
        seen.push(...page.names);
        after = page.next;
      }
      expect(seen).toEqual(all);
    }
  });

  test("asks nothing of the default cursor for a page that it is not on", async () => {
    const { request, told, cursors } = await openApp();
    await request("PUT /v1/cursors/a", {}, at(2));
    const failed = new FibError("cursor_io", "its disk has failed");
    cursors.default.submit = async (_, answer) => answer(failed);
    for (const query of ["limit=1", "prefix=a", "after=default"])
      expect(await told(`GET /v1/cursors?${query}`), query).toEqual([200]);
    expect(await told("GET /v1/cursors?limit=2")).toEqual([CODES.cursor_io.http, "cursor_io"]);
  });

  test("refuses what is no limit, no name and no beginning of one", async () => {
    const { told } = await openApp();
    for (const query of [
      "limit=0",
      "limit=1001",
      "limit=x",
      "limit=1&limit=2",
      "prefix=A",
      "prefix=client-",
      "after=%00",
      "after=a&after=b",
      `prefix=${"a".repeat(65)}`,
    ])
      // prettier-ignore
      expect(await told(`GET /v1/cursors?${query}`), query).toEqual([400, "bad_argument"]);
    expect(await told("GET /v1/cursors?limit=1000&prefix=&after=")).toEqual([200]);
  });
});

test("any order of requests over HTTP has the statuses, positions and lists of the model", async () => {
  const INDEX_MAX = 4;
  const limits = { indexMax: INDEX_MAX, cursorsMax: 1 };
  let kept = new ModelCursors(limits);
  const named: NamedCursors = {
    at: (name) => kept.at(name),
    list: (filter) => kept.list(filter),
    close: () => kept.close(),
  };
  const { request, json } = await openApp({ indexMax: INDEX_MAX, named });
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          name: fc.constantFrom("a", "b"),
          operation: fc.constantFrom("next", "previous", "set", "current", "remove"),
          target: fc.integer({ min: 0, max: INDEX_MAX }),
          key: fc.option(fc.constantFrom("k", "l"), { nil: undefined }),
          ifMatch: fc.option(fc.oneof(fc.constant("*"), fc.integer({ min: 1, max: 9 })), { nil: undefined }),
          ifNone: fc.boolean(),
        }),
        { minLength: 1, maxLength: 30 },
      ),
      async (steps) => {
        kept = new ModelCursors(limits);
        const model = new ModelCursors(limits);
        for (const { name, operation, target, key, ifMatch, ifNone } of steps) {
          const path = `/v1/cursors/${parseName(name, "a name")}`;
          const isRead = operation === "current";
          const conditions = isRead
            ? {}
            : {
                ...(ifMatch !== undefined && {
                  ifGeneration: ifMatch === "*" ? ("any" as const) : [ifMatch],
                }),
                ...(ifNone && { ifNone }),
              };
          const isKeyed = !isRead && operation !== "remove" && key !== undefined;
          const expected = model.apply(name, {
            operation,
            ...(operation === "set" && { target }),
            ...(isKeyed && { keyDigest: digestOfKey(key) }),
            ...conditions,
          });
          const line = {
            next: `POST ${path}/next`,
            previous: `POST ${path}/previous`,
            set: `PUT ${path}`,
            current: `GET ${path}`,
            remove: `DELETE ${path}`,
          }[operation];
          const headers = {
            ...(isKeyed && { "idempotency-key": key }),
            ...("ifGeneration" in conditions && { "if-match": ifMatch === "*" ? "*" : `"${ifMatch}"` }),
            ...("ifNone" in conditions && { "if-none-match": "*" }),
          };
          const response = await request(line, headers, operation === "set" ? at(target) : undefined);
          if (expected instanceof FibError) {
            expect([response.status, (await problemOf(response)).code]).toEqual([
              CODES[expected.code].http,
              expected.code,
            ]);
          } else if (operation === "remove") {
            expect(response.status).toBe(204);
          } else {
            expect(response.status).toBe(operation === "set" && expected.isNew ? 201 : 200);
            expect(await response.json()).toMatchObject({ name, index: String(expected.index) });
            expect(response.headers.get("etag")).toBe(expected.replayed ? null : `"${expected.generation}"`);
          }
        }
        const { cursors } = (await json("GET /v1/cursors")) as { cursors: { name: string; index: string }[] };
        const listed = await model.list({ prefix: "", after: "", limit: 10 });
        expect(cursors.slice(0, -1).map(({ name, index }) => [name, index])).toEqual(
          listed.map(({ name, index }) => [name, String(index)]),
        );
      },
    ),
    { numRuns: 200 },
  );
});
