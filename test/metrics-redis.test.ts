/** The metrics of servers and executors on one Redis, as they are behind a history that is known. */
import { expect, setDefaultTimeout } from "bun:test";
import { type Server, startServer } from "./binary.ts";
import { startWatched } from "./executor.ts";
import { startRedis, withRedis } from "./redis.ts";
import { NAMES, type Scrape, scrape, untilScrape } from "./scrape.ts";

setDefaultTimeout(300_000);

const DIGITS = 208_988;

async function ask({ url }: Server, method: string, route: string, body?: object): Promise<Response> {
  const response = await fetch(url + route, {
    method,
    ...(body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  expect({ route, ok: response.ok }).toEqual({ route, ok: true });
  return response;
}

async function post(server: Server, kind: string, n: number): Promise<{ readonly id: string }> {
  const response = await ask(server, "POST", "/v1/tasks", { kind, n: String(n) });
  return (await response.json()) as { id: string };
}

const OF_STORE = ["fibserver_cursors", "fibserver_clients", "fibserver_tasks", "fibserver_result_bytes"];
const ofStore = (found: Scrape) => OF_STORE.filter((name) => found.names.includes(name));

const finished = (found: Scrape, series: string) => found.by("fibserver_tasks_finished_total")[series];

withRedis("servers tell of all that Redis holds, and each of what it has done itself", async () => {
  await using redis = await startRedis();
  await using one = await startServer(["--redis", redis.url]);
  await using other = await startServer(["--redis", redis.url, "--per-client"]);
  await ask(one, "POST", "/v1/cursor/next");
  await ask(one, "POST", "/v1/cursors/alice/next");
  for (let i = 0; i < 2; i++) await ask(other, "GET", "/api0/next");
  await post(one, "fibonacci", 100);
  await post(one, "fibonacci", 1_000_000);
  const { id } = await post(one, "factorial", 1_000_000);
  for (let i = 0; i < 2; i++) await ask(one, "POST", `/v1/tasks/${id}/cancel`);
  for (const server of [one, other]) {
    const found = await scrape(server);
    expect(found.ownNames).toEqual([...NAMES.computing, ...NAMES.server, ...NAMES.redis].toSorted());
    expect([found.get("fibserver_cursors"), found.get("fibserver_clients")]).toEqual([1, 2]);
    expect(found.by("fibserver_tasks")).toEqual({
      'state="queued"': 1,
      'state="running"': 0,
      'state="ready"': 1,
      'state="failed"': 0,
      'state="cancelled"': 1,
    });
    expect(found.get("fibserver_result_bytes")).toBe(2 * 4096);
    expect(found.get("fibserver_task_age_seconds")!).toBeGreaterThan(0);
    expect(found.get("fibserver_redis_up")).toBe(1);
    const { count, sum } = found.histogram("fibserver_redis_request_seconds", "+Inf");
    expect([count > 2, sum > 0]).toEqual([true, true]);
  }
  const [ofOne, ofOther] = [await scrape(one), await scrape(other)];
  const nexts = 'fibserver_cursor_moves_total{operation="next",outcome="ok"}';
  expect([ofOne.get(nexts), ofOther.get(nexts)]).toEqual([2, 2]);
  expect(ofOne.histogram("fibserver_cursor_group_size", "1.0").sum).toBe(2);
  expect(finished(ofOne, 'kind="fibonacci",outcome="ready"')).toBe(1);
  expect(finished(ofOne, 'kind="factorial",outcome="cancelled"')).toBe(1);
  expect(finished(ofOther, 'kind="fibonacci",outcome="ready"')).toBe(0);
});

withRedis("an executor tells of what it computes, and of the tasks that it ends", async () => {
  await using redis = await startRedis();
  await using executor = await startWatched(redis.url);
  await using server = await startServer(["--redis", redis.url]);
  expect((await scrape(executor)).ownNames).toEqual([...NAMES.computing, ...NAMES.redis].toSorted());
  await post(server, "fibonacci", 1_000_000);
  const ready = 'fibserver_tasks_finished_total{kind="fibonacci",outcome="ready"}';
  const found = await untilScrape(executor, "it is ready", (each) => each.get(ready) === 1);
  expect(found.get('fibserver_digits_total{kind="fibonacci"}')).toBe(DIGITS);
  expect(found.get('fibserver_computation_seconds_count{kind="fibonacci"}')).toBe(1);
  expect(found.by("fibserver_computations")).toEqual({ 'state="running"': 0, 'state="waiting"': 0 });
  expect(found.get("fibserver_redis_up")).toBe(1);
  expect(found.histogram("fibserver_redis_request_seconds", "+Inf").count).toBeGreaterThan(2);
  const ofServer = await scrape(server);
  expect(ofServer.get(ready)).toBe(0);
  expect(ofServer.get("fibserver_result_bytes")).toBe(DIGITS);
  expect(ofServer.get("fibserver_task_age_seconds")).toBe(0);
});

withRedis("a task that has ended its executors too often is one that has failed", async () => {
  await using redis = await startRedis();
  await using server = await startServer(["--redis", redis.url]);
  const { id } = await post(server, "fibonacci", 1_000_000);
  await redis.cli("HSET", `fibserver:task:${id}`, "attempts", "1000");
  await using executor = await startWatched(redis.url);
  const failed = 'fibserver_tasks_finished_total{kind="fibonacci",outcome="failed"}';
  await untilScrape(executor, "it has failed", (found) => found.get(failed) === 1);
  expect((await scrape(server)).by("fibserver_tasks")['state="failed"']).toBe(1);
});

withRedis("without its Redis a server or an executor tells the rest, and that it is away", async () => {
  await using redis = await startRedis();
  await using executor = await startWatched(redis.url);
  await using server = await startServer(["--redis", redis.url]);
  await ask(server, "POST", "/v1/cursor/next");
  for (const lose of [() => redis.crash(), () => Promise.resolve(redis.kill("SIGSTOP"))]) {
    await lose();
    for (const program of [server, executor]) {
      const found = await untilScrape(program, "it is away", (each) => each.get("fibserver_redis_up") === 0);
      expect(ofStore(found)).toEqual([]);
    }
    const found = await scrape(server);
    expect(found.get('fibserver_cursor_moves_total{operation="next",outcome="ok"}')).toBe(1);
    await redis.crash();
    await redis.restart();
    for (const program of [server, executor])
      await untilScrape(program, "it is back", (each) => each.get("fibserver_redis_up") === 1);
  }
  expect(ofStore(await scrape(server))).toHaveLength(4);
});
