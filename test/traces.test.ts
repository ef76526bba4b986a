/**
 * Traces go whole to whoever the standard's variable names, and nothing waits for that.
 *
 * The compiled program against a collector of the tests' own: one that takes spans, one that is not there, one that
 * says nothing, and one that refuses.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import {
  readTrace,
  request,
  requireTool,
  run,
  type Server,
  startServer,
  strace,
  temporaryFolder,
  until,
} from "./binary.ts";
import { type CollectedSpan, startCollector } from "./collector.ts";
import { startWorker } from "./executor.ts";
import { freePort, startRedis, withRedis } from "./redis.ts";

setDefaultTimeout(300_000);

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER = "00f067aa0ba902b7";
const FROM_CALLER = { traceparent: `00-${TRACE}-${CALLER}-01` };
/** Some 20 ms on a thread. */
const LONG = 2_000_000;

const never = () => new Promise<Response>(() => {});

/** Asks for a task in the caller's trace. @returns Its id. */
async function submit({ url }: Server, headers: Record<string, string> = FROM_CALLER): Promise<string> {
  const body = JSON.stringify({ kind: "fibonacci", n: String(LONG) });
  const response = await fetch(`${url}/v1/tasks`, { method: "POST", headers, body });
  expect(response.status).toBe(202);
  return ((await response.json()) as { id: string }).id;
}

/** The span of a name, once the collector has it. */
async function spanOf(spans: readonly CollectedSpan[], name: string): Promise<CollectedSpan> {
  let found: CollectedSpan | undefined;
  await until(`the collector has a span ${name}`, () => {
    found = spans.find((span) => span.name === name);
    return found !== undefined;
  });
  return found!;
}

/** Whether a span is within another, which is its parent. */
function expectWithin(inner: CollectedSpan, outer: CollectedSpan): void {
  expect({ ...inner, parentSpanId: inner.parentSpanId }).toMatchObject({
    traceId: outer.traceId,
    parentSpanId: outer.spanId,
  });
  // A process tells its time to the microsecond, and the record of a task to the millisecond.
  expect(inner.startNs).toBeGreaterThanOrEqual(outer.startNs - 1_000_000n);
}

