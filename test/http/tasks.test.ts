/** Tasks over HTTP: every row of the contract through the app, and what only real sockets show. */
import { describe, expect, onTestFinished, setDefaultTimeout, test } from "bun:test";
import { listen } from "../../src/http/server.ts";
import type { TaskJson } from "../../src/tasks/task.ts";
import { until } from "../binary.ts";
import { sha256 } from "../oracle.ts";
import { problemOf } from "../refusal.ts";
import { openServices } from "../services.ts";
import reference from "../vectors/reference.json";
import { connect, requestBytes } from "../wire.ts";

const TIMEOUT_MS = 300_000;

setDefaultTimeout(TIMEOUT_MS);

/** Is in the middle of its work, for half a minute or so, until it is cancelled; takes 0.2 GB for each second. */
const ENDLESS = { kind: "factorial", n: "100000000" };
/** On a thread, in a file, streamed. */
const LONG = { kind: "fibonacci", n: "10000000" };
const SHORT = { kind: "fibonacci", n: "100" };
const F100 = "354224848179261915075";

type Headers = Record<string, string>;

/** An app with routes for tasks, and shorthands for its clients. */
async function open(options: Parameters<typeof openServices>[0] = {}) {
  const services = await openServices({ digitsMax: 1_000_000_000, ...options });
  const request = async (line: string, headers: Headers = {}, body?: unknown) => {
    const [method, target] = line.split(" ") as [string, string];
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return services.app.request(target, { method, headers, ...(body !== undefined && { body: text }) });
  };
  const get = (target: string, headers?: Headers) => request(`GET ${target}`, headers);
  const post = (body: unknown, headers?: Headers) => request("POST /v1/tasks", headers, body);
  /** Creates a task that must be accepted. */
  const create = async (body: unknown) => {
    const response = await post(body);
    expect(response.status).toBe(202);
    return (await response.json()) as TaskJson;
  };
  /** The task once it is in this state. */
  const reach = async (id: string, state: TaskJson["state"]) => {
    let task: TaskJson | undefined;
    const isThere = async () => {
      task = (await (await get(`/v1/tasks/${id}`)).json()) as TaskJson;
      return task.state === state;
    };
    await until(`${id} is ${state}`, isThere);
    return task!;
  };
  const ready = async (body: unknown) => reach((await create(body)).id, "ready");
  return { ...services, request, get, post, create, reach, ready };
}

/** The same on a free port of the loopback. */
async function serve(options: Parameters<typeof openServices>[0] = {}) {
  const opened = await open(options);
  // Bun looks every four seconds: a shorter time may be over before a request is sent.
  const where = { host: "127.0.0.1", port: 0, allowHosts: [], idleTimeoutSeconds: 5 };
  const server = listen(opened.app, where);
  onTestFinished(async () => {
    opened.stop();
    await server.stop();
  });
  return { ...opened, url: server.url.replace(/\/$/, ""), port: Number(new URL(server.url).port) };
}

/** What a stream of events says. */
function eventsOf(text: string): { id: string; task: TaskJson }[] {
  return [...text.matchAll(/^id: (\S+)\ndata: (.+)\n\n/gm)].map(([, id, data]) => ({
    id: id!,
    task: JSON.parse(data!) as TaskJson,
  }));
}

