/**
 * Many processes on one Redis lose no accepted task and no answered move, whoever is killed.
 *
 * The compiled program as fronts and executors, and a real redis-server; each is killed with SIGKILL while it
 * works. What is computed is compared with what a front computes by itself, and each index comes once.
 */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import {
  mustRequest,
  request,
  requireTool,
  run,
  type Server,
  startServer,
  temporaryFolder,
  until,
} from "./binary.ts";
import { bigTerms } from "./oracle.ts";
import { startWorker } from "./executor.ts";
import { hasRedis, runHeard, startRedis, withRedis } from "./redis.ts";

/** Kills of an executor, with 25 tasks for each; `KILLS=50` for more. */
const KILL_COUNT = Number(process.env["KILLS"] ?? 3);
setDefaultTimeout(300_000 + KILL_COUNT * 1000);

const MANY = ["--max-index", "1000000"];
const VALUES = bigTerms(0, 1000);
const withTls = hasRedis ? requireTool(["openssl", "version"], "apt-get install openssl") : withRedis;
/** Some 50 ms on a thread. */
const LONG = 5_000_000;
/** n! takes half a minute, and 0.2 GB for each second: it runs until somebody ends it. */
const ENDLESS = 100_000_000;
const HUGE = ["--max-digits", "1000000000"];

interface TaskView {
  readonly id: string;
  readonly n: string;
  readonly state: string;
  readonly attempts: number;
}

/** Asks for a task; undefined unless it was accepted. */
async function submit({ url }: Pick<Server, "url">, n: number): Promise<TaskView | undefined> {
  return await post(url, { kind: "fibonacci", n: String(n) });
}

async function post(url: string, computation: object): Promise<TaskView | undefined> {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify(computation);
  const response = await fetch(`${url}/v1/tasks`, { method: "POST", headers, body }).catch(() => undefined);
  if (response === undefined) return undefined;
  if (response.status === 503) expect(response.headers.get("retry-after")).toBe("1");
  else expect(response.status).toBe(202);
  return response.status === 202 ? ((await response.json()) as TaskView) : undefined;
}

/** Takes the place of a Redis that is away: ends each connection, and counts them. */
function countConnections(port: number) {
  let count = 0;
  const onOpen = (socket: Bun.Socket) => {
    count++;
    socket.end();
  };
  const server = Bun.listen({ hostname: "127.0.0.1", port, socket: { open: onOpen, data: () => {} } });
  return { connectionCount: () => count, [Symbol.asyncDispose]: async () => server.stop(true) };
}

async function mustSubmit(server: Server, n: number): Promise<TaskView> {
  const task = await submit(server, n);
  if (task === undefined) throw new Error(`F(${n}) was not accepted`);
  return task;
}

/** A task that runs until somebody ends it; they differ by `which`. */
async function mustSubmitEndless({ url }: Server, which: number): Promise<TaskView> {
  const task = await post(url, { kind: "factorial", n: String(ENDLESS + which) });
  if (task === undefined) throw new Error("An endless task was not accepted");
  return task;
}

async function find({ url }: Server, id: string): Promise<TaskView> {
  const response = await fetch(`${url}/v1/tasks/${id}`);
  expect(response.status).toBe(200);
  return (await response.json()) as TaskView;
}

/** Waits until each task is ready, and compares its result with what the front computes. */
async function mustBeRight(server: Server, tasks: readonly TaskView[]): Promise<TaskView[]> {
  const ended: TaskView[] = [];
  for (const { id, n } of tasks) {
    await until(`F(${n}) is ready`, async () => (await find(server, id)).state === "ready");
    const text = (route: string) => fetch(`${server.url}${route}`).then((response) => response.text());
    const result = await text(`/v1/tasks/${id}/result?format=text`);
    const expected = VALUES[Number(n)] ?? (await text(`/v1/fibonacci/${n}?format=text`));
    expect(result === expected, `F(${n}) is right`).toBe(true);
    ended.push(await find(server, id));
  }
  return ended;
}

