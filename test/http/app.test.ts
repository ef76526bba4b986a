/** Every row of the HTTP contract for the cursor, through the app itself: no port, a real file. */
import { describe, expect, test } from "bun:test";
import fs from "node:fs";
import { FibError } from "../../src/errors.ts";
import { problemOf } from "../refusal.ts";
import { openServices } from "../services.ts";
import { openFile } from "../temporary.ts";

/** An app on a cursor of its own. */
async function openApp(options: Parameters<typeof openServices>[0] = {}) {
  const services = await openServices(options);
  const { app, must } = services;
  const request = async (line: string, headers: Record<string, string> = {}, body?: string) => {
    const [method, target] = line.split(" ") as [string, string];
    return app.request(target, { method, headers, ...(body !== undefined && { body }) });
  };
  const index = async () => (await must("current")).index;
  const moveTo = (target: number) => must({ operation: "set", target });
  return { ...services, request, index, moveTo };
}

const MOVES = ["GET /api0/next", "GET /api0/previous", "POST /v1/cursor/next", "POST /v1/cursor/previous"];
const SET = `{"index":"0"}`;

/** Whether a request with these headers may move the cursor, on all routes that do. */
async function moves(headers: Record<string, string>): Promise<boolean> {
  const { request, moveTo, index } = await openApp();
  await moveTo(5);
  const statuses = await Promise.all(
    [...MOVES, "PUT /v1/cursor"].map(async (line) => {
      const body = line.startsWith("PUT") ? `{"index":"5"}` : undefined;
      const response = await request(line, headers, body);
      if (response.status === 403) expect((await problemOf(response)).code).toBe("forbidden");
      return response.status;
    }),
  );
  expect(new Set(statuses).size, JSON.stringify(headers)).toBe(1);
  expect(await index()).toBe(5);
  return statuses[0] === 200;
}

