/** What is counted of requests, and who gets which format. Method: real sockets, and the registry beside them. */
import { describe, expect, onTestFinished, test } from "bun:test";
import type { HotHandler } from "../../src/http/asker.ts";
import type { Seen } from "../../src/http/entry.ts";
import { RequestMetrics } from "../../src/http/metrics.ts";
import { listen } from "../../src/http/server.ts";
import { Registry } from "../../src/metrics.ts";
import { until } from "../binary.ts";
import { openServices } from "../services.ts";
import { connect, exchange, requestBytes } from "../wire.ts";

/** A server on a free port, in this process, which counts. */
async function serve(options: Parameters<typeof openServices>[0] = {}) {
  const services = await openServices(options);
  const { app, hot, requests, metrics } = services;
  const { fetch, router } = app;
  const where = { host: "127.0.0.1", port: 0, allowHosts: [] };
  const server = listen({ fetch, router, hot }, where, { watches: [requests] });
  onTestFinished(async () => void (await server.stop()));
  const port = Number(new URL(server.url).port);
  return {
    ...services,
    url: server.url,
    port,
    ask: (line: string, headers: Record<string, string> = {}, body = "") =>
      exchange(port, requestBytes(line, { "Content-Length": String(body.length), ...headers }, body)),
    series: () => seriesOf(metrics),
    sentBytes: () => requests.sentBytes.value,
    inFlight: async () =>
      Number(/^http_requests_in_flight (\d+)$/m.exec(await metrics.text("prometheus"))?.[1]),
  };
}

/** How many requests each method, route and status had. */
async function seriesOf(metrics: Registry): Promise<Record<string, number>> {
  const text = await metrics.text("prometheus");
  const counts = text.matchAll(
    /^http_request_duration_seconds_count\{method="(.*?)",route="(.*?)",status="(.*?)"\} (\d+)$/gm,
  );
  return Object.fromEntries(
    [...counts].map(([, method, route, status, count]) => [`${method} ${route} ${status}`, Number(count)]),
  );
}

const bodyBytes = (answer: string): number => answer.length - answer.indexOf("\r\n\r\n") - 4;

