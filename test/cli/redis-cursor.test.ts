/** The letters beside Redis: they move the cursor that the servers share, and say so when they cannot. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import { output, run, spawn, startServer, temporaryFolder, until } from "../binary.ts";
import { runHeard, startRedis, withRedis } from "../redis.ts";

setDefaultTimeout(300_000);

withRedis(
  "fibserver n moves the cursor that servers have in Redis, from a flag or the environment",
  async () => {
    using folder = temporaryFolder();
    await using redis = await startRedis();
    await using server = await startServer([], { env: { FIBSERVER_REDIS: redis.url } });
    const shell = (...args: string[]) =>
      run(args, {
        env: { FIBSERVER_REDIS: redis.url, HOME: folder.path },
        cwd: folder.path,
        stdin: "n\nc\nq\n",
      });
    expect(await shell("n", "n")).toEqual({ stdout: "1\n1\n", stderr: "", exitCode: 0 });
    expect(await (await fetch(`${server.url}/api0/next`)).text()).toBe('{"value":"2","status":"200"}');
    expect(await shell("c", "--json")).toEqual({
      stdout: '{"value":"2","status":"200"}\n',
      stderr: "",
      exitCode: 0,
    });
    expect((await shell("-i")).stdout).toBe("3\n3\n");
    expect((await shell("cursor", "set", "92")).stdout).toBe("7540113804746346429\n");
    expect(await shell("n")).toMatchObject({ stdout: "", exitCode: 1 });
    expect((await run(["p", "--redis", redis.url])).stdout).toBe("4660046610375530309\n");
    // A flag wins over the environment, in both directions.
    expect((await shell("-f", "x", "n")).stdout).toBe("1\n");
    expect(fs.readdirSync(folder.path)).toEqual(["x"]);
    const both = await run(["c", "--redis", redis.url], { env: { FIBSERVER_FILE: `${folder.path}/x` } });
    expect(both.stdout).toBe("4660046610375530309\n");
  },
);

test("what speaks of a Redis and names none moves no local file", async () => {
  using folder = temporaryFolder();
  for (const [args, env] of [
    [["n", "--redis", ""], {}],
    [["n", "--redis="], {}],
    [["n", "--redis-store", "", "--redis-queue", ""], {}],
    [["n", "--redis-wait", "1"], {}],
    [["n", "--redis-prefix", "x"], {}],
    [["n", "--redis-tls-ca", "/dev/null"], {}],
    [["-f", "x", "n", "--redis-wait", "1"], {}],
    [["-i", "--redis="], {}],
    [["cursor", "set", "5", "--redis="], {}],
    [["serve", "-p", "0", "--redis-wait", "1"], {}],
    [["worker", "--metrics", "", "--redis", "redis://127.0.0.1:1"], {}],
    [["n"], { FIBSERVER_REDIS: "" }],
    [["n"], { FIBSERVER_REDIS_WAIT: "1" }],
  ] as const) {
    const { stdout, stderr, exitCode } = await run(args, {
      env: { HOME: folder.path, ...env },
      cwd: folder.path,
    });
    expect({ args, stdout, exitCode }).toEqual({ args, stdout: "", exitCode: 2 });
    expect(stderr).toMatch(/^fibserver: Cannot use [^\n]*(--redis|--metrics|FIBSERVER_REDIS)[^\n]*\n$/);
    expect(fs.readdirSync(folder.path)).toEqual([]);
  }
});

withRedis("fibserver n makes a missing cursor in Redis, and says so", async () => {
  await using redis = await startRedis();
  const { stdout, stderr, exitCode } = await run(["n", "--redis", redis.url]);
  expect({ stdout, exitCode }).toEqual({ stdout: "1\n", exitCode: 0 });
  expect(stderr).toContain("a new one begins at index 0");
});

withRedis("fibserver n on a Redis that hangs, or wants a password, ends with 69 and shows none", async () => {
  await using redis = await startRedis(["--requirepass", "right"]);
  const { port } = redis;
  expect(await runHeard(["n", "--redis", `redis://:wrong@127.0.0.1:${port}`])).toMatchObject({
    stdout: "",
    stderr: expect.stringMatching(
      /^fibserver: [^\n]*the user name or the password in the URL is wrong\n$/,
    ) as string,
    exitCode: 69,
  });
  redis.kill("SIGSTOP");
  const { stdout, stderr, exitCode } = await run(["n", "--redis", `redis://:right@127.0.0.1:${port}`]);
  redis.kill("SIGCONT");
  expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 69 });
  expect(stderr).toMatch(/^fibserver: Cannot use Redis at redis:\/\/127\.0\.0\.1:\d+: [^\n]+\n$/);
  expect(stderr).not.toContain("right");
});

withRedis("letters say what is wrong with a Redis that takes no writes", async () => {
  await using redis = await startRedis();
  expect((await run(["n", "--redis", redis.url])).exitCode).toBe(0);
  const refused = async (code: string) => {
    const { stdout, stderr, exitCode } = await run(["n", "--json", "--redis", redis.url]);
    const error = JSON.parse(stderr) as { detail: string; code: string };
    expect({ stdout, exitCode, code: error.code }).toEqual({
      stdout: "",
      exitCode: code === "redis_unusable" ? 69 : 75,
      code,
    });
    return error.detail;
  };
  await redis.cli("CONFIG", "SET", "min-replicas-to-write", "1");
  expect(await refused("not_replicated")).toMatch(/NOREPLICAS .*min-replicas-to-write asks for$/);
  await redis.cli("CONFIG", "SET", "min-replicas-to-write", "0");
  // A full one takes moves all the same.
  await redis.cli("CONFIG", "SET", "maxmemory", "1");
  expect((await run(["n", "--redis", redis.url])).stdout).toBe("1\n");
  await redis.cli("CONFIG", "SET", "maxmemory", "0");
  await redis.cli("REPLICAOF", "127.0.0.1", "1");
  expect(await refused("redis_unusable")).toMatch(
    /it is a replica, which takes no writes; name its primary$/,
  );
});

withRedis("a letter whose answer was lost says that the move may have been made", async () => {
  await using redis = await startRedis();
  const child = spawn(["-i", "--redis", redis.url]);
  let said = "";
  void (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) said += chunk;
  })();
  await child.stdin.write("n\n");
  await until(
    "it is connected",
    async () => (await redis.cli("HGET", "fibserver:cursor", "index")) === "1\n",
  );
  // Redis has heard what it does not answer.
  await redis.cli("CLIENT", "PAUSE", "100000", "WRITE");
  await child.stdin.write("n\n");
  // For two seconds: then it says the same of itself.
  const hasSaid = () => said.split("\n").length > 2;
  const waits = async () => (await redis.cli("INFO", "clients")).includes("blocked_clients:1");
  await until("the move waits, or has waited", async () => hasSaid() || (await waits()));
  await redis.crash();
  await until("it says so", hasSaid);
  expect(said).toMatch(
    /the connection was lost before the answer: the move may have been made or not; c in its place shows where the cursor is\n$/,
  );
  await child.stdin.end();
  await child.exited;
});

withRedis("a Redis without TLS behind rediss:// is told", async () => {
  await using redis = await startRedis(["--requirepass", "secret"]);
  const url = redis.url.replace("redis://", "rediss://:secret@");
  for (const command of [["n"], ["serve", "-p", "0"], ["worker"]]) {
    const { stderr, exitCode } = await runHeard([...command, "--redis", url]);
    expect(stderr).toContain("it speaks without TLS: try redis://");
    expect(stderr).not.toContain("secret");
    expect(exitCode).toBe(69);
  }
});

withRedis("a cluster is refused, and told why", async () => {
  await using redis = await startRedis(["--cluster-enabled", "yes"]);
  const { stderr, exitCode } = await run(["worker", "--redis", redis.url]);
  expect(stderr).toContain("its scripts touch keys of several slots");
  expect(exitCode).toBe(69);
});

withRedis("--redis-prefix keeps two cursors in one Redis", async () => {
  await using redis = await startRedis();
  const one = (letter: string) => run([letter, "--redis", redis.url]);
  const two = (letter: string) =>
    run([letter], { env: { FIBSERVER_REDIS: redis.url, FIBSERVER_REDIS_PREFIX: "team-2:fib" } });
  for (const cursor of [one, two])
    expect((await cursor("n")).stderr).toContain("a new one begins at index 0");
  for (let i = 0; i < 4; i++) await two("n");
  expect((await one("c")).stdout).toBe("1\n");
  expect((await two("c")).stdout).toBe("5\n");
  const keys = (await redis.cli("KEYS", "*")).trim().split("\n").toSorted();
  expect(keys).toEqual(["fibserver:cursor", "team-2:fib:cursor"]);
});

withRedis("who only looks makes nothing in a Redis, and is told what is not there", async () => {
  await using redis = await startRedis();
  const flags = ["--redis", redis.url, "--redis-prefix", "mistyped"];
  expect(await run(["cursor", "list", ...flags])).toEqual({ stdout: "", stderr: "", exitCode: 0 });
  expect(await run(["cursor", "list", "--json", ...flags])).toMatchObject({ stdout: "[]\n", stderr: "" });
  for (const name of ["default", "alice"]) {
    const commands = [
      ["cursor", "show"],
      ["cursor", "watch"],
      ...(name === "alice" ? [["c"], ["cursor", "remove"]] : []),
    ];
    for (const command of commands) {
      const { stdout, stderr, exitCode } = await run([...command, "--cursor", name, ...flags]);
      expect({ command, stdout, exitCode }).toEqual({ command, stdout: "", exitCode: 1 });
      expect(stderr).toMatch(
        new RegExp(
          `^fibserver: Cannot find cursor ${name}: there is none; n makes it, fibserver cursor list --redis ${redis.url} --redis-prefix mistyped shows which`,
        ),
      );
    }
  }
  expect((await run(["p", "--cursor", "alice", ...flags])).stderr).toContain("the start of the sequence");
  expect((await run(["-i", "--cursor", "alice", ...flags], { stdin: "c\np\n" })).stdout).toBe("");
  expect((await redis.cli("KEYS", "*")).trim()).toBe("");
  // What moves makes the default one with its own, once, and says so.
  const moved = await run(["-i", "--cursor", "alice", ...flags], { stdin: "c\nn\nn\n" });
  expect(moved.stdout).toBe("1\n1\n");
  expect(moved.stderr.match(/a new one begins at index 0/g)).toHaveLength(1);
  expect(await output(["cursor", "list", ...flags])).toMatch(/^alice\t2\t[^\n]*\ndefault\t0\t-\n$/);
});

withRedis("data that was there and is gone is not made again by the same process", async () => {
  await using redis = await startRedis();
  await run(["c", "--redis", redis.url]);
  const child = spawn(["-i", "--cursor", "alice", "--redis", redis.url]);
  await child.stdin.write("n\n");
  await until("it has moved", async () => (await redis.cli("EXISTS", "fibserver:cursors:alice")) === "1\n");
  await redis.cli("FLUSHALL");
  await child.stdin.write("n\nc\n");
  await child.stdin.end();
  await child.exited;
  expect(await child.stdout.text()).toBe("1\n");
  expect((await child.stderr.text()).match(/it is gone from Redis/g)).toHaveLength(2);
  expect((await redis.cli("KEYS", "*")).trim()).toBe("");
});