withRedis("executors that are killed while they work lose no task, and none is done wrong", async () => {
  await using redis = await startRedis();
  await using server = await startServer(["--redis", redis.url, ...HUGE]);
  const accepted: TaskView[] = [];
  const submitAll = async (from: number) => {
    for (let i = 0; i < 25; i++) accepted.push(await mustSubmit(server, from + i));
  };
  // The stuck ones are the first of each executor, so each kill hits one that runs.
  const stuck = [await mustSubmitEndless(server, 0), await mustSubmitEndless(server, 1)];
  {
    await using one = await startWorker(redis.url);
    await using two = await startWorker(redis.url);
    await until("both run", async () => {
      const states = await Promise.all(stuck.map(({ id }) => find(server, id)));
      return states.every(({ state }) => state === "running");
    });
    await submitAll(100);
    await one.end("SIGKILL");
    await submitAll(200);
    await two.end("SIGKILL");
  }
  await submitAll(300);
  for (let i = 0; i < 5; i++) accepted.push(await mustSubmit(server, LONG + i));
  for (let round = 0; round < KILL_COUNT; round++) {
    await using worker = await startWorker(redis.url);
    // Killed while the front goes on accepting, each time after another number of tasks.
    const killAfter = accepted.length + 1 + Math.floor(Math.random() * 24);
    const submitted = submitAll(400 + round * 100);
    await until("some are accepted", () => accepted.length >= killAfter);
    await worker.end("SIGKILL");
    await submitted;
  }
  await using last = await startWorker(redis.url);
  const isAgain = async ({ id }: TaskView) => (await find(server, id)).attempts > 1;
  const either = async () => (await Promise.all(stuck.map(isAgain))).includes(true);
  await until("a task whose executor was killed is begun again", either);
  for (const { id } of stuck) await fetch(`${server.url}/v1/tasks/${id}`, { method: "DELETE" });
  const ended = await mustBeRight(server, accepted);
  expect(ended.length).toBe(80 + 25 * KILL_COUNT);
  expect(last.log()).not.toContain("ERROR");
});

withRedis("a front that is killed has lost no task that it accepted", async () => {
  await using redis = await startRedis();
  await using other = await startServer(["--redis", redis.url]);
  const accepted: TaskView[] = [];
  {
    await using server = await startServer(["--redis", redis.url]);
    const clients = Array.from({ length: 8 }, async (_, client) => {
      for (let i = 0; i < 100; i++) {
        const task = await submit(server, 1 + client * 100 + i);
        if (task === undefined) return;
        accepted.push(task);
      }
    });
    await until("some are accepted", () => accepted.length > 50);
    server.kill("SIGKILL");
    await Promise.all(clients);
  }
  await using worker = await startWorker(redis.url);
  await mustBeRight(other, accepted);
  expect(await worker.end("SIGTERM")).toBe(0);
});

withRedis("a Redis that is killed and started again has lost nothing", async () => {
  await using redis = await startRedis();
  await using server = await startServer(["--redis", redis.url, ...MANY]);
  await using _worker = await startWorker(redis.url);
  const accepted: TaskView[] = [];
  let last = 0;
  for (let round = 0; round < 2; round++) {
    const over = new AbortController();
    const clients = Array.from({ length: 4 }, async (_, client) => {
      for (let i = 0; i < 60 && !over.signal.aborted; i++) {
        const task = await submit(server, 1 + round * 400 + client * 100 + i);
        if (task !== undefined) accepted.push(task);
      }
    });
    const mover = (async () => {
      while (!over.signal.aborted) {
        const response = await fetch(`${server.url}/v1/cursor/next`, { method: "POST" });
        if (response.status === 200) last = Number(((await response.json()) as { index: string }).index);
        else expect(response.status).toBe(503);
      }
    })();
    const before = accepted.length;
    await until("some are accepted", () => accepted.length > before + 20);
    await redis.crash();
    over.abort();
    await Promise.all([...clients, mover]);
    await redis.restart();
    await until("the front is ready", async () => (await fetch(`${server.url}/readyz`)).status === 200);
    // One move may have been made without an answer.
    expect((await mustRequest(server, "current")).index).toBeWithin(last, last + 2);
  }
  await mustBeRight(server, accepted);
});