describe("POST /v1/tasks", () => {
  test("accepts each kind: 202, where it is, and when to look", async () => {
    const { post, reach, bugs } = await open();
    for (const [body, known] of [
      [SHORT, { digits: 21 }],
      [{ kind: "factorial", n: "20" }, { digits: 19 }],
      [{ kind: "ackermann", m: "2", n: String(10n ** 30n) }, { digits: 31 }],
      [{ kind: "sequence", from: "0", count: "10" }, { bytes: 23 }],
      [LONG, { digits: 2_089_877 }],
    ] as const) {
      const response = await post(body);
      expect(response.status).toBe(202);
      const task = (await response.json()) as TaskJson;
      expect(task).toMatchObject({ ...body, ...known, attempts: expect.any(Number) });
      // A short one is computed in the commit that accepts it, and needs no second look.
      expect(task.state === "ready").toBe(body !== LONG);
      expect(response.headers.get("location")).toBe(`/v1/tasks/${task.id}`);
      expect(response.headers.get("retry-after")).toBe(body === LONG ? "1" : null);
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect(await reach(task.id, "ready")).toMatchObject({ ...body, ...known, progress: 1, attempts: 1 });
    }
    expect(bugs).toEqual([]);
  });

  test("the same twice is one task, and a ready one needs no second look", async () => {
    const { create, post, ready } = await open();
    const first = await ready(SHORT);
    const response = await post(SHORT);
    expect((await response.json()) as TaskJson).toEqual(first);
    expect(response.status).toBe(202);
    expect(response.headers.has("retry-after")).toBe(false);
    expect((await create({ kind: "factorial", n: "100" })).id).not.toBe(first.id);
  });

  test("what cannot be understood is 400, and says what would be", async () => {
    const { post } = await open();
    for (const [body, said] of [
      ["", "it is not JSON"],
      ["{", "it is not JSON"],
      ["[]", "it is no object"],
      ["null", "it is no object"],
      [{}, "one of fibonacci, lucas, factorial, ackermann, remainder, statistics, pisano, sequence"],
      [{ kind: "fib", n: "1" }, "one of fibonacci"],
      [{ kind: "toString", n: "1" }, "one of fibonacci"],
      [{ kind: "__proto__" }, "one of fibonacci"],
      [{ kind: 1 }, "one of fibonacci"],
      [{ ...SHORT, m: "1" }, "'m': fibonacci takes n"],
      [{ ...SHORT, priority: 1 }, "'priority': fibonacci takes n"],
      [{ kind: "ackermann", n: "1" }, "Cannot find m"],
      [{ kind: "sequence", from: "1" }, "Cannot find count"],
      [{ kind: "fibonacci", n: 100 }, "a string of digits"],
      [{ kind: "fibonacci", n: "-1" }, "it is negative"],
      [{ kind: "fibonacci", n: "1e3" }, "no whole number"],
      [{ kind: "fibonacci", n: "" }, "it is empty"],
      [{ kind: "fibonacci", n: "01" }, "leading zeros"],
      [{ kind: "fibonacci", n: "1".repeat(1001) }, "1001 digits, and the most is 128"],
    ] as const) {
      const response = await post(body);
      expect(response.status, JSON.stringify(body)).toBe(400);
      const problem = await problemOf(response);
      expect(problem.code).toBe("bad_argument");
      expect(problem.detail).toContain(said);
    }
  });

  test("impossible sizes are 422 at once, with the number of digits", async () => {
    const { post, get } = await open({ digitsMax: 1000, termsMax: 100 });
    for (const [body, said] of [
      [{ kind: "fibonacci", n: "1000000000000" }, "it has 208987640250 digits"],
      [{ kind: "factorial", n: String(10n ** 40n) }, "about 10^"],
      [{ kind: "ackermann", m: "4", n: "3" }, "cannot be written down"],
      [{ kind: "sequence", from: "0", count: "101" }, "the limit is 100"],
      [{ kind: "sequence", from: "5000", count: "1" }, "its longest term has 1045 digits"],
      [
        { kind: "sequence", from: String(10n ** 30n), count: "1" },
        "its last index is 281474976710655 at most",
      ],
    ] as const) {
      const response = await post(body);
      expect(response.status).toBe(422);
      expect(await problemOf(response)).toMatchObject({
        code: "result_too_large",
        detail: expect.stringContaining(said),
      });
    }
    expect(await (await get("/v1/tasks")).json()).toEqual({ tasks: [] });
  });

  test("more than --max-tasks are 429 with Retry-After", async () => {
    const { post, create, request } = await open({ tasks: { tasksMax: 1 } });
    const { id } = await create(ENDLESS);
    const response = await post(LONG);
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("1");
    expect((await problemOf(response)).code).toBe("too_many_tasks");
    await request(`DELETE /v1/tasks/${id}`);
    await create(LONG);
  });

  test("a page of somebody else cannot start, cancel or forget anything", async () => {
    const { post, get, request, ready } = await open();
    const { id } = await ready(SHORT);
    const other = { kind: "fibonacci", n: "101" };
    for (const headers of [
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { "sec-purpose": "prefetch" },
    ] as Headers[]) {
      for (const response of [
        await post(other, headers),
        await request(`DELETE /v1/tasks/${id}`, headers),
        await request(`POST /v1/tasks/${id}/cancel`, headers),
        await get("/fibo?sn=10", headers),
        await get("/v1/fibonacci/101", { ...headers, prefer: "respond-async" }),
      ]) {
        expect(response.status).toBe(403);
        expect((await problemOf(response)).code).toBe("forbidden");
      }
    }
    const page = { origin: "https://evil.example" };
    for (const response of [
      await post(other, page),
      await request(`DELETE /v1/tasks/${id}`, page),
      await request(`POST /v1/tasks/${id}/cancel`, page),
    ]) {
      expect(response.status).toBe(403);
    }
    expect(((await (await get("/v1/tasks")).json()) as { tasks: TaskJson[] }).tasks).toHaveLength(1);
    expect((await post(other, { "sec-fetch-site": "same-origin" })).status).toBe(202);
  });
});

