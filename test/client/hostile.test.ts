/**
 * A server that is broken, or a proxy, or somebody who means harm: none of them holds a call for ever without progress,
 * fills the memory, or passes something else for an answer.
 */
import { expect, setDefaultTimeout, spyOn, test } from "bun:test";
import path from "node:path";
import { FibClient, FibClientError, type FibClientOptions } from "../../src/client/client.ts";
import { joinText } from "../../src/client/terms.ts";
import { requireTool, temporaryFolder } from "../binary.ts";
import { openScripted, TASK } from "./server.ts";

setDefaultTimeout(300_000);

const withOpenssl = requireTool(["openssl", "version"], "apt-get install openssl");
const STATUS = { ...TASK, state: "running", progress: 0.5, attempts: 2 };
const queued = () => Response.json(STATUS);

for (const [what, bodies] of [
  ["with retry: only", ["retry: 1000\n\n"]],
  ["with nothing", [""]],
  ["with heartbeats", [": still here\n\n: still here\n\n"]],
  ["with the same event", [event({})]],
  ["with two events in turn", [event({ progress: 0.6 }), event({ progress: 0.5 })]],
  [
    "with earlier states",
    [event({}), event({ state: "queued", progress: 0 }), event({ attempts: 1, progress: 1 })],
  ],
  ["with hardly more each time", [1, 2, 3, 4].map((i) => event({ progress: 0.5 + i / 1e6 }))],
  ["with more attempts than any task has", [1, 2, 3, 4].map((i) => event({ attempts: 1000 * i }))],
  ["with more requests each time", [1, 2, 3, 4].map((requests) => event({ requests }))],
] as const) {
  test(`Task.events() and ready() end after retriesMax connections that end ${what}`, async () => {
    // Time stands still: a connection that a slow machine keeps for five seconds would be a sound one.
    using _clock = spyOn(performance, "now").mockReturnValue(0);
    for (const follow of ["events", "ready"] as const) {
      let count = 0;
      await using server = openScripted(queued, () => events(bodies[count++ % bodies.length]!));
      const task = await new FibClient(server.url, { retriesMax: 2 }).tasks.get("a");
      const followed = follow === "events" ? Array.fromAsync(task.events()) : task.ready();
      expect(await refusal(followed)).toMatchObject({ code: "unreachable" });
      expect(count).toBe(3);
    }
  });
}

test("Task.events() goes on as long as connections hold, or there is news", async () => {
  for (const isNews of [true, false]) {
    let nowMs = 0;
    // Each look at the clock is ten seconds after the last.
    using _ = isNews ? undefined : spyOn(performance, "now").mockImplementation(() => (nowMs += 10_000));
    let count = 0;
    await using server = openScripted(queued, () => {
      count++;
      if (count === 12) return events(event({ state: "ready", progress: 1 }));
      return events(isNews ? event({ attempts: count, progress: 0 }) : ": still here\n\n");
    });
    const task = await new FibClient(server.url, { retriesMax: 2 }).tasks.get("a");
    await task.ready();
    expect(count).toBe(12);
  }
});

test("bytes that are no event and no heartbeat hold no connection", async () => {
  let nowMs = 0;
  // Each look at the clock is ten seconds after the last: a real limit that is short would end what is only slow.
  using _clock = spyOn(performance, "now").mockImplementation(() => (nowMs += 10_000));
  for (const line of ["x: y\n", "data: x\n", "id: 1\n\n", "\n"]) {
    let count = 0;
    const endless = async function* () {
      count++;
      for (;;) {
        yield line;
        await Bun.sleep(5);
      }
    };
    await using server = openScripted(
      queued,
      () => new Response(endless(), { headers: { "content-type": "text/event-stream" } }),
    );
    const task = await new FibClient(server.url, { retriesMax: 1, timeoutMs: 60_000 }).tasks.get("a");
    expect(await refusal(task.ready())).toMatchObject({
      code: "unreachable",
      detail: "The server sent no event in 60 seconds",
    });
    expect(count).toBe(2);
  }
});

test("events of other types, and ids that no header can hold, end nothing", async () => {
  const odd = ["\u20ac", "a\u0000b", "x".repeat(1e5)].map((id) => `id: ${id}\n${event({})}`).join("");
  await using server = openScripted(
    queued,
    () => events(`event: news\ndata: no JSON\n\nid: 1\n${event({})}${odd}`),
    () => events(`event: message\n${event({ state: "ready", progress: 1 })}`),
  );
  await (await new FibClient(server.url).tasks.get("a")).ready();
  expect(server.requests.map(({ headers }) => headers.get("last-event-id"))).toEqual([null, null, "1"]);
});