describe("/api0", () => {
  test("next, previous and current have the very bodies and headers of the Go server", async () => {
    const { request } = await openApp();
    for (const [line, value] of [
      ["current", "0"],
      ["next", "1"],
      ["next", "1"],
      ["next", "2"],
      ["next", "3"],
      ["next", "5"],
      ["current", "5"],
      ["previous", "3"],
      ["current", "3"],
    ]) {
      const response = await request(`GET /api0/${line}`);
      expect(response.status).toBe(200);
      expect(await response.text()).toBe(`{"value":"${value}","status":"200"}`);
      expect(Object.fromEntries(response.headers)).toEqual({
        "content-type": "application/json; charset=utf-8",
        "cache-control": "no-store",
      });
    }
  });

  test("next counts up to the last number that fits into 64 bits", async () => {
    const { request } = await openApp();
    for (
      let [value, next, index] = [1n, 1n, 1];
      index <= 92;
      [value, next, index] = [next, value + next, index + 1]
    ) {
      expect(await (await request("GET /api0/next")).text()).toBe(`{"value":"${value}","status":"200"}`);
    }
    expect(await (await request("GET /api0/current")).text()).toContain(`"7540113804746346429"`);
  });

  test("previous at 0 is 409 with -1, and next at --max-index 507 with -2; the position stays", async () => {
    const { request, moveTo, index } = await openApp();
    const start = await request("GET /api0/previous");
    expect(start.status).toBe(409);
    expect(await start.text()).toBe(`{"value":"-1","status":"409"}`);
    expect(start.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(await index()).toBe(0);
    await moveTo(92);
    const end = await request("GET /api0/next");
    expect(end.status).toBe(507);
    expect(await end.text()).toBe(`{"value":"-2","status":"507"}`);
    expect(end.headers.get("cache-control")).toBe("no-store");
    expect(await index()).toBe(92);
  });

  test("--max-index moves the end, and values beyond 64 bits are exact", async () => {
    const { request, moveTo } = await openApp({ indexMax: 1000 });
    await moveTo(299);
    expect(await (await request("GET /api0/next")).text()).toBe(
      `{"value":"222232244629420445529739893461909967206666939096499764990979600","status":"200"}`,
    );
    await moveTo(1000);
    expect((await request("GET /api0/next")).status).toBe(507);
  });

  test("a value that is shown again is not made again, at any index, and none is taken for another's", async () => {
    const made: number[] = [];
    const valueAt = (index: number) => {
      made.push(index);
      return index > 700 ? "9".repeat(5000) : `7${index}`;
    };
    const { request, moveTo } = await openApp({ indexMax: 1000, valueAt });
    const shown = async (move: string) => {
      const response = await request(`GET /api0/${move}`);
      return ((await response.json()) as { value: string }).value;
    };
    await moveTo(500);
    made.length = 0;
    for (let turn = 0; turn < 10; turn++) {
      expect([await shown("next"), await shown("previous")]).toEqual(["7501", "7500"]);
    }
    expect(made).toEqual([501, 500]);
    for (const index of [244, 372, 500, 628, 372]) {
      await moveTo(index);
      expect(await shown("current")).toBe(`7${index}`);
    }
    await moveTo(800);
    made.length = 0;
    await shown("current");
    await shown("current");
    expect(made).toEqual([800, 800]);
  });

  test("a file that stays locked is 503 with -3 and Retry-After, and nothing moves", async () => {
    const { request, file, index } = await openApp({ lockTimeoutMs: 10 });
    const other = await openFile(file);
    expect(other.tryLock()).toBe(true);
    for (const move of ["next", "previous"]) {
      const response = await request(`GET /api0/${move}`);
      expect(response.status).toBe(503);
      expect(await response.text()).toBe(`{"value":"-3","status":"503"}`);
      expect(response.headers.get("retry-after")).toBe("1");
      expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    }
    // Nobody else has moved it, so it can be shown.
    expect((await request("GET /api0/current")).status).toBe(200);
    other.close();
    expect(await index()).toBe(0);
  });

  test("a file that is gone, or damaged, is 503 with -3 on all three", async () => {
    const { request, file, bugs } = await openApp();
    const breakages: (() => void)[] = [
      () => fs.writeFileSync(file, new Uint8Array(8192)),
      () => fs.writeFileSync(file, "short"),
      () => fs.rmSync(file),
    ];
    for (const breakIt of breakages) {
      breakIt();
      for (const route of ["current", "next", "previous"]) {
        const response = await request(`GET /api0/${route}`);
        expect(await response.text()).toBe(`{"value":"-3","status":"503"}`);
        expect(response.status).toBe(503);
        expect(response.headers.get("retry-after")).toBe("1");
      }
    }
    expect(bugs).toEqual([]);
  });
});

describe("a value that takes long", () => {
  test("is waited for, and one that nobody can compute now is 503 in the words of each API", async () => {
    let refused = false;
    const { request, index } = await openApp({
      valueAt: async (n) => {
        if (refused) throw new FibError("overloaded", "made up");
        return `7${n}`;
      },
    });
    expect(await (await request("GET /api0/next")).text()).toBe(`{"value":"71","status":"200"}`);
    expect(await (await request("GET /v1/cursor")).json()).toEqual({ index: "1", value: "71" });
    refused = true;
    for (const target of ["current", "next"]) {
      const response = await request(`GET /api0/${target}`);
      expect(response.status).toBe(503);
      expect(response.headers.get("retry-after")).toBe("1");
      expect(await response.text()).toBe(`{"value":"-3","status":"503"}`);
    }
    const response = await request("GET /v1/cursor");
    expect([response.status, (await problemOf(response)).code]).toEqual([503, "overloaded"]);
    expect(await index()).toBe(2);
  });
});

describe("/v1/cursor", () => {
  test("GET shows the position, its value and its ETag, and never moves", async () => {
    const { request, moveTo } = await openApp();
    const { generation } = await moveTo(7);
    for (let i = 0; i < 3; i++) {
      const response = await request("GET /v1/cursor");
      expect(response.status).toBe(200);
      expect(await response.text()).toBe(`{"index":"7","value":"13"}`);
      expect(response.headers.get("etag")).toBe(`"${generation}"`);
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect(response.headers.get("content-type")).toBe("application/json");
    }
  });

  test("POST next and previous, and PUT, answer the new position with the ETag that GET then has", async () => {
    const { request } = await openApp();
    const seen = new Set<string>();
    for (const [line, body, expected] of [
      ["POST /v1/cursor/next", undefined, `{"index":"1","value":"1"}`],
      ["POST /v1/cursor/next", undefined, `{"index":"2","value":"1"}`],
      ["POST /v1/cursor/previous", undefined, `{"index":"1","value":"1"}`],
      ["PUT /v1/cursor", `{"index":"92"}`, `{"index":"92","value":"7540113804746346429"}`],
      ["PUT /v1/cursor", `{"index":"92"}`, `{"index":"92","value":"7540113804746346429"}`],
      ["PUT /v1/cursor", `{"index":"0"}`, `{"index":"0","value":"0"}`],
    ] as const) {
      const response = await request(line, {}, body);
      expect(response.status).toBe(200);
      expect(await response.text()).toBe(expected);
      const tag = response.headers.get("etag")!;
      expect(tag).toMatch(/^"\d+"$/);
      expect(seen.has(tag)).toBe(false);
      seen.add(tag);
      const shown = await request("GET /v1/cursor");
      expect(await shown.text()).toBe(expected);
      expect(shown.headers.get("etag")).toBe(tag);
    }
  });

  test("the ends are problems of their own, and the position stays", async () => {
    const { request, moveTo, index } = await openApp();
    const start = await request("POST /v1/cursor/previous");
    expect(start.status).toBe(409);
    expect(await problemOf(start)).toMatchObject({
      code: "sequence_start",
      instance: "/v1/cursor/previous",
    });
    await moveTo(92);
    const end = await request("POST /v1/cursor/next");
    expect(end.status).toBe(507);
    expect(await problemOf(end)).toMatchObject({ code: "sequence_end" });
    expect(await index()).toBe(92);
  });

  test("a file that stays locked, or is gone, is a 503 problem with Retry-After", async () => {
    const { request, file } = await openApp({ lockTimeoutMs: 10 });
    const other = await openFile(file);
    expect(other.tryLock()).toBe(true);
    const locked = await request("POST /v1/cursor/next");
    expect(locked.status).toBe(503);
    expect(locked.headers.get("retry-after")).toBe("1");
    expect(await problemOf(locked)).toMatchObject({ code: "cursor_locked" });
    other.close();
    fs.renameSync(file, `${file}.away`);
    const gone = await request("GET /v1/cursor");
    expect(gone.status).toBe(503);
    expect(gone.headers.get("retry-after")).toBe("1");
    expect(await problemOf(gone)).toMatchObject({ code: "cursor_io" });
    fs.renameSync(`${file}.away`, file);
    expect((await request("GET /v1/cursor")).status).toBe(200);
  });

  test("PUT refuses every body that names no index it can go to, and the position stays", async () => {
    const { request, moveTo, index } = await openApp();
    await moveTo(5);
    for (const body of [
      "",
      "index=3",
      "{",
      `{"index":"3"`,
      "null",
      "[]",
      "3",
      `"3"`,
      "{}",
      `{"Index":"3"}`,
      `{"index":3}`,
      `{"index":null}`,
      `{"index":["3"]}`,
      `{"index":{"toString":"3"}}`,
      `{"index":""}`,
      `{"index":"abc"}`,
      `{"index":"-1"}`,
      `{"index":"+1"}`,
      `{"index":"1.0"}`,
      `{"index":"1e1"}`,
      `{"index":"0x1"}`,
      `{"index":" 1"}`,
      `{"index":"0005"}`,
      `{"index":"00"}`,
      `{"index":"93"}`,
      `{"index":"9007199254740993"}`,
      `{"index":"${"9".repeat(400)}"}`,
      `{"__proto__":{"index":"3"}}`,
      `\u0000`,
    ]) {
      const response = await request("PUT /v1/cursor", {}, body);
      expect(response.status, body).toBe(400);
      const { code, detail } = await problemOf(response);
      expect(code).toBe("bad_argument");
      expect(detail).toMatch(/PUT \{"index":"0"\}|from 0 to 92/);
      expect(detail.length).toBeLessThan(200);
    }
    expect(await index()).toBe(5);
  });

  test("If-Match moves at the position that it names, and is 412 when the cursor has moved on", async () => {
    const { request, index } = await openApp();
    const tag = (await request("GET /v1/cursor")).headers.get("etag")!;
    const moved = await request("POST /v1/cursor/next", { "if-match": tag });
    expect(moved.status).toBe(200);
    for (const line of ["POST /v1/cursor/next", "POST /v1/cursor/previous", "PUT /v1/cursor"]) {
      for (const outdated of [tag, `W/${moved.headers.get("etag")}`, `"x"`, "", `"99999999999999999999"`]) {
        const response = await request(
          line,
          { "if-match": outdated },
          line.startsWith("PUT") ? SET : undefined,
        );
        expect(response.status, outdated).toBe(412);
        expect(await problemOf(response)).toMatchObject({ code: "cursor_moved" });
      }
    }
    expect(await index()).toBe(1);
    const list = `"0", ${moved.headers.get("etag")} , "x"`;
    expect((await request("POST /v1/cursor/next", { "if-match": list })).status).toBe(200);
    expect((await request("POST /v1/cursor/next", { "if-match": "*" })).status).toBe(200);
    expect(await index()).toBe(3);
  });

  test("of many who move from the same ETag one is answered, the others are 412", async () => {
    const { request, index } = await openApp();
    const tag = (await request("GET /v1/cursor")).headers.get("etag")!;
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => request("POST /v1/cursor/next", { "if-match": tag })),
    );
    const statuses = responses.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([200, ...Array.from({ length: 19 }, () => 412)]);
    expect(await index()).toBe(1);
  });

  test("If-None-Match is 304 without a body while the position is the one it names", async () => {
    const { request, moveTo } = await openApp();
    await moveTo(4);
    const tag = (await request("GET /v1/cursor")).headers.get("etag")!;
    for (const known of [tag, `W/${tag}`, `"0", ${tag}`, "*"]) {
      const response = await request("GET /v1/cursor", { "if-none-match": known });
      expect(response.status, known).toBe(304);
      expect(response.headers.get("etag")).toBe(tag);
      expect(await response.text()).toBe("");
    }
    await moveTo(5);
    for (const outdated of [tag, "", `"x"`]) {
      expect((await request("GET /v1/cursor", { "if-none-match": outdated })).status).toBe(200);
    }
  });
  test("If-Match that names another position is 412 for GET too, before If-None-Match", async () => {
    const { request, moveTo } = await openApp();
    await moveTo(4);
    const tag = (await request("GET /v1/cursor")).headers.get("etag")!;
    for (const outdated of [`"0"`, `W/${tag}`, ""]) {
      const response = await request("GET /v1/cursor", { "if-match": outdated, "if-none-match": tag });
      expect([response.status, (await problemOf(response)).code]).toEqual([412, "cursor_moved"]);
    }
    for (const known of [tag, "*", `"0",${tag}`]) {
      expect((await request("GET /v1/cursor", { "if-match": known })).status).toBe(200);
    }
    expect((await request("GET /v1/cursor", { "if-match": tag, "if-none-match": tag })).status).toBe(304);
  });

  test("If-None-Match: * wants that there is no cursor: every move is 412", async () => {
    const { request, index } = await openApp();
    for (const line of ["PUT /v1/cursor", "POST /v1/cursor/next", "POST /v1/cursor/previous"]) {
      const body = line.startsWith("PUT") ? `{"index":"5"}` : undefined;
      const response = await request(line, { "if-none-match": "*" }, body);
      expect([response.status, (await problemOf(response)).code]).toEqual([412, "precondition_failed"]);
    }
    expect(await index()).toBe(0);
  });
});

