/**
 * Where a cursor is, as events: the last position always arrives, and who is slow costs nobody anything. How often is in
 * `broadcast.test.ts`.
 */
import { describe, expect, onTestFinished, setDefaultTimeout, test } from "bun:test";
import type { CursorService } from "../../src/cursor/moves.ts";
import type { NamedCursors } from "../../src/cursor/named.ts";
import { listen } from "../../src/http/server.ts";
import { until } from "../binary.ts";
import { ModelCursors } from "../cursor/model.ts";
import { problemOf } from "../refusal.ts";
import { openServices } from "../services.ts";
import { connect, exchange, headersOf, requestBytes, statusOf } from "../wire.ts";

setDefaultTimeout(300_000);

async function openApp(options: Parameters<typeof openServices>[0] = {}) {
  const services = await openServices({
    named: new ModelCursors({ indexMax: options.indexMax ?? 92 }),
    ...options,
  });
  onTestFinished(() => services.stop());
  const post = async (target: string) => {
    const response = await services.app.request(target, { method: "POST" });
    expect(response.status).toBe(200);
    return response.headers.get("etag")!.slice(1, -1);
  };
  const follow = async (target: string, headers: Record<string, string> = {}) => {
    const response = await services.app.request(target, { headers });
    expect(response.status).toBe(200);
    return reading(response);
  };
  return { ...services, post, follow };
}

/** The parts of a stream that are separated by empty lines, as they come, without comments; undefined at its end. */
function reading({ body, headers }: Response) {
  // Without a port there is nobody to make bytes of the text.
  const reader = (body as unknown as ReadableStream<string>).getReader();
  let text = "";
  const next = async (): Promise<string | undefined> => {
    for (;;) {
      const end = text.indexOf("\n\n");
      if (end !== -1) {
        const part = text.slice(0, end);
        text = text.slice(end + 2);
        // One comes after each silence, which may be a machine's that stalls.
        if (part.startsWith(":")) continue;
        return part;
      }
      const { value, done } = await reader.read();
      if (done) return undefined;
      text += value;
    }
  };
  onTestFinished(() => reader.cancel());
  return { next, headers, cancel: () => reader.cancel() };
}

const START = "retry: 1000";
const event = (generation: string | number, data: object) =>
  `event: position\nid: ${generation}\ndata: ${JSON.stringify(data)}`;

/** The same behind a port. */
async function serve(options: Parameters<typeof openServices>[0] = {}) {
  const services = await openApp(options);
  const server = listen(services.app, { host: "127.0.0.1", port: 0, allowHosts: [] });
  onTestFinished(async () => {
    services.stop();
    await server.stop();
  });
  const port = Number(new URL(server.url).port);
  const open = async (headers: Record<string, string> = {}) => {
    const connection = await connect(port);
    connection.socket.write(requestBytes("GET /v1/cursor/events", headers));
    await until("the first event", () => connection.received().includes(START));
    return connection;
  };
  return { ...services, server, port, open };
}