test("TasksClient.list() ends when the server's pages go round, or are empty without end", async () => {
  for (const [pages, expectedCount] of [
    [() => page("b", STATUS), 2],
    [(count: number) => page("bc"[count % 2]!, STATUS), 3],
    [(count: number) => page(String(count)), 3],
  ] as const) {
    let count = 0;
    await using server = openScripted(() => pages(count++));
    const { tasks } = new FibClient(server.url, { retriesMax: 2 });
    expect(await refusal(Array.fromAsync(tasks.list()))).toMatchObject({ code: "bad_answer" });
    expect(count).toBe(expectedCount);
  }
});

test("TasksClient.list() asks for no more than its limit, and takes no more", async () => {
  let count = 0;
  await using server = openScripted(() =>
    Response.json({ tasks: Array.from({ length: 1000 }, () => STATUS), next: String(count++) }),
  );
  const { tasks } = new FibClient(server.url);
  expect(await Array.fromAsync(tasks.list({ limit: 1500 }))).toHaveLength(1500);
  expect(await Array.fromAsync(tasks.list({ limit: 3 }))).toHaveLength(3);
  expect(await Array.fromAsync(tasks.list({ limit: 0 }))).toEqual([]);
  const asked = server.requests.map(({ url }) => new URL(url).searchParams.get("limit"));
  expect(asked).toEqual(["1000", "500", "3"]);
});

test("FibClient.sequence() ends when connections bring a head and no byte", async () => {
  for (const pieces of [[], [new Uint8Array(0), new Uint8Array(0)]]) {
    let count = 0;
    const client = answering(() => {
      count++;
      const rest = count === 1 ? [new TextEncoder().encode("0\n")] : [...pieces];
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          const piece = rest.shift();
          if (piece === undefined) controller.error(new Error("cut"));
          else controller.enqueue(piece);
        },
      });
      const range = `bytes ${count === 1 ? 0 : 2}-5/6`;
      return new Response(body, { status: 206, headers: { "content-range": range, etag: '"a"' } });
    });
    expect(await refusal(Array.fromAsync(client.sequence({ count: 3 })))).toMatchObject({
      code: "unreachable",
    });
    expect(count).toBe(3);
  }
});

test("FibClient takes no part of a text that begins elsewhere", async () => {
  const client = answering(
    () => new Response("345", { status: 206, headers: { "content-range": "bytes 2-4/5", etag: '"a"' } }),
  );
  expect(await refusal(client.fibonacci(20))).toMatchObject({ code: "bad_answer" });
});

test("answers, events and lines without an end are not kept in memory", async () => {
  const spaces = new Uint8Array(1024 * 1024).fill(0x20);
  const lines = new TextEncoder().encode("data: x\n".repeat(10_000));
  let sizeBytes = 0;
  const endless = (bytes: Uint8Array) =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        sizeBytes += bytes.length;
        controller.enqueue(bytes);
      },
    });
  expect(await refusal(answering(() => new Response(endless(spaces))).cursor.next())).toMatchObject({
    code: "bad_answer",
  });
  expect(sizeBytes).toBeLessThan(70e6);
  const server = (bytes: Uint8Array) => (url: string) =>
    url.endsWith("/events")
      ? new Response(endless(bytes), { headers: { "content-type": "text/event-stream" } })
      : queued();
  for (const bytes of [spaces, lines]) {
    sizeBytes = 0;
    const task = await answering(server(bytes)).tasks.get("a");
    expect(await refusal(task.ready())).toMatchObject({ code: "bad_answer" });
    expect(sizeBytes).toBeLessThan(8e6);
  }
});

/** What no task has. */
const WRONG: readonly Readonly<Record<string, unknown>>[] = [
  ...["", ".", "..", "a/b", "\ud800", "\u001b[2J", 7, null, undefined].map((id) => ({ id })),
  ...["tribonacci", "constructor", 5, ["fibonacci"], { toString: 1 }, undefined].map((kind) => ({ kind })),
  ...["paused", "constructor", "", null, undefined].map((state) => ({ state })),
  ...["x", "-1", "1e3", "", 10, undefined].map((n) => ({ n })),
  ...[-0.1, 1.1, "0.5", null, undefined].map((progress) => ({ progress })),
  ...[-1, 1.5, 2 ** 53, "1", undefined].flatMap((count) => [{ attempts: count }, { requests: count }]),
  ...[-1, 0.5, "2"].map((digits) => ({ digits })),
  ...["now", "2026-11-27", 5, undefined].map((createdAt) => ({ createdAt })),
  { finishedAt: "\u001b[2J" },
  { reason: 5 },
];

