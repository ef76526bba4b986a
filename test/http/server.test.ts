/** What only a port shows: hosts, limits, clients that leave, and a stop. Method: bytes on real sockets. */
import { describe, expect, onTestFinished, test } from "bun:test";
import os from "node:os";
import { LIMITS } from "../../src/config/config.ts";
import { FibError } from "../../src/errors.ts";
import { type HotHandler, pathOf } from "../../src/http/asker.ts";
import type { RequestWatch } from "../../src/http/entry.ts";
import { listen } from "../../src/http/server.ts";
import { thrown } from "../refusal.ts";
import { openServices } from "../services.ts";
import { openFile } from "../temporary.ts";
import { connect, exchange, requestBytes, statusOf } from "../wire.ts";

/** A server on a free port, with a cursor of its own. */
async function serve({
  host = "127.0.0.1",
  allowHosts = [] as string[],
  trustedProxies = [] as string[],
  watchersMax = 10_000,
  watch = undefined as RequestWatch | undefined,
} = {}) {
  // Nobody is refused because the test has held the file's lock for long.
  const services = await openServices({ watchersMax, lockTimeoutMs: 240_000 });
  const { app, hot, must } = services;
  const arrivals: string[] = [];
  const watched = {
    hot: Object.fromEntries(
      Object.entries(hot).map(([path, answer]): [string, HotHandler] => [
        path,
        (...asked) => {
          arrivals.push(`hot ${path}`);
          return answer(...asked);
        },
      ]),
    ),
    fetch: (request: Request, ...rest: unknown[]) => {
      arrivals.push(pathOf(request));
      return app.fetch(request, ...(rest as []));
    },
  };
  const server = listen(
    watched,
    { host, port: 0, allowHosts, trustedProxies },
    { watches: watch ? [watch] : [] },
  );
  onTestFinished(async () => void (await server.stop()));
  const port = Number(new URL(server.url).port);
  const index = async () => (await must("current")).index;
  return { ...services, server, port, index, arrivals };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe("on the wire", () => {
  test("listen() answers with the bytes that clients of the Go server know", async () => {
    const { port } = await serve();
    const answer = await exchange(port, requestBytes("GET /api0/next"));
    const [head = "", body] = answer.split("\r\n\r\n");
    expect(head).toStartWith("HTTP/1.1 200 OK\r\n");
    expect(head.toLowerCase()).toContain("content-type: application/json; charset=utf-8");
    expect(head.toLowerCase()).toContain("cache-control: no-store");
    expect(head.toLowerCase()).toContain("content-length: 28");
    expect(body).toBe(`{"value":"1","status":"200"}`);
  });

  test("listen() answers the statuses and headers of the app, and texts as text", async () => {
    const { port } = await serve();
    const refused = await exchange(port, requestBytes("GET /api0/previous"));
    expect(statusOf(refused)).toBe(409);
    expect(refused).toEndWith(`{"value":"-1","status":"409"}`);
    const method = await exchange(port, requestBytes("POST /api0/next"));
    expect(statusOf(method)).toBe(405);
    expect(method).toMatch(/\r\nallow: GET\r\n/i);
    for (const target of ["/test/stats", "/livez", "/readyz"]) {
      expect(await exchange(port, requestBytes(`GET ${target}`))).toMatch(/\r\ncontent-type: text\/plain/i);
    }
  });

  test("listen() sends a GET of a hot path straight to its handler, and whatever else to the app", async () => {
    const { port, arrivals, index } = await serve();
    for (const [line, arrival, status] of [
      ["GET /api0/next", "hot /api0/next", 200],
      ["GET /api0/next?x=1", "hot /api0/next", 200],
      ["GET http://evil.example/api0/next", "hot /api0/next", 200],
      ["GET /api0/current", "hot /api0/current", 200],
      ["GET /api0/previous", "hot /api0/previous", 200],
      ["GET /api0/%6eext", "/api0/%6eext", 200],
      ["HEAD /api0/next", "/api0/next", 405],
      ["HEAD /api0/current", "/api0/current", 200],
      ["POST /api0/next", "/api0/next", 405],
      ["OPTIONS /api0/current", "/api0/current", 405],
      ["GET /api0/next/", "/api0/next/", 404],
      ["GET //api0/next", "//api0/next", 404],
    ] as const) {
      const answer = await exchange(port, requestBytes(line));
      expect([line, statusOf(answer)]).toEqual([line, status]);
      expect([line, arrivals.pop()]).toEqual([line, arrival]);
    }
    expect(await index()).toBe(3);
  });

  test("listen() answers a hot path whose value cannot be made with the problem that the app has for it", async () => {
    const services = await openServices({
      valueAt: () => {
        throw new Error("told to nobody");
      },
    });
    const { app, hot, bugs } = services;
    const server = listen({ fetch: app.fetch, hot }, { host: "127.0.0.1", port: 0, allowHosts: [] });
    onTestFinished(async () => void (await server.stop()));
    const port = Number(new URL(server.url).port);
    for (const path of ["/api0/next", "/api0/current"]) {
      const answer = await exchange(port, requestBytes(`GET ${path}`));
      expect(statusOf(answer)).toBe(500);
      expect(answer).toEndWith(await (await app.request(path)).text());
      expect(answer).not.toContain("told to nobody");
    }
    expect(bugs).toHaveLength(4);
  });

  test("listen() answers a long value that is refused in the words of the Go server, and a bug with a problem", async () => {
    let error: Error = new FibError("overloaded", "made up");
    const services = await openServices({ indexMax: 200_000, valueAt: () => Promise.reject(error) });
    const { app, hot, must, bugs } = services;
    await must({ operation: "set", target: 100_000 });
    const server = listen({ fetch: app.fetch, hot }, { host: "127.0.0.1", port: 0, allowHosts: [] });
    onTestFinished(async () => void (await server.stop()));
    const port = Number(new URL(server.url).port);
    for (const path of ["/api0/current", "/api0/next"]) {
      const answer = await exchange(port, requestBytes(`GET ${path}`));
      expect(statusOf(answer)).toBe(503);
      expect(answer).toEndWith('{"value":"-3","status":"503"}');
    }
    expect(bugs).toEqual([]);
    error = new Error("told to nobody");
    const answer = await exchange(port, requestBytes("GET /api0/current"));
    expect(statusOf(answer)).toBe(500);
    expect(answer).toMatch(/\r\ncontent-type: application\/problem\+json\r\n/i);
    expect(answer).not.toContain("told to nobody");
    expect(bugs).toEqual([error]);
  });

  test("a page of https is ours where a proxy that is believed says so, and one of another host never", async () => {
    for (const [trustedProxies, host, proto, status] of [
      [["127.0.0.1"], "127.0.0.1", "https", 200],
      [["127.0.0.1"], "127.0.0.1", "http", 403],
      [[], "127.0.0.1", "https", 403],
      [["127.0.0.1"], "evil.example", "https", 403],
    ] as const) {
      const { port } = await serve({ trustedProxies: [...trustedProxies] });
      const headers = {
        Host: `127.0.0.1:${port}`,
        Origin: `https://${host}:${port}`,
        "X-Forwarded-Proto": proto,
      };
      const answer = await exchange(port, requestBytes("POST /v1/cursor/next", headers));
      expect([trustedProxies, host, proto, statusOf(answer)]).toEqual([trustedProxies, host, proto, status]);
    }
  });

  test("listen() lets one connection make many moves, in their order", async () => {
    const { port, index } = await serve();
    const origin = `http://127.0.0.1:${port}`;
    for (const value of ["1", "1", "2", "3", "5", "8"]) {
      expect(await (await fetch(`${origin}/api0/next`)).json()).toEqual({ value, status: "200" });
    }
    expect(await index()).toBe(6);
  });

  test("listen() gives each of many clients a move of its own", async () => {
    const { port, index } = await serve();
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => exchange(port, requestBytes("POST /v1/cursor/next"))),
    );
    const indexes = answers.map((answer) => Number(/"index":"(\d+)"/.exec(answer)?.[1]));
    expect(indexes.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    expect(await index()).toBe(60);
  });

  test("HEAD moves nothing and has no body", async () => {
    const { port, must, index } = await serve();
    await must({ operation: "set", target: 5 });
    for (const [target, status] of [
      ["/api0/next", 405],
      ["/api0/previous", 405],
      ["/v1/cursor/next", 405],
      ["/v1/cursor/previous", 405],
      ["/api0/current", 200],
      ["/v1/cursor", 200],
    ] as const) {
      const answer = await exchange(port, requestBytes(`HEAD ${target}`));
      expect(statusOf(answer)).toBe(status);
      expect(answer).toEndWith("\r\n\r\n");
    }
    expect(await index()).toBe(5);
  });

  test("listen() tells who watches of each answer", async () => {
    const told: string[] = [];
    const { port } = await serve({
      watch: {
        end: ({ request }, response) =>
          told.push(`${request.method} ${new URL(request.url).pathname} ${response.status}`),
      },
    });
    for (const line of ["GET /api0/next", "GET /api0/current", "DELETE /api0/next", "GET /nothing"]) {
      await exchange(port, requestBytes(line));
    }
    expect(told).toEqual([
      "GET /api0/next 200",
      "GET /api0/current 200",
      "DELETE /api0/next 405",
      "GET /nothing 404",
    ]);
  });
});