withRedis("while Redis is away a front says so at once, and all go on when it is back", async () => {
  await using redis = await startRedis();
  await using server = await startServer(["--redis", redis.url]);
  await using worker = await startWorker(redis.url);
  const long = await mustSubmit(server, LONG);
  await mustBeRight(server, [long]);
  await redis.crash();
  for (let round = 0; round < 2; round++) {
    // A machine that has stood still meanwhile is asked once more.
    await until("all is refused at once", async () => {
      const startMs = performance.now();
      for (const [method, route] of [
        ["GET", "/readyz"],
        ["POST", "/v1/cursor/next"],
        ["GET", `/v1/tasks/${long.id}`],
      ]) {
        const response = await fetch(`${server.url}${route}`, { method: method! });
        expect([route, response.status]).toEqual([route, 503]);
        expect(response.headers.get("retry-after")).toBe("1");
      }
      expect(await (await fetch(`${server.url}/api0/next`)).text()).toBe('{"value":"-3","status":"503"}');
      expect(await submit(server, 7)).toBeUndefined();
      return performance.now() - startMs < 5000;
    });
    // What needs no Redis goes on.
    expect((await fetch(`${server.url}/livez`)).status).toBe(200);
    expect(await (await fetch(`${server.url}/v1/fibonacci/10?format=text`)).text()).toBe("55");
    // The second time all know it, and have tried to come back.
    await using port = countConnections(redis.port);
    await until("they try again and again", () => port.connectionCount() > 10);
  }
  await redis.restart();
  await until("the front is ready", async () => (await fetch(`${server.url}/readyz`)).status === 200);
  expect(await mustRequest(server, "next")).toMatchObject({ index: 1 });
  await mustBeRight(server, [await mustSubmit(server, 7), await mustSubmit(server, LONG + 1)]);
  for (const program of [server, worker]) {
    await until("it is in the log", () => program.log().includes("is back"));
    expect(program.log()).toContain("is away");
  }
});

withRedis(
  "64 clients of two fronts move one cursor, each value comes once, also when a front is killed",
  async () => {
    await using redis = await startRedis();
    await using one = await startServer(["--redis", redis.url, ...MANY]);
    await using two = await startServer(["--redis", redis.url, ...MANY]);
    const seen: number[] = [];
    let unanswered = 0;
    const clients = Array.from({ length: 64 }, async (_, client) => {
      let last = 0;
      for (let move = 0; move < 40; move++) {
        const answer = await request(client % 2 === 0 ? one : two, "next");
        if (answer === undefined) {
          unanswered++;
          return;
        }
        expect(answer.index).toBeGreaterThan(last);
        last = answer.index;
        seen.push(last);
      }
    });
    await until("some have moved", () => seen.length > 300);
    one.kill("SIGKILL");
    await Promise.all(clients);
    expect(new Set(seen).size).toBe(seen.length);
    expect(unanswered).toBeGreaterThan(0);
    expect((await mustRequest(two, "current")).index).toBeWithin(seen.length, seen.length + unanswered + 1);
    // A key that one front has seen moves nothing through the other.
    await using three = await startServer(["--redis", redis.url, ...MANY]);
    const key = { "idempotency-key": "once" };
    const { index } = await mustRequest(two, "next", key);
    expect(await mustRequest(three, "next", key)).toMatchObject({ index, replayed: true });
  },
);