describe("Idempotency-Key", () => {
  test("a retry is answered as the first time, moves nothing, and says so", async () => {
    const { request, index } = await openApp();
    const headers = { "idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324" };
    const first = await request("POST /v1/cursor/next", headers);
    expect(first.headers.has("idempotency-replayed")).toBe(false);
    await request("POST /v1/cursor/next");
    const retry = await request("POST /v1/cursor/next", headers);
    expect(retry.status).toBe(200);
    expect(await retry.text()).toBe(await first.text());
    expect(retry.headers.get("idempotency-replayed")).toBe("true");
    // The position has moved on since, so there is no ETag that would be right.
    expect(retry.headers.has("etag")).toBe(false);
    expect(await index()).toBe(2);
  });

  test("a retry with the If-Match of the first time is answered too", async () => {
    const { request, index } = await openApp();
    const etag = (await request("GET /v1/cursor")).headers.get("etag")!;
    const headers = { "idempotency-key": "k", "if-match": etag };
    for (let i = 0; i < 3; i++) {
      const response = await request("PUT /v1/cursor", headers, `{"index":"9"}`);
      expect(await response.text()).toBe(`{"index":"9","value":"34"}`);
    }
    expect(await index()).toBe(9);
  });

  test("a key for another operation, or another index, is 422 and moves nothing", async () => {
    const { request, index } = await openApp();
    const headers = { "idempotency-key": "k" };
    await request("PUT /v1/cursor", headers, `{"index":"9"}`);
    for (const [line, body] of [
      ["POST /v1/cursor/next", undefined],
      ["POST /v1/cursor/previous", undefined],
      ["PUT /v1/cursor", `{"index":"8"}`],
    ] as const) {
      const response = await request(line, headers, body);
      expect(response.status).toBe(422);
      expect(await problemOf(response)).toMatchObject({ code: "key_reused" });
    }
    expect(await index()).toBe(9);
  });

  test("a key is told from every other one, and has 1 to 255 characters", async () => {
    const { request, index } = await openApp();
    for (const key of ["a", "A", "aa", "a,a", "x".repeat(255)]) {
      expect((await request("POST /v1/cursor/next", { "idempotency-key": key })).status).toBe(200);
    }
    expect(await index()).toBe(5);
    for (const key of ["", "x".repeat(256), "x".repeat(5000)]) {
      const response = await request("POST /v1/cursor/next", { "idempotency-key": key });
      expect(response.status).toBe(400);
      expect(await problemOf(response)).toMatchObject({ code: "bad_argument" });
    }
    expect(await index()).toBe(5);
  });
});

