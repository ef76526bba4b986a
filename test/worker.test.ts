/** An executor can be watched, and ends in order and in time, whatever it does and wherever its Redis is. */
import { expect, setDefaultTimeout } from "bun:test";
import { run, type Server, startProgram, startServer, until } from "./binary.ts";
import { startWatched, startWorker } from "./executor.ts";
import { type Redis, startRedis, withRedis } from "./redis.ts";

setDefaultTimeout(300_000);

/** n! takes half a minute, and 0.2 GB for each second: it runs until somebody ends it. */
const ENDLESS = 100_000_000;
const HUGE = ["--max-digits", "1000000000"];
/** Some 50 ms on a thread. */
const LONG = 5_000_000;

interface TaskView {
  readonly id: string;
  readonly state: string;
  readonly attempts: number;
}

async function post({ url }: Server, kind: "fibonacci" | "factorial", n: number): Promise<TaskView> {
  const body = JSON.stringify({ kind, n: String(n) });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${url}/v1/tasks`, { method: "POST", headers, body });
  expect(response.status).toBe(202);
  return (await response.json()) as TaskView;
}

async function find({ url }: Server, { id }: TaskView): Promise<TaskView> {
  return (await (await fetch(`${url}/v1/tasks/${id}`)).json()) as TaskView;
}

async function untilState(server: Server, task: TaskView, state: string): Promise<void> {
  await until(`it is ${state}`, async () => (await find(server, task)).state === state);
}

async function statusOf({ url }: { readonly url: string }, route: string): Promise<number> {
  return (await fetch(`${url}${route}`)).status;
}

/** Waits for a status of /readyz; /livez is 200 all the time. */
async function untilReadiness(executor: { readonly url: string }, status: number): Promise<void> {
  await until(`/readyz is ${status}`, async () => {
    expect(await statusOf(executor, "/livez")).toBe(200);
    return (await statusOf(executor, "/readyz")) === status;
  });
}

withRedis(
  "--metrics answers /livez, /readyz and /metrics to those whom it knows, and nothing else",
  async () => {
    await using redis = await startRedis();
    await using executor = await startWatched(redis.url);
    for (const route of ["/livez", "/readyz"]) {
      const response = await fetch(executor.url + route);
      expect([response.status, await response.text()]).toEqual([200, "ok\n"]);
      expect(response.headers.get("cache-control")).toBe("no-store");
      const head = await fetch(executor.url + route, { method: "HEAD" });
      expect([head.status, await head.text(), head.headers.get("content-length")]).toEqual([200, "", "3"]);
      const posted = await fetch(executor.url + route, { method: "POST" });
      expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
      expect(await posted.json()).toMatchObject({ code: "method_not_allowed", instance: route });
    }
    const metrics = await fetch(`${executor.url}/metrics`);
    expect([metrics.status, metrics.headers.get("content-type")]).toEqual([
      200,
      "text/plain; version=0.0.4; charset=utf-8",
    ]);
    const text = await metrics.text();
    expect(text).toContain(
      'http_request_duration_seconds_count{method="GET",route="/livez",status="200"} 1\n',
    );
    expect(text).toContain("\nprocess_resident_memory_bytes ");
    for (const route of ["/", "/api0/next", "/v1/tasks", "/test/stats", "/livez/"]) {
      const response = await fetch(executor.url + route);
      expect([response.status, response.headers.get("content-type")]).toEqual([
        404,
        "application/problem+json",
      ]);
    }
    const foreign = await fetch(`${executor.url}/livez`, { headers: { host: "foreign.test" } });
    expect([foreign.status, await foreign.json()]).toMatchObject([403, { code: "forbidden" }]);
    expect(executor.log()).not.toContain("Open to the network");

    const named = ["--metrics", "0.0.0.0:0", "--allow-host", "executor.test"];
    await using open = await startWorker(redis.url, {}, named);
    expect(open.log()).toContain("Open to the network: whoever reaches");
    const port = /"url":"http:[^"]*:(\d+)\/"/.exec(open.log())![1]!;
    const headers = { host: "executor.test" };
    expect((await fetch(`http://127.0.0.1:${port}/livez`, { headers })).status).toBe(200);
  },
);

/** Starts one whose Redis hangs: it waits for that for some two seconds, and gives it up then. */
function startWaiting(redis: Redis) {
  const args = ["worker", "--redis", redis.url, "--metrics", "127.0.0.1:0"];
  return startProgram(args, /Watched at .*"url":"(http:[^"]*)\/"/);
}

