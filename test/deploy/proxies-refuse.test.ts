/**
 * What nginx, Caddy and HAProxy refuse, as `deploy/` has them, so that the server behind them need not: what Bun does not know
 * or has no deadline for, and what tries to be two requests, or somebody else.
 */
import { afterAll, expect, setDefaultTimeout } from "bun:test";
import { until } from "../binary.ts";
import { behindEach, connect, exchange, type Wire } from "./behind.ts";
import type { Proxy } from "./proxies.ts";

setDefaultTimeout(300_000);

/** A request as bytes; the last on its connection unless its headers say otherwise. */
const request = (line: string, headers: readonly string[] = [], body = "") =>
  [`${line} HTTP/1.1`, "Host: localhost", "Connection: close", ...headers, "", body].join("\r\n");

const statusesOf = (answer: string) =>
  Array.from(answer.matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) => Number(status));

/** Sends a request that must be refused, with one of these. */
async function refused(proxy: Proxy, bytes: string, statuses: readonly number[]): Promise<void> {
  const [status = 0] = statusesOf(await exchange(proxy, bytes));
  expect({ asked: bytes.slice(0, 60), status, isRefused: statuses.includes(status) }).toMatchObject({
    isRefused: true,
  });
}

const indexOf = async ({ fetch: ask }: Proxy) =>
  Number(((await (await ask("/v1/cursor")).json()) as { index: string }).index);

