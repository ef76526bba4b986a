/** What passes by itself is tried again, in time and not for ever; a move is made once, however often it is sent. */
import { expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { FibClient, FibClientError } from "../../src/client/client.ts";
import { until } from "../binary.ts";
import { startProxy } from "./proxy.ts";
import { deadUrl, openScripted, openServer } from "./server.ts";

setDefaultTimeout(300_000);

const POSITION = { index: "7", value: "13" };
const ok = () => Response.json(POSITION, { headers: { etag: '"9"' } });
const busy = (headers: Record<string, string>) => () =>
  Response.json({ code: "overloaded", detail: "Cannot now" }, { status: 503, headers });

test("CursorClient.next() moves once when the answer is lost", async () => {
  await using server = await openServer();
  const direct = new FibClient(server.url);
  await using proxy = await startProxy(server.url, (connection) => ({ swallow: connection < 3 }));
  const position = await new FibClient(proxy.url).cursor.next();
  expect(position).toMatchObject({ index: 1, value: 1n, replayed: true });
  expect(proxy.cutCount()).toBe(3);
  expect(await direct.cursor.current()).toMatchObject({ index: 1, value: 1n, replayed: false });
});

test("CursorClient.next() moves once for each of many clients whose answers are lost or cut anywhere", async () => {
  await using server = await openServer();
  // Every other connection breaks, somewhere from the head to the last byte of the body.
  await using proxy = await startProxy(server.url, (connection) =>
    connection % 2 === 0 ? { cutAfterBytes: 1 + ((connection * 37) % 250) } : {},
  );
  const moves = await Promise.all(
    Array.from({ length: 40 }, () => new FibClient(proxy.url, { retriesMax: 20 }).cursor.next()),
  );
  const indexes = moves.map(({ index }) => index).toSorted((a, b) => a - b);
  expect(indexes).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  expect((await new FibClient(server.url).cursor.current()).index).toBe(40);
  expect(proxy.cutCount()).toBeGreaterThan(5);
});

test("CursorClient sends one key with all attempts of a move, and another with the next move", async () => {
  await using server = openScripted(busy({}), busy({}), ok);
  const { cursor } = new FibClient(server.url);
  await cursor.next();
  await cursor.previous();
  await cursor.set(7, { key: "mine", ifMatch: '"8"' });
  const keys = server.requests.map(({ headers }) => headers.get("idempotency-key"));
  expect(keys[0]).toMatch(/^[\da-f]{32}$/);
  expect(keys.slice(1, 3)).toEqual([keys[0]!, keys[0]!]);
  expect(new Set(keys).size).toBe(3);
  expect(keys[4]).toBe("mine");
  expect(server.requests[4]!.headers.get("if-match")).toBe('"8"');
});

test("FibClient waits as long as Retry-After says, in seconds or until a date", async () => {
  for (const [status, retryAfter] of [
    [503, () => "1"],
    [429, () => new Date(Date.now() + 2000).toUTCString()],
  ] as const) {
    await using server = openScripted(
      () => Response.json({ code: "x" }, { status, headers: { "retry-after": retryAfter() } }),
      ok,
    );
    const startMs = performance.now();
    expect(await new FibClient(server.url).cursor.current()).toMatchObject({
      index: 7,
      value: 13n,
      etag: '"9"',
    });
    // A date has whole seconds.
    expect(performance.now() - startMs).toBeGreaterThan(950);
    expect(server.requests).toHaveLength(2);
  }
});

test("FibClient does not wait for a server that wants to be left alone for an hour", async () => {
  await using server = openScripted(busy({ "retry-after": "3600" }));
  const error = await refusal(new FibClient(server.url).fibonacci(5));
  expect(error).toMatchObject({ code: "overloaded", status: 503, retryAfterMs: 3_600_000 });
  expect(server.requests).toHaveLength(1);
});

test("FibClient tries again what says by its status that it passes, however its body ends", async () => {
  let count = 0;
  const client = new FibClient("http://fib.test", {
    timeoutMs: 50,
    fetch: async () => (count++ === 0 ? stalledRefusal() : ok()),
  });
  expect(await client.cursor.next()).toMatchObject({ index: 7 });
  const refusing = new FibClient("http://fib.test", {
    timeoutMs: 50,
    retriesMax: 1,
    fetch: async () => stalledRefusal(),
  });
  expect(await refusal(refusing.cursor.next())).toMatchObject({ code: "unreachable", status: 503 });
});

test("FibClient.index() says of a value that it is too long for a URL", async () => {
  await using server = await openServer();
  expect(await refusal(new FibClient(server.url).index("9".repeat(1e5)))).toMatchObject({
    code: "bad_argument",
    detail: expect.stringContaining("of that length"),
  });
});

test("FibClient calls it a timeout when Node's own limit ends a call, and lets Bun have none", async () => {
  for (const code of ["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"]) {
    let given: RequestInit | undefined;
    const client = new FibClient("http://fib.test", {
      timeoutMs: Infinity,
      fetch: (_, init) => {
        given = init;
        return Promise.reject(new TypeError("fetch failed", { cause: Object.assign(new Error(), { code }) }));
      },
    });
    expect(await refusal(client.cursor.next())).toMatchObject({ code: "timeout" });
    expect(given).toMatchObject({ timeout: false });
  }
});

test("FibClient throws after retriesMax retries, of the call or else of the client", async () => {
  await using server = openScripted(busy({}));
  const client = new FibClient(server.url, { retriesMax: 2 });
  expect(await refusal(client.fibonacci(5))).toMatchObject({ code: "overloaded", detail: "Cannot now" });
  expect(server.requests).toHaveLength(3);
  await refusal(client.cursor.next({ retriesMax: 0 }));
  expect(server.requests).toHaveLength(4);
});

test("FibClient throws at once what another attempt would not change", async () => {
  for (const [answer, expected] of [
    [
      Response.json({ code: "sequence_end", detail: "No more", limit: 92 }, { status: 507 }),
      { code: "sequence_end", status: 507, detail: "No more", message: "No more", problem: { limit: 92 } },
    ],
    [new Response("<html>", { status: 500 }), { code: "bad_answer", status: 500, problem: {} }],
    [new Response("<html>"), { code: "bad_answer", status: 200 }],
    [Response.json({ index: "x" }), { code: "bad_answer" }],
    [Response.json({ index: "1", value: "1e3" }), { code: "bad_answer" }],
    [Response.json(null), { code: "bad_answer" }],
    [new Response(null, { status: 204 }), { code: "bad_answer" }],
  ] as const) {
    await using server = openScripted(() => answer.clone() as Response);
    expect(await refusal(new FibClient(server.url).cursor.next())).toMatchObject(expected);
    expect(server.requests).toHaveLength(1);
  }
});

test("FibClient takes a proxy's 502 and 504 for no answer", async () => {
  await using server = openScripted(html(502), html(504), ok);
  expect(await new FibClient(server.url).cursor.current({ as: "text" })).toMatchObject({ value: "13" });
  expect(server.requests).toHaveLength(3);
});

test("FibClient throws unreachable when nobody listens", async () => {
  const url = await deadUrl();
  const client = new FibClient(url, { retriesMax: 1 });
  expect(await refusal(client.cursor.next())).toMatchObject({ code: "unreachable", status: undefined });
  expect(((await refusal(client.factorial(3))) as Error).message).toContain(url);
});

test("FibClient ends at once when the server is silent for longer than timeoutMs", async () => {
  await using server = await openServer();
  await using proxy = await startProxy(server.url, () => ({ silentAfterBytes: 0 }));
  // Not the proxy's connections: a machine that is slow makes none in that time.
  let requestCount = 0;
  const client = new FibClient(proxy.url, { timeoutMs: 100, onRequest: () => requestCount++ });
  for (const call of [
    () => client.cursor.next(),
    () => client.fibonacci(5),
    () => Array.fromAsync(client.sequence()),
  ]) {
    const startMs = performance.now();
    expect(await refusal(call())).toMatchObject({ code: "timeout" });
    expect(performance.now() - startMs).toBeGreaterThan(90);
  }
  expect(requestCount).toBe(3);
  await until("all connections are closed", () => proxy.openCount() === 0);
});

test("FibClient.sequence() goes on by a new connection when one falls silent in the middle", async () => {
  await using server = await openServer();
  await using proxy = await startProxy(server.url, (connection) =>
    connection < 2 ? { silentAfterBytes: 50_000 } : {},
  );
  // What is on its way is waited for, however long it takes: the time is short only once the proxy has fallen silent.
  const timeoutMs = 60_000;
  let requestCount = 0;
  const setTimer = globalThis.setTimeout;
  using _ = spyOn(globalThis, "setTimeout").mockImplementation(((act: () => void, delayMs: number) => {
    const isSilent = delayMs === timeoutMs && proxy.silentCount() === requestCount;
    return setTimer(act, isSilent ? 100 : delayMs);
  }) as typeof setTimeout);
  const client = new FibClient(proxy.url, { timeoutMs, onRequest: () => requestCount++ });
  expect(await Array.fromAsync(client.sequence({ count: 1000, as: "text" }))).toHaveLength(1000);
  expect(proxy.connectionCount()).toBe(3);
});

test("an AbortSignal ends a call at once, with its reason, wherever it is", async () => {
  await using server = await openServer();
  await using silent = await startProxy(server.url, () => ({ silentAfterBytes: 0 }));
  await using stalled = await startProxy(server.url, () => ({ silentAfterBytes: 5000 }));
  await using refusing = openScripted(busy({ "retry-after": "30" }));
  const terms = new FibClient(stalled.url).sequence({ count: 1000, signal: AbortSignal.timeout(0) });
  expect(await reason(terms.next())).toMatchObject({ name: "TimeoutError" });
  for (const [where, begin, began] of [
    [
      "before the head",
      (signal: AbortSignal) => new FibClient(silent.url).cursor.next({ signal }),
      () => silent.openCount() > 0,
    ],
    [
      "in the body",
      (signal: AbortSignal) =>
        Array.fromAsync(new FibClient(stalled.url).sequence({ count: 1000, signal, as: "text" })),
      () => stalled.sentBytes() > 4000,
    ],
    [
      "while it waits for the next attempt",
      (signal: AbortSignal) => new FibClient(refusing.url).fibonacci(5, { signal }),
      () => refusing.requests.length > 0,
    ],
  ] as const) {
    const abort = new AbortController();
    const call = reason(begin(abort.signal));
    await until(`it has begun: ${where}`, began);
    const startMs = performance.now();
    abort.abort(new Error(where));
    expect(await call).toEqual(new Error(where));
    expect(performance.now() - startMs).toBeLessThan(20_000);
  }
  for (const proxy of [silent, stalled]) {
    await until("the connections are closed", () => proxy.openCount() === 0);
  }
  expect(refusing.requests).toHaveLength(1);
});

test("an AbortSignal that is aborted already sends nothing", async () => {
  await using server = openScripted(ok);
  const client = new FibClient(server.url);
  const signal = AbortSignal.abort(new Error("no"));
  for (const call of [
    client.cursor.next({ signal }),
    client.fibonacci(1, { signal }),
    client.sequence({ signal }).next(),
    client.index(13, { signal }),
  ]) {
    expect(await reason(call)).toEqual(new Error("no"));
  }
  expect(server.requests).toHaveLength(0);
});

test("an AbortSignal ends a stream that was handed out", async () => {
  await using server = await openServer();
  const abort = new AbortController();
  const stream = await new FibClient(server.url).fibonacci(10_000_000, {
    as: "stream",
    signal: abort.signal,
  });
  const reader = stream.getReader();
  expect((await reader.read()).done).toBe(false);
  abort.abort(new Error("enough"));
  expect(await reason(reader.read())).toEqual(new Error("enough"));
});

function html(status: number): () => Response {
  return () => new Response("<html>", { status });
}

/** An answer whose body stops in the middle. */
function stalledRefusal(): Response {
  const start = new TextEncoder().encode(`{"code":`);
  return new Response(new ReadableStream({ start: (controller) => controller.enqueue(start) }), {
    status: 503,
  });
}

async function reason(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => undefined,
    (error: unknown) => error,
  );
}

async function refusal(call: Promise<unknown>): Promise<unknown> {
  const error = await reason(call);
  expect(error).toBeInstanceOf(FibClientError);
  return error;
}
