/**
 * When another Redis becomes the primary, fronts and executors follow, and what was answered is there.
 *
 * The compiled program on real redis-servers with replicas, which real Sentinels watch. The primary is killed, paused and
 * demoted while clients move the cursor and executors compute.
 */
import { expect, setDefaultTimeout } from "bun:test";
import { type Server, startServer, until } from "./binary.ts";
import { runHeard, startRedis, withRedis } from "./redis.ts";
import { startWatched, type Watched } from "./sentinel.ts";
import { startWorker } from "./executor.ts";

setDefaultTimeout(300_000);

const MANY = ["--max-index", "1000000"];
/** Some 50 ms on a thread. */
const LONG = 5_000_000;

/** Clients that move without a pause until they are told to stop. */
function startMoving(fronts: readonly Server[]) {
  const seen: number[] = [];
  const codes = new Set<string>();
  const over = new AbortController();
  const clients = Array.from({ length: 8 }, async (_, client) => {
    let last = 0;
    while (!over.signal.aborted) {
      const response = await fetch(`${fronts[client % fronts.length]!.url}/v1/cursor/next`, {
        method: "POST",
      });
      const body = (await response.json()) as { index: string; code?: string };
      if (response.status === 200) {
        // What one client is answered goes up: a move that was lost would let it fall.
        expect(Number(body.index)).toBeGreaterThan(last);
        last = Number(body.index);
        seen.push(last);
      } else {
        expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
        codes.add(body.code!);
        await Bun.sleep(5);
      }
    }
  });
  // What one of them finds wrong is told by `stop`, and by nobody before: else it would fail whichever test runs then.
  const ended = Promise.all(clients);
  ended.catch(() => over.abort());
  const stop = async () => {
    over.abort();
    await ended;
    // Each index once: nobody was answered what another had been.
    expect(new Set(seen).size).toBe(seen.length);
    return Math.max(...seen);
  };
  const end = async () => {
    over.abort();
    await Promise.allSettled(clients);
  };
  return { seen, codes, stop, isOver: () => over.signal.aborted, [Symbol.asyncDispose]: end };
}

async function submit({ url }: Server, n: number): Promise<string> {
  let id: string | undefined;
  await until("the task is accepted", async () => {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ kind: "fibonacci", n: String(n) });
    const response = await fetch(`${url}/v1/tasks`, { method: "POST", headers, body });
    const task = (await response.json()) as { id?: string };
    if (response.status === 202) id = task.id;
    else expect(response.status).toBe(503);
    return id !== undefined;
  });
  return id!;
}

/** Waits until each task is ready, and compares its result with what the front computes. */
async function mustBeDone({ url }: Server, tasks: ReadonlyMap<number, string>): Promise<void> {
  const text = async (route: string) => {
    let response: Response;
    // Redis may be taken for dead once more.
    await until(`${route} is answered`, async () => {
      response = await fetch(`${url}${route}`);
      return response.status !== 503;
    });
    return await response!.text();
  };
  for (const [n, id] of tasks) {
    await until(`F(${n}) is ready`, async () => (await text(`/v1/tasks/${id}`)).includes('"state":"ready"'));
    const result = await text(`/v1/tasks/${id}/result?format=text`);
    expect(result === (await text(`/v1/fibonacci/${n}?format=text`)), `F(${n}) is right`).toBe(true);
  }
}