withRedis(
  "a task that is cancelled or forgotten stops on another machine, and its slot is free",
  async () => {
    await using redis = await startRedis();
    await using server = await startServer(["--redis", redis.url, ...HUGE]);
    await using worker = await startWorker(redis.url);
    const endless = await mustSubmitEndless(server, 0);
    await until("it runs", async () => (await find(server, endless.id)).state === "running");
    const next = await mustSubmit(server, LONG);
    const startMs = performance.now();
    const response = await fetch(`${server.url}/v1/tasks/${endless.id}/cancel`, { method: "POST" });
    expect(await response.json()).toMatchObject({ id: endless.id, state: "cancelled" });
    await mustBeRight(server, [next]);
    // A tenth of a second where nothing else runs; uncancelled it would compute for a minute.
    expect(performance.now() - startMs).toBeLessThan(20_000);
    // So does one that is forgotten.
    const forgotten = await mustSubmitEndless(server, 2);
    await until("it runs", async () => (await find(server, forgotten.id)).state === "running");
    const after = await mustSubmit(server, LONG + 1);
    expect((await fetch(`${server.url}/v1/tasks/${forgotten.id}`, { method: "DELETE" })).status).toBe(204);
    await mustBeRight(server, [after]);
    // What an executor that is asked to end gives back, another has at once.
    const given = await mustSubmitEndless(server, 1);
    await until("it runs", async () => (await find(server, given.id)).state === "running");
    expect(await worker.end("SIGTERM")).toBe(0);
    expect(await find(server, given.id)).toMatchObject({ state: "queued", attempts: 0 });
  },
);

withRedis("a password is never logged, and settings that weaken the promises are", async () => {
  await using redis = await startRedis(["--requirepass", "hunter2", "--appendfsync", "everysec"]);
  const url = redis.url.replace("//", "//:hunter2@");
  await using server = await startServer(["-d"], { env: { FIBSERVER_REDIS: url } });
  await using worker = await startWorker(url);
  await mustBeRight(server, [await mustSubmit(server, 10)]);
  await redis.crash();
  await until("the front has noticed", async () => (await fetch(`${server.url}/readyz`)).status === 503);
  for (const log of [server.log(), worker.log()]) {
    expect(log).toContain("appendfsync to always, it is everysec");
    expect(log).not.toContain("hunter2");
  }
  await using lax = await startRedis(["--appendonly", "no", "--maxmemory-policy", "allkeys-lru"]);
  await using careless = await startWorker(lax.url);
  expect(careless.log()).toContain("set appendonly to yes");
  expect(careless.log()).toContain("set maxmemory-policy to noeviction, it is allkeys-lru");
});

withRedis("a Redis that cannot be used ends the start with 69 and what to do", async () => {
  await using redis = await startRedis(["--requirepass", "hunter2"]);
  await using replica = await startRedis(["--replicaof", "127.0.0.1", "1"]);
  const { port } = redis;
  for (const [url, said] of [
    [`redis://127.0.0.1:${port}`, "put the password into the URL"],
    [`redis://:secret@127.0.0.1:${port}`, "the user name or the password in the URL is wrong"],
    [`redis://:hunter2@127.0.0.1:${port}/99`, "DB index is out of range"],
    [replica.url, "name its primary"],
    ["redis://127.0.0.1:1", "nothing listens there"],
  ] as const) {
    for (const command of [["worker"], ["serve", "-p", "0"]]) {
      const { stderr, exitCode } = await runHeard([...command, "--redis", url]);
      expect(stderr).toContain(said);
      expect(stderr).not.toMatch(/secret|hunter2/);
      expect(exitCode).toBe(69);
    }
  }
  const { stderr, exitCode } = await run(["worker", "--redis", "http://x:secret@127.0.0.1"]);
  expect(stderr).toContain("it takes a URL such as redis://");
  expect(stderr).not.toContain("secret");
  expect(exitCode).toBe(2);
});