describe("requests", () => {
  test("are counted by method, pattern and status, those that are refused on the way in as well", async () => {
    const { ask, series, inFlight } = await serve();
    for (const line of ["GET /api0/next", "GET /api0/current", "HEAD /api0/current", "POST /v1/cursor/next"]) await ask(line); // prettier-ignore
    await ask("GET /api0/previous", { "Sec-Fetch-Site": "cross-site" });
    await ask("GET /api0/next", { Host: "evil.example" });
    await ask("GET /v1/cursors/a-name");
    await ask("PUT /v1/cursors/a-name", {}, '{"index":"3"}');
    await ask("DELETE /api0/next");
    expect(await series()).toEqual({
      "GET /api0/next 200": 1,
      "GET /api0/next 403": 1,
      "GET /api0/previous 403": 1,
      "GET /api0/current 200": 1,
      "HEAD /api0/current 200": 1,
      "POST /v1/cursor/next 200": 1,
      "GET /v1/cursors/:name 404": 1,
      "PUT /v1/cursors/:name 201": 1,
      "DELETE none 405": 1,
    });
    expect(await inFlight()).toBe(0);
  });

  test("are told in seconds, as their names say", () => {
    const registry = new Registry();
    const requests = new RequestMetrics(registry);
    const seen = { method: "GET", route: "/", status: 200 } as Seen;
    for (const durationMs of [250, 0.5]) requests.end(seen, new Response(), durationMs);
    expect(requests.durations.total().sum).toBe(0.2505);
  });

  test("of many at once none is lost", async () => {
    const { url, series, inFlight } = await serve({ indexMax: 10_000 });
    const targets = ["api0/next", "api0/current", "v1/fibonacci/50"];
    const asked = Array.from({ length: 600 }, (_, i) =>
      fetch(`${url}${targets[i % 3]}`).then((r) => r.text()),
    );
    await Promise.all(asked);
    expect(await series()).toEqual({
      "GET /api0/next 200": 200,
      "GET /api0/current 200": 200,
      "GET /v1/fibonacci/:n 200": 200,
    });
    expect(await inFlight()).toBe(0);
  });

  test("make no series of their own, whatever is sent", async () => {
    const { url, ask, series } = await serve();
    await Promise.all(
      Array.from({ length: 1000 }, (_, i) =>
        fetch(`${url}${i % 2 ? "" : "v1/"}${crypto.randomUUID()}/${crypto.randomUUID()}`, {
          method: i % 3 ? "GET" : "DELETE",
        }).then((r) => r.text()),
      ),
    );
    for (const method of ["PATCH", "PROPFIND", "TRACE", "LOCK"]) await ask(`${method} /livez`);
    for (let i = 0; i < 50; i++) await ask(`GET /v1/cursors/${crypto.randomUUID()}`);
    const found = await series();
    expect(Object.keys(found).toSorted()).toEqual([
      "DELETE none 404",
      "GET /v1/cursors/:name 404",
      "GET none 404",
      "other none 405",
    ]);
    expect(found["DELETE none 404"]! + found["GET none 404"]!).toBe(1000);
  });

  test("that fail because their clients have left are no failures of the server", async () => {
    const { port, series, inFlight } = await serve({
      run: (_, options) =>
        new Promise((_resolve, reject) => {
          const signal = options!.signal!;
          signal.addEventListener("abort", () => reject(signal.reason as Error));
        }),
    });
    for (const bytes of [
      requestBytes("GET /v1/factorial/100000"),
      requestBytes("POST /v1/tasks", { "Content-Length": "100" }, '{"kind"'),
    ]) {
      const { socket } = await connect(port);
      socket.write(bytes);
      socket.flush();
      // Not until another one is answered: of two connections either may be read first.
      await until("it has come", async () => (await inFlight()) === 1);
      socket.terminate();
      await until("it is over", async () => (await inFlight()) === 0);
    }
    expect(await series()).toEqual({
      "GET /v1/factorial/:n 499": 1,
      "POST /v1/tasks 499": 1,
    });
  });

  test("whose clients have left are in flight no longer than they are worked on", async () => {
    const registry = new Registry();
    const gate = Promise.withResolvers<void>();
    const requests = new RequestMetrics(registry);
    const hot: Record<string, HotHandler> = {
      "/hot": (_, __, finish) => gate.promise.then(() => finish(new Response("late"))),
    };
    const server = listen(
      { fetch: () => gate.promise.then(() => new Response("late")), hot },
      { host: "127.0.0.1", port: 0, allowHosts: [] },
      { watches: [requests] },
    );
    onTestFinished(async () => void (await server.stop()));
    const inFlight = async () =>
      Number(/^http_requests_in_flight (\d+)$/m.exec(await registry.text("prometheus"))![1]);
    const port = Number(new URL(server.url).port);
    for (const [before, target] of ["/hot", "/cold"].entries()) {
      const { socket } = await connect(port);
      socket.write(requestBytes(`GET ${target}`));
      await until(`${target} has come`, async () => (await inFlight()) === before + 1);
      socket.terminate();
    }
    gate.resolve();
    await until("none is in flight", async () => (await inFlight()) === 0);
  });
});