describe("GET /v1/tasks", () => {
  test("lists page by page, in the order of creation, and by state", async () => {
    const { get, create, ready, request } = await open();
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.push((await ready({ kind: "fibonacci", n: String(n) })).id);
    const { id: endless } = await create(ENDLESS);
    ids.push(endless);
    const list = async (query: string) => {
      const response = await get(`/v1/tasks${query}`);
      expect(response.status).toBe(200);
      expect(response.headers.get("cache-control")).toBe("no-store");
      const { tasks, next } = (await response.json()) as { tasks: TaskJson[]; next?: string };
      return { ids: tasks.map(({ id }) => id), next };
    };
    expect(await list("")).toEqual({ ids, next: undefined });
    expect(await list("?limit=4")).toEqual({ ids: ids.slice(0, 4), next: ids[3] });
    expect(await list(`?limit=4&after=${ids[3]}`)).toEqual({ ids: ids.slice(4), next: undefined });
    expect(await list("?state=ready&limit=5")).toEqual({ ids: ids.slice(0, 5), next: ids[4] });
    expect(await list("?state=failed")).toEqual({ ids: [], next: undefined });
    const newest = ids.slice(0, 5).toReversed();
    expect(await list("?order=newest&state=ready&limit=3")).toEqual({
      ids: newest.slice(0, 3),
      next: newest[2],
    });
    expect((await list(`?order=newest&state=ready&after=${newest[2]}`)).ids).toEqual(newest.slice(3));
    expect((await get("/v1/tasks?order=random")).status).toBe(400);
    expect((await list(`?after=${"x".repeat(1000)}`)).ids).toEqual([]);
    await request(`POST /v1/tasks/${endless}/cancel`);
    expect((await list("?state=cancelled")).ids).toEqual([endless]);
  });

  test("what it does not understand is 400", async () => {
    const { get } = await open();
    for (const query of ["state=done", "state=", "limit=0", "limit=1001", "limit=a", "limit=1&limit=2"]) {
      expect((await get(`/v1/tasks?${query}`)).status, query).toBe(400);
    }
  });

  test("an id that was never given is 404 everywhere", async () => {
    const { request, ready } = await open();
    await ready(SHORT);
    const unused = Bun.randomUUIDv7();
    for (const id of ["abc", unused, unused.toUpperCase(), "%2e%2e%2fetc", "x".repeat(5000)]) {
      for (const line of [
        "GET /v1/tasks/ID",
        "GET /v1/tasks/ID/result",
        "GET /v1/tasks/ID/events",
        "POST /v1/tasks/ID/cancel",
        ...(id === unused ? [] : ["DELETE /v1/tasks/ID"]),
      ]) {
        const response = await request(line.replace("ID", id));
        expect(response.status).toBe(404);
        expect((await problemOf(response)).code).toBe("task_unknown");
      }
    }
  });

  test("another method is 405, with those that there are", async () => {
    const { request } = await open();
    for (const [line, allow] of [
      ["PUT /v1/tasks", "GET, POST, HEAD"],
      ["POST /v1/tasks/abc", "GET, DELETE, HEAD"],
      ["PATCH /v1/tasks/abc", "GET, DELETE, HEAD"],
      ["GET /v1/tasks/abc/cancel", "POST"],
      ["HEAD /v1/tasks/abc/cancel", "POST"],
      ["DELETE /v1/tasks/abc/cancel", "POST"],
      ["POST /fibo", "GET"],
      ["DELETE /fibotask", "GET, HEAD"],
    ] as const) {
      const { status, headers } = await request(line);
      expect([line, status, headers.get("allow")]).toEqual([line, 405, allow]);
    }
  });
});

