/** What a call is given is heeded, or refused before anything is asked; a password in the URL is sent; hooks are told. */
import { expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { FibClient, FibClientError, type Hooks } from "../../src/client/client.ts";
import { startTimer } from "../../src/client/exchange.ts";
import { startProxy } from "./proxy.ts";
import { deadUrl, openScripted, openServer, TASK } from "./server.ts";

setDefaultTimeout(300_000);

const ok = () => Response.json({ index: "7", value: "13" });
const busy = () => Response.json({ code: "overloaded" }, { status: 503 });

test("timeoutMs may be up to Infinity: a server that takes its time is waited for", async () => {
  for (const timeoutMs of [Number.POSITIVE_INFINITY, 3e9, 2 ** 31, 60_000.5]) {
    const { promise, resolve } = Promise.withResolvers<Response>();
    await using server = openScripted(() => {
      // Timers that are too long go off before this one.
      setTimeout(() => resolve(ok()), 50);
      return promise;
    });
    const { index } = await new FibClient(server.url, { timeoutMs, retriesMax: 0 }).cursor.current();
    expect({ timeoutMs, index }).toEqual({ timeoutMs, index: 7 });
  }
});

test("startTimer() takes times that are longer than a timer's", () => {
  const steps: number[] = [];
  using _ = spyOn(globalThis, "setTimeout").mockImplementation(((step: () => void, delayMs: number) => {
    steps.push(delayMs);
    if (steps.length < 10) step();
  }) as typeof setTimeout);
  let endCount = 0;
  startTimer(5e9, () => endCount++);
  expect(steps).toEqual([2 ** 31 - 1, 2 ** 31 - 1, 5e9 - 2 * (2 ** 31 - 1)]);
  expect(endCount).toBe(1);
  steps.length = 0;
  startTimer(Number.POSITIVE_INFINITY, () => endCount++);
  expect(steps).toEqual(Array(10).fill(2 ** 31 - 1));
  expect(endCount).toBe(1);
});

test("options that are wrong are refused before anything is asked, and so are numbers that are none", async () => {
  await using server = openScripted(() => Response.json(TASK));
  const client = new FibClient(server.url);
  const { tasks, cursor } = client;
  const task = await tasks.get("a");
  const cases: readonly (readonly [string, () => unknown, "RangeError" | "TypeError"])[] = [
    ...[0, -1, Number.NaN, Number.NEGATIVE_INFINITY, "5", null].flatMap((value) =>
      [
        () => client.fibonacci(1, { timeoutMs: wrong(value) }),
        () => cursor.next({ timeoutMs: wrong(value) }),
        () => client.sequence({ timeoutMs: wrong(value) }),
        () => task.events({ timeoutMs: wrong(value) }),
        () => task.ready({ timeoutMs: wrong(value) }),
        () => tasks.list({ timeoutMs: wrong(value) }),
        () => new FibClient(server.url, { timeoutMs: wrong(value) }),
      ]
        // A call's null is the client's own.
        .slice(value === null ? -1 : 0)
        .map((call) => [`${said(value)} for timeoutMs`, call, "RangeError"] as const),
    ),
    ...[-1, 1.5, Number.NaN, "5"].flatMap((value) => [
      [
        `${said(value)} for retriesMax`,
        () => client.index(13, { retriesMax: wrong(value) }),
        "RangeError",
      ] as const,
      [
        `${said(value)} for retriesMax`,
        () => new FibClient(server.url, { retriesMax: wrong(value) }),
        "RangeError",
      ] as const,
    ]),
    ...[-1, 1.5, Number.NaN, 2 ** 53, -1n, "5", undefined].flatMap((value) => [
      [`${said(value)} for n`, () => client.fibonacci(wrong(value)), "RangeError"] as const,
      [`${said(value)} for m`, () => client.ackermann(wrong(value), 1), "RangeError"] as const,
      [`${said(value)} for index`, () => cursor.set(wrong(value)), "RangeError"] as const,
      [
        `${said(value)} for n`,
        () => tasks.create({ kind: "factorial", n: wrong(value) }),
        "RangeError",
      ] as const,
    ]),
    ["-5 for from", () => client.sequence({ from: -5 }), "RangeError"],
    ["0.5 for limit", () => tasks.list({ limit: 0.5 }), "RangeError"],
    ['the text "1e3" for value', () => client.index("1e3"), "RangeError"],
    ['the text "string" for as', () => client.fibonacci(1, { as: wrong("string") }), "TypeError"],
    ['the text "string" for as', () => client.sequence({ as: wrong("string") }), "TypeError"],
    ['the text "stream" for as', () => cursor.next({ as: wrong("stream") }), "TypeError"],
    ['the text "toString" for as', () => task.result({ as: wrong("toString") }), "TypeError"],
    ['the text "array" for as', () => task.terms({ as: wrong("array") }), "TypeError"],
    ['the text "tribonacci" for kind', () => tasks.create(wrong({ kind: "tribonacci", n: 1 })), "TypeError"],
    ["undefined for kind", () => tasks.create(wrong(undefined)), "TypeError"],
    ["undefined for kind", () => tasks.create(wrong(null)), "TypeError"],
    ...[5, {}, "now", new AbortController()].map(
      (value) => ["for signal", () => cursor.next({ signal: wrong(value) }), "TypeError"] as const,
    ),
    [`${"9".repeat(40)}…" for n`, () => client.factorial(wrong("9".repeat(1e6))), "RangeError"],
    ['the text "done" for state', () => tasks.list({ state: wrong("done") }), "TypeError"],
    ['the text "random" for order', () => tasks.list({ order: wrong("random") }), "TypeError"],
    ['the text ".." for id', () => tasks.get(".."), "TypeError"],
    [String.raw`the text "\ud800" for id`, () => tasks.get("\ud800"), "TypeError"],
    ["undefined for id", () => tasks.get(wrong(undefined)), "TypeError"],
    ['the text "" for id', () => tasks.forget(""), "TypeError"],
    ['the text "." for id', () => tasks.cancel("."), "TypeError"],
    ["", () => cursor.next({ key: "a\nb" }), "TypeError"],
    ["", () => new FibClient(server.url, { headers: { "a b": "c" } }), "TypeError"],
    ["ftp:", () => new FibClient("ftp://127.0.0.1"), "TypeError"],
  ];
  for (const [what, call, name] of cases) {
    const error = await failure(async () => call());
    expect({ what, name: (error as Error | undefined)?.name }).toEqual({ what, name });
    expect(String(error)).toContain(what);
  }
  expect(server.requests).toHaveLength(1);
});

test("FibClient sends the user and the password of its URL, and never shows them", async () => {
  await using server = openScripted(ok);
  for (const [userinfo, expected] of [
    ["me:secret", "me:secret"],
    ["me", "me:"],
    ["m%C3%BC:100%25%20%", "mü:100% %"],
  ] as const) {
    const client = new FibClient(server.url.replace("//", `//${userinfo}@`));
    await client.cursor.current();
    const sent = server.requests.at(-1)!.headers.get("authorization")!;
    expect(Buffer.from(sent.replace(/^Basic /, ""), "base64").toString()).toBe(expected);
  }
  await new FibClient(server.url.replace("//", "//me:secret@"), {
    headers: { Authorization: "Bearer mine" },
  }).cursor.current();
  expect(server.requests.at(-1)!.headers.get("authorization")).toBe("Bearer mine");
  const dead = (await deadUrl()).replace("//", "//me:secret@");
  expect(String(await failure(() => new FibClient(dead, { retriesMax: 0 }).cursor.next()))).not.toContain(
    "secret",
  );
});

test("hooks are told of each request, what came of it, and when it is made again", async () => {
  await using server = openScripted(busy, () => new Response("<html>", { status: 502 }), ok);
  const { told, hooks } = listen();
  await new FibClient(server.url, hooks).cursor.next();
  const url = `${server.url}/v1/cursor/next`;
  expect(told).toEqual([
    ["request", { method: "POST", url, attempt: 1 }],
    [
      "response",
      { method: "POST", url, attempt: 1, status: 503, error: undefined, durationMs: expect.any(Number) },
    ],
    [
      "retry",
      { method: "POST", url, attempt: 1, error: expect.any(FibClientError), delayMs: expect.any(Number) },
    ],
    ["request", { method: "POST", url, attempt: 2 }],
    [
      "response",
      { method: "POST", url, attempt: 2, status: 502, error: undefined, durationMs: expect.any(Number) },
    ],
    [
      "retry",
      expect.objectContaining({ attempt: 2, error: expect.objectContaining({ code: "unreachable" }) }),
    ],
    ["request", { method: "POST", url, attempt: 3 }],
    ["response", expect.objectContaining({ attempt: 3, status: 200 })],
  ]);
});

test("hooks are told of a request that was not answered, and of one that a signal has ended", async () => {
  const { told, hooks } = listen();
  const client = new FibClient(await deadUrl(), { ...hooks, retriesMax: 0 });
  const error = await failure(() => client.fibonacci(5));
  expect(told.map(([what]) => what)).toEqual(["request", "response"]);
  expect(told[1]![1]).toMatchObject({ attempt: 1, status: undefined, error });
  told.length = 0;
  await using server = openScripted(() => new Promise<never>(() => {}));
  const abort = new AbortController();
  const { onRequest } = hooks;
  const aborting = new FibClient(server.url, {
    ...hooks,
    onRequest: (request) => {
      onRequest?.(request);
      setTimeout(() => abort.abort(new Error("enough")));
    },
  });
  expect(await failure(() => aborting.index(13, { signal: abort.signal }))).toEqual(new Error("enough"));
  expect(told.map(([what]) => what)).toEqual(["request", "response"]);
  expect(told[1]![1]).toMatchObject({ error: new Error("enough") });
  // What is aborted already is no request.
  await failure(() => aborting.index(13, { signal: abort.signal }));
  expect(told).toHaveLength(2);
});

test("hooks are told of the requests by which a stream and events go on", async () => {
  await using server = await openServer();
  await using proxy = await startProxy(server.url, (connection) =>
    connection % 2 === 0 ? { cutAfterBytes: 20_000 } : {},
  );
  const { told, hooks } = listen();
  const client = new FibClient(proxy.url, hooks);
  await Array.fromAsync(client.sequence({ count: 1000 }));
  const of = (what: string) => told.filter(([name]) => name === what);
  expect(of("retry").length).toBeGreaterThan(0);
  expect(of("request")).toHaveLength(of("retry").length + 1);
  expect(of("response").map(([, { attempt, status }]) => [attempt, status])).toEqual(
    of("request").map((_, i) => [i + 1, 206]),
  );
  told.length = 0;
  await using scripted = openScripted(
    () => Response.json(TASK),
    () => events(""),
    () => events(`data: ${JSON.stringify({ ...TASK, state: "ready" })}\n\n`),
  );
  const task = await new FibClient(scripted.url, hooks).tasks.get("a");
  await task.ready();
  expect(told.map(([what, { attempt }]) => [what, attempt])).toEqual([
    ["request", 1],
    ["response", 1],
    ["request", 1],
    ["response", 1],
    ["retry", 1],
    ["request", 2],
    ["response", 2],
  ]);
});

test("what a hook throws ends the call with that very error, once, and closes the connection", async () => {
  const mistake = new Error("a mistake in a hook");
  const fail = () => {
    throw mistake;
  };
  for (const [hooks, expected] of [
    [{ onRequest: fail }, []],
    [{ onResponse: fail }, [true]],
    [{ onRequest: async () => fail() }, []],
    [{ onResponse: async () => fail() }, [true]],
  ] as const) {
    const signals: AbortSignal[] = [];
    const answer = (_: string, { signal }: RequestInit) => {
      signals.push(signal!);
      return Promise.resolve(ok());
    };
    const client = new FibClient("http://fib.test", { ...hooks, fetch: answer });
    expect(await failure(() => client.cursor.next())).toBe(mistake);
    expect(signals.map(({ aborted }) => aborted)).toEqual([...expected]);
  }
  await using refusing = openScripted(busy);
  for (const onRetry of [fail, async () => fail()]) {
    expect(await failure(() => new FibClient(refusing.url, { onRetry }).cursor.next())).toBe(mistake);
  }
  expect(refusing.requests).toHaveLength(2);
});

function wrong(value: unknown): never {
  return value as never;
}

function said(value: unknown): string {
  return typeof value === "string" ? `the text "${value}"` : String(value);
}

type Told = { attempt: number; status?: number | undefined; error?: unknown };

function listen(): { told: [string, Told][]; hooks: Hooks } {
  const told: [string, Told][] = [];
  return {
    told,
    hooks: {
      onRequest: (request) => told.push(["request", request]),
      onResponse: (response) => told.push(["response", response]),
      onRetry: (retry) => told.push(["retry", retry]),
    },
  };
}

function events(text: string): Response {
  return new Response(text, { headers: { "content-type": "text/event-stream" } });
}

async function failure(call: () => Promise<unknown>): Promise<unknown> {
  return call().then(
    () => undefined,
    (error: unknown) => error,
  );
}

test("a hook that never ends holds no call that is aborted", async () => {
  await using server = openScripted(() => Response.json({ index: "1", value: "1" }));
  for (const hooks of [
    { onRequest: () => new Promise(() => {}) },
    { onResponse: () => new Promise(() => {}) },
  ]) {
    const abort = new AbortController();
    const call = new FibClient(server.url, hooks).cursor.current({ signal: abort.signal });
    abort.abort(new Error("enough"));
    expect(await call.catch(String)).toBe("Error: enough");
  }
});

test("a sequence is no number, and says so before anything is asked; where it begins need not be said", async () => {
  const task = {
    kind: "sequence",
    from: "0",
    count: "5",
    state: "ready",
    progress: 1,
    bytes: 10,
    attempts: 1,
    requests: 1,
  };
  await using server = openScripted(() =>
    Response.json(
      { id: "01a21c66-0abe-7000-bdae-528dccf6f0d7", createdAt: "2026-01-01T00:00:00.000Z", ...task },
      { status: 202 },
    ),
  );
  const made = await new FibClient(server.url).tasks.create({
    kind: "sequence",
    from: undefined,
    count: 5,
  } as never);
  const before = server.requests.length;
  expect(await made.result().catch(String)).toContain("TypeError: Cannot use bigint for as");
  expect(server.requests.length).toBe(before);
});