describe("hosts", () => {
  test("listen() on loopback answers for its own names only: a page cannot rebind a name to it", async () => {
    const { port, index } = await serve();
    for (const host of [
      `127.0.0.1:${port}`,
      "127.0.0.1",
      "localhost",
      "LocalHost:80",
      `localhost:${port}`,
      "[::1]",
      `[::1]:${port}`,
    ]) {
      expect(statusOf(await exchange(port, requestBytes("GET /api0/current", { Host: host }))), host).toBe(
        200,
      );
    }
    for (const host of [
      "evil.example",
      `evil.example:${port}`,
      "localhost.evil.example",
      "evil.example.localhost",
      "127.0.0.1.evil.example",
      "127.0.0.10",
      "[::2]",
    ]) {
      const answer = await exchange(port, requestBytes("GET /api0/next", { Host: host }));
      expect(statusOf(answer), host).toBe(403);
      expect(answer).toContain("--allow-host");
    }
    expect(await index()).toBe(0);
  });

  test("listen() refuses a port that there is none of, whatever the method", async () => {
    const { port } = await serve();
    for (const host of ["localhost:65536", "127.0.0.1:99999", "[::1]:70000"]) {
      for (const method of ["GET", "HEAD"]) {
        expect(statusOf(await exchange(port, requestBytes(`${method} /livez`, { Host: host }))), host).toBe(
          400,
        );
      }
    }
  });

  test("listen() refuses a foreign host after it has answered a good one, and the other way round", async () => {
    const { port, index } = await serve();
    for (let i = 0; i < 3; i++) {
      expect(statusOf(await exchange(port, requestBytes("GET /api0/next")))).toBe(200);
      const foreign = requestBytes("GET /api0/next", { Host: "evil.example" });
      expect(statusOf(await exchange(port, foreign))).toBe(403);
    }
    expect(await index()).toBe(3);
  });

  for (const host of ["127.0.0.1", "0.0.0.0"]) {
    test(`listen() on ${host} refuses two Hosts, none, and what is no host, with 400`, async () => {
      const { port, index, bugs } = await serve({ host });
      for (const lines of [
        "Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n",
        "Host: 127.0.0.1\r\nHost: evil.example\r\n",
        "",
        "Host: \r\n",
        ...[
          "127.0.0.1, evil.example",
          "[",
          "a b",
          "127.0.0.1/x",
          "127.0.0.1:x",
          "127.0.0.1:80:80",
          "%00",
          "\u00e9",
          "?",
          "#",
          "localhost@evil.example",
        ].map((name) => `Host: ${name}\r\n`),
      ]) {
        for (const version of ["1.0", "1.1"]) {
          const bytes = `GET /api0/next HTTP/${version}\r\n${lines}Connection: close\r\n\r\n`;
          expect(await exchange(port, bytes), bytes).toStartWith("HTTP/1.1 400 ");
        }
      }
      expect(await index()).toBe(0);
      expect(bugs).toEqual([]);
      expect(statusOf(await exchange(port, requestBytes("GET /livez")))).toBe(200);
    });
  }

  test("listen() takes no Origin for its own when the Host makes no address", async () => {
    const { port, index, bugs } = await serve({ host: "0.0.0.0" });
    const headers = { Host: "999.999.999.999", Origin: "http://999.999.999.999" };
    expect(statusOf(await exchange(port, requestBytes("POST /v1/cursor/next", headers)))).toBe(403);
    expect(await index()).toBe(0);
    expect(bugs).toEqual([]);
  });

  test("listen() logs the path of a request that it refused, whatever its Host", async () => {
    const told: string[] = [];
    const { port } = await serve({
      watch: { end: ({ request }) => told.push(pathOf(request)) },
    });
    for (const host of ["[", "a b", "evil.example", "localhost"]) {
      await exchange(port, requestBytes("GET /api0/current?x=/y?z", { Host: host }));
    }
    expect(told).toEqual(Array.from({ length: 4 }, () => "/api0/current"));
  });

  test("listen() believes the address in the request line no more than the Host", async () => {
    const { port, index } = await serve();
    const line = "GET http://evil.example/api0/next";
    const answer = await exchange(port, requestBytes(line, { Host: "evil.example" }));
    expect([400, 403, 404]).toContain(statusOf(answer));
    expect(await index()).toBe(0);
  });

  test("--allow-host adds names, with any port", async () => {
    const { port } = await serve({ allowHosts: ["fib.example"] });
    for (const [host, status] of [
      ["fib.example", 200],
      ["FIB.example:443", 200],
      ["localhost", 200],
      ["other.example", 403],
      ["x.fib.example", 403],
    ] as const) {
      expect(statusOf(await exchange(port, requestBytes("GET /api0/current", { Host: host }))), host).toBe(
        status,
      );
    }
  });

  test("listen() beyond loopback answers for addresses, the machine's names and --allow-host, not for any name", async () => {
    const name = os.hostname().toLowerCase();
    for (const [allowHosts, allowed] of [
      [[], 403],
      [["fib.example"], 200],
    ] as const) {
      const { port, index } = await serve({ host: "0.0.0.0", allowHosts: [...allowHosts] });
      for (const [host, status] of [
        ["127.0.0.1", 200],
        ["localhost", 200],
        ["10.1.2.3:8080", 200],
        ["[2001:db8::1]:80", 200],
        [name, 200],
        [`${name.toUpperCase()}:${port}`, 200],
        [`${name.split(".")[0]}.local`, 200],
        ["fib.example", allowed],
        [`${name}.evil.example`, 403],
        ["evil.example", 403],
        ["127.0.0.1.evil.example", 403],
        ["999.999.999.999", 403],
        ["0x7f.1", 403],
      ] as const) {
        const answer = await exchange(port, requestBytes("GET /api0/next", { Host: host }));
        expect(statusOf(answer), host).toBe(status);
      }
      expect(await index()).toBe(allowed === 200 ? 8 : 7);
    }
  });
});