test("another task, and what no task can be, is a bad answer, wherever it comes from", async () => {
  for (const [wrong, says] of [
    [{ ...STATUS, id: "b" }, 'whose id is the text "b" in place of the text "a"'],
    ...WRONG.map((part) => [Object.assign({}, STATUS, part), `whose ${Object.keys(part)[0]} is `] as const),
    ...[null, 7, "a", []].map((body) => [body, "whose id is undefined"] as const),
  ] as const) {
    let isWrong = false;
    using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ url }) => {
        const status = isWrong ? wrong : STATUS;
        return url.endsWith("/events")
          ? events(`data: ${JSON.stringify(status)}\n\n`)
          : Response.json(status);
      },
    });
    const { tasks } = new FibClient(server.url);
    const task = await tasks.get("a");
    isWrong = true;
    for (const call of [
      () => tasks.get("a"),
      () => tasks.cancel("a"),
      () => task.refresh(),
      () => task.cancel(),
      () => task.ready(),
      () => task.result(),
    ]) {
      expect(await refusal(call())).toMatchObject({
        code: "bad_answer",
        detail: expect.stringContaining(says),
      });
    }
    expect(task.status.state).toBe("running");
  }
});

test("TasksClient.list() takes no `next` but a text", async () => {
  for (const next of [{}, ["b"], 5, null]) {
    let count = 0;
    await using server = openScripted(() => {
      count++;
      return Response.json({ tasks: [STATUS], next });
    });
    expect(await refusal(Array.fromAsync(new FibClient(server.url).tasks.list()))).toMatchObject({
      code: "bad_answer",
    });
    expect(count).toBe(1);
  }
});

test("TasksClient.create() takes no task of another computation", async () => {
  for (const wrong of [{ n: "11" }, { kind: "factorial" }, { kind: "ackermann", m: "1" }]) {
    const client = answering(() => Response.json({ ...TASK, ...wrong }));
    expect(await refusal(client.tasks.create({ kind: "fibonacci", n: 10 }))).toMatchObject({
      code: "bad_answer",
      detail: expect.stringContaining("in place of"),
    });
  }
});

test("what is no number is none in any form, and none is rounded", async () => {
  const numbers = ["", "xx", "12\n", " 1", "-1", "1\u001b[2J", "\u0661"];
  for (const text of numbers) {
    const client = answering(() => new Response(text, { headers: { "content-type": "text/plain" } }));
    for (const call of [
      async () => client.fibonacci(5),
      async () => client.fibonacci(5, { as: "text" }),
      async () => new Response(await client.fibonacci(5, { as: "stream" })).text(),
    ]) {
      expect(await refusal(call())).toMatchObject({ code: "bad_answer" });
    }
  }
  for (const text of ["0\n\n1\n", "0\nx\n", "0 1"]) {
    const client = answering(() => new Response(text));
    for (const as of ["bigint", "text"] as const) {
      expect(await refusal(Array.fromAsync<unknown>(client.sequence({ as })))).toMatchObject({
        code: "bad_answer",
      });
    }
  }
  for (const position of [
    { index: "7", value: "abc" },
    { index: "7", value: "" },
    { index: "7", value: 13 },
    { index: "9999999999999999", value: "13" },
    { index: "x", value: "13" },
    { index: { toString: 1 }, value: "13" },
    null,
  ]) {
    const { cursor } = answering(() => Response.json(position));
    for (const as of ["bigint", "text"] as const) {
      expect(await refusal(cursor.current({ as }))).toMatchObject({ code: "bad_answer" });
    }
  }
  const found = answering(() => Response.json({ index: "9999999999999999" }));
  expect(await refusal(found.index(5))).toMatchObject({ code: "bad_answer" });
});

test("a text without end is not kept in memory, whether its length is told or not", async () => {
  for (const sizeBytes of [undefined, 10 ** 15]) {
    let sentBytes = 0;
    const bytes = new Uint8Array(1024).fill(0x31);
    const pieces = async function* () {
      for (;;) yield (((sentBytes += bytes.length), bytes));
    };
    const error = await refusal(joinText({ pieces: pieces(), sizeBytes }, 1024 * 1024));
    expect(error.code).toBe(sizeBytes === undefined ? "bad_answer" : "result_too_large");
    expect(sentBytes).toBeLessThan(2 * 1024 * 1024);
  }
});

test("Task.result() takes a text of the task's length only", async () => {
  for (const text of ["5", "555"]) {
    for (const chunked of [true, false]) {
      const task = await answering(readyWith(text, chunked)).tasks.get("a");
      expect((await refusal(task.result())).code).toMatch(/^(bad_answer|unreachable)$/);
    }
  }
  expect(await (await answering(readyWith("55", true)).tasks.get("a")).result()).toBe(55n);
});

