/** What is logged of a Redis that is short of replicas, away, and back: the reason, once. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { redisLog } from "../src/serving/redis-log.ts";
import type { Logger } from "../src/log.ts";
import { startServer, until } from "./binary.ts";
import { startWorker } from "./executor.ts";
import { type Redis, startRedis, withRedis } from "./redis.ts";

setDefaultTimeout(300_000);

/** How its line ends. */
const BACK = String.raw`\" is back"`;

/** How often something stands in a log. */
function count(log: string, text: string): number {
  return log.split(text).length - 1;
}

/** Runs a command on a Redis that wants a password. */
function ask(redis: Redis, password: string, ...command: string[]): Promise<string> {
  return redis.cli("--no-auth-warning", "-a", password, ...command);
}

withRedis(
  "--redis-wait with too few replicas is a warning at the start, of fronts and executors",
  async () => {
    await using redis = await startRedis();
    await using server = await startServer(["--redis", redis.url, "--redis-wait", "1"]);
    await using worker = await startWorker(redis.url, {}, ["--redis-wait", "2"]);
    expect(server.log()).toContain("has 0 of the 1 replicas that --redis-wait asks for");
    expect(worker.log()).toContain("has 0 of the 2 replicas that --redis-wait asks for");
    await using replica = await startRedis(["--replicaof", "127.0.0.1", String(redis.port)]);
    await until("it has a replica", async () =>
      (await redis.cli("INFO", "replication")).includes("state=online"),
    );
    await using content = await startServer(["--redis", redis.url, "--redis-wait", "1"]);
    expect(content.log()).not.toContain("--redis-wait");
    expect(replica.port).not.toBe(redis.port);
  },
);

withRedis("settings that weaken the promises are named all at once", async () => {
  await using redis = await startRedis(["--appendonly", "no", "--appendfsync", "everysec"]);
  await using worker = await startWorker(redis.url);
  expect(worker.log()).toContain("set appendonly to yes");
  expect(worker.log()).toContain("set appendfsync to always, it is everysec");
});

withRedis(
  "a password that changes while processes run is named, once for each outage and place",
  async () => {
    await using store = await startRedis(["--requirepass", "old"]);
    await using queue = await startRedis(["--requirepass", "old"]);
    const [storeUrl, queueUrl] = [store, queue].map(({ url }) => url.replace("//", "//:old@"));
    const both = ["--redis-queue", queueUrl!];
    await using server = await startServer(["--redis", storeUrl!, ...both]);
    await using worker = await startWorker(storeUrl!, {}, both);
    for (const [i, redis] of [store, queue].entries()) {
      await ask(redis, "old", "CONFIG", "SET", "requirepass", "new");
      await ask(redis, "new", "CONFIG", "RESETSTAT");
      await ask(redis, "new", "CLIENT", "KILL", "TYPE", "normal");
      const said = `"message":"Still away. \\"Cannot use Redis at ${redis.url}: WRONGPASS`;
      for (const program of [server, worker])
        await until("it is in the log", () => program.log().includes(said));
      // So many that it has been asked again.
      await until("they try again and again", async () => {
        const [, refused = 0] =
          /WRONGPASS:count=(\d+)/.exec(await ask(redis, "new", "INFO", "errorstats")) ?? [];
        return Number(refused) > 100;
      });
      await ask(redis, "new", "CONFIG", "SET", "requirepass", "old");
      for (const program of [server, worker]) {
        await until("it is back", () => count(program.log(), BACK) > i);
        expect(count(program.log(), said)).toBe(1);
        expect(program.log()).toContain("the user name or the password in the URL is wrong");
      }
    }
    await store.crash();
    for (const program of [server, worker])
      await until("it says why", () => program.log().includes("nothing listens there"));
  },
);

withRedis("-d tells once for each outage what BullMQ says of it", async () => {
  await using redis = await startRedis();
  await using worker = await startWorker(redis.url, {}, ["-d"]);
  const said = String.raw`"message":"The queue: \"Connection closed\""`;
  const isWaiting = async () => (await redis.cli("CLIENT", "LIST")).includes("cmd=bzpopmin");
  for (const outage of [1, 2]) {
    await until("it waits for tasks", isWaiting);
    await redis.crash();
    await until("it is away for a while", () => count(worker.log(), '"message":"Still away.') === outage);
    await redis.restart();
    await until("it is back", () => count(worker.log(), BACK) === outage);
    expect(count(worker.log(), said)).toBe(outage);
  }
});

test("redisLog() takes what BullMQ's adapter says when a connection ends for no warning, and all else for one", () => {
  const told: string[] = [];
  const teller = (level: string) => (text: string, values: Record<string, string>) =>
    told.push(`${level} ${text.replace("{error}", values["error"]!)}`);
  const log = { warn: teller("warn"), debug: teller("debug") } as unknown as Logger;
  const { onError } = redisLog(log, []);
  for (const message of ["null is not an object (evaluating 'r.forEach')", "Connection closed", "odd"]) {
    for (let i = 0; i < 2; i++) onError(new TypeError(message));
  }
  expect(told).toEqual([
    "debug The queue: null is not an object (evaluating 'r.forEach')",
    "debug The queue: Connection closed",
    "warn The queue: odd",
    "warn The queue: odd",
  ]);
});