describe("GET /v1/tasks/{id}/result", () => {
  test(
    "is the number in each representation, the same bytes as under its own address",
    async () => {
      const { get, ready, bugs } = await open();
      for (const [body, route] of [
        [SHORT, "/v1/fibonacci/100"],
        [LONG, "/v1/fibonacci/10000000"],
        [{ kind: "ackermann", m: "3", n: "10" }, "/v1/ackermann/3/10"],
        [{ kind: "factorial", n: "10000" }, "/v1/factorial/10000"],
        [{ kind: "sequence", from: "7", count: "500" }, "/v1/sequence?from=7&count=500"],
      ] as const) {
        const { id } = await ready(body);
        for (const format of ["text", "json", "ndjson", "csv"]) {
          const result = await get(`/v1/tasks/${id}/result?format=${format}`);
          const number = await get(`${route}${route.includes("?") ? "&" : "?"}format=${format}`);
          expect(result.status).toBe(200);
          expect(await result.text()).toBe(await number.text());
          for (const header of ["etag", "content-type", "vary", "accept-ranges"]) {
            expect(result.headers.get(header)).toBe(number.headers.get(header));
          }
          // The address is gone one day.
          expect(result.headers.get("cache-control")).toBe("private, no-cache");
        }
        const plain = await get(`/v1/tasks/${id}/result`);
        expect(plain.headers.get("content-type")).toBe("text/plain");
      }
      expect(bugs).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "has the reference's digest, ranges that are slices of it, and conditions",
    async () => {
      const { get, request, ready } = await open();
      const { id } = await ready(LONG);
      const target = `/v1/tasks/${id}/result`;
      const text = await (await get(target)).text();
      expect(sha256(text)).toBe(reference.fibonacci.find(({ n }) => n === 10_000_000)!.sha256);
      for (const [from, to] of [
        [0, 0],
        [65_530, 65_545],
        [131_000, 400_000],
        [text.length - 5, text.length - 1],
      ] as const) {
        const part = await get(target, { range: `bytes=${from}-${to}` });
        expect(part.status).toBe(206);
        expect(part.headers.get("content-range")).toBe(`bytes ${from}-${to}/${text.length}`);
        expect(await part.text()).toBe(text.slice(from, to + 1));
      }
      const json = await (await get(`${target}?format=json`)).text();
      for (const start of [0, 10, json.indexOf("value") + 5, json.length - 3]) {
        const part = await get(`${target}?format=json`, { range: `bytes=${start}-${start + 30}` });
        expect(await part.text()).toBe(json.slice(start, start + 31));
      }
      expect((await get(target, { range: `bytes=${text.length}-` })).status).toBe(416);
      expect((await get(target, { "if-none-match": `"1.fibonacci.10000000.text"` })).status).toBe(304);
      const head = await request(`HEAD ${target}`);
      expect(head.headers.get("content-length")).toBe(String(text.length));
      expect((await get(target, { accept: "image/png" })).status).toBe(406);
    },
    TIMEOUT_MS,
  );

  test(
    "is 409 with the reason while there is none, or never will be",
    async () => {
      const { get, create, reach, request, tasks } = await open();
      const { id: running } = await create(ENDLESS);
      const { id: queued } = await create(LONG);
      await reach(running, "running");
      for (const [id, state] of [
        [running, "running"],
        [queued, "queued"],
      ] as const) {
        const response = await get(`/v1/tasks/${id}/result`);
        expect(response.status).toBe(409);
        expect(response.headers.get("retry-after")).toBe("1");
        expect(await problemOf(response)).toMatchObject({
          code: "task_not_ready",
          state,
          detail: expect.stringContaining(state),
        });
      }
      await request(`POST /v1/tasks/${running}/cancel`);
      const { task } = await tasks.create({ kind: "factorial", n: 20 }, 18);
      await reach(task.id, "failed");
      for (const [id, said] of [
        [running, "was cancelled"],
        [task.id, "18 were predicted"],
      ] as const) {
        const response = await get(`/v1/tasks/${id}/result`);
        expect(response.status).toBe(409);
        expect(response.headers.has("retry-after")).toBe(false);
        expect(await problemOf(response)).toMatchObject({
          code: "task_failed",
          detail: expect.stringContaining(said),
        });
      }
    },
    TIMEOUT_MS,
  );
});

describe("POST /v1/tasks/{id}/cancel", () => {
  test("cancels what runs, and says the same when it is repeated", async () => {
    const { request, get, create, reach, ready } = await open();
    const { id } = await create(ENDLESS);
    await reach(id, "running");
    const first = await request(`POST /v1/tasks/${id}/cancel`);
    expect([first.status, first.headers.get("cache-control")]).toEqual([200, "no-store"]);
    const cancelled = (await first.json()) as TaskJson;
    expect(cancelled).toMatchObject({ id, state: "cancelled", requests: 1 });
    const second = await request(`POST /v1/tasks/${id}/cancel`);
    expect([second.status, await second.json()]).toEqual([200, cancelled]);
    expect(await (await get(`/v1/tasks/${id}`)).json()).toEqual(cancelled);
    // The slot is free.
    await ready(LONG);
  });

  test("does nothing to what has ended", async () => {
    const { request, get, ready } = await open();
    const task = await ready(SHORT);
    const response = await request(`POST /v1/tasks/${task.id}/cancel`);
    expect([response.status, await response.json()]).toEqual([200, task]);
    expect(await (await get(`/v1/tasks/${task.id}/result`)).text()).toBe(F100);
  });

  test("?unless=shared spares what somebody else has asked for, in whichever way", async () => {
    const { request, get, create } = await open();
    const { id } = await create(ENDLESS);
    const again = await get("/v1/factorial/100000000", { prefer: "respond-async" });
    expect(await again.json()).toMatchObject({ id, requests: 2 });
    const cancel = async (query: string) => (await request(`POST /v1/tasks/${id}/cancel${query}`)).json();
    const spared = (await cancel("?unless=shared")) as TaskJson;
    expect(["queued", "running"]).toContain(spared.state);
    expect(await cancel("")).toMatchObject({ id, state: "cancelled", requests: 2 });
    const { id: alone } = await create(ENDLESS);
    expect(alone).not.toBe(id);
    const response = await request(`POST /v1/tasks/${alone}/cancel?unless=shared`);
    expect(await response.json()).toMatchObject({ id: alone, state: "cancelled" });
  });

  test("another condition is 400, and changes nothing", async () => {
    const { request, get, create } = await open();
    const { id } = await create(ENDLESS);
    for (const query of ["unless=", "unless=ready", "unless=Shared", "unless=shared&unless=shared"]) {
      const response = await request(`POST /v1/tasks/${id}/cancel?${query}`);
      expect([query, response.status]).toEqual([query, 400]);
      expect((await problemOf(response)).code).toBe("bad_argument");
    }
    const { state } = (await (await get(`/v1/tasks/${id}`)).json()) as TaskJson;
    expect(["queued", "running"]).toContain(state);
    await request(`DELETE /v1/tasks/${id}`);
  });
});

describe("DELETE /v1/tasks/{id}", () => {
  test("forgets what runs, what waits and what has ended, and says the same when it is repeated", async () => {
    const { request, get, create, reach, ready } = await open();
    const { id: ended } = await ready(SHORT);
    const { id: running } = await create(ENDLESS);
    await reach(running, "running");
    const { id: waiting } = await create(LONG);
    for (const id of [waiting, running, ended, Bun.randomUUIDv7()]) {
      for (let again = 0; again < 2; again++) {
        const response = await request(`DELETE /v1/tasks/${id}`);
        expect([response.status, await response.text()]).toEqual([204, ""]);
        expect((await get(`/v1/tasks/${id}`)).status).toBe(404);
        expect((await get(`/v1/tasks/${id}/result`)).status).toBe(404);
      }
    }
    expect(await (await get("/v1/tasks")).json()).toEqual({ tasks: [] });
    // The slot is free.
    await ready(LONG);
  });
});

describe("GET /v1/tasks/{id}/events", () => {
  test(
    "tells progress as it is made, and ends with the task",
    async () => {
      const { url, create, watchers } = await serve();
      const { id } = await create({ kind: "fibonacci", n: "60000000" });
      const response = await fetch(`${url}/v1/tasks/${id}/events`);
      expect(response.headers.get("content-type")).toBe("text/event-stream");
      expect(response.headers.get("cache-control")).toBe("no-store");
      const text = await response.text();
      expect(text.startsWith("retry: 1000\n\n")).toBe(true);
      const events = eventsOf(text);
      expect(events.at(-1)!.task).toMatchObject({ id, state: "ready", progress: 1 });
      const progress = events.map(({ task }) => task.progress);
      expect(progress).toEqual(progress.toSorted((a, b) => a - b));
      expect(progress.some((fraction) => fraction > 0 && fraction < 1)).toBe(true);
      expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
      await until("the stream is ended", () => watchers.count === 0);
    },
    TIMEOUT_MS,
  );

  test(
    "Last-Event-ID gets what has changed since; 204 when nothing will",
    async () => {
      const { get, create, ready, reach, request } = await open();
      const { id } = await ready(SHORT);
      const [last] = eventsOf(await (await get(`/v1/tasks/${id}/events`)).text());
      expect(last!.task.state).toBe("ready");
      expect((await get(`/v1/tasks/${id}/events`, { "last-event-id": last!.id })).status).toBe(204);
      const missed = await get(`/v1/tasks/${id}/events`, { "last-event-id": "1-running-5000" });
      expect(eventsOf(await missed.text())).toEqual([last!]);

      const { id: endless } = await create(ENDLESS);
      await reach(endless, "running");
      const resumed = await get(`/v1/tasks/${endless}/events`, { "last-event-id": "1-running-0" });
      await request(`POST /v1/tasks/${endless}/cancel`);
      const events = eventsOf(await resumed.text());
      expect(events.map((event) => event.id)).not.toContain("1-running-0");
      expect(events.at(-1)!.task.state).toBe("cancelled");
    },
    TIMEOUT_MS,
  );

  test("HEAD begins nothing", async () => {
    const { request, create, watchers } = await open();
    const { id } = await create(ENDLESS);
    const head = await request(`HEAD /v1/tasks/${id}/events`);
    expect([head.status, head.headers.get("content-type"), watchers.count]).toEqual([
      200,
      "text/event-stream",
      0,
    ]);
    await request(`DELETE /v1/tasks/${id}`);
  });

  test(
    "a client that leaves frees its place, the task goes on, and no address takes all --max-watchers",
    async () => {
      const { url, port, create, reach, get, request, streams, watchers, bugs } = await serve({
        watchersMax: 4,
      });
      const { id } = await create(ENDLESS);
      for (let round = 0; round < 3; round++) {
        const clients = await Promise.all([connect(port), connect(port)]);
        for (const { socket } of clients) socket.write(requestBytes(`GET /v1/tasks/${id}/events`));
        await until("both are told", () => clients.every(({ received }) => received().includes("data: ")));
        expect((await fetch(`${url}/v1/tasks/${id}/events`)).status).toBe(503);
        // Long bodies have a limit of their own.
        expect(streams.count).toBe(0);
        // Without a port it is another address.
        const other = await get(`/v1/tasks/${id}/events`);
        expect(other.status).toBe(200);
        await other.body!.cancel();
        for (const { socket } of clients) socket.terminate();
        await until("all have left", () => watchers.count === 0);
      }
      await reach(id, "running");
      await request(`DELETE /v1/tasks/${id}`);
      expect(bugs).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "a connection whose events have ended is closed when it is idle, as any other",
    async () => {
      const { port, ready } = await serve();
      const { id } = await ready(SHORT);
      const { socket, received, ended } = await connect(port);
      socket.write(requestBytes(`GET /v1/tasks/${id}/events`, { Connection: "keep-alive" }));
      await until("they have ended", () => received().endsWith("0\r\n\r\n"));
      await ended;
    },
    TIMEOUT_MS,
  );

  test(
    "a silent stream outlives the time after which an idle connection is closed",
    async () => {
      const { url, port, create, reach, request } = await serve();
      const { id: blocking } = await create(ENDLESS);
      await reach(blocking, "running");
      const { id } = await create(LONG);
      let told = "";
      const response = await fetch(`${url}/v1/tasks/${id}/events`);
      const text = (async () => {
        for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) told += chunk;
        return told;
      })();
      await until("it is told that it waits", () => told.includes("data: "));
      // Silent from now on as the stream is, and not kept open for it: Bun's own limit ends it, so it has passed.
      const { socket, ended } = await connect(port);
      socket.write(requestBytes("GET /v1/tasks", { Connection: "keep-alive" }));
      await ended;
      await request(`DELETE /v1/tasks/${blocking}`);
      const states = eventsOf(await text).map(({ task }) => task.state);
      expect([states[0], states.at(-1)]).toEqual(["queued", "ready"]);
    },
    TIMEOUT_MS,
  );

  test(
    "a server that stops ends its streams",
    async () => {
      const { url, create, reach, stop, request } = await serve();
      const { id } = await create(ENDLESS);
      await reach(id, "running");
      let told = "";
      const { body } = await fetch(`${url}/v1/tasks/${id}/events`);
      for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
        told += chunk;
        if (told.includes("data: ")) stop();
      }
      // And not with its task, which ends much later.
      expect(eventsOf(told).at(-1)!.task.state).toBe("running");
      await request(`DELETE /v1/tasks/${id}`);
    },
    TIMEOUT_MS,
  );
});