/** Two fronts and an executor, which have moved and computed before `fail` and go on after it. */
async function mustFollow(watched: Watched, fail: () => Promise<void>, isFollowed: () => Promise<boolean>) {
  const sharing = ["--redis", watched.url, "--redis-wait", "1"];
  await using one = await startServer([...sharing, ...MANY]);
  await using two = await startServer([...sharing, ...MANY]);
  await using worker = await startWorker(watched.url, {}, ["--redis-wait", "1"]);
  const tasks = new Map<number, string>();
  for (let i = 0; i < 10; i++) tasks.set(LONG + i, await submit(one, LONG + i));
  await using moving = startMoving([one, two]);
  await until("some have moved", () => moving.seen.length > 100);
  await watched.replicated();
  await fail();
  // Within two seconds on an idle machine. But Sentinel does nothing for 30 s when its own clock has stood for two.
  await until("another one is elected", isFollowed);
  const before = moving.seen.length;
  const goesOn = () => moving.seen.length > before + 100 || moving.isOver();
  await until("moves are answered again", goesOn);
  if (moving.isOver()) await moving.stop();
  for (let i = 10; i < 15; i++) tasks.set(LONG + i, await submit(two, LONG + i));
  await mustBeDone(two, tasks);
  const last = await moving.stop();
  // The moves may all have been the other's.
  for (const { url } of [one, two])
    await until("both are ready", async () => (await fetch(`${url}/readyz`)).status === 200);
  let position: Response;
  await until(
    "the cursor is read",
    async () => (position = await fetch(`${one.url}/v1/cursor`)).status !== 503,
  );
  const { index } = (await position!.json()) as { index: string };
  expect(Number(index)).toBeGreaterThanOrEqual(last);
  for (const program of [one, two, worker]) expect(program.log()).not.toContain("ERROR");
}

withRedis(
  "a primary that is killed: moves and tasks go on with another, and none that was answered is lost",
  async () => {
    await using watched = await startWatched({ replicaCount: 2 });
    const [old] = watched.servers;
    const isFollowed = async () => (await watched.primary(old)) !== undefined;
    await mustFollow(watched, () => old!.crash(), isFollowed);
  },
);

withRedis("a primary that is paused: all go on with another, and it comes back as a replica", async () => {
  await using watched = await startWatched({ replicaCount: 2 });
  const [old] = watched.servers;
  const pause = () => Promise.resolve(old!.kill("SIGSTOP"));
  await mustFollow(watched, pause, async () => (await watched.primary(old)) !== undefined);
  await using server = await startServer(["--redis", watched.url, ...MANY]);
  const isMoved = async () =>
    (await fetch(`${server.url}/v1/cursor/next`, { method: "POST" })).status === 200;
  await until("it moves", isMoved);
  old!.kill("SIGCONT");
  await until("it is a replica", async () => (await old!.role()) === "slave");
  await until("it moves still", isMoved);
});

withRedis("a primary that Sentinel demotes: all follow, and no move that was answered is lost", async () => {
  await using watched = await startWatched({ sentinelCount: 1 });
  const [old, replica] = watched.servers;
  const isFollowed = async () => (await replica!.role()) === "master" && (await old!.role()) === "slave";
  await mustFollow(watched, () => watched.failover(), isFollowed);
});

withRedis("a primary that is made a replica by hand is refused until it is one again", async () => {
  await using redis = await startRedis();
  await using server = await startServer(["--redis", redis.url]);
  const ask = async (method: string, route: string) =>
    (await fetch(`${server.url}${route}`, { method })).status;
  expect(await ask("POST", "/v1/cursor/next")).toBe(200);
  await redis.cli("REPLICAOF", "127.0.0.1", "1");
  expect(await ask("POST", "/v1/cursor/next")).toBe(503);
  const connectionCount = async () =>
    Number(/total_connections_received:(\d+)/.exec(await redis.cli("INFO", "stats"))![1]);
  for (let round = 0; round < 3; round++) {
    const before = await connectionCount();
    // redis-cli is one of them each time.
    let looks = 0;
    await until(
      "the front has tried to come back",
      async () => (await connectionCount()) > before + ++looks + 3,
    );
    // Also what only reads: a replica tells of the past.
    expect(await ask("GET", "/v1/cursor")).toBe(503);
    expect(await ask("GET", "/readyz")).toBe(503);
    expect(await ask("POST", "/v1/cursor/next")).toBe(503);
  }
  expect(await ask("GET", "/livez")).toBe(200);
  await redis.cli("REPLICAOF", "NO", "ONE");
  await until("the front is ready", async () => (await ask("GET", "/readyz")) === 200);
  expect(await ask("POST", "/v1/cursor/next")).toBe(200);
});