describe("limits", () => {
  const tooLarge = `{"index":"1","padding":"${"x".repeat(LIMITS.bodyBytesMax)}"}`;

  test("a body over the limit is 413, whether its length is told or not, and moves nothing", async () => {
    const { port, index, bugs } = await serve();
    const told = await exchange(
      port,
      requestBytes("PUT /v1/cursor", { "Content-Length": String(tooLarge.length) }, tooLarge),
    );
    expect(statusOf(told)).toBe(413);
    const chunk = `${tooLarge.length.toString(16)}\r\n${tooLarge}\r\n0\r\n\r\n`;
    const chunked = await exchange(
      port,
      requestBytes("PUT /v1/cursor", { "Transfer-Encoding": "chunked" }, chunk),
    );
    expect(statusOf(chunked)).toBe(413);
    expect(await index()).toBe(0);
    expect(bugs).toEqual([]);
  });

  test("a body at the limit is read", async () => {
    const { port, index } = await serve();
    const frame = `{"index":"1","padding":""}`;
    const body = frame.replace(`""`, `"${"x".repeat(LIMITS.bodyBytesMax - frame.length)}"`);
    const answer = await exchange(
      port,
      requestBytes("PUT /v1/cursor", { "Content-Length": String(body.length) }, body),
    );
    expect(statusOf(answer)).toBe(200);
    expect(await index()).toBe(1);
  });

  test("headers, and addresses, over 16 KB are 431, and move nothing", async () => {
    const { port, index } = await serve();
    const headers = requestBytes("GET /api0/next", { "X-Padding": "x".repeat(20_000) });
    expect(statusOf(await exchange(port, headers))).toBe(431);
    const address = requestBytes(`GET /api0/next?${"x".repeat(20_000)}`);
    expect([414, 431]).toContain(statusOf(await exchange(port, address)));
    expect(await index()).toBe(0);
  });

  test("what is no HTTP is refused, moves nothing, and the server stays up", async () => {
    const { port, index } = await serve();
    for (const bytes of [
      "\r\n\r\n\r\n",
      "NONSENSE\r\n\r\n",
      "GET /api0/next HTTP/9.9\r\nHost: localhost\r\n\r\n",
      "GET\u0000/api0/next HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003",
      requestBytes("GET /api0/next", { "Content-Length": "1", "Transfer-Encoding": "chunked" }),
    ]) {
      const { socket, ended } = await connect(port);
      socket.write(Buffer.from(bytes, "latin1"));
      socket.end();
      const answer = await ended;
      expect(answer).not.toContain(" 200 ");
    }
    expect(await index()).toBe(0);
    expect(statusOf(await exchange(port, requestBytes("GET /livez")))).toBe(200);
  });
});

