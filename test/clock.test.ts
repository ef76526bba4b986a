/** A clock that jumps: neither the cursor nor a task that was accepted cares. libfaketime sets it while programs run. */
import { afterAll, expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { mustRequest, requireTool, run, startServer, temporaryFolder, until } from "./binary.ts";
import { startWorker } from "./executor.ts";
import { hasRedis, startRedis, withRedis } from "./redis.ts";

setDefaultTimeout(300_000);

const LIBRARY = `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/faketime/libfaketime.so.1`;
const withClock = requireTool(["test", "-e", LIBRARY], "apt-get install libfaketime");

const withClocks = hasRedis ? withClock : withRedis;

// What libfaketime keeps in memory is named after a process, and stays behind kill -9: it would lock out a later process
// that gets the same id.
afterAll(() => {
  for (const name of fs.existsSync("/dev/shm") ? fs.readdirSync("/dev/shm") : []) {
    const pid = /faketime_(?:sem|shm)_(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !fs.existsSync(`/proc/${pid}`)) fs.rmSync(`/dev/shm/${name}`, { force: true });
  }
});

/** A clock that is the system's until it is set to something else, such as `-1d`. */
function clockIn(folder: string) {
  const file = path.join(folder, "clock");
  const set = (offset: string) => {
    fs.writeFileSync(`${file}.new`, `${offset}\n`);
    fs.renameSync(`${file}.new`, file);
  };
  set("+0");
  // The monotonic clock is nobody's to set.
  const env = { LD_PRELOAD: LIBRARY, FAKETIME_DONT_FAKE_MONOTONIC: "1", FAKETIME_NO_CACHE: "1" };
  return { env: { ...env, FAKETIME_TIMESTAMP_FILE: file }, set };
}

withClock("moves and tasks go on over jumps of a day in both directions, also across a start", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const clock = clockIn(folder.path);
  const made: { id: string; createdAt: string }[] = [];
  let moves = 0;
  for (const offsets of [["+0", "-1d", "+1d"], ["-1d"], ["+0"]]) {
    clock.set(offsets[0]!);
    await using server = await startServer(["-f", file, "--result-ttl", "864000"], { env: clock.env });
    for (const offset of offsets) {
      clock.set(offset);
      expect((await mustRequest(server, "next")).index).toBe(++moves);
      const body = JSON.stringify({ kind: "fibonacci", n: String(100_000 + moves) });
      const response = await fetch(`${server.url}/v1/tasks`, { method: "POST", body });
      expect(response.status).toBe(202);
      made.push((await response.json()) as (typeof made)[number]);
    }
    for (const { id } of made) {
      const state = async () =>
        ((await (await fetch(`${server.url}/v1/tasks/${id}`)).json()) as { state: string }).state;
      await until(`${id} is ready`, async () => (await state()) === "ready");
    }
    server.kill("SIGTERM");
    expect(await server.ended()).toBe(0);
  }
  // The clock that they were made by did jump.
  const times = made.map(({ createdAt }) => Date.parse(createdAt));
  expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(86_400_000);
});

withClock("a folder that is locked is waited for one second, whatever the clock says", async () => {
  using folder = temporaryFolder();
  const clock = clockIn(folder.path);
  const locked = path.join(folder.path, "locked");
  fs.mkdirSync(locked);
  const holder = Bun.spawn(["flock", "--no-fork", locked, "sh", "-c", "echo held; exec sleep 600"], {
    stdout: "pipe",
  });
  try {
    await holder.stdout.getReader().read();
    const startMs = performance.now();
    const waiting = run(["n", "-f", path.join(locked, "cursor")], { env: clock.env });
    // Back, and back again, for as long as it waits.
    for (let days = 1; Bun.peek.status(waiting) === "pending"; days++) {
      clock.set(`-${days}d`);
      await Bun.sleep(20);
    }
    const { exitCode, stderr } = await waiting;
    expect(stderr).toContain("is locked");
    expect(exitCode).toBe(75);
    // By that clock it would wait for a day.
    expect(performance.now() - startMs).toBeLessThan(60_000);
  } finally {
    holder.kill();
    await holder.exited;
  }
});

interface TaskView {
  readonly id: string;
  readonly state: string;
  readonly createdAt: string;
  readonly finishedAt: string;
  readonly expiresAt: string;
}

withClocks("on many machines one clock holds, Redis's: two hours between them change nothing", async () => {
  const TTL_SECONDS = 600;
  using folder = temporaryFolder();
  await using redis = await startRedis();
  const at = (offset: string) => {
    const own = path.join(folder.path, offset);
    fs.mkdirSync(own);
    const clock = clockIn(own);
    clock.set(offset);
    return { env: clock.env };
  };
  const args = ["--redis", redis.url, "--result-ttl", String(TTL_SECONDS)];
  await using early = await startServer(args, at("-1h"));
  const startMs = Date.now();
  const submit = async (server: typeof early, n: number) => {
    const body = JSON.stringify({ kind: "fibonacci", n: String(n) });
    const response = await fetch(`${server.url}/v1/tasks`, { method: "POST", body });
    expect(response.status).toBe(202);
    return ((await response.json()) as TaskView).id;
  };
  // Lost by the queue before there is a front whose clock is right: an early one heals it.
  const lost = await submit(early, 100_000);
  await redis.cli("DEL", `fibserver:queue:tasks:${lost}`, "fibserver:queue:tasks:wait");
  await until("it is healed", async () => (await redis.cli("LLEN", "fibserver:queue:tasks:wait")) === "1\n");
  await using late = await startServer(args, at("+1h"));
  await using _worker = await startWorker(redis.url, at("-2h"));
  await using _another = await startWorker(redis.url, at("+2h"));
  const ids = [lost];
  for (let i = 1; i <= 12; i++)
    ids.push(await submit(i % 2 === 0 ? early : late, i % 3 === 0 ? 200_000 + i : i));
  for (const server of [early, late]) {
    const tasks: TaskView[] = [];
    for (let after = ""; ;) {
      const response = await fetch(`${server.url}/v1/tasks?limit=5${after && `&after=${after}`}`);
      const page = (await response.json()) as { tasks: TaskView[]; next?: string };
      tasks.push(...page.tasks);
      if (page.next === undefined) break;
      after = page.next;
    }
    expect(tasks.map(({ id }) => id)).toEqual(ids);
  }
  for (const id of ids) {
    const find = async () => (await (await fetch(`${late.url}/v1/tasks/${id}`)).json()) as TaskView;
    await until(`${id} is ready`, async () => (await find()).state === "ready");
    const { createdAt, finishedAt, expiresAt } = await find();
    for (const time of [createdAt, finishedAt])
      expect(Date.parse(time)).toBeWithin(startMs - 1000, Date.now() + 1000);
    expect(Date.parse(expiresAt) - Date.parse(finishedAt)).toBe(TTL_SECONDS * 1000);
  }
});