describe("bytes of bodies", () => {
  test("are those that clients get: whole ones, streams, problems, and none for HEAD, 204 and 304", async () => {
    const { ask, sentBytes } = await serve({ indexMax: 10_000_000 });
    const etag = /\r\netag: (.*)\r\n/i.exec(await ask("GET /v1/fibonacci/100"))![1]!;
    for (const [line, headers, body] of [
      ["GET /api0/next"], ["GET /api0/current"], ["GET /api0/previous"], ["GET /api0/previous"], ["GET /livez"], ["GET /"], ["GET /?sn=5"],
      ["GET /v1/fibonacci/100"], ["HEAD /v1/fibonacci/100"], ["GET /v1/fibonacci/100", { "If-None-Match": etag }],
      ["GET /v1/fibonacci/x"], ["GET /nothing"], ["PATCH /livez"], ["HEAD /livez"], ["GET /v1/tasks"], ["GET /metrics"],
      ["PUT /v1/cursors/a", {}, '{"index":"3"}'], ["DELETE /v1/cursors/a"],
    ] as [string, Record<string, string>?, string?][]) {
      const before = sentBytes();
      const answer = await ask(line, headers, body);
      expect([line, sentBytes() - before]).toEqual([line, bodyBytes(answer)]);
    } // prettier-ignore
  });

  test("of streams are counted when they are taken, and what a client did not wait for is not", async () => {
    const { url, port, sentBytes, streams } = await serve({ indexMax: 10_000_000 });
    let before = sentBytes();
    const whole = await (await fetch(`${url}v1/fibonacci/1000000`)).arrayBuffer();
    expect(whole.byteLength).toBeGreaterThan(200_000);
    expect(sentBytes() - before).toBe(whole.byteLength);

    before = sentBytes();
    const { socket } = await connect(port);
    socket.pause();
    socket.write(requestBytes("GET /v1/sequence?count=1000000"));
    // What the kernel takes of a connection that nobody reads.
    let last = -1;
    await until("the reader has stalled", async () => {
      const isSame = last === sentBytes() && last > before;
      last = sentBytes();
      await new Promise((resolve) => setImmediate(resolve));
      return streams.count === 1 && isSame;
    });
    socket.terminate();
    await until("the stream is ended", () => streams.count === 0);
    expect(sentBytes() - before).toBeGreaterThan(0);
    expect(sentBytes() - before).toBeLessThan(50_000_000);
  });

  test("of events are those that a client has got", async () => {
    const { url, sentBytes, must } = await serve();
    const before = sentBytes();
    const reader = (await fetch(`${url}v1/cursor/events`)).body!.getReader();
    let gotBytes = 0;
    const read = async (text: string) => {
      for (let got = ""; !got.includes(text);) {
        const { value } = await reader.read();
        got += new TextDecoder().decode(value);
        gotBytes += value!.length;
      }
    };
    await read('"index":"0"');
    await must({ operation: "next" });
    await read('"index":"1"');
    await until("what was got is counted", () => sentBytes() - before === gotBytes);
    await reader.cancel();
  });
});

describe("GET /metrics", () => {
  test("is OpenMetrics for who prefers it, else Prometheus's own, and never stored", async () => {
    const { app } = await openServices();
    const open = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const plain = "text/plain; version=0.0.4; charset=utf-8";
    for (const [accept, expected] of [
      [undefined, plain],
      ["*/*", plain],
      ["text/plain", plain],
      ["text/html", plain],
      ["application/openmetrics-text", open],
      // Prometheus 2.42 and 3.
      ["application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", open],
      ["application/openmetrics-text;q=0.3,text/plain;q=0.5", plain],
      ["application/openmetrics-text;q=0,*/*;q=0.1", plain],
      ["text/plain;q=0.2,*/*;q=0.1", plain],
    ] as const) {
      const response = await app.request("/metrics", { headers: accept === undefined ? {} : { accept } });
      expect([accept, response.status, response.headers.get("content-type")]).toEqual([accept, 200, expected]);
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect(response.headers.get("vary")).toBe("Accept");
      expect((await response.text()).endsWith("# EOF\n")).toBe(expected === open);
    } // prettier-ignore
  });

  test("is there for HEAD, without a body, and for no other method", async () => {
    const { ask } = await serve();
    const head = await ask("HEAD /metrics");
    expect([head.slice(9, 12), bodyBytes(head)]).toEqual(["200", 0]);
    expect((await ask("POST /metrics")).slice(9, 12)).toBe("405");
  });
});