describe("methods", () => {
  test("one that Bun does not know is closed without an answer, and nobody else notices", async () => {
    const { port, index } = await serve();
    const other = await connect(port);
    for (const method of ["FOO", "BREW", "get", "Post", "PRI"]) {
      expect(await exchange(port, requestBytes(`${method} /api0/next`)), method).toBe("");
      other.socket.write("GET /api0/current HTTP/1.1\r\nHost: localhost\r\n\r\n");
      const count = ["FOO", "BREW", "get", "Post", "PRI"].indexOf(method) + 1;
      await until(() => other.received().split("HTTP/1.1 200 OK").length === count + 1);
    }
    expect(await index()).toBe(0);
  });

  test("one that Bun knows and no route has is 405", async () => {
    const { port, index } = await serve();
    for (const method of ["PROPFIND", "TRACE", "OPTIONS", "LOCK", "M-SEARCH", "QUERY", "CONNECT"]) {
      expect(statusOf(await exchange(port, requestBytes(`${method} /api0/next`))), method).toBe(405);
    }
    expect(await index()).toBe(0);
  });
});

describe("--trust-proxy", () => {
  test("clients behind a proxy that is trusted have shares of their own, and of others nobody is told apart", async () => {
    for (const [trustedProxies, statuses] of [
      [["127.0.0.0/8"], [200, 200, 503, 200, 503, 200]],
      [["10.0.0.0/8"], [200, 200, 503, 503, 503, 503]],
    ] as const) {
      const { port, tasks, stop } = await serve({ trustedProxies: [...trustedProxies], watchersMax: 4 });
      onTestFinished(stop);
      const { task } = await tasks.create({ kind: "factorial", n: 100_000_000 }, 756_570_557);
      const seen: number[] = [];
      const [a, b, c] = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];
      for (const forwarded of [a, `9.9.9.9, ${a}`, a, b, b, c]) {
        const { socket, received } = await connect(port);
        socket.write(requestBytes(`GET /v1/tasks/${task.id}/events`, { "X-Forwarded-For": forwarded }));
        await until(() => received().includes("\r\n\r\n"));
        seen.push(statusOf(received()));
      }
      expect(seen).toEqual([...statuses]);
      await tasks.forget(task.id);
    }
  });
});

