/** `/v1/status`: through the app, with a real cursor, and with parts that fail and hang. */
import { expect, test } from "bun:test";
import { Hono } from "hono";
import { version } from "../../package.json";
import type { ServerStatus } from "../../src/client/server-status.ts";
import type { RedisConfig } from "../../src/config/redis.ts";
import type { CursorService } from "../../src/cursor/moves.ts";
import { FibError } from "../../src/errors.ts";
import { type Counted, LastMinute } from "../../src/http/last-minute.ts";
import { statusRoutes, type StatusServices } from "../../src/http/status.ts";
import { Registry } from "../../src/metrics.ts";
import { openStatusServices } from "../../src/serving/status.ts";
import { NO_TASKS, type TaskCounts } from "../../src/tasks/queue.ts";
import { openServices } from "../services.ts";
import { openCursor, temporaryFolder } from "../temporary.ts";

type Parts = Parameters<typeof statusRoutes>[2]["parts"];

/** Metrics in which nothing is counted. */
function nothing(): Counted {
  const metrics = new Registry();
  return {
    requests: metrics.histogram("requests", "", ["method", "route", "status"]),
    moves: metrics.counter("moves", "", ["operation", "outcome"]),
    groups: metrics.histogram("groups", ""),
    syncs: undefined,
  };
}

/** The route alone, with parts of the test's making. */
async function openStatus(
  parts: Parts,
  services: Partial<StatusServices> = {},
  held: { extras?: Parts; count?: () => Promise<TaskCounts>; cursor?: CursorService } = {},
) {
  const opened = await openCursor(`${temporaryFolder()}/cursor`);
  const stopping = new AbortController();
  const all: StatusServices = {
    pool: { running: 2, waiting: 0 },
    lastMinute: new LastMinute(nothing()),
    storage: "files",
    access: { from: "machine", tokens: false, tls: false },
    limits: { index: 92, digits: 25_000_000, terms: 1_000_000 },
    ...services,
  };
  const { extras = {}, count = async () => NO_TASKS, cursor = opened.cursor } = held;
  const looked = { parts, extras, tasks: { count }, stopSignal: stopping.signal };
  const app = new Hono().route("/v1", statusRoutes(all, cursor, looked));
  const read = async () => (await (await app.request("/v1/status")).json()) as ServerStatus;
  return { ...opened, stopping, read };
}

test("GET /v1/status tells how a server is, and is never kept by a cache", async () => {
  const { app, must, file } = await openServices();
  await must({ operation: "set", target: 90 });
  const response = await app.request("/v1/status");
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(response.headers.get("cache-control")).toBe("no-store");
  const text = await response.text();
  const status = JSON.parse(text) as ServerStatus;
  expect(status).toMatchObject({
    version,
    ready: true,
    problems: [],
    storage: "files",
    access: { from: "machine", tokens: false, tls: false },
    limits: { index: 92, digits: 25_000_000, terms: 1_000_000 },
    cursor: { index: "90" },
  });
  expect(status.uptimeSeconds).toBeGreaterThan(0);
  expect(status.memory.residentBytes).toBeGreaterThan(status.memory.heapBytes);
  // Whoever may read a number is not told where this machine keeps its files.
  expect(text).not.toContain(file);
});

test("what cannot work is named, each part with its code, and what is for operators is not told", async () => {
  const { read } = await openStatus({
    cursor: () => Promise.reject(new FibError("cursor_io", "Cannot write /srv/cursor: ENOSPC")),
    tasks: () => Promise.reject(new FibError("redis_unavailable", "Cannot reach 10.1.2.3:6379")),
    queue: () => Promise.resolve(),
  });
  const { ready, problems } = await read();
  expect({ ready, problems }).toEqual({
    ready: false,
    problems: [
      {
        part: "cursor",
        code: "cursor_io",
        detail: "The cursor file cannot be read or written; the server's log says why",
      },
      { part: "tasks", code: "redis_unavailable", detail: "Redis cannot be reached; try again" },
    ],
  });
});