withRedis("a demotion is noticed by who only reads", async () => {
  await using redis = await startRedis();
  await using server = await startServer(["--redis", redis.url]);
  await redis.cli("REPLICAOF", "127.0.0.1", "1");
  await until("reads are refused", async () => (await fetch(`${server.url}/v1/cursor`)).status === 503);
  await until("it is logged", () => server.log().includes("is away"));
});

withRedis(
  "--redis-wait: what too few replicas have is 503, which may have happened; reads go on",
  async () => {
    await using redis = await startRedis();
    await using server = await startServer(["--redis", redis.url, "--redis-wait", "1"]);
    const response = await fetch(`${server.url}/v1/cursor/next`, { method: "POST" });
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.json()).toMatchObject({ code: "not_replicated" });
    expect(await (await fetch(`${server.url}/v1/cursor`)).json()).toMatchObject({ index: "1" });
    expect(await (await fetch(`${server.url}/readyz`)).json()).toMatchObject({ code: "not_replicated" });
    // A reader in the group of a move is answered, and so is a move that is refused.
    const [move, read] = await Promise.all([
      fetch(`${server.url}/v1/cursor/next`, { method: "POST", headers: { "if-match": '"1"' } }),
      fetch(`${server.url}/v1/cursor`),
    ]);
    expect([move.status, read.status]).toEqual([412, 200]);
    // Another front that is asked for the same move knows it, and cannot promise it either.
    const keyed = { method: "POST", headers: { "idempotency-key": "once" } };
    expect((await fetch(`${server.url}/v1/cursor/next`, keyed)).status).toBe(503);
    await using other = await startServer(["--redis", redis.url, "--redis-wait", "1"]);
    expect((await fetch(`${other.url}/v1/cursor/next`, keyed)).status).toBe(503);
    await using _replica = await startRedis(["--replicaof", "127.0.0.1", String(redis.port)]);
    const again = async () => await fetch(`${other.url}/v1/cursor/next`, keyed);
    await until("the replica has it", async () => (await again()).status === 200);
    expect((await fetch(`${other.url}/readyz`)).status).toBe(200);
    expect(await (await again()).json()).toMatchObject({ index: "2" });
  },
);

withRedis("a Sentinel where a Redis should be, and the other way round, are told apart", async () => {
  await using watched = await startWatched({ sentinelCount: 1 });
  const { port } = watched.sentinels[0]!;
  for (const [url, said] of [
    [`redis://127.0.0.1:${port}`, "it is a Sentinel; try redis+sentinel://"],
    [watched.url.replace(String(port), String(watched.servers[0]!.port)), "it is no Sentinel"],
    [watched.url.replace(/fib$/, "other"), "its Sentinels know no primary called other"],
    ["redis+sentinel://127.0.0.1:1,127.0.0.1:2/fib", "nothing listens there"],
  ] as const) {
    for (const command of [["c"], ["worker"]]) {
      const { stdout, stderr, exitCode } = await runHeard([...command, "--redis", url]);
      expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 69 });
      expect(stderr).toContain(said);
    }
  }
});

withRedis("Sentinels that are away or hang are passed over", async () => {
  await using watched = await startWatched();
  const [dead, hanging] = watched.sentinels;
  dead!.kill("SIGKILL");
  hanging!.kill("SIGSTOP");
  await using server = await startServer(["--redis", watched.url]);
  expect((await fetch(`${server.url}/v1/cursor/next`, { method: "POST" })).status).toBe(200);
  expect((await runHeard(["n", "--redis", watched.url])).stdout).toBe("1\n");
});
