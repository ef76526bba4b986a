/** What is said of a Redis or a Sentinel that cannot be used: which it is, why, and what to change. */
import { expect, setDefaultTimeout } from "bun:test";
import net from "node:net";
import { run } from "./binary.ts";
import { runHeard, startRedis, withRedis } from "./redis.ts";
import { startSentinel } from "./sentinel.ts";

setDefaultTimeout(300_000);

withRedis("each way to miss a Redis ends a letter with 69 and the step that helps", async () => {
  await using open = await startRedis();
  await using closed = await startRedis(["--requirepass", "secret"]);
  await using ofOpen = await startSentinel(open.port, 1);
  await using ofClosed = await startSentinel(closed.port, 1, ["sentinel auth-pass fib secret"]);
  for (const [url, said] of [
    [
      `redis://127.0.0.1:${closed.port}`,
      "; put the password into the URL, as in redis://:PASSWORD@HOST:6379",
    ],
    [`${open.url}/99`, "DB index is out of range; the number at the end of the URL is none of its databases"],
    [`rediss+sentinel://127.0.0.1:${ofOpen.port}/fib`, "it speaks without TLS: try redis+sentinel://"],
    [`redis+sentinel://127.0.0.1:${open.port}/fib`, "it is no Sentinel"],
    [
      `redis+sentinel://127.0.0.1:${closed.port}/fib`,
      "FIBSERVER_SENTINEL_AUTH=[USER:]PASSWORD; or it is no Sentinel",
    ],
    [
      `redis+sentinel://127.0.0.1:${ofClosed.port}/fib`,
      "put the password into the URL, as in redis+sentinel://:PASSWORD@HOST:26379/NAME",
    ],
    [`redis+sentinel://127.0.0.1:${ofOpen.port}/other`, "SENTINEL MASTERS lists those they know"],
    [`redis+sentinel://127.0.0.1:${ofOpen.port}/fib/99`, "the number at the end of the URL"],
    ["redis://nohost.invalid", "there is no such host"],
  ] as const) {
    const { stdout, stderr, exitCode } = await runHeard(["n", "--redis", url]);
    expect({ url, stdout, exitCode }).toEqual({ url, stdout: "", exitCode: 69 });
    expect(stderr).toContain(said);
  }
});

withRedis(
  "a Redis that accepts connections and says nothing is told so, by letters and executors",
  async () => {
    await using redis = await startRedis();
    redis.kill("SIGSTOP");
    for (const [scheme, said] of [
      ["redis", "it says nothing: it hangs, or wants TLS: try rediss://\n"],
      ["rediss", "it says nothing: it hangs\n"],
    ] as const) {
      for (const command of ["n", "worker"]) {
        const url = `${scheme}://127.0.0.1:${redis.port}`;
        const { stderr, exitCode } = await run([command, "--redis", url]);
        expect({ url, exitCode }).toEqual({ url, exitCode: 69 });
        expect(stderr).toContain(said);
      }
    }
  },
);

withRedis("what ends connections, and what is no Redis, is told", async () => {
  for (const [answer, said] of [
    ["", "it ends the connection; it may want TLS: try rediss://"],
    ["HTTP/1.1 400 Bad Request\r\n\r\n", "what answers there is no Redis"],
  ] as const) {
    const server = net.createServer((socket) => {
      socket.on("error", () => {}).on("data", () => socket.end(answer));
    });
    server.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as net.AddressInfo;
    const { stderr, exitCode } = await runHeard(["n", "--redis", `redis://127.0.0.1:${port}`]);
    server.close();
    expect(stderr).toContain(said);
    expect(exitCode).toBe(69);
  }
});