describe("a server that traces", () => {
  test("makes the request, the wait for its commit and the sync one trace of the caller's", async () => {
    using folder = temporaryFolder();
    const { env, spans, requests } = startCollector();
    await using server = await startServer(["-f", path.join(folder.path, "c")], { env });
    await request(server, "next", { ...FROM_CALLER, "x-request-id": "mine.1" });
    const asked = await spanOf(spans, "POST /v1/cursor/next");
    const wait = await spanOf(spans, "cursor.wait");
    const sync = await spanOf(spans, "cursor.sync");
    expect(asked).toMatchObject({
      traceId: TRACE,
      parentSpanId: CALLER,
      kind: 2,
      service: "fibserver",
      attributes: {
        "http.request.method": "POST",
        "http.route": "/v1/cursor/next",
        "http.response.status_code": 200,
        "url.path": "/v1/cursor/next",
        "url.scheme": "http",
        "fibserver.request_id": "mine.1",
      },
    });
    expectWithin(wait, asked);
    expectWithin(sync, wait);
    expect(wait.endNs).toBeGreaterThanOrEqual(sync.endNs);
    expect(sync.attributes).toEqual({ "fibserver.cursor.group_size": 1 });
    expect(new URL(requests[0]!.url).pathname).toBe("/v1/traces");
  });

  test("traces /api0 as well, and begins a trace where the caller has none, or a broken one", async () => {
    using folder = temporaryFolder();
    const { env, spans } = startCollector();
    await using server = await startServer(["-f", path.join(folder.path, "c")], { env });
    const named = await fetch(`${server.url}/api0/next`, {
      headers: { traceparent: `00-${"0".repeat(32)}-x-01` },
    });
    const asked = await spanOf(spans, "GET /api0/next");
    expect(asked.parentSpanId).toBeUndefined();
    expect(asked.attributes["fibserver.request_id"]).toBe(named.headers.get("x-request-id")!);
    expect(asked.traceId).toMatch(/^[\da-f]{32}$/);
    expectWithin(await spanOf(spans, "cursor.wait"), asked);
  });

  test("says of a request that has failed, and of what it waited for, that it has", async () => {
    using folder = temporaryFolder();
    const { env, spans } = startCollector();
    await using server = await startServer(["-f", path.join(folder.path, "c"), "--max-index", "1"], { env });
    await request(server, "next");
    expect((await spanOf(spans, "POST /v1/cursor/next")).failure).toBeUndefined();
    spans.length = 0;
    const { status } = await fetch(`${server.url}/v1/cursor/next`, { method: "POST" });
    expect(status).toBe(507);
    expect((await spanOf(spans, "POST /v1/cursor/next")).failure).toBe("507");
    expect((await spanOf(spans, "cursor.wait")).failure).toBe("sequence_end");
  });

  test("makes a task a part of its request's trace, from its acceptance to its result", async () => {
    using folder = temporaryFolder();
    const { env, spans } = startCollector();
    await using server = await startServer(["-f", path.join(folder.path, "c")], { env });
    const id = await submit(server);
    const task = await spanOf(spans, "task fibonacci");
    const record = (await (await fetch(`${server.url}/v1/tasks/${id}`)).json()) as { createdAt: string };
    expect(task.startNs).toBe(BigInt(Date.parse(record.createdAt)) * 1_000_000n);
    expectWithin(task, await spanOf(spans, "POST /v1/tasks"));
    expectWithin(await spanOf(spans, "compute fibonacci"), task);
    expect(task).toMatchObject({
      traceId: TRACE,
      failure: undefined,
      attributes: { "fibserver.task.id": id },
    });
  });

  test("makes the computation of an answer a part of its request, and tells no query", async () => {
    using folder = temporaryFolder();
    const { env, spans } = startCollector();
    await using server = await startServer(["-f", path.join(folder.path, "c")], { env });
    await (await fetch(`${server.url}/v1/fibonacci/${LONG}?token=s3cret`, { headers: FROM_CALLER })).text();
    const asked = await spanOf(spans, "GET /v1/fibonacci/:n");
    expectWithin(await spanOf(spans, "compute fibonacci"), asked);
    expect(JSON.stringify(asked.attributes)).not.toContain("s3cret");
  });

  test("sends what is left when it is stopped, and says by the standard's variables who it is", async () => {
    using folder = temporaryFolder();
    const { env, spans } = startCollector();
    await using server = await startServer(["-f", path.join(folder.path, "c")], {
      env: {
        ...env,
        OTEL_BSP_SCHEDULE_DELAY: "3600000",
        OTEL_SERVICE_NAME: "front",
        OTEL_RESOURCE_ATTRIBUTES: "a=b",
      },
    });
    await request(server, "next");
    expect(spans).toEqual([]);
    server.kill("SIGTERM");
    expect(await server.ended()).toBe(0);
    expect((await spanOf(spans, "POST /v1/cursor/next")).service).toBe("front");
  });

  test("samples as the standard's variable says, and forwards what its caller has decided", async () => {
    using folder = temporaryFolder();
    const { env, spans } = startCollector();
    await using server = await startServer(["-f", path.join(folder.path, "c")], {
      env: { ...env, OTEL_TRACES_SAMPLER: "parentbased_always_off" },
    });
    await request(server, "next");
    await request(server, "previous", FROM_CALLER);
    await spanOf(spans, "POST /v1/cursor/previous");
    expect(spans.map(({ traceId }) => traceId)).toEqual(spans.map(() => TRACE));
  });

  test("tells of each setting that it cannot use, which is no loss", async () => {
    using folder = temporaryFolder();
    const { env, spans } = startCollector();
    await using server = await startServer(["-f", path.join(folder.path, "c")], {
      env: {
        ...env,
        OTEL_TRACES_SAMPLER: "bogus",
        OTEL_BSP_MAX_QUEUE_SIZE: "x",
        OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      },
    });
    await request(server, "next");
    await spanOf(spans, "POST /v1/cursor/next");
    for (const said of ["OTEL_TRACES_SAMPLER value", "OTEL_BSP_MAX_QUEUE_SIZE", "they are sent as"])
      expect(server.log()).toMatch(new RegExp(`A setting of traces: .*${RegExp.escape(said)}`));
    expect(server.log()).not.toContain("Traces are lost");
  });
});

withRedis("one trace goes from a front through Redis into an executor", async () => {
  using folder = temporaryFolder();
  await using redis = await startRedis();
  const { env, spans } = startCollector();
  const named = (name: string, more = {}) => ({
    cwd: folder.path,
    env: { ...env, OTEL_SERVICE_NAME: name, ...more },
  });
  await using front = await startServer(["--redis", redis.url], named("front"));
  // It sends nothing before its end.
  await using worker = await startWorker(redis.url, named("worker", { OTEL_BSP_SCHEDULE_DELAY: "3600000" }));
  const id = await submit(front, { ...FROM_CALLER, "x-request-id": "far.away" });
  await fetch(`${front.url}/v1/cursor/next`, { method: "POST", headers: FROM_CALLER });
  const isReady = async () => (await fetch(`${front.url}/v1/tasks/${id}/result`)).status === 200;
  await until("it is computed", isReady);
  worker.kill("SIGTERM");
  expect(await worker.ended()).toBe(0);
  const asked = await spanOf(spans, "POST /v1/tasks");
  const task = await spanOf(spans, "task fibonacci");
  const computation = await spanOf(spans, "compute fibonacci");
  expect([asked, task, computation].map(({ service }) => service)).toEqual(["front", "worker", "worker"]);
  expectWithin(task, asked);
  expectWithin(computation, task);
  expect(task.attributes).toMatchObject({ "fibserver.task.id": id, "fibserver.request_id": "far.away" });
  expect(asked.traceId).toBe(TRACE);
  expectWithin(await spanOf(spans, "cursor.sync"), await spanOf(spans, "cursor.wait"));
});