withRedis("/readyz of an executor that waits for its Redis says that it is starting", async () => {
  await using redis = await startRedis();
  // One that was asked too late has ended: then another is.
  await until("an executor that waits is asked, and is ready then", async () => {
    redis.kill("SIGSTOP");
    await using executor = await startWaiting(redis);
    const url = executor.said;
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    redis.kill("SIGCONT");
    if (response === undefined) return false;
    expect([response.status, await response.json()]).toMatchObject([
      503,
      { detail: expect.stringContaining("the executor is starting") as string },
    ]);
    let status: number | undefined;
    await until("it is ready, or has ended", async () => {
      status = await statusOf({ url }, "/readyz").catch(() => undefined);
      return status !== 503;
    });
    if (status === undefined) return false;
    expect(status).toBe(200);
    executor.kill("SIGTERM");
    expect(await executor.ended()).toBe(0);
    return true;
  });
});

withRedis("--metrics that cannot be had ends the start, and a wrong one is explained", async () => {
  await using redis = await startRedis();
  await using executor = await startWatched(redis.url);
  const { host, port } = new URL(executor.url);
  for (const [metrics, code, said] of [
    [host, 69, `Cannot listen on ${host}`],
    [port, 69, "choose another with --metrics"],
    [
      "nohost.invalid:9090",
      69,
      "Cannot listen on nohost.invalid:9090: there is no such host here; choose another",
    ],
    ["127.0.0.1", 2, "it takes HOST:PORT, such as 127.0.0.1:9090"],
    ["127.0.0.1:70000", 2, "'127.0.0.1:70000' for --metrics"],
  ] as const) {
    const { stderr, exitCode } = await run(["worker", "--redis", redis.url, "--metrics", metrics]);
    expect(stderr).toContain(said);
    expect({ metrics, exitCode }).toEqual({ metrics, exitCode: code });
  }
  const { exitCode } = await run(["worker", "--redis", redis.url], { env: { FIBSERVER_METRICS: host } });
  expect(exitCode).toBe(69);
});

withRedis(
  "/readyz of an executor fails while its Redis is away, hangs, is full, or takes no writes",
  async () => {
    await using store = await startRedis();
    await using queue = await startRedis();
    await using executor = await startWatched(store.url, ["--redis-queue", queue.url]);
    await untilReadiness(executor, 200);
    const faults: [string, (redis: Redis) => Promise<unknown>, (redis: Redis) => Promise<unknown>][] = [
      ["dead", (redis) => redis.crash(), (redis) => redis.restart()],
      ["hanging", async (redis) => redis.kill("SIGSTOP"), async (redis) => redis.kill("SIGCONT")],
    ];
    for (const [what, begin, end] of faults) {
      for (const redis of what === "dead" ? [store, queue] : [store]) {
        await begin(redis);
        await untilReadiness(executor, 503);
        const response = await fetch(`${executor.url}/readyz`);
        expect(response.headers.get("retry-after")).toBe("1");
        const { detail, ...rest } = (await response.json()) as { detail: string };
        expect(detail).toStartWith("Cannot take tasks, for want of the queue: ");
        expect(detail).not.toContain(String(redis.port));
        expect(rest).toMatchObject({ status: 503, part: "queue" });
        await end(redis);
        await untilReadiness(executor, 200);
      }
    }
    // Whoever runs it reads what those who ask are not told.
    expect(executor.log()).toContain('"code":"redis_unavailable"');
    await store.cli("replicaof", "127.0.0.1", "1");
    await untilReadiness(executor, 503);
    await store.cli("replicaof", "no", "one");
    await untilReadiness(executor, 200);
    await store.cli("config", "set", "maxmemory", "1");
    await untilReadiness(executor, 503);
    await store.cli("config", "set", "maxmemory", "0");
    await untilReadiness(executor, 200);
  },
);

withRedis("an executor whose Redis dies in the moment that it begins goes on when that is back", async () => {
  for (let i = 0; i < 3; i++) {
    await using redis = await startRedis();
    await using executor = await startWatched(redis.url);
    await redis.crash();
    await untilReadiness(executor, 503);
    await redis.restart();
    await untilReadiness(executor, 200);
    expect(await executor.end("SIGTERM")).toBe(0);
  }
});

withRedis("an executor that starts says so in one sentence, and a signal ends it then", async () => {
  await using redis = await startRedis();
  redis.kill("SIGSTOP");
  await until("an executor that waits is asked, and ended", async () => {
    await using executor = await startWaiting(redis);
    const response = await fetch(`${executor.said}/readyz`).catch(() => undefined);
    executor.kill("SIGTERM");
    const status = await executor.ended();
    // It had given up its Redis by then.
    if (response === undefined || status === 69) return false;
    expect(await response.json()).toMatchObject({
      status: 503,
      title: "No more work can be taken now",
      detail: "Cannot take tasks: the executor is starting",
      part: "queue",
    });
    expect(status).toBe(143);
    return true;
  });
});