describe("browsers", () => {
  const foreign: Record<string, string>[] = [
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
    { "sec-fetch-site": "same-origin", "sec-purpose": "prefetch" },
    { "sec-purpose": "prefetch;prerender" },
    { purpose: "prefetch" },
  ];

  test("a cross-site, same-site or prefetch request is 403 on every route that moves", async () => {
    const { request, moveTo, index } = await openApp();
    await moveTo(5);
    for (const headers of foreign) {
      for (const line of [...MOVES, "PUT /v1/cursor"]) {
        const response = await request(line, headers, line.startsWith("PUT") ? SET : undefined);
        expect(response.status, `${line} ${JSON.stringify(headers)}`).toBe(403);
        expect(await problemOf(response)).toMatchObject({ code: "forbidden" });
      }
    }
    expect(await index()).toBe(5);
  });

  test("an Origin or a Referer that is not ours is refused on every method", async () => {
    for (const page of [
      "https://evil.example",
      "http://localhost:1",
      "https://localhost",
      "http://localhost.evil.example",
      "http://localhost@evil.example",
      "http://local",
      "http:",
      "http:/",
      "",
    ]) {
      expect(await moves({ origin: page }), page).toBe(false);
      expect(await moves({ referer: page }), page).toBe(false);
      expect(await moves({ referer: `${page}/page?x=http://localhost/` }), page).toBe(false);
    }
    expect(await moves({ origin: "null" })).toBe(false);
    expect(await moves({ origin: "https://evil.example", referer: "http://localhost/" })).toBe(false);
    expect(await moves({ origin: "http://localhost" })).toBe(true);
    expect(await moves({ referer: "http://localhost/" })).toBe(true);
    expect(await moves({ referer: "http://localhost/page?x=https://evil.example" })).toBe(true);
  });

  test("what says that it is a picture, a film or a style sheet is refused when nothing else tells whose it is", async () => {
    for (const accept of [
      "image/avif,image/webp,*/*;q=0.8",
      "IMAGE/png",
      " image/*",
      "video/webm,*/*",
      "audio/*;q=0.9",
      "text/css,*/*;q=0.1",
    ]) {
      expect(await moves({ accept }), accept).toBe(false);
      expect(await moves({ accept, "sec-fetch-site": "same-origin" })).toBe(true);
      expect(await moves({ accept, referer: "http://localhost/" })).toBe(true);
    }
    for (const accept of [
      "*/*",
      "",
      "application/json, image/png",
      "text/html,application/xhtml+xml,image/avif",
    ]) {
      expect(await moves({ accept }), accept).toBe(true);
    }
  });

  test("a range is refused on a GET that moves: a film says no more of itself", async () => {
    const { request, index } = await openApp();
    for (const line of ["GET /api0/next", "GET /api0/previous", "GET /fibo?sn=5"]) {
      expect((await request(line, { accept: "*/*", range: "bytes=0-" })).status).toBe(403);
    }
    expect(await index()).toBe(0);
    // To resume a number that was waited for is another thing.
    const resumed = await request("GET /v1/fibonacci/100", { prefer: "wait=5", range: "bytes=5-" });
    expect(resumed.status).toBe(206);
  });

  test("looking ahead is refused, in whatever words a browser says it", async () => {
    for (const headers of [
      { "sec-purpose": "prefetch" },
      { "sec-purpose": "Prefetch;Prerender" },
      { purpose: "prefetch" },
      { purpose: "PREFETCH" },
      { purpose: "preview" },
      { "x-purpose": "preview" },
      { "x-purpose": "Preview" },
      { "x-moz": "prefetch" },
    ] as Record<string, string>[]) {
      expect(await moves(headers), JSON.stringify(headers)).toBe(false);
      expect(await moves({ ...headers, "sec-fetch-site": "same-origin" })).toBe(false);
    }
  });

  test("a page of ours, a typed address and a program may move", async () => {
    for (const headers of [{ "sec-fetch-site": "same-origin" }, { "sec-fetch-site": "none" }, {}]) {
      expect(await moves(headers as Record<string, string>)).toBe(true);
    }
  });

  test("what is long is not computed for a page of somebody else, unless a person followed its link", async () => {
    const { request, results } = await openApp();
    const cross = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" };
    for (const headers of [
      cross,
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
      { referer: "https://evil.example/" },
      { accept: "image/*,*/*" },
    ] as Record<string, string>[]) {
      for (const target of [
        "/v1/fibonacci/200000?format=text",
        "/?sn=2000",
        "/v1/sequence?count=2000",
        "/fib/1000",
      ]) {
        const response = await request(`GET ${target}`, headers);
        expect(response.status, `${target} ${JSON.stringify(headers)}`).toBe(403);
        const part = await request(`GET ${target}`, { ...headers, range: "bytes=0-0" });
        expect(part.status).toBe(403);
      }
    }
    expect(results.taken).toEqual([]);
    expect((await request("GET /v1/fibonacci/100", { ...cross })).status).toBe(200);
    const { request: ask, moveTo } = await openApp({ indexMax: 1_000_000 });
    await moveTo(1_000_000);
    for (const target of ["/api0/current", "/v1/cursor"]) {
      expect((await ask(`GET ${target}`, cross)).status, target).toBe(403);
      expect((await (await ask(`GET ${target}`)).text()).length).toBeGreaterThan(208_988);
    }
    const clicked = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-user": "?1" };
    const followed = { ...clicked, "sec-fetch-dest": "document" };
    expect((await request("GET /v1/fibonacci/200000?format=text", followed)).status).toBe(200);
    const framed = { ...clicked, "sec-fetch-dest": "iframe" };
    expect((await request("GET /v1/fibonacci/200000?format=text", framed)).status).toBe(403);
    expect(await moves(followed)).toBe(false);
  });

  test("reading is not refused", async () => {
    const { request } = await openApp();
    for (const headers of foreign) {
      expect((await request("GET /api0/current", headers)).status).toBe(200);
      expect((await request("GET /v1/cursor", headers)).status).toBe(200);
    }
  });
});