describe("clients that leave", () => {
  test("a request that is not finished moves nothing", async () => {
    const { port, index } = await serve();
    const whole = requestBytes("POST /v1/cursor/next", { "Content-Length": "10" }, "0123456789");
    for (const length of [4, 30, whole.indexOf("\r\n\r\n") + 2]) {
      const { socket, ended } = await connect(port);
      socket.write(whole.slice(0, length));
      socket.flush();
      socket.terminate();
      await ended;
    }
    expect(statusOf(await exchange(port, requestBytes("GET /api0/current")))).toBe(200);
    expect(await index()).toBe(0);
  });

  test("a client that leaves in the middle of a body moves nothing, and is no bug", async () => {
    const { port, index, arrivals, bugs } = await serve();
    const { socket, ended } = await connect(port);
    socket.write(requestBytes("PUT /v1/cursor", { "Content-Length": "13" }, `{"index"`));
    await until(() => arrivals.length === 1);
    socket.terminate();
    await ended;
    expect(statusOf(await exchange(port, requestBytes("GET /livez")))).toBe(200);
    expect(await index()).toBe(0);
    expect(bugs).toEqual([]);
  });

  test("a client that leaves before its answer has moved the cursor at most once", async () => {
    const { port, file, index, arrivals, must } = await serve();
    const other = await openFile(file);
    onTestFinished(() => other.close());
    for (let client = 1; client <= 10; client++) {
      // Nobody is answered while another process has the file, so each leaves in the middle.
      expect(other.tryLock()).toBe(true);
      const { socket, ended } = await connect(port);
      socket.write(requestBytes("GET /api0/next"));
      await until(() => arrivals.length === client);
      socket.terminate();
      await ended;
      other.unlock();
      // Queued behind the move, if there still is one.
      await must("current");
      expect(await index()).toBeWithin(0, client + 1);
    }
    expect(statusOf(await exchange(port, requestBytes("GET /livez")))).toBe(200);
  });
});