withRedis("an executor that is asked to end gives back what it computes, and says nothing else", async () => {
  await using redis = await startRedis();
  await using server = await startServer(["--redis", redis.url, ...HUGE]);
  const task = await post(server, "factorial", ENDLESS);
  for (const signals of [["SIGTERM"], ["SIGINT"], ["SIGTERM", "SIGINT", "SIGTERM", "SIGINT"]] as const) {
    await using executor = await startWatched(redis.url);
    await untilState(server, task, "running");
    for (const signal of signals) executor.kill(signal);
    expect(await executor.ended()).toBe(0);
    expect(executor.log()).toContain("Stopping: what runs is given back");
    expect(executor.log()).not.toMatch(/not given back|deadline|ERROR/);
    expect(await find(server, task)).toMatchObject({ state: "queued", attempts: 0 });
  }
  await using idle = await startWatched(redis.url);
  await fetch(`${server.url}/v1/tasks/${task.id}`, { method: "DELETE" });
  const quick = await post(server, "fibonacci", LONG);
  await untilState(server, quick, "ready");
  expect(await idle.end("SIGTERM")).toBe(0);
});

withRedis(
  "executors that are asked to end at any moment of a task lose none and count none twice",
  async () => {
    await using redis = await startRedis();
    await using server = await startServer(["--redis", redis.url]);
    const tasks = await Promise.all(
      Array.from({ length: 25 }, (_, i) => post(server, "fibonacci", LONG + i)),
    );
    const readyCount = async () => {
      const found = await Promise.all(tasks.map((task) => find(server, task)));
      return found.filter(({ state }) => state === "ready").length;
    };
    for (let count = 0; count < tasks.length;) {
      await using executor = await startWorker(redis.url);
      const before = count;
      await until("it has done some", async () => (count = await readyCount()) > before);
      // As far into the next as it happens to be: begun, computed, half written.
      await Bun.sleep(Math.random() * 60);
      expect(await executor.end("SIGTERM")).toBe(0);
      expect(executor.log()).not.toMatch(/not given back|deadline|ERROR/);
      count = await readyCount();
    }
    for (const task of tasks) expect(await find(server, task)).toMatchObject({ state: "ready", attempts: 1 });
  },
);

withRedis("an executor whose result finds no room gives the task back when it is asked to end", async () => {
  await using redis = await startRedis();
  await using server = await startServer(["--redis", redis.url]);
  await using executor = await startWatched(redis.url);
  await redis.cli("config", "set", "maxmemory", "4mb");
  const task = await post(server, "fibonacci", 10 * LONG);
  const isRefused = async () => (await redis.cli("info", "errorstats")).includes("errorstat_OOM");
  await until("its result has found no room", isRefused);
  expect(await executor.end("SIGTERM")).toBe(0);
  await redis.cli("config", "set", "maxmemory", "0");
  await untilState(server, task, "queued");
  await using _other = await startWatched(redis.url);
  await untilState(server, task, "ready");
});

withRedis(
  "without its Redis an executor ends as well, says what it could not give back, and others do it",
  async () => {
    await using redis = await startRedis();
    await using server = await startServer(["--redis", redis.url, ...HUGE]);
    const task = await post(server, "factorial", ENDLESS);
    // That it runs is still written down when its executor could not say otherwise.
    const isBegun = async (attempt: number) => (await find(server, task)).attempts === attempt;
    for (const [attempt, fault] of [
      [1, "SIGKILL"],
      [2, "SIGSTOP"],
    ] as const) {
      await using executor = await startWatched(redis.url);
      await until("it is begun", () => isBegun(attempt));
      redis.kill(fault);
      if (fault === "SIGKILL") await until("it is noticed", () => executor.log().includes("is away"));
      executor.kill("SIGTERM");
      await until("its stop has begun", () => executor.log().includes("Stopping"));
      if (fault === "SIGSTOP") {
        // Redis would be asked for three seconds: there is time to see that it is not.
        const response = await fetch(`${executor.url}/readyz`);
        const { part, ...rest } = (await response.json()) as { readonly part?: string };
        expect(part).toBeUndefined();
        expect(rest).toMatchObject({ status: 503, detail: "Cannot take tasks: the executor is stopping" });
        expect(await statusOf(executor, "/livez")).toBe(200);
      }
      expect(await executor.ended()).toBe(0);
      expect(executor.log()).toContain("Tasks that were not given back: 1;");
      if (fault === "SIGKILL") await redis.restart();
      else redis.kill("SIGCONT");
      await until("the front is ready", async () => (await statusOf(server, "/readyz")) === 200);
    }
    await using other = await startWatched(redis.url);
    await until("it is begun again", () => isBegun(3));
    await fetch(`${server.url}/v1/tasks/${task.id}/cancel`, { method: "POST" });
    expect(await other.end("SIGTERM")).toBe(0);
  },
);