describe("GET …/events", () => {
  test("tells the position now and after each change, with the generation for an id", async () => {
    const { follow, post, app } = await openApp();
    for (const [events, moves] of [
      ["/v1/cursors/alice/events", "/v1/cursors/alice/next"],
      ["/v1/cursor/events", "/v1/cursor/next"],
      ["/v1/cursors/default/events", "/v1/cursor/next"],
    ] as const) {
      const before = await post(moves);
      const { index } = (await (await app.request(events.replace("/events", ""))).json()) as {
        index: string;
      };
      const { next, headers } = await follow(events);
      expect(Object.fromEntries(headers)).toEqual({
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "same-origin",
        "x-accel-buffering": "no",
      });
      expect(await next()).toBe(START);
      expect(await next()).toBe(event(before, { index, value: fibonacciOf(index) }));
      for (const step of [1, 2]) {
        const generation = await post(moves);
        const there = String(Number(index) + step);
        expect(await next()).toBe(event(generation, { index: there, value: fibonacciOf(there) }));
      }
    }
  });

  test("tells digits in the place of a value of more than 1,000, which is not computed", async () => {
    const asked: number[] = [];
    const valueAt = (index: number) => (asked.push(index), Promise.resolve(`F(${index})`));
    const { follow, app, must } = await openApp({ indexMax: 100_000_000, valueAt });
    // F(4,782) has 1,000 digits, F(4,787) 1,001.
    for (const [target, data] of [
      [4782, { index: "4782", value: "F(4782)" }],
      [4787, { index: "4787", digits: 1001 }],
      [100_000_000, { index: "100000000", digits: 20_898_764 }],
    ] as const) {
      const { generation } = await must({ operation: "set", target });
      const { next, cancel } = await follow("/v1/cursor/events");
      expect([await next(), await next()]).toEqual([START, event(generation, data)]);
      await cancel();
    }
    expect(asked).toEqual([4782]);
    expect((await app.request("/v1/cursor/events", { method: "HEAD" })).status).toBe(200);
  });

  test("tells digits also where a value cannot be had, and goes on", async () => {
    let isBroken = true;
    const bug = new TypeError("inside");
    const valueAt = (index: number) => (isBroken ? Promise.reject(bug) : `F(${index})`);
    const { follow, must, bugs } = await openApp({ valueAt });
    const { generation } = await must({ operation: "set", target: 30 });
    const { next } = await follow("/v1/cursor/events");
    expect([await next(), await next()]).toEqual([START, event(generation, { index: "30", digits: 6 })]);
    expect(bugs).toEqual([bug]);
    isBroken = false;
    const moved = await must({ operation: "next" });
    expect(await next()).toBe(event(moved.generation, { index: "31", value: "F(31)" }));
  });

  test("a value that takes long holds up no other cursor, and the last position follows it", async () => {
    const slow = Promise.withResolvers<string>();
    const valueAt = (index: number) => (index === 50 ? slow.promise : `F(${index})`);
    const { follow, must, post } = await openApp({ valueAt });
    const at50 = await must({ operation: "set", target: 50 });
    const long = await follow("/v1/cursor/events");
    expect(await long.next()).toBe(START);
    const at60 = await must({ operation: "set", target: 60 });
    const generation = await post("/v1/cursors/alice/next");
    const other = await follow("/v1/cursors/alice/events");
    expect([await other.next(), await other.next()]).toEqual([
      START,
      event(generation, { index: "1", value: "F(1)" }),
    ]);
    slow.resolve("F(50)");
    const told = [await long.next()];
    if (told[0] === event(at50.generation, { index: "50", value: "F(50)" })) told.push(await long.next());
    expect(told.at(-1)).toBe(event(at60.generation, { index: "60", value: "F(60)" }));
  });

  test("Last-Event-ID of the last position: no first event, only what comes after; of another one: where it is", async () => {
    const { follow, post } = await openApp();
    const old = await post("/v1/cursor/next");
    const now = await post("/v1/cursor/next");
    const behind = await follow("/v1/cursor/events", { "last-event-id": old });
    expect([await behind.next(), await behind.next()]).toEqual([
      START,
      event(now, { index: "2", value: "1" }),
    ]);
    const upToDate = await follow("/v1/cursor/events", { "last-event-id": now });
    expect(await upToDate.next()).toBe(START);
    // Both are told in one turn, so what the first did not get before this one it does not get at all.
    const next = await post("/v1/cursor/next");
    for (const { next: read } of [behind, upToDate])
      expect(await read()).toBe(event(next, { index: "3", value: "2" }));
  });

  test("a cursor that is not there is 404, also for HEAD, and is not watched", async () => {
    const { app, cursorWatchers } = await openApp();
    const response = await app.request("/v1/cursors/none/events");
    expect([response.status, (await problemOf(response)).code]).toEqual([404, "cursor_unknown"]);
    expect((await app.request("/v1/cursors/none/events", { method: "HEAD" })).status).toBe(404);
    expect(cursorWatchers.count).toBe(0);
  });

  test("a removal is told, and is the end; a new cursor of the name is another one", async () => {
    const { follow, post, app, cursorWatchers } = await openApp();
    await post("/v1/cursors/alice/next");
    const followers = await Promise.all([
      follow("/v1/cursors/alice/events"),
      follow("/v1/cursors/alice/events"),
    ]);
    for (const { next } of followers) {
      expect(await next()).toBe(START);
      await next();
    }
    expect((await app.request("/v1/cursors/alice", { method: "DELETE" })).status).toBe(204);
    const generation = await post("/v1/cursors/alice/next");
    const anew = await follow("/v1/cursors/alice/events");
    expect([await anew.next(), await anew.next()]).toEqual([
      START,
      event(generation, { index: "1", value: "1" }),
    ]);
    for (const { next } of followers) {
      expect(await next()).toBe("event: removed\ndata: {}");
      expect(await next()).toBeUndefined();
    }
    expect(cursorWatchers.count).toBe(1);
    expect((await app.request("/v1/cursors/alice", { method: "DELETE" })).status).toBe(204);
    expect([await anew.next(), await anew.next()]).toEqual(["event: removed\ndata: {}", undefined]);
    expect((await app.request("/v1/cursors/alice/events")).status).toBe(404);
  });

  test("Last-Event-ID names no removal, whoever says so", async () => {
    const { follow, post, app } = await openApp();
    const generation = await post("/v1/cursors/alice/next");
    for (const lastId of ["removed", "undefined"]) {
      const { next } = await follow("/v1/cursors/alice/events", { "last-event-id": lastId });
      expect([await next(), await next()]).toEqual([START, event(generation, { index: "1", value: "1" })]);
    }
    const known = await follow("/v1/cursors/alice/events", { "last-event-id": generation });
    expect((await app.request("/v1/cursors/alice", { method: "DELETE" })).status).toBe(204);
    expect([await known.next(), await known.next()]).toEqual([START, "event: removed\ndata: {}"]);
  });

  test("all who follow a cursor watch it once, and nobody does when they have left", async () => {
    const model = new ModelCursors();
    let watching = 0;
    const named: NamedCursors = {
      at: (name): CursorService => ({
        ...model.at(name),
        watch: (listener) => {
          const leave = model.at(name).watch(listener);
          watching++;
          return () => {
            watching--;
            leave();
          };
        },
      }),
      list: (filter) => model.list(filter),
      close: () => model.close(),
    };
    const { follow, post, cursorWatchers } = await openApp({ named });
    await post("/v1/cursors/alice/next");
    const followers = await Promise.all(Array.from({ length: 10 }, () => follow("/v1/cursors/alice/events")));
    expect([watching, cursorWatchers.count]).toEqual([1, 10]);
    for (const { cancel } of followers) await cancel();
    await until("all have left", () => watching === 0 && cursorWatchers.count === 0);
  });

  test("--max-watchers is a limit of its own: tasks can be followed when no cursor can", async () => {
    const { follow, app, cursorWatchers, watchers } = await openApp({ watchersMax: 1 });
    const first = await follow("/v1/cursor/events");
    const refused = await app.request("/v1/cursor/events");
    expect(await problemOf(refused)).toMatchObject({ status: 503, code: "overloaded" });
    expect(refused.headers.get("retry-after")).toBe("1");
    expect([cursorWatchers.count, watchers.count]).toEqual([1, 0]);
    await first.cancel();
    await until("there is room", () => cursorWatchers.count === 0);
    await follow("/v1/cursor/events");
  });

  test("a connection that takes nothing for a minute is closed by the port", async () => {
    const { app } = await openApp();
    const seconds: number[] = [];
    const environment = {
      keepOpen: (_: Request, idleSeconds: number) => (seconds.push(idleSeconds), () => {}),
    };
    reading(await app.request("/v1/cursor/events", {}, environment));
    expect(seconds).toEqual([60]);
  });
});