describe("start and stop", () => {
  test("listen() says address_in_use for a port that is taken, and which option chooses another", async () => {
    const { port } = await serve();
    const app = { fetch: () => new Response() };
    const error = thrown(() => listen(app, { host: "127.0.0.1", port, allowHosts: [] }));
    expect(error.code).toBe("address_in_use");
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.message).toEndWith("choose another with -p");
  });

  test("listen() says address_in_use for an address that is not this machine's", () => {
    const app = { fetch: () => new Response() };
    const at = (host: string) => thrown(() => listen(app, { host, port: 0, allowHosts: [] }));
    expect(at("192.0.2.1").code).toBe("address_in_use");
    expect(at("nohost.invalid").message).toBe(
      "Cannot listen on nohost.invalid:0: there is no such host here; choose another with --host",
    );
  });

  test("stop() answers what is in flight, and takes nothing new", async () => {
    const { port, file, server, index, arrivals } = await serve();
    const other = await openFile(file);
    onTestFinished(() => other.close());
    expect(other.tryLock()).toBe(true);
    const inFlight = Array.from({ length: 5 }, () => exchange(port, requestBytes("GET /api0/next")));
    await until(() => arrivals.length === 5);
    const stopped = server.stop();
    expect(fetch(`http://127.0.0.1:${port}/api0/next`)).rejects.toThrow();
    other.unlock();
    const answers = await Promise.all(inFlight);
    expect(answers.map(statusOf)).toEqual([200, 200, 200, 200, 200]);
    expect(await stopped).toBe(true);
    expect(await index()).toBe(5);
  });

  test("stop() does not wait for connections that ask for nothing", async () => {
    const { port, server } = await serve();
    await connect(port);
    // Until something comes the kernel keeps a connection for itself, for a second.
    const begun = await connect(port);
    begun.socket.write("G");
    const kept = await connect(port);
    kept.socket.write("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(statusOf(await exchange(port, requestBytes("GET /livez")))).toBe(200);
    expect(await server.stop()).toBe(true);
  });
});
