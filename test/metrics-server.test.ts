/** The metrics of a server with files, as they are behind a history that is known. */
import { Database } from "bun:sqlite";
import { expect, setDefaultTimeout, test } from "bun:test";
import path from "node:path";
import { injectInto, type Server, startServer, temporaryFolder, until, withStrace } from "./binary.ts";
import { NAMES, type Scrape, scrape, untilScrape } from "./scrape.ts";

setDefaultTimeout(300_000);

/** The file's, and SQLite's. */
const SYNCS = "fdatasync,fsync";
/** n! takes half a minute: it runs until somebody ends it. */
const ENDLESS = 100_000_000;

async function ask(
  { url }: Server,
  method: string,
  route: string,
  status: number,
  headers: Record<string, string> = {},
  body?: object,
): Promise<Response> {
  const response = await fetch(url + route, {
    method,
    headers: { ...headers, ...(body && { "content-type": "application/json" }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  expect({ route, status: response.status }).toEqual({ route, status });
  return response;
}

async function post(server: Server, kind: string, n: number): Promise<{ readonly id: string }> {
  const response = await ask(server, "POST", "/v1/tasks", 202, {}, { kind, n: String(n) });
  return (await response.json()) as { id: string };
}

const ageOf = (found: Scrape) => found.get("fibserver_task_age_seconds")!;

/** Whether so many watch. */
const areWatched = (tasks: number, cursors: number) => (found: Scrape) =>
  Bun.deepEquals(found.by("fibserver_watchers"), { 'what="tasks"': tasks, 'what="cursors"': cursors });

/** What only the databases know; one that is late is left out. */
const OF_DATABASES = ["fibserver_tasks", "fibserver_cursors"];

/** Whether that is left out. */
const isHanging = ({ names }: Scrape) => !OF_DATABASES.some((name) => names.includes(name));
const isWhole = ({ names }: Scrape) => OF_DATABASES.every((name) => names.includes(name));

/** A scrape in which no database was late, as any may be on a machine that stalls. */
const wholeScrape = (server: Server) => untilScrape(server, "all is told", isWhole);

test("names: those of the design's table, from the start, when nothing has happened yet", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
  expect((await wholeScrape(server)).ownNames).toEqual(
    [...NAMES.computing, ...NAMES.server, ...NAMES.files].toSorted(),
  );
});

test("moves: by operation and outcome, of the default cursor and named ones; groups and syncs", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--max-index", "5"]);
  const key = { "idempotency-key": "one" };
  await ask(server, "POST", "/v1/cursor/previous", 409);
  await ask(server, "POST", "/v1/cursor/next", 200);
  await ask(server, "GET", "/api0/next", 200);
  await ask(server, "POST", "/v1/cursor/next", 200, key);
  await ask(server, "POST", "/v1/cursor/next", 200, key);
  await ask(server, "POST", "/v1/cursor/previous", 200);
  await ask(server, "PUT", "/v1/cursor", 200, {}, { index: "5" });
  await ask(server, "POST", "/v1/cursor/next", 507);
  await ask(server, "GET", "/v1/cursor", 200);
  const before = await wholeScrape(server);
  const ofDefault = { count: 8, sum: 8 };
  expect(before.histogram("fibserver_cursor_group_size", "1.0")).toEqual({ ...ofDefault, upTo: 8 });
  expect([before.get("fibserver_cursors"), before.get("fibserver_clients")]).toEqual([0, 0]);

  await ask(server, "POST", "/v1/cursors/alice/next", 200);
  await ask(server, "POST", "/v1/cursors/bob/next", 200);
  await ask(server, "GET", "/v1/cursors/bob", 200);
  await ask(server, "DELETE", "/v1/cursors/bob", 204);
  await ask(server, "DELETE", "/v1/cursors/bob", 404);
  const found = await wholeScrape(server);
  expect(found.counted("fibserver_cursor_moves_total")).toEqual({
    'operation="next",outcome="ok"': 5,
    'operation="next",outcome="replayed"': 1,
    'operation="next",outcome="sequence_end"': 1,
    'operation="previous",outcome="ok"': 1,
    'operation="previous",outcome="sequence_start"': 1,
    'operation="set",outcome="ok"': 1,
    'operation="remove",outcome="ok"': 1,
    'operation="remove",outcome="cursor_unknown"': 1,
  });
  expect(found.histogram("fibserver_cursor_group_size", "1.0")).toEqual({ count: 12, sum: 12, upTo: 12 });
  expect([found.get("fibserver_cursors"), found.get("fibserver_clients")]).toEqual([1, 0]);
  // Five moves of the default cursor and three of the others were made durable, one by one.
  const [syncsBefore, syncs] = [before, found].map((each) =>
    each.histogram("fibserver_cursor_sync_seconds", "+Inf"),
  );
  expect(syncsBefore!.count).toBeGreaterThanOrEqual(5);
  expect(syncs!.count - syncsBefore!.count).toBe(3);
  expect(syncs!.sum).toBeGreaterThan(0);
});

test("cursors and clients: those that there are", async () => {
  using folder = temporaryFolder();
  const args = ["-f", path.join(folder.path, "cursor"), "--per-client"];
  await using server = await startServer(args);
  for (let i = 0; i < 3; i++) await ask(server, "GET", "/api0/next", 200);
  await ask(server, "POST", "/v1/cursors/alice/next", 200);
  const found = await wholeScrape(server);
  expect([found.get("fibserver_cursors"), found.get("fibserver_clients")]).toEqual([1, 3]);
});

withStrace("a slow disk: its syncs are seen, of the file and of named cursors", async () => {
  using folder = temporaryFolder();
  using traces = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
  const routes = ["/v1/cursors/alice/next", "/v1/cursor/next"];
  // Behind these no name in the folder changes any more, which each would sync once.
  for (const route of [...routes, ...routes]) await ask(server, "POST", route, 200);
  for (const route of routes) {
    const before = (await scrape(server)).histogram("fibserver_cursor_sync_seconds", "0.25");
    await using _ = await injectInto(
      server.pid,
      path.join(traces.path, `trace ${path.basename(path.dirname(route))}`),
      SYNCS,
      "delay_enter=300000",
    );
    await ask(server, "POST", route, 200);
    const after = (await scrape(server)).histogram("fibserver_cursor_sync_seconds", "0.25");
    expect(after.count - after.upTo - (before.count - before.upTo)).toBe(1);
    expect(after.sum - before.sum).toBeGreaterThan(0.3);
  }
});

test("a lock that another process holds: who waits for it, and how long, of the file and of named cursors", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  // Nobody is refused because the test has held a lock for long.
  await using server = await startServer(["-f", file, "--lock-timeout", "240"]);
  await ask(server, "POST", "/v1/cursors/alice/next", 200);
  const before = (await scrape(server)).histogram("fibserver_cursor_lock_seconds", "0.01");

  const holder = Bun.spawn(["flock", "--no-fork", file, "sh", "-c", "echo held; read end"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { value } = await holder.stdout.getReader().read();
  expect(Buffer.from(value!).toString()).toBe("held\n");
  const moves = [1, 2].map(() => ask(server, "POST", "/v1/cursor/next", 200));
  await untilScrape(server, "two wait", (found) => found.get("fibserver_cursor_waiting") === 2);
  const heldMs = performance.now();
  await until("it is long enough", () => performance.now() - heldMs > 20);
  await holder.stdin.end();
  await Promise.all(moves);
  const afterFile = await scrape(server);
  expect(afterFile.get("fibserver_cursor_waiting")).toBe(0);
  expect(afterFile.histogram("fibserver_cursor_group_size", "1.0")).toMatchObject({ count: 2, sum: 3 });
  const waited = afterFile.histogram("fibserver_cursor_lock_seconds", "0.01");
  expect(waited.count - waited.upTo - (before.count - before.upTo)).toBe(1);
  expect(waited.sum - before.sum).toBeGreaterThan(0.02);

  const other = new Database(`${file}.cursors`);
  other.run("BEGIN IMMEDIATE");
  const move = ask(server, "POST", "/v1/cursors/alice/next", 200);
  // Who waits for the lock keeps the database from telling how many cursors there are.
  await untilScrape(
    server,
    "it waits",
    (found) => found.get("fibserver_cursor_waiting") === 1 && !found.names.includes("fibserver_cursors"),
  );
  const namedHeldMs = performance.now();
  await until("it is long enough", () => performance.now() - namedHeldMs > 50);
  other.run("ROLLBACK");
  other.close();
  await move;
  const afterNamed = (await scrape(server)).histogram("fibserver_cursor_lock_seconds", "0.01");
  expect(afterNamed.count - waited.count).toBe(1);
  expect(afterNamed.upTo).toBe(waited.upTo);
});

test("tasks: by state, how long the oldest waits, those that have ended, and what they take; who watches", async () => {
  using folder = temporaryFolder();
  const args = [
    "-f",
    path.join(folder.path, "cursor"),
    "--max-computations",
    "1",
    "--max-digits",
    "1000000000",
  ];
  await using server = await startServer(args);
  const none = await wholeScrape(server);
  expect(none.by("fibserver_tasks")).toEqual(states({}));
  expect([none.get("fibserver_task_age_seconds"), none.get("fibserver_result_bytes")]).toEqual([0, 0]);

  await post(server, "fibonacci", 100);
  await post(server, "fibonacci", 1_000_000);
  await untilScrape(server, "two are ready", (found) => found.by("fibserver_tasks")['state="ready"'] === 2);
  const running = await post(server, "factorial", ENDLESS);
  const waiting = await post(server, "factorial", ENDLESS - 1);
  const busy = await untilScrape(
    server,
    "one runs",
    (found) => found.by("fibserver_tasks")['state="running"'] === 1,
  );
  expect(busy.by("fibserver_tasks")).toEqual(states({ ready: 2, running: 1, queued: 1 }));
  expect(busy.by("fibserver_computations")).toEqual({ 'state="running"': 1, 'state="waiting"': 1 });
  expect(busy.get("fibserver_result_bytes")).toBe(4096 + 208_988);
  const older = await untilScrape(server, "it is older", (found) => ageOf(found) > ageOf(busy));
  const { 'kind="fibonacci"': digits, ...others } = older.by("fibserver_digits_total");
  expect([digits, ...new Set(Object.values(others))]).toEqual([208_988, 0]);
  expect(older.get('fibserver_computation_seconds_count{kind="fibonacci"}')).toBe(1);

  const abort = new AbortController();
  const { signal } = abort;
  const follow = (route: string) => fetch(server.url + route, { signal }).catch(() => undefined);
  const followers = [
    follow(`/v1/tasks/${running.id}/events`),
    follow(`/v1/tasks/${waiting.id}/events`),
    follow("/v1/cursor/events"),
  ];
  await untilScrape(server, "they watch", areWatched(2, 1));
  abort.abort();
  await Promise.all(followers);
  await untilScrape(server, "nobody watches", areWatched(0, 0));

  for (const { id } of [running, waiting, waiting]) await ask(server, "POST", `/v1/tasks/${id}/cancel`, 200);
  const ended = await wholeScrape(server);
  expect(ended.by("fibserver_tasks")).toEqual(states({ ready: 2, cancelled: 2 }));
  expect(ended.get("fibserver_task_age_seconds")).toBe(0);
  expect(ended.by("fibserver_tasks_finished_total")).toMatchObject({
    'kind="fibonacci",outcome="ready"': 2,
    'kind="factorial",outcome="cancelled"': 2,
  });
  expect(ended.get("fibserver_result_bytes")).toBe(3 * 4096 + 208_988);
});

test("a task that has ended its process too often is one that has failed", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const args = ["-f", file, "--max-digits", "1000000000"];
  {
    await using server = await startServer(args);
    await post(server, "factorial", ENDLESS);
    await untilScrape(server, "it runs", (found) => found.by("fibserver_tasks")['state="running"'] === 1);
    server.kill("SIGKILL");
    await server.ended();
  }
  const database = new Database(`${file}.tasks`);
  database.run("UPDATE tasks SET deaths = 1000");
  database.close();
  await using server = await startServer(args);
  const failed = 'fibserver_tasks_finished_total{kind="factorial",outcome="failed"}';
  const found = await untilScrape(server, "it failed", (each) => each.get(failed) === 1 && isWhole(each));
  expect(found.by("fibserver_tasks")).toEqual(states({ failed: 1 }));
});

test("streams: those that somebody reads", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
  const abort = new AbortController();
  const response = await fetch(`${server.url}/v1/fibonacci/50000000`, { signal: abort.signal });
  expect(response.status).toBe(200);
  await untilScrape(server, "one is sent", (found) => found.get("fibserver_streams") === 1);
  abort.abort();
  await untilScrape(server, "none is sent", (found) => found.get("fibserver_streams") === 0);
});

withStrace("a database that hangs: the rest is told, and what it alone knows is left out", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
  await ask(server, "POST", "/v1/cursors/alice/next", 200);
  await post(server, "fibonacci", 100);
  const trace = path.join(folder.path, "trace");
  await using _ = await injectInto(server.pid, trace, SYNCS, "delay_enter=200000000");
  const abort = new AbortController();
  const hanging = [
    fetch(`${server.url}/v1/cursors/alice/next`, { method: "POST", signal: abort.signal }),
    fetch(`${server.url}/v1/tasks`, {
      method: "POST",
      signal: abort.signal,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ kind: "fibonacci", n: "101" }),
    }),
  ];
  const found = await untilScrape(server, "both hang", isHanging);
  expect(found.get('fibserver_cursor_moves_total{operation="next",outcome="ok"}')).toBe(1);
  expect(found.by("fibserver_computations")).toEqual({ 'state="running"': 0, 'state="waiting"': 0 });
  expect(found.by("fibserver_tasks_finished_total")['kind="fibonacci",outcome="ready"']).toBe(1);
  abort.abort();
  await Promise.allSettled(hanging);
});

function states(some: Record<string, number>): Record<string, number> {
  const all = { queued: 0, running: 0, ready: 0, failed: 0, cancelled: 0, ...some };
  return Object.fromEntries(Object.entries(all).map(([state, count]) => [`state="${state}"`, count]));
}