behindEach(["--max-index", "1000000", "--max-watchers", "16"], (test, behind, early) => {
  test("methods that nobody has are refused, and the server goes on", async () => {
    const { proxy } = behind();
    for (const method of ["FOO", "get", "TRACE", "CONNECT", "PATCH"]) {
      const target = method === "CONNECT" ? "localhost:443" : "/v1/cursor/next";
      await refused(proxy, request(`${method} ${target}`), [400, 405, 501]);
      expect((await proxy.fetch("/readyz")).status).toBe(200);
    }
    expect(await indexOf(proxy)).toBe(0);
  });

  test("addresses of 15,000 digits pass; larger ones, large heads and bodies are refused", async () => {
    const { proxy } = behind();
    const answer = await exchange(proxy, request(`GET /v1/fibonacci/${"9".repeat(14_990)}?mod=1000000007`));
    expect(statusesOf(answer)).toEqual([200]);
    // Caddy may still be sending a body to the server when that has refused it: then it says 502.
    const spaces = " ".repeat(20_000);
    for (const bytes of [
      request(`GET /v1/fibonacci/1?${"x".repeat(60_000)}`),
      request("GET /livez", [`X-Long: ${"x".repeat(60_000)}`]),
      request(
        "GET /livez",
        Array.from({ length: 4000 }, (_, at) => `X-${at}: some value`),
      ),
      request("PUT /v1/cursor", [`Content-Length: ${spaces.length}`], spaces),
      request("PUT /v1/cursor", ["Transfer-Encoding: chunked"], `4e20\r\n${spaces}\r\n0\r\n\r\n`),
    ])
      await refused(proxy, bytes, [400, 413, 414, 431, ...(bytes.startsWith("PUT") ? [502] : [])]);
    expect(await indexOf(proxy)).toBe(0);
  });

  test("what may be taken for two requests is none, or one: nothing is smuggled to the server", async () => {
    const { proxy } = behind();
    const attempt = async (headers: readonly string[], at: number) => {
      const hidden = request(`POST /v1/cursors/hidden-${at}/next`);
      const lengths = headers.map((header) => header.replace("LENGTH", String(hidden.length + 5)));
      const bytes = request("POST /v1/cursors/shown/next", lengths, `0\r\n\r\n${hidden}`);
      const { socket, received, ended } = await connect(proxy);
      socket.write(bytes.replace("Connection: close\r\n", ""));
      // Those that are one request leave the connection open.
      await Promise.race([ended, Bun.sleep(1000)]);
      const moves = async () => {
        const response = await proxy.fetch(`/v1/cursors/hidden-${at}`);
        return response.status === 404 ? 0 : Number(((await response.json()) as { index: string }).index);
      };
      // Some are two requests, by the letter: then both are answered, perhaps only now.
      const answers = () => received().split(`"name":"hidden-${at}"`).length - 1;
      await until(`${headers.join()}: moves are answered`, async () => (await moves()) === answers());
      socket.destroy();
    };
    const attempts = [
      ["Content-Length: 0", "Transfer-Encoding: chunked"],
      ["Content-Length: LENGTH", "Transfer-Encoding: chunked"],
      ["Content-Length: 0", "Content-Length: LENGTH"],
      ["Content-Length: LENGTH", "Content-Length: 0"],
      ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
      ["Transfer-Encoding : chunked"],
      ["Transfer-Encoding: xchunked"],
      ["X-Folded: a", " Content-Length: LENGTH"],
      ["Transfer-Encoding:\r\n chunked"],
      ["Content-Length: +0"],
      ["Host: evil.example"],
    ];
    await Promise.all(attempts.map(attempt));
  });

  test("requests that come at once on one connection are answered one after the other", async () => {
    const { proxy } = behind();
    const next = "POST /v1/cursors/piped/next HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    const answer = await exchange(proxy, next.repeat(5) + request("GET /v1/cursors/piped"));
    expect(statusesOf(answer)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(Array.from(answer.matchAll(/"index":"(\d+)"/g), ([, index]) => Number(index))).toEqual([
      1, 2, 3, 4, 5, 5,
    ]);
  });

  test("another Host is refused, and /metrics is not for everybody", async () => {
    const { proxy } = behind();
    for (const host of ["evil.example", "localhost.evil.example"]) {
      const bytes = request("GET /api0/next").replace("Host: localhost", `Host: ${host}`);
      await refused(proxy, bytes, [403, 421]);
    }
    for (const path of [
      "/metrics",
      "//metrics",
      "/%6detrics",
      "/./metrics",
      "/metrics?x",
      "/x/../metrics",
      "/x/..\\metrics",
    ]) {
      await refused(proxy, request(`GET ${path}`), [301, 308, 400, 403, 404]);
    }
    expect(await indexOf(proxy)).toBe(0);
  });

  test("an address has no more than a hundred requests or connections, where the file says so", async () => {
    const { kind, proxy } = behind();
    const from = "127.0.0.5";
    let open: Wire[] = [];
    const close = () => {
      for (const { socket } of open) socket.destroy();
      open = [];
    };
    const openAll = async () => {
      close();
      await Promise.all(
        Array.from({ length: 100 }, async () => {
          // Of those before some may still be counted: then one is refused, and all are opened again later.
          const wire = await connect(proxy, from).catch(() => undefined);
          if (wire === undefined) return;
          open.push(wire);
          wire.socket.write("PUT /v1/cursor HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n");
        }),
      );
    };
    try {
      await openAll();
      const another = async () => {
        const { socket, ended } = await connect(proxy, from);
        socket.write(request("GET /livez"));
        return statusesOf(await ended);
      };
      const expected = { nginx: [429], haproxy: [], caddy: [200] }[kind.name];
      // A connection that HAProxy refuses ends before there is TLS.
      let last: number[] = [];
      const isSo = async () => {
        last = await another().catch(() => []);
        if (String(last) === String(expected)) return true;
        // Whoever sends half a request is sent away after ten seconds, as another test has it.
        if (open.length < 100 || open.some(({ socket }) => socket.destroyed)) await openAll();
        return false;
      };
      await until(`the next gets ${String(expected)}`, isSo);
      expect((await proxy.fetch("/livez")).status).toBe(200);
    } finally {
      close();
    }
  });

  test("http leads to the file's own name, whatever the request calls it", async () => {
    const { httpPort } = behind().proxy;
    for (const host of ["localhost:80", "evil.example"]) {
      const to = `http://127.0.0.1:${httpPort}/a?b`;
      const { status, headers } = await fetch(to, { redirect: "manual", headers: { Host: host } });
      expect([host, [301, 308].includes(status), headers.get("location")]).toEqual([
        host,
        true,
        "https://localhost/a?b",
      ]);
    }
  });

  test("a client is its address, and not what it says that it is", async () => {
    const { proxy } = behind();
    await proxy.fetch("/v1/cursors/watched/next", { method: "POST" });
    const watching: { kill(): void }[] = [];
    const watch = (address: string, claimed: string) => {
      const claim = ["-H", `X-Forwarded-For: ${claimed}`, "-H", `Forwarded: for=${claimed}`];
      const options = [
        "-sN",
        "-D",
        "-",
        "-o",
        "/dev/null",
        "--cacert",
        proxy.caFile,
        "--interface",
        address,
        ...claim,
      ];
      const child = Bun.spawn(["curl", "-4", ...options, `${proxy.url}/v1/cursors/watched/events`], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      watching.push(child);
      return child;
    };
    const statusOf = async (child: ReturnType<typeof watch>) => {
      for await (const chunk of child.stdout) return Number(Buffer.from(chunk).toString().split(" ")[1]);
      return undefined;
    };
    try {
      const statuses: unknown[] = [];
      for (let at = 1; at <= 9; at++) statuses.push(await statusOf(watch("127.0.0.2", `203.0.113.${at}`)));
      // Half of the sixteen are for one.
      expect(statuses).toEqual([...Array.from({ length: 8 }, () => 200), 503]);
      expect(await statusOf(watch("127.0.0.3", "127.0.0.2"))).toBe(200);
    } finally {
      for (const child of watching) child.kill();
    }
  });

  // Begun before all others, since each takes ten seconds to be refused.
  const slow: { what: string; wire: Wire; timer: Timer }[] = [];
  early(async () => {
    if (!behind()) return;
    const { kind, proxy } = behind();
    const drip = async (what: string, begin: string, each: string) => {
      const wire = await connect(proxy);
      wire.socket.write(begin);
      slow.push({ what, wire, timer: setInterval(() => void wire.socket.write(each), 1000) });
    };
    await drip("head", "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", "x");
    await drip("lines", "GET /livez HTTP/1.1\r\nHost: localhost\r\n", "X-Slow: x\r\n");
    const put = "PUT /v1/cursor HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
    // The others have no deadline for a body, as their heads say.
    if (kind.name === "haproxy") await drip("body", put, " ");
  });
  afterAll(() => {
    for (const { wire, timer } of slow) {
      clearInterval(timer);
      wire.socket.destroy();
    }
  });

  test("whoever sends a byte a second is not waited for", async () => {
    const isOver = async ({ wire }: (typeof slow)[number]) => {
      let over = false;
      void wire.ended.then(() => (over = true));
      await until("the connection is closed", () => over);
      expect(statusesOf(wire.received()).filter((status) => status < 400)).toEqual([]);
    };
    expect(slow.length).toBeGreaterThan(1);
    for (const each of slow) await isOver(each);
    expect(await indexOf(behind().proxy)).toBe(0);
  });
});