describe("methods and paths", () => {
  test("another method is 405 with what is allowed, and moves nothing", async () => {
    const { request, moveTo, index } = await openApp();
    await moveTo(5);
    for (const [target, allowed] of Object.entries({
      "/api0/next": ["GET"],
      "/api0/previous": ["GET"],
      "/api0/current": ["GET", "HEAD"],
      "/v1/cursor": ["GET", "PUT", "DELETE", "HEAD"],
      "/v1/cursor/next": ["POST"],
      "/v1/cursor/previous": ["POST"],
      "/test/stats": ["GET", "HEAD"],
      "/livez": ["GET", "HEAD"],
      "/readyz": ["GET", "HEAD"],
    })) {
      for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"]) {
        if (allowed.includes(method)) continue;
        const response = await request(`${method} ${target}`);
        expect(response.status, `${method} ${target}`).toBe(405);
        expect(response.headers.get("allow")).toBe(allowed.join(", "));
        if (method !== "HEAD") expect((await problemOf(response)).code).toBe("method_not_allowed");
      }
    }
    expect(await index()).toBe(5);
  });

  test("HEAD never moves the cursor", async () => {
    const { request, moveTo, index } = await openApp();
    await moveTo(5);
    for (const line of MOVES) {
      const response = await request(line.replace(/^\w+/, "HEAD"));
      expect(response.status).toBe(405);
    }
    for (const target of ["/api0/current", "/v1/cursor"]) {
      const response = await request(`HEAD ${target}`);
      expect(response.status).toBe(200);
    }
    expect(await index()).toBe(5);
  });

  test("an unknown path is a 404 problem, whatever the method", async () => {
    const { request, index, bugs } = await openApp();
    for (const target of [
      "/api0",
      "/api0/",
      "/api0/nex",
      "/api0/next/",
      "/api0/next/x",
      "/API0/next",
      "/v1",
      "/v1/cursor/current",
      "/%",
      "/%00",
      "/../etc/passwd",
      "/api0/%6Eext%2F",
      "/__proto__",
    ]) {
      for (const method of ["GET", "POST", "DELETE"]) {
        const response = await request(`${method} ${target}`);
        expect(response.status, `${method} ${target}`).toBe(404);
        expect((await problemOf(response)).code).toBe("not_found");
      }
    }
    expect(await index()).toBe(0);
    expect(bugs).toEqual([]);
  });

  test("a bug is a 500 that shows nothing of itself, and is told to the owner", async () => {
    const { request, bugs } = await openApp({
      valueAt: () => {
        throw new TypeError("secret inside");
      },
    });
    for (const line of ["GET /api0/current", "GET /api0/next", "GET /v1/cursor"]) {
      const response = await request(line);
      expect(response.status).toBe(500);
      const text = await response.clone().text();
      expect(text).not.toContain("secret");
      expect((await problemOf(response)).code).toBe("internal");
    }
    expect(bugs.map(String)).toEqual(Array.from({ length: 3 }, () => "TypeError: secret inside"));
  });
});

