/** HEAD has the headers of GET, on every route, and does nothing; every answer is guarded. Method: bytes on real sockets. */
import { expect, test } from "bun:test";
import { until } from "../binary.ts";
import { serveServices } from "../services.ts";
import { headersOf, statusOf } from "../wire.ts";

async function serve(options: Parameters<typeof serveServices>[0] = {}) {
  const services = await serveServices(options);
  const index = async () => (await services.must("current")).index;
  return { ...services, index };
}

/** Lower-case names and values of all headers that GET and HEAD share; a doubled one would stand here twice. */
function sharedHeaders(answer: string): string[] {
  const [head = ""] = answer.split("\r\n\r\n", 1);
  const lines = head.split("\r\n").slice(1);
  const own = /^(date|server-timing|content-length|transfer-encoding):/i;
  return lines
    .filter((line) => !own.test(line))
    .map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase()));
}

const bodyOf = (answer: string) => answer.slice(answer.indexOf("\r\n\r\n") + 4);

/** What tells something else, and so has another length, each time. */
const CHANGING = ["/metrics", "/v1/status"];

test("HEAD has the headers of GET on every route, and no body", async () => {
  const { ask, tasks, index, app } = await serve({ indexMax: 10_000_000 });
  const { task } = await tasks.create({ kind: "sequence", from: 0, count: 3 }, 6);
  await until("the task is ready", async () => (await tasks.find(task.id))?.state === "ready");
  const targets = [
    "/api0/current", "/v1/cursor", "/v1/cursors", "/v1/cursors?limit=x", "/v1/cursors/default", "/v1/cursors/none", "/v1/cursors/NONE", "/livez", "/readyz", "/ping", "/", "/?sn=5", "/?sn=ab", "/fib", "/fib/", "/fib/5", "/fib/-1",
    "/fibonacci?n=4", "/factorial?n=3", "/ackermann?m=1&n=1", "/fibonacci?n=x", `/fibotask?id=${task.id}`, "/fibotask?id=x",
    "/v1/fibonacci/100", "/v1/fibonacci/x", "/v1/fibonacci/300000", "/v1/factorial/20", "/v1/ackermann/1/1", "/v1/index/144",
    "/v1/fibonacci/100/digits", "/v1/fibonacci/100?mod=97", "/v1/fibonacci/100?last=5", "/v1/fibonacci/5?mod=0", "/v1/lucas/100", "/v1/zeckendorf/100", `/v1/zeckendorf/${"9".repeat(9999)}`, "/v1/pisano/10", "/v1/pisano/0", "/v1/sequence?count=5&format=bfile",
    "/v1/index/145", "/v1/sequence?count=5", "/v1/sequence?count=2000", "/v1/sequence?count=x", "/v1/sequence/locate?byte=5", "/v1/sequence/locate", "/v1/tasks", `/v1/tasks/${task.id}`,
    `/v1/tasks/${task.id}/result`, "/v1/tasks/x", "/v1/tasks?state=x", "/nothing", "/openapi.json", "/docs", "/docs/none.css", "/page/none.css",
  ]; // prettier-ignore
  const paths = app.routes.filter(({ method }) => method === "GET").map(({ path }) => path);
  for (const path of paths) {
    const pattern = new RegExp(`^${path.replaceAll(/:\w+(\{.*?\})?/g, "[^/]+")}$`);
    const isChecked = targets.some((target) => pattern.test(target.split("?", 1)[0]!));
    const isElsewhere = [
      "/api0/next",
      "/api0/previous",
      "/fibo",
      "/v1/tasks/:id/events",
      "/v1/cursor/events",
      "/v1/cursors/:name/events",
      "/test/stats",
      ...CHANGING,
    ].includes(path);
    expect(isChecked || isElsewhere, path).toBe(true);
  }
  for (const target of targets) {
    const get = await ask(`GET ${target}`);
    const head = await ask(`HEAD ${target}`);
    expect([target, statusOf(head)]).toEqual([target, statusOf(get)]);
    expect([target, ...sharedHeaders(head)]).toEqual([target, ...sharedHeaders(get)]);
    expect([target, bodyOf(head)]).toEqual([target, ""]);
    const [length] = headersOf(get, "content-length");
    if (length === undefined) {
      expect(headersOf(get, "transfer-encoding"), target).toEqual(["chunked"]);
      expect(Number(headersOf(head, "content-length")[0] ?? 1), target).toBeGreaterThan(0);
    } else {
      expect([target, ...headersOf(head, "content-length")]).toEqual([target, length]);
    }
    expect(headersOf(get, "content-type"), target).toHaveLength(1);
    const guards = target.startsWith("/api0/") ? [] : ["nosniff", "same-origin"];
    const guarded = ["x-content-type-options", "cross-origin-resource-policy"].flatMap((name) =>
      headersOf(get, name),
    );
    expect([target, ...guarded]).toEqual([target, ...guards]);
  }
  for (const target of CHANGING) {
    const [get, head] = [await ask(`GET ${target}`), await ask(`HEAD ${target}`)];
    expect([target, statusOf(head), ...sharedHeaders(head)]).toEqual([target, 200, ...sharedHeaders(get)]);
    expect([target, bodyOf(head)]).toEqual([target, ""]);
  }
  expect(await index()).toBe(0);
});

