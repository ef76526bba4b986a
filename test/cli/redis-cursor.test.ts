/** The letters beside Redis: they move the cursor that the servers share, and say so when they cannot. */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import { run, startServer, temporaryFolder } from "../binary.ts";
import { startRedis, withRedis } from "../redis.ts";

setDefaultTimeout(60_000);

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

withRedis("fibserver n makes a missing cursor in Redis, and says so", async () => {
  await using redis = await startRedis();
  const { stdout, stderr, exitCode } = await run(["n", "--redis", redis.url]);
  expect({ stdout, exitCode }).toEqual({ stdout: "1\n", exitCode: 0 });
  expect(stderr).toContain("a new one begins at index 0");
});

withRedis("fibserver n on a Redis that hangs, or wants a password, ends with 69 and shows none", async () => {
  await using redis = await startRedis(["--requirepass", "right"]);
  const { port } = redis;
  expect(await run(["n", "--redis", `redis://:wrong@127.0.0.1:${port}`])).toMatchObject({
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