describe("a collector that takes nothing", () => {
  for (const [what, answer] of [
    ["is away", undefined],
    ["hangs", never],
    ["answers 500", () => new Response("no", { status: 500 })],
    ["answers 503", () => new Response("no", { status: 503 })],
  ] as const) {
    test(`that ${what} is waited for by no request, and no longer than a second by a stop`, async () => {
      using folder = temporaryFolder();
      const startMs = performance.now();
      const url = answer ? startCollector(answer).url : `http://127.0.0.1:${await freePort()}`;
      await using server = await startServer(["-f", path.join(folder.path, "c")], {
        env: {
          OTEL_EXPORTER_OTLP_ENDPOINT: url,
          OTEL_BSP_SCHEDULE_DELAY: "10",
          OTEL_BSP_MAX_QUEUE_SIZE: "64",
          OTEL_EXPORTER_OTLP_TIMEOUT: "500",
        },
      });
      const memory = () =>
        Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${server.pid}/status`, "utf8"))![1]);
      const move = () => fetch(`${server.url}/api0/next`, { headers: FROM_CALLER }).then((r) => r.text());
      const moveMany = async () => {
        for (let i = 0; i < 50; i++) await Promise.all(Array.from({ length: 40 }, move));
      };
      await moveMany();
      await until("the log says that traces are lost", () => server.log().includes("Traces are lost"));
      const beforeKiB = memory();
      for (let i = 0; i < 4; i++) await moveMany();
      // 24,000 spans of some 1.5 KiB, were they kept; what it took to answer may wait for a collection.
      await until("the memory is as it was", () => memory() - beforeKiB < 24_000);
      // It is told again after a minute.
      const minutes = Math.floor((performance.now() - startMs) / 60_000);
      expect(server.log().split("Traces are lost").length - 1).toBeWithin(1, 2 + minutes);
      server.kill("SIGTERM");
      expect(await server.ended()).toBe(0);
      expect(server.log()).not.toContain("deadline");
    });
  }
});

test("a collector that is slow, refuses or takes a part is told of by what it did", async () => {
  for (const [answer, said] of [
    [never, "takes them too slowly"],
    [() => new Response("no", { status: 401 }), "Traces are lost: .*401"],
    [() => Response.json({ partialSuccess: { rejectedSpans: 1, errorMessage: "made up" } }), "made up"],
  ] as const) {
    using folder = temporaryFolder();
    const { env } = startCollector(answer);
    await using server = await startServer(["-f", path.join(folder.path, "c")], {
      env: { ...env, OTEL_BSP_MAX_QUEUE_SIZE: "16", OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "8" },
    });
    await until(`it says ${said}`, async () => {
      await Promise.all(Array.from({ length: 10 }, () => fetch(`${server.url}/livez`).then((r) => r.text())));
      return new RegExp(said).test(server.log());
    });
  }
});

test("a collector that is no URL ends the start, and none of it is shown", async () => {
  using folder = temporaryFolder();
  for (const url of ["127.0.0.1:4999", "nonsense", "https://user:S3CRET/PW@host", "http://u:S3CRET@[bad"]) {
    const { exitCode, stderr } = await run(["serve", "-p", "0", "-f", path.join(folder.path, "c")], {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: url },
    });
    expect({ url, exitCode }).toEqual({ url, exitCode: 2 });
    expect(stderr).toContain("OTEL_EXPORTER_OTLP_ENDPOINT is no URL of a collector");
    expect(stderr).not.toContain("S3CRET");
  }
});

test("a collector that hangs for as long as the standard lets it holds up no stop", async () => {
  using folder = temporaryFolder();
  const { env, requests } = startCollector(never);
  await using server = await startServer(["-f", path.join(folder.path, "c")], { env });
  await request(server, "next");
  await until("it is asked", () => requests.length > 0);
  server.kill("SIGTERM");
  expect(await server.ended()).toBe(0);
  expect(server.log()).not.toContain("deadline");
});

describe("OpenTelemetry's packages", () => {
  const traced = requireTool(["strace", "--version"], "apt-get install strace");

  traced("are not loaded, and nobody is connected to, unless a collector is named", async () => {
    using folder = temporaryFolder();
    const { url, requests } = startCollector();
    const off = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_BSP_SCHEDULE_DELAY: "10" };
    for (const env of [{}, { ...off, OTEL_SDK_DISABLED: "true" }, { ...off, OTEL_TRACES_EXPORTER: "none" }]) {
      const traceFile = path.join(folder.path, "strace");
      await using server = await startServer(["-f", path.join(folder.path, "c")], {
        env,
        under: strace(traceFile, "connect"),
      });
      await request(server, "next");
      server.kill("SIGTERM");
      await server.ended();
      const { port } = new URL(url);
      const lines = await readTrace(traceFile, server.pid);
      expect(lines.filter((line) => line.includes(`htons(${port})`))).toEqual([]);
    }
    expect(requests).toEqual([]);
  });
});