test("HEAD moves, starts and computes nothing", async () => {
  const { ask, must, index, tasks, results, watchers, streams } = await serve({
    indexMax: 10_000_000,
    valueAt: () => {
      throw new Error("computed");
    },
  });
  await must({ operation: "set", target: 9_000_000 });
  for (const target of ["/api0/next", "/api0/previous", "/fibo?sn=5", "/fibo"]) {
    const answer = await ask(`HEAD ${target}`);
    expect([target, statusOf(answer), ...headersOf(answer, "allow")]).toEqual([target, 405, "GET"]);
  }
  for (const target of ["/v1/cursor/next", "/v1/cursor/previous"]) {
    expect(statusOf(await ask(`HEAD ${target}`))).toBe(405);
  }
  for (const target of ["/api0/current", "/v1/cursor"]) {
    const answer = await ask(`HEAD ${target}`);
    expect([target, statusOf(answer), ...headersOf(answer, "content-length")]).toEqual([target, 200]);
  }
  const { task } = await tasks.create({ kind: "sequence", from: 0, count: 3 }, 6);
  const events = await ask(`HEAD /v1/tasks/${task.id}/events`);
  expect([statusOf(events), ...headersOf(events, "content-length")]).toEqual([200]);
  expect(headersOf(events, "content-type")).toEqual(["text/event-stream"]);
  expect(statusOf(await ask("HEAD /v1/fibonacci/10000000", { Prefer: "respond-async" }))).toBe(200);
  expect(statusOf(await ask("HEAD /?sn=100000"))).toBe(200);
  expect((await tasks.list({ limit: 10 })).length).toBe(1);
  expect([await index(), watchers.count, streams.count, results.taken]).toEqual([9_000_000, 0, 0, []]);
});

test("what is refused by method, condition or range is guarded too, and HEAD has its headers", async () => {
  const { ask } = await serve();
  for (const [target, headers] of [
    ["/v1/fibonacci/100", { "If-None-Match": "*" }],
    ["/v1/fibonacci/100", { "If-Match": '"x"' }],
    ["/v1/cursor", { "If-None-Match": "*" }],
    ["/v1/cursor", { "If-Match": '"x"' }],
    ["/v1/fibonacci/100", { Accept: "image/png" }],
  ] as const) {
    const get = await ask(`GET ${target}`, headers);
    const head = await ask(`HEAD ${target}`, headers);
    expect(statusOf(head)).toBe(statusOf(get));
    expect(sharedHeaders(head)).toEqual(sharedHeaders(get));
    expect(headersOf(head, "content-length")).toEqual(headersOf(get, "content-length"));
    expect(headersOf(get, "x-content-type-options")).toEqual(["nosniff"]);
  }
});