describe("operation", () => {
  test("/livez is ok whatever the cursor does; /readyz only while it can answer", async () => {
    const { request, cursor, file } = await openApp();
    for (const target of ["/livez", "/readyz"]) {
      const response = await request(`GET ${target}`);
      expect(await response.text()).toBe("ok\n");
      expect(response.headers.get("cache-control")).toBe("no-store");
    }
    fs.renameSync(file, `${file}.away`);
    // What a turn of the loop has seen holds for all of it.
    await new Promise((resolve) => setImmediate(resolve));
    expect((await request("GET /readyz")).status).toBe(503);
    fs.renameSync(`${file}.away`, file);
    expect((await request("GET /readyz")).status).toBe(200);
    await cursor.close();
    const failed = await request("GET /readyz");
    expect(failed.status).toBe(503);
    expect(await problemOf(failed)).toMatchObject({ code: "cursor_io" });
    expect((await request("GET /livez")).status).toBe(200);
  });

  test("/readyz says which part is not ready, and neither it nor any other answer shows what is inside", async () => {
    const { request, cursor, tasks, faults } = await openApp({ storage: "redis" });
    const secret = "Cannot use Redis at redis://10.9.8.7:6379: ERR user_script:42: boom";
    const away = new FibError("redis_unavailable", secret);
    const broken = new FibError("redis_unusable", secret);
    tasks.check = () => Promise.reject(away);
    tasks.find = () => Promise.reject(away);
    for (const [line, part] of [
      ["GET /readyz", "tasks"],
      ["GET /v1/tasks/x", undefined],
    ] as const) {
      const response = await request(line);
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
      const body = await problemOf(response);
      expect(body).toMatchObject({ code: "redis_unavailable", ...(part !== undefined && { part }) });
      expect(body.detail).toContain("Redis cannot be reached");
      expect(JSON.stringify(body)).not.toMatch(/10\.9|script|boom/);
    }
    expect(faults).toEqual([away, away]);
    tasks.check = () => Promise.resolve();
    cursor.submit = (_, answer) => Promise.resolve(answer(broken)) as never;
    cursor.current = () => undefined;
    expect(await problemOf(await request("GET /readyz"))).toMatchObject({
      part: "cursor",
      code: "redis_unusable",
    });
    for (const line of ["GET /v1/cursor", "POST /v1/cursor/next", "GET /api0/next", "GET /api0/current"]) {
      const response = await request(line);
      expect(response.status).toBe(503);
      expect(await response.text()).not.toMatch(/10\.9|script|boom/);
    }
    expect(faults.slice(2)).toEqual(Array.from({ length: 5 }, () => broken));
  });

  test("/readyz on one machine does not depend on the tasks, which /v1/status tells of", async () => {
    const { request, tasks } = await openApp();
    tasks.check = () => Promise.reject(new FibError("tasks_locked", "Another process has them"));
    expect((await request("GET /readyz")).status).toBe(200);
    expect(await (await request("GET /v1/status")).json()).toMatchObject({
      ready: true,
      problems: [{ part: "tasks", code: "tasks_locked" }],
    });
  });

  test("/readyz asks a part that hangs once, and answers without it", async () => {
    const { request, tasks } = await openApp({ storage: "redis" });
    let askedCount = 0;
    tasks.check = () => {
      askedCount++;
      return new Promise(() => {});
    };
    const answers = await Promise.all([1, 2, 3].map(() => request("GET /readyz")));
    for (const answer of answers)
      expect(await problemOf(answer)).toMatchObject({ status: 503, part: "tasks", code: "overloaded" });
    expect(askedCount).toBe(1);
  });

  test("/readyz fails from the moment that a stop has begun", async () => {
    const { request, stop } = await openApp();
    stop();
    const response = await request("GET /readyz");
    expect(response.status).toBe(503);
    expect(await problemOf(response)).toMatchObject({ code: "overloaded" });
  });

  test("/test/stats has the line of the Go server, with numbers of this process", async () => {
    const { request } = await openApp();
    const response = await request("GET /test/stats");
    const match = /^Total system memory used: {2}(\d+) bytes\. Allocated on heap: {2}(\d+) bytes\.$/.exec(
      await response.text(),
    );
    expect(Number(match?.[1])).toBeGreaterThan(1_000_000);
    expect(Number(match?.[2])).toBeGreaterThan(100_000);
  });
});