describe("Prefer", () => {
  test("respond-async answers with a task, on every route of numbers", async () => {
    const { get, reach } = await open();
    for (const [route, kind] of [
      ["/v1/fibonacci/100", "fibonacci"],
      ["/v1/factorial/20", "factorial"],
      ["/v1/ackermann/2/3", "ackermann"],
      ["/v1/sequence?from=3&count=5", "sequence"],
    ] as const) {
      const response = await get(route, { prefer: "respond-async" });
      expect(response.status).toBe(202);
      expect(response.headers.get("preference-applied")).toBe("respond-async");
      const task = (await response.json()) as TaskJson;
      expect(task.kind).toBe(kind);
      expect(response.headers.get("location")).toBe(`/v1/tasks/${task.id}`);
      await reach(task.id, "ready");
      const result = await get(`/v1/tasks/${task.id}/result`);
      expect(await result.text()).toBe(await (await get(route, { accept: "text/plain" })).text());
    }
  });

  test(
    "wait answers with the number when it is there in time",
    async () => {
      const { get, bugs } = await open();
      for (const prefer of ["wait=60", "respond-async, wait=60", `WAIT="60"; foo`]) {
        for (const n of [100, 10_000_000]) {
          const response = await get(`/v1/fibonacci/${n}?format=text`, { prefer });
          expect(response.status).toBe(200);
          expect(response.headers.get("preference-applied")).toContain("wait=60");
          const { sha256: digest } = reference.fibonacci.find((row) => row.n === 10_000_000)!;
          const text = await response.text();
          expect(n === 100 ? text === F100 : sha256(text) === digest).toBe(true);
        }
      }
      expect(bugs).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "wait answers with the task when it is not",
    async () => {
      const { get, request } = await open();
      const response = await get("/v1/factorial/100000000", { prefer: "wait=1" });
      expect(response.status).toBe(202);
      expect(response.headers.get("preference-applied")).toBe("wait=1");
      const task = (await response.json()) as TaskJson;
      expect(["queued", "running"]).toContain(task.state);
      await request(`DELETE /v1/tasks/${task.id}`);
    },
    TIMEOUT_MS,
  );

  test(
    "wait answers with the task at once when the server stops",
    async () => {
      const { url, stop, results, tasks, create } = await serve();
      await create(ENDLESS);
      const waiting = fetch(`${url}/v1/fibonacci/10000000`, { headers: { prefer: "wait=60" } });
      await until("it has its task", async () => (await tasks.list({ limit: 9 })).length === 2);
      const stoppedMs = performance.now();
      stop();
      const response = await waiting;
      // Long before the time that it would have waited.
      expect(performance.now() - stoppedMs).toBeLessThan(30_000);
      expect(response.status).toBe(202);
      expect(response.headers.get("location")).toMatch(/^\/v1\/tasks\/[\da-f-]{36}$/);
      expect(results.taken).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test(
    "who waits is a watcher, and gives its place back; beyond --max-watchers no task is made",
    async () => {
      const { url, stop, tasks, watchers } = await serve({ watchersMax: 1 });
      const ask = (n: number) => fetch(`${url}/v1/factorial/${n}`, { headers: { prefer: "wait=60" } });
      const waiting = ask(100_000_000);
      await until("it has its task", async () => (await tasks.list({ limit: 9 })).length === 1);
      expect((await ask(100_000_001)).status).toBe(503);
      expect(await tasks.list({ limit: 9 })).toHaveLength(1);
      stop();
      expect((await waiting).status).toBe(202);
      expect(watchers.count).toBe(0);
    },
    TIMEOUT_MS,
  );

  test("wait: who asks for a number gets it, though somebody ends its task or it is too large to be kept", async () => {
    const { url, tasks } = await serve({ tasks: { resultBytesMax: 100_000 } });
    const ask = (n: number, prefer: string) =>
      fetch(`${url}/v1/fibonacci/${n}?format=text`, { headers: { prefer } });
    for (const [end, n] of [
      ["forget", 100_001],
      ["cancel", 100_002],
    ] as const) {
      // It has the only thread.
      const { task: before } = await tasks.create({ kind: "factorial", n: 10_000_000 }, 90_000);
      const waiting = ask(n, "wait=60");
      await until(
        "it has its task",
        async () => (await tasks.list({ state: "queued", limit: 9 })).length === 1,
      );
      await tasks[end]((await tasks.list({ state: "queued", limit: 9 }))[0]!.id);
      await tasks.forget(before.id);
      const response = await waiting;
      expect([end, response.status, (await response.text()).length]).toEqual([end, 200, 20_899]);
    }
    for (const prefer of ["wait=60", "respond-async"]) {
      const response = await ask(1_000_000, prefer);
      expect([prefer, response.status, response.headers.get("preference-applied")]).toEqual([
        prefer,
        200,
        null,
      ]);
      expect((await response.text()).length).toBe(208_988);
    }
  });

  test("what is short is answered at once for who waits, and becomes no task", async () => {
    const { get } = await open();
    for (const target of ["/v1/fibonacci/100", "/v1/pisano/10", "/v1/sequence?count=3"]) {
      const response = await get(target, { prefer: "wait=60" });
      expect([response.status, response.headers.get("preference-applied")]).toEqual([200, "wait=60"]);
    }
    expect(await (await get("/v1/tasks")).json()).toEqual({ tasks: [] });
  });

  test("what is not understood, and HEAD, are answered as without it", async () => {
    const { get, request } = await open();
    for (const prefer of ["", "handling=lenient", "wait", "wait=-1", "wait=0", "wait=abc", "respond-sync"]) {
      const response = await get("/v1/fibonacci/100?format=text", { prefer });
      expect([response.status, await response.text()]).toEqual([200, F100]);
      expect(response.headers.has("preference-applied")).toBe(false);
    }
    expect((await request("HEAD /v1/fibonacci/100", { prefer: "respond-async" })).status).toBe(200);
    expect(await (await get("/v1/tasks")).json()).toEqual({ tasks: [] });
  });

  test("what is refused without it is refused with it", async () => {
    const { get } = await open({ digitsMax: 10 });
    for (const [route, status] of [
      ["/v1/fibonacci/100", 422],
      ["/v1/fibonacci/x", 400],
    ] as const) {
      expect((await get(route, { prefer: "respond-async" })).status).toBe(status);
    }
  });
});

describe("the earlier task system", () => {
  test("GET /fibo starts a task, in its own words; the same again is the same task", async () => {
    const { get } = await open();
    const first = await get("/fibo?sn=1000");
    expect(first.status).toBe(200);
    expect(first.headers.get("content-type")).toBe("application/json");
    const body = (await first.json()) as { id: string; sn: number; state: number; createTime: number };
    expect(Object.keys(body)).toEqual(["id", "sn", "state", "createTime"]);
    expect(body).toMatchObject({ sn: 1000, state: 0 });
    expect(Math.abs(Date.now() - body.createTime)).toBeLessThan(TIMEOUT_MS);
    expect(await (await get("/fibo?sn=1000")).json()).toEqual(body);
  });

  test("GET /fibotask is 0x00 and the terms, each followed by a space", async () => {
    const { get, reach, url } = await serve();
    for (const [count, terms] of [
      [0, ""],
      [1, "0 "],
      [5, "0 1 1 2 3 "],
    ] as const) {
      const { id } = (await (await get(`/fibo?sn=${count}`)).json()) as { id: string };
      await reach(id, "ready");
      const response = await get(`/fibotask?id=${id}`);
      expect(response.headers.get("content-type")).toBe("application/octet-stream");
      expect(await response.text()).toBe(`\0${terms}`);
    }
    const { count, sha256: digest } = reference.sequences.list.find((row) => row.count === 10_000)!;
    const { id } = (await (await get(`/fibo?sn=${count}`)).json()) as { id: string };
    await reach(id, "ready");
    const long = await (await fetch(`${url}/fibotask?id=${id}`)).text();
    expect(long.codePointAt(0)).toBe(0);
    expect(sha256(long.slice(1))).toBe(digest);
  });

  test("GET /fibotask is 0x01 and the id while it is not ready", async () => {
    const { get, app, ...services } = await open();
    expect(app).toBeDefined();
    const waiting = {
      ...(await services.tasks.create({ kind: "sequence", from: 0, count: 3 }, 6)).task,
      state: "running",
    } as const;
    services.tasks.find = async () => waiting;
    const response = await get(`/fibotask?id=${waiting.id}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/octet-stream");
    expect(await response.text()).toBe(`\u0001${waiting.id}`);
  });

  test("what cannot be is 400, and an unknown id 404", async () => {
    const { get, ready } = await open();
    for (const sn of ["-1", "-1000", "-99999999999999999999"]) {
      const response = await get(`/fibo?sn=${sn}`);
      expect([response.status, await response.text()]).toEqual([400, "Negative value is not accepted."]);
    }
    for (const query of ["", "?sn=", "?sn=abc", "?sn=1.5", "?sn=100001", "?sn=1&sn=2", "?sn=+5"]) {
      const response = await get(`/fibo${query}`);
      expect([response.status, await response.text()]).toEqual([
        400,
        "sn must be a whole number from 0 to 100000.",
      ]);
    }
    const { id } = await ready(SHORT);
    for (const query of ["", "?id=", "?id=abc", `?id=${Bun.randomUUIDv7()}`, `?id=${id}`]) {
      expect((await get(`/fibotask${query}`)).status).toBe(404);
    }
  });
});