describe("many changes", () => {
  test("who does not read is sent nothing more, and reads the last position then", async () => {
    const { follow, must, post } = await openApp();
    const slow = await follow("/v1/cursor/events");
    const quick = await follow("/v1/cursor/events");
    let last = "";
    for (let move = 0; move < 300; move++)
      last = await post(`/v1/cursor/${move % 2 === 0 ? "next" : "previous"}`);
    const { generation } = await must("current");
    expect(last).toBe(String(generation));
    const end = event(generation, { index: "0", value: "0" });
    const seen: (string | undefined)[] = [];
    while (seen.at(-1) !== end) seen.push(await quick.next());
    const parts: (string | undefined)[] = [];
    while (parts.at(-1) !== end) parts.push(await slow.next());
    // Nothing had been sent behind the beginning.
    expect(parts).toEqual([START, end]);
  });
});

describe("on a real port", () => {
  test("each of many gets the last of many changes, and who leaves is forgotten", async () => {
    const { open, must, post, cursorWatchers } = await serve();
    const connections = await Promise.all(Array.from({ length: 50 }, () => open()));
    for (let move = 0; move < 200; move++) await post(`/v1/cursor/${move % 2 === 0 ? "next" : "previous"}`);
    const { generation } = await must("current");
    const last = event(generation, { index: "0", value: "0" });
    await until("all have the last", () => connections.every(({ received }) => received().includes(last)));
    for (const { socket } of connections) socket.terminate();
    await until("all are forgotten", () => cursorWatchers.count === 0);
  });

  test("a client that leaves before the answer begins is forgotten, too", async () => {
    const held = Promise.withResolvers<void>();
    const { cursors, port, cursorWatchers } = await serve();
    const submit = cursors.default.submit.bind(cursors.default);
    cursors.default.submit = async (request, answer) => {
      await held.promise;
      return submit(request, answer);
    };
    const { socket } = await connect(port);
    socket.write(requestBytes("GET /v1/cursor/events"));
    await until("it waits", () => cursorWatchers.count === 1);
    socket.terminate();
    held.resolve();
    await until("it is forgotten", () => cursorWatchers.count === 0);
  });

  test("a stop ends the streams, whole", async () => {
    const { open, stop, server, cursorWatchers } = await serve();
    const { ended } = await open();
    stop();
    expect(await server.stop()).toBe(true);
    expect(await ended).toEndWith("\r\n0\r\n\r\n");
    expect(cursorWatchers.count).toBe(0);
  });

  test("HEAD has the headers of GET and follows nothing", async () => {
    const { port, cursorWatchers } = await serve();
    const answer = await exchange(port, requestBytes("HEAD /v1/cursor/events"));
    expect([
      statusOf(answer),
      ...headersOf(answer, "content-type"),
      ...headersOf(answer, "content-length"),
    ]).toEqual([200, "text/event-stream"]);
    expect(cursorWatchers.count).toBe(0);
  });
});

function fibonacciOf(index: string): string {
  let [value, next] = [0n, 1n];
  for (let step = 0; step < Number(index); step++) [value, next] = [next, value + next];
  return String(value);
}