test("a text that was compressed on its way is refused by that name", async () => {
  const text = Bun.gzipSync("5".repeat(1000));
  await using server = openScripted(() => new Response(text, { headers: { "content-encoding": "gzip" } }));
  expect(await refusal(new FibClient(server.url).fibonacci(5))).toMatchObject({
    code: "bad_answer",
    status: 200,
    detail: expect.stringContaining("compressed on its way (gzip)"),
  });
});

test("a redirect is not followed, and its error names where it leads to", async () => {
  for (const [status, location, says] of [
    [302, "https://other.example:8443/path?secret=1", "redirects to https://other.example:8443, and"],
    [307, "/v1/cursor/next", "redirects to SERVER, and"],
    [301, "http://[", "redirects, and"],
  ] as const) {
    await using server = openScripted(() => new Response(null, { status, headers: { location } }));
    const client = new FibClient(server.url);
    for (const call of [() => client.cursor.next(), () => client.fibonacci(5), () => client.tasks.get("a")]) {
      const error = await refusal(call());
      expect(error).toMatchObject({ code: "bad_answer" });
      expect(error.detail.replaceAll(server.url, "SERVER")).toContain(says);
      expect(error.detail).not.toContain("secret");
    }
    expect(server.requests).toHaveLength(3);
  }
  await using server = openScripted(() => new Response(null, { status: 304 }));
  expect(await refusal(new FibClient(server.url).cursor.current())).toMatchObject({
    code: "bad_answer",
    detail: "The answer is 304 without a problem document",
  });
});

withOpenssl("a certificate that is not trusted is said in one line, and not tried again", async () => {
  using folder = temporaryFolder();
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => path.join(folder.path, name));
  const request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"];
  expect(Bun.spawnSync(["openssl", ...request, "-keyout", key!, "-out", cert!]).exitCode).toBe(0);
  using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { key: Bun.file(key!), cert: Bun.file(cert!) },
    fetch: queued,
  });
  const url = server.url.origin;
  let count = 0;
  const error = await refusal(new FibClient(url, { onRequest: () => count++ }).tasks.get("a"));
  expect(error).toMatchObject({
    code: "unreachable",
    message: `Cannot reach ${url}/v1/tasks/a: its certificate is not trusted: DEPTH_ZERO_SELF_SIGNED_CERT`,
    cause: expect.any(Error),
  });
  expect(count).toBe(1);
});

test("a connection that fails is said by the system's word, without the engine's advice", async () => {
  for (const [error, says] of [
    [coded("ECONNRESET: closed. For more information, pass `verbose: true`", "ECONNRESET"), "ECONNRESET"],
    [new TypeError("fetch failed", { cause: coded("", "ECONNREFUSED") }), "ECONNREFUSED"],
    [
      new TypeError("fetch failed", { cause: coded("80FC:error:0A00:wrong\n", "ERR_SSL_WRONG") }),
      "ERR_SSL_WRONG",
    ],
    [
      new TypeError("fetch failed", { cause: coded("other side closed", "UND_ERR_SOCKET") }),
      "other side closed",
    ],
    [new TypeError("Failed to fetch"), "Failed to fetch"],
    ["gone", "gone"],
  ] as const) {
    const client = answering(() => {
      throw error;
    });
    const { code, detail, cause } = await refusal(client.cursor.next());
    expect({ code, detail, cause }).toEqual({
      code: "unreachable",
      detail: `Cannot reach http://fib.test/v1/cursor/next: ${says}`,
      cause: error,
    });
  }
});

/** A client of a server that answers so. */
function answering(answer: (url: string) => Response): FibClient {
  const fetch: FibClientOptions["fetch"] = async (url) => answer(url);
  return new FibClient("http://fib.test", { retriesMax: 2, fetch });
}

/** A ready task, F(10), with its result. */
function readyWith(text: string, isChunked: boolean): (url: string) => Response {
  return (url) => {
    if (!url.endsWith("/result")) return Response.json({ ...TASK, state: "ready", progress: 1 });
    return new Response(isChunked ? new Blob([text]).stream() : text, {
      headers: isChunked ? {} : { "content-length": String(text.length) },
    });
  };
}

function page(next: string, ...tasks: unknown[]): Response {
  return Response.json({ tasks, next });
}

/** As engines throw it. */
function coded(message: string, code: string): TypeError {
  return Object.assign(new TypeError(message), { code });
}

function event(changes: Partial<typeof STATUS>): string {
  return `data: ${JSON.stringify({ ...STATUS, ...changes })}\n\n`;
}

function events(text: string): Response {
  return new Response(text, { headers: { "content-type": "text/event-stream" } });
}

async function refusal(call: Promise<unknown>): Promise<FibClientError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FibClientError);
  return error as FibClientError;
}