withTls("rediss:// works, and a certificate that nobody vouches for is refused", async () => {
  using folder = temporaryFolder();
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => path.join(folder.path, name)) as [string, string];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  await Bun.$`openssl req -x509 -newkey rsa:2048 -nodes -keyout ${key} -out ${cert} -days 2 ${subject}`.quiet();
  expect(fs.existsSync(cert)).toBe(true);
  const files = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert];
  await using redis = await startRedis(["--port", "0", "--tls-auth-clients", "no", ...files], "tls");
  const url = redis.url.replace("//", "//:unneeded@");
  await using server = await startServer(["--redis", url], { env: { NODE_EXTRA_CA_CERTS: cert } });
  await using _worker = await startWorker(url, { env: { NODE_EXTRA_CA_CERTS: cert } });
  await mustBeRight(server, [await mustSubmit(server, 10)]);
  const { stderr, exitCode } = await runHeard(["worker", "--redis", url]);
  expect(stderr).toContain("its certificate is refused");
  expect(exitCode).toBe(69);
});

withRedis("a Redis that is too small for what is computed holds one result after the other", async () => {
  await using redis = await startRedis(["--maxmemory", "40mb"]);
  await using server = await startServer(["--redis", redis.url, ...MANY]);
  await using _one = await startWorker(redis.url);
  await using _two = await startWorker(redis.url);
  const tasks = await Promise.all([0, 1, 2].map((i) => mustSubmit(server, 100_000_000 - i)));
  const seen = new Set<string>();
  await until("each was ready, and has perhaps given way", async () => {
    for (const { id } of tasks) {
      const response = await fetch(`${server.url}/v1/tasks/${id}`);
      if (response.status === 404 || ((await response.json()) as TaskView).state === "ready") seen.add(id);
    }
    return seen.size === 3;
  });
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  expect(await mustRequest(server, "next")).toMatchObject({ index: 1 });
});

withRedis("while Redis is full moves and reads go on, all else says why not, and then goes on", async () => {
  // Filled up by somebody else: with less memory there would be less room for results, and they would give way.
  await using redis = await startRedis(["--maxmemory", "30mb"]);
  await using server = await startServer(["--redis", redis.url, ...MANY]);
  await using worker = await startWorker(redis.url);
  await mustBeRight(server, [await mustSubmit(server, 10)]);
  let n = 30_000_000;
  let long: TaskView;
  // Stopped while it computes: it has written nothing when Redis is full.
  await until("an executor computes", async () => {
    long = await mustSubmit(server, n++);
    await until("it is begun", async () => (await find(server, long.id)).state !== "queued");
    worker.kill("SIGSTOP");
    const chunks = await redis.cli("KEYS", `fibserver:result:${long.id}:*`);
    if ((await find(server, long.id)).state === "running" && chunks === "\n") return true;
    worker.kill("SIGCONT");
    return false;
  });
  await redis.cli("SETRANGE", "ballast", String(30 * 2 ** 20), "x");
  worker.kill("SIGCONT");
  const readiness = async () => await (await fetch(`${server.url}/readyz`)).text();
  await until("the front knows it", async () => (await readiness()).includes("redis_full"));
  for (let move = 1; move <= 300; move++) {
    // More keys than are remembered: the ring of them neither grows nor is refused.
    expect((await mustRequest(server, "next", { "idempotency-key": `k${move}` })).index).toBe(move);
  }
  expect(await mustRequest(server, "next", { "idempotency-key": "k300" })).toMatchObject({ replayed: true });
  expect(await find(server, long!.id)).not.toMatchObject({ state: "ready" });
  for (const [method, route, body] of [
    ["GET", "/readyz", undefined],
    ["POST", "/v1/tasks", '{"kind":"fibonacci","n":"11"}'],
    ["POST", "/v1/tasks", '{"kind":"fibonacci","n":"1000011"}'],
  ] as const) {
    const response = await fetch(`${server.url}${route}`, { method, body: body ?? null });
    const problem = await response.json();
    expect([route, response.status, problem]).toMatchObject([route, 503, { code: "redis_full" }]);
    expect(JSON.stringify(problem)).not.toContain(String(redis.port));
  }
  await redis.cli("DEL", "ballast");
  await mustBeRight(server, [long!, await mustSubmit(server, 11)]);
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
});
