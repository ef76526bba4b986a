/**
 * Connections to Redis, also to what Sentinel watches: they lead to a primary, follow it together, and promise no more than
 * what it says. What no real server says when it is wanted is said by a fake one.
 */
import { expect, onTestFinished, setDefaultTimeout, test } from "bun:test";
import { checkRedis } from "../src/redis/check.ts";
import { WatchedClient } from "../src/redis/client.ts";
import { defineScript, DoubtfulError, RedisConnection } from "../src/redis/connection.ts";
import { FibError } from "../src/errors.ts";
import { RedisPlace, type Target } from "../src/redis/place.ts";
import { until } from "./binary.ts";
import { startRedis, withRedis } from "./redis.ts";
import { isRefused, rejected } from "./refusal.ts";
import { startWatched } from "./sentinel.ts";

setDefaultTimeout(300_000);

function openClient(place: RedisPlace) {
  const lost: string[] = [];
  const client = new WatchedClient(place, { onLost: (reason) => lost.push(reason) });
  onTestFinished(() => client.close());
  return { client, lost };
}

/** A client that is connected. A Sentinel has half a second to answer; one that took longer is asked again. */
async function openConnected(place: RedisPlace) {
  let opened: ReturnType<typeof openClient>;
  await until("it is connected", async () => {
    opened = openClient(place);
    return !(await isRefused(opened.client.connect()));
  });
  return opened!;
}

/** What a Sentinel says, or that it does not say it; one that took too long is asked again. */
async function located(place: RedisPlace): Promise<string> {
  let answer: Target | FibError | undefined;
  await until("a Sentinel answers", async () => {
    answer = await place.locate().catch((error: FibError) => error);
    return !(answer instanceof FibError) || answer.code !== "redis_unavailable";
  });
  return answer instanceof FibError ? answer.code : answer!.url;
}

/**
 * Two primaries, and a Sentinel that names one of them. A real one soon tells the old primary that it is none, and then
 * that ends the connections itself.
 */
async function startTwo() {
  const servers = [await startRedis(), await startRedis()] as const;
  onTestFinished(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
  });
  let [{ port }] = servers;
  const sentinel = startFake(() => named("127.0.0.1", port));
  return {
    place: new RedisPlace(`redis+sentinel://${sentinel}/fib`),
    old: servers[0],
    nameOther: () => ([, { port }] = servers),
  };
}

withRedis("WatchedClient: who finds the new primary ends an idle connection to the old one", async () => {
  const { place, nameOther } = await startTwo();
  const { client: idle, lost } = await openConnected(place);
  expect({ connected: idle.connected, lost }).toEqual({ connected: true, lost: [] });
  nameOther();
  const { client } = await openConnected(place);
  expect({ connected: idle.connected, lost }).toEqual({ connected: false, lost: ["Connection closed"] });
  expect(client.connected).toBe(true);
});

withRedis("WatchedClient does not connect to a replica", async () => {
  await using replica = await startRedis(["--replicaof", "127.0.0.1", "1"]);
  const { client, lost } = openClient(new RedisPlace(replica.url));
  expect(await client.connect().catch((error: Error) => error.message)).toContain("it is a replica");
  expect({ connected: client.connected, lostCount: lost.length }).toEqual({ connected: false, lostCount: 1 });
});

withRedis(
  "WatchedClient is closed by an error that says that this is no primary, also inside of EXEC",
  async () => {
    await using redis = await startRedis();
    for (const ask of [
      (client: WatchedClient) => client.send("SET", ["a", "1"]),
      (client: WatchedClient) => client.send("EVAL", ["return redis.call('SET', 'a', '1')", "0"]),
      (client: WatchedClient) => {
        void client.send("MULTI", []);
        void client.send("EVAL", ["return redis.call('SET', 'a', '1')", "0"]);
        return client.send("EXEC", []);
      },
    ]) {
      const { client, lost } = await openConnected(new RedisPlace(redis.url));
      // In one go: or it might ask for the role in between, and see it there.
      void client.send("REPLICAOF", ["127.0.0.1", "1"]);
      const reply = await ask(client).catch((error: Error) => error);
      expect(String(reply)).toContain("READONLY");
      expect({ connected: client.connected, lost: lost.join() }).toMatchObject({
        connected: false,
        lost: expect.stringMatching(/^READONLY/) as string,
      });
      await redis.cli("REPLICAOF", "NO", "ONE");
    }
  },
);