const locked = () => Promise.reject(new FibError("tasks_locked", "Cannot use the tasks"));
const never = () => new Promise<never>(() => {});

test("what hangs leaves the rest of the status as it is, and is not asked again while it does", async () => {
  let askedCount = 0;
  const check = () => {
    askedCount++;
    return never();
  };
  const { read, must } = await openStatus(
    { cursor: () => Promise.resolve(), tasks: check },
    {},
    { count: never },
  );
  await must("next");
  const { ready, problems, tasks, computations, cursor } = await read();
  expect(problems.map(({ part, code }) => ({ part, code }))).toEqual([{ part: "tasks", code: "overloaded" }]);
  expect({ ready, tasks, computations, cursor }).toEqual({
    ready: false,
    tasks: null,
    computations: { running: 2, waiting: 0 },
    cursor: { index: "1" },
  });
  expect(await read()).toMatchObject({ tasks: null, problems: [{ part: "tasks", code: "overloaded" }] });
  expect(askedCount).toBe(1);
});

test("a part without which the rest goes on is named, and the server is ready", async () => {
  const { read } = await openStatus(
    { cursor: () => Promise.resolve() },
    {},
    { extras: { tasks: locked, cursors: never } },
  );
  const { ready, problems } = await read();
  expect(ready).toBe(true);
  expect(problems.map(({ part, code }) => [part, code])).toEqual([
    ["tasks", "tasks_locked"],
    ["cursors", "overloaded"],
  ]);
});

test("a cursor that hangs is not known, and all else is told", async () => {
  const hanging = { current: () => undefined, submit: never } as unknown as CursorService;
  const { read } = await openStatus({}, {}, { cursor: hanging });
  expect(await read()).toMatchObject({ cursor: null, ready: true, version });
});

test("a server that is stopping is not ready, though nothing is wrong", async () => {
  const { read, stopping } = await openStatus({});
  stopping.abort();
  expect(await read()).toMatchObject({ ready: false, problems: [] });
});

/** What a server tells of these settings. */
function settingsTold(config: Partial<Parameters<typeof openStatusServices>[0]>) {
  const limits = { indexMax: 92, digitsMax: 25_000_000, termsMax: 1_000_000 };
  const none = { host: "127.0.0.1", tokensFile: undefined, tls: undefined, redis: undefined, ...limits };
  const pool = { running: 0, waiting: 0 };
  const { storage, access } = openStatusServices({ ...none, ...config }, nothing(), pool);
  return { storage, ...access };
}

test("who may use a server, and what keeps its cursors, is read from what it was started with", () => {
  const pem = { path: "x", source: "--tls-cert" };
  const local = { storage: "files", from: "machine", tokens: false, tls: false } as const;
  expect(settingsTold({})).toEqual(local);
  expect(settingsTold({ host: "0.0.0.0" })).toEqual({ ...local, from: "network" });
  expect(settingsTold({ tokensFile: "x" })).toEqual({ ...local, tokens: true });
  expect(settingsTold({ tls: { cert: pem, key: pem } })).toEqual({ ...local, tls: true });
  expect(settingsTold({ redis: {} as RedisConfig })).toEqual({ ...local, storage: "redis" });
});

test("the most that may be asked is what the server was started with", () => {
  const config = { host: "127.0.0.1", tokensFile: undefined, tls: undefined, redis: undefined };
  const asked = { ...config, indexMax: 200, digitsMax: 7, termsMax: 9 };
  const { limits } = openStatusServices(asked, nothing(), { running: 0, waiting: 0 });
  expect(limits).toEqual({ index: 200, digits: 7, terms: 9 });
});

test("who may use it, and what keeps it, is what the server was started with", async () => {
  const access = { from: "network", tokens: true, tls: true } as const;
  const { read } = await openStatus({}, { access, storage: "redis" });
  expect(await read()).toMatchObject({ access, storage: "redis" });
});