withRedis("WatchedClient: a server that waits for replicas is a primary", async () => {
  await using redis = await startRedis(["--min-replicas-to-write", "1"]);
  const { client } = openClient(new RedisPlace(redis.url));
  await client.connect();
  const reply = await client.send("SET", ["a", "1"]).catch((error: Error) => error.message);
  expect(reply).toContain("NOREPLICAS");
  expect(client.connected).toBe(true);
});

withRedis("WatchedClient: what comes before it is connected is refused in BullMQ's words", async () => {
  await using redis = await startRedis();
  const { client } = openClient(new RedisPlace(redis.url));
  const refusal = () => client.send("PING", []).catch((error: Error) => error.message);
  expect(await refusal()).toBe("Connection closed");
  const connecting = client.connect();
  // Its socket is there before its server is known to be a primary.
  while (!client.connected) {
    expect(await refusal()).toBe("Connection closed");
    await Bun.sleep(0);
  }
  await connecting;
  expect(await refusal()).toBe("PONG");
  client.close();
  expect(await refusal()).toBe("Connection closed");
});

withRedis(
  "WatchedClient: a connection leaves the old primary when Sentinel has named another, though that one goes on",
  async () => {
    const { place, old, nameOther } = await startTwo();
    const { client, lost } = await openConnected(place);
    nameOther();
    // Nothing is asked over it, and its server takes itself for the primary.
    await until("it is left", () => !client.connected);
    expect(lost).toEqual(["Connection closed"]);
    expect((await old.cli("ROLE")).split("\n", 1)).toEqual(["master"]);
  },
);

withRedis("WatchedClient: a Sentinel that names what is no primary ends no connection", async () => {
  await using watched = await startWatched({ sentinelCount: 1 });
  const [primary, replica] = watched.servers;
  const { client } = await openConnected(new RedisPlace(watched.url));
  const { port } = watched.sentinels[0]!;
  await Bun.$`redis-cli -p ${port} SENTINEL REMOVE fib`.quiet();
  await Bun.$`redis-cli -p ${port} SENTINEL MONITOR fib 127.0.0.1 ${replica!.port} 1`.quiet();
  const asked = async () =>
    Number(/cmdstat_role:calls=(\d+)/.exec(await replica!.cli("INFO", "commandstats"))?.[1] ?? 0);
  const before = await asked();
  await until("it was asked twice for its role", async () => (await asked()) > before + 1);
  expect(client.connected).toBe(true);
  expect((await primary!.cli("ROLE")).split("\n", 1)).toEqual(["master"]);
});

withRedis(
  "WatchedClient: a silence ends it, whatever it is asked meanwhile; a command may block",
  async () => {
    await using redis = await startRedis();
    await using other = await startRedis();
    const { client, lost } = openClient(new RedisPlace(redis.url));
    const patient = openClient(new RedisPlace(other.url));
    await Promise.all([client.connect(), patient.client.connect()]);
    const blocked = patient.client.send("BZPOPMIN", ["nothing", "2.5"]);
    redis.kill("SIGSTOP");
    const asking = setInterval(() => void client.send("PING", []).catch(() => {}), 100);
    onTestFinished(() => clearInterval(asking));
    await until("it is given up", () => !client.connected);
    expect(lost).toEqual([expect.stringContaining("no answer for 2000 ms")]);
    expect(await blocked).toBeNull();
    expect({ connected: patient.client.connected, lost: patient.lost }).toEqual({
      connected: true,
      lost: [],
    });
  },
);

withRedis("WatchedClient: a process that has stood still for long takes no server for dead", async () => {
  await using redis = await startRedis();
  const { client, lost } = await openConnected(new RedisPlace(redis.url));
  for (let round = 0; round < 3; round++) {
    const asked = client.send("PING", []);
    Bun.sleepSync(3000);
    expect(await asked).toBe("PONG");
  }
  expect(lost).toEqual([]);
});

withRedis("RedisConnection: a promise needs as many replicas as are asked for, not just some", async () => {
  await using redis = await startRedis(["--repl-diskless-sync-delay", "0"]);
  await using _replica = await startRedis(["--replicaof", "127.0.0.1", String(redis.port)]);
  await until("it has all", async () => (await redis.cli("WAIT", "1", "100")) === "1\n");
  const connection = await RedisConnection.open(new RedisPlace(redis.url, { replicasMin: 2 }));
  onTestFinished(() => connection.close());
  const script = defineScript("redis.call('SET', KEYS[1], '1') return 1");
  // A replica on a busy machine may take more than the second that it has: then none has it.
  await until("one has it, and no second", async () => {
    const error = await rejected(connection.run(script, ["a"], [], { replicated: true }));
    // A Redis that takes a second more to say so is taken for dead.
    if (error.code === "redis_unavailable") return false;
    expect(error).toMatchObject({ code: "not_replicated", reply: 1 });
    expect(error.message).toMatch(/[01] of 2 replicas/);
    return error.message.includes("1 of 2 replicas");
  });
});

withRedis("RedisConnection: a promise whose wait was cut short may hold", async () => {
  await using redis = await startRedis();
  const connection = await RedisConnection.open(new RedisPlace(redis.url, { replicasMin: 1 }));
  onTestFinished(() => connection.close());
  const script = defineScript("redis.call('SET', KEYS[1], '1') return 1");
  const promise = () => rejected(connection.run(script, ["a"], [], { replicated: true }));
  let refused = promise();
  // As a demotion does to all that wait. What has waited long enough has ended by itself, and is asked for once more.
  await until("it waits, and is ended", async () => {
    const id = /^id=(\d+).* cmd=wait /m.exec(await redis.cli("CLIENT", "LIST"))?.[1];
    if (id !== undefined && (await redis.cli("CLIENT", "UNBLOCK", id, "ERROR")) === "1\n") return true;
    if (Bun.peek.status(refused) !== "pending") refused = promise();
    return false;
  });
  const error = await refused;
  expect(error).toBeInstanceOf(DoubtfulError);
  expect(error.code).toBe("redis_unavailable");
});

withRedis("RedisConnection: one that is closed while it comes back leaves no connection", async () => {
  await using redis = await startRedis();
  const held = Promise.withResolvers<void>();
  let preparedCount = 0;
  const connection = await RedisConnection.open(new RedisPlace(redis.url), {}, () =>
    ++preparedCount > 1 ? held.promise : Promise.resolve(),
  );
  await redis.cli("CLIENT", "KILL", "TYPE", "normal");
  await until("it comes back", () => preparedCount === 2);
  await connection.close();
  held.resolve();
  const count = async () => (await redis.cli("CLIENT", "LIST")).trim().split("\n").length;
  await until("only redis-cli is connected", async () => (await count()) === 1);
});

withRedis(
  "RedisConnection: more commands than may wait for a Redis that hangs are refused at once",
  async () => {
    await using redis = await startRedis();
    const connection = await RedisConnection.open(new RedisPlace(redis.url));
    onTestFinished(() => connection.close());
    redis.kill("SIGSTOP");
    const asked = Array.from({ length: 100_000 }, () => connection.send("PING", []));
    expect((await rejected(connection.send("PING", []))).code).toBe("overloaded");
    redis.kill("SIGCONT");
    await Promise.allSettled(asked);
    await until("it answers again", async () => !(await isRefused(connection.send("PING", []))));
  },
);

withRedis("RedisPlace: the database of the URL holds for what Sentinel names", async () => {
  await using watched = await startWatched({ sentinelCount: 1 });
  expect(await located(new RedisPlace(`${watched.url}/3`))).toEndWith("/3");
});

withRedis("RedisPlace: a name that one Sentinel does not know is wrong, though another is away", async () => {
  await using watched = await startWatched({ sentinelCount: 1 });
  const unknown = watched.url.replace(/\/fib$/, ",127.0.0.1:1/other");
  expect(await located(new RedisPlace(unknown))).toBe("redis_unusable");
});

/** A server that answers each command, known by its name, as the test says. */
function startFake(answer: (name: string) => string) {
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data: (socket, bytes) => {
        for (const [, name] of bytes.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) {
          socket.write(name === "HELLO" ? "%1\r\n$5\r\nproto\r\n:3\r\n" : answer(name!));
        }
      },
    },
  });
  onTestFinished(() => server.stop(true));
  return `127.0.0.1:${server.port}`;
}

const PRIMARY_ROLE = "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n";

/** A Sentinel's answer. */
const named = (host: string, port: number | string) =>
  `*2\r\n$${host.length}\r\n${host}\r\n$${String(port).length}\r\n${port}\r\n`;

test("WatchedClient: a server that still reads its data is none, from the start and later", async () => {
  let isLoading = true;
  const url = `redis://${startFake((name) => {
    if (name === "ROLE") return PRIMARY_ROLE;
    return isLoading ? "-LOADING it reads its data\r\n" : "+PONG\r\n";
  })}`;
  const { client: early } = openClient(new RedisPlace(url));
  expect(await early.connect().catch((error: Error) => error.message)).toStartWith("LOADING");
  expect(early.connected).toBe(false);
  isLoading = false;
  const { client, lost } = openClient(new RedisPlace(url));
  await client.connect();
  isLoading = true;
  expect(await client.send("GET", ["a"]).catch((error: Error) => error.message)).toStartWith("LOADING");
  expect({ connected: client.connected, lost: lost.length }).toEqual({ connected: false, lost: 1 });
});

test("RedisConnection: what Redis says is told apart by whether it passes, and who can do something", async () => {
  for (const [said, code] of [
    ["MISCONF it cannot save", "redis_unavailable"],
    ["BUSY a script runs", "redis_unavailable"],
    ["READONLY it is a replica", "redis_unavailable"],
    ["MASTERDOWN its primary is away", "redis_unavailable"],
    ["OOM it is full", "redis_full"],
    ["NOREPLICAS it is alone", "not_replicated"],
    ["NOPERM the user may not", "redis_unusable"],
    ["MOVED 1 127.0.0.1:1", "redis_unusable"],
    ["WRONGTYPE it is a list", "redis_unusable"],
  ]) {
    const server = startFake((name) => ({ ROLE: PRIMARY_ROLE, PING: "+PONG\r\n" })[name] ?? `-${said}\r\n`);
    const connection = await RedisConnection.open(new RedisPlace(`redis://${server}`));
    const { code: found, message } = await rejected(connection.send("GET", ["a"]));
    expect([said, found]).toEqual([said, code!]);
    expect(message).toContain(said!);
    await connection.close();
  }
});

test("RedisPlace: an IPv6 address that Sentinel names stands in brackets", async () => {
  const sentinel = startFake(() => named("::1", 6379));
  expect(await located(new RedisPlace(`redis+sentinel://${sentinel}/fib`))).toBe("redis://[::1]:6379/");
});

/** Which Sentinel is asked first. */
const first = (place: RedisPlace) => new URL(place.sentinels[0]!.url).host;

test("RedisPlace: a Sentinel that is away, or names what is none, is asked last from then on", async () => {
  const replica = startFake((name) => (name === "ROLE" ? "*1\r\n$5\r\nslave\r\n" : "+PONG\r\n"));
  const primary = startFake((name) => (name === "ROLE" ? PRIMARY_ROLE : "+PONG\r\n"));
  const [wrong, right] = [replica, primary].map((at) =>
    startFake(() => named("127.0.0.1", at.split(":")[1]!)),
  );
  const away = new RedisPlace(`redis+sentinel://127.0.0.1:1,${right}/fib`);
  await away.locate();
  expect(first(away)).toBe(right!);

  const place = new RedisPlace(`redis+sentinel://${wrong},${right}/fib`);
  expect((await rejected(openClient(place).client.connect())).message).toContain("it is a replica");
  expect(first(place)).toBe(right!);
  await openClient(place).client.connect();
});

withRedis("checkRedis says that a Redis which refuses CONFIG does not tell its appendfsync", async () => {
  await using redis = await startRedis(["--rename-command", "CONFIG", ""]);
  const connection = await RedisConnection.open(new RedisPlace(redis.url));
  onTestFinished(() => connection.close());
  const warnings: string[] = [];
  await checkRedis(connection, { replicasMin: 0, warn: (message) => warnings.push(message) });
  expect(warnings).toEqual([expect.stringContaining("does not tell its appendfsync")]);
});
