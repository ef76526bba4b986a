/** `--base-path`: the whole server below a path, and nothing of it elsewhere but what those ask who watch it. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { FibClient } from "../../src/client/client.ts";
import { NEEDS } from "../../src/http/rights.ts";
import { makeToken, tokenLine } from "../../src/token.ts";
import { output, run, type Server, startServer, temporaryFolder, until } from "../binary.ts";
import { startWorker } from "../executor.ts";
import { startRedis, withRedis } from "../redis.ts";
import { problemOf } from "../refusal.ts";
import { openServices } from "../services.ts";
import { exchange, headersOf, requestBytes, statusOf } from "../wire.ts";

setDefaultTimeout(300_000);

const BASE = "/fib";

/** Starts one below {@link BASE}. */
async function startBelow(folder: { readonly path: string }, ...args: readonly string[]) {
  const server = await startServer(["-f", path.join(folder.path, "cursor"), "--base-path", BASE, ...args]);
  return Object.assign(server, { root: new URL(server.url).origin });
}

const portOf = ({ url }: Server) => Number(new URL(url).port);

/** An address that a pattern of the table matches. */
const addressOf = (pattern: string) => pattern.replace(":name", "alice").replaceAll(/:\w+(\{[^}]*\})?/g, "5");

describe("--base-path", () => {
  test("each route answers below it as it does at the root, and at the root not at all", async () => {
    for (const basePath of ["/fib", "/a/b", "/v1/cursors", "/livez/api0"]) {
      const [atRoot, below] = [await openServices(), await openServices({ basePath })];
      for (const [pattern, needs] of Object.entries(NEEDS)) {
        const address = addressOf(pattern);
        const isElsewhere =
          !/^\/(livez|readyz|metrics)$/.test(address) && !`${address}/`.startsWith(`${basePath}/`);
        for (const method of [...Object.keys(needs), "HEAD", "PATCH"]) {
          const ask = async ({ app }: typeof below, at: string) => {
            const { status, headers } = await app.request(at, { method });
            return [method, address, status, headers.get("allow"), headers.get("content-type")].join(" ");
          };
          expect(await ask(below, basePath + address)).toBe(await ask(atRoot, address));
          if (isElsewhere) expect(await ask(below, address)).toStartWith(`${method} ${address} 404 `);
        }
      }
    }
  });

  test("a path counts as it is decoded, letter by letter; what is beside it says where the server is", async () => {
    using folder = temporaryFolder();
    await using server = await startBelow(folder);
    const asked = async (target: string) => {
      const answer = await exchange(portOf(server), requestBytes(`GET ${target}`));
      return [target, statusOf(answer), answer.includes("this server is at /fib/ (--base-path)")];
    };
    for (const target of [
      "/fib/v1/cursor",
      "/%66ib/v1/cursor",
      "/fib/%761/cursor",
      "/fib/v1/tasks/../cursor",
      "/x/../fib/v1/cursor",
      "/fib/api0/current",
      "/fib/%61pi0/current",
      "/fib/",
      "/fib/fib/",
      "/fib/fib",
      "/fib/livez",
      "/livez",
      "/readyz",
      "/metrics",
      "/%6Civez",
    ])
      expect(await asked(target)).toEqual([target, 200, false]);
    for (const target of [
      "/fib//v1/cursor",
      "/fib/v1/cursor/",
      "/fib/livez/",
      "/fib/none",
      "/fib/fib/v1/cursor",
    ])
      expect(await asked(target)).toEqual([target, 404, false]);
    for (const target of [
      "/",
      "/v1/cursor",
      "/api0/next",
      "/ping",
      "/docs",
      "/openapi.json",
      "/fibx",
      "/fibx/v1/cursor",
      "/FIB/",
      "/FIB",
      "//fib/v1/cursor",
      "//fib",
      "/fib%2Fv1/cursor",
      "/fib/../v1/cursor",
      "/fib/%2e%2e/v1/cursor",
      "/livez/",
      "/LIVEZ",
      "/livez/fib/v1/cursor",
    ])
      expect(await asked(target)).toEqual([target, 404, true]);
    expect(await (await fetch(`${server.url}/v1/cursor`)).json()).toEqual({ index: "0", value: "0" });
  });

  test("without the slash it leads to where it is, with the query, for GET and HEAD", async () => {
    using folder = temporaryFolder();
    await using server = await startBelow(folder);
    for (const method of ["GET", "HEAD"]) {
      for (const [target, location] of [
        ["/fib", "/fib/"],
        ["/fib?", "/fib/?"],
        ["/%66ib?sn=5&x=/?", "/fib/?sn=5&x=/?"],
      ] as const) {
        const response = await fetch(server.root + target, { method, redirect: "manual" });
        expect([target, response.status, response.headers.get("location")]).toEqual([target, 308, location]);
        expect(response.headers.get("cache-control")).toBe("no-store");
      }
    }
    expect(await (await fetch(`${server.root}/fib?sn=5`)).text()).toBe("0 1 1 2 3 ");
    for (const method of ["POST", "PUT", "DELETE"]) {
      const response = await fetch(`${server.root}/fib`, { method });
      expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
      expect(await problemOf(response)).toMatchObject({ instance: "/fib" });
    }
  });

  test("what clients are told has the path that they ask for, what watchers are told the pattern", async () => {
    using folder = temporaryFolder();
    await using server = await startBelow(folder, "-d");
    const put = await fetch(`${server.url}/v1/cursors/alice`, { method: "PUT", body: '{"index":"7"}' });
    expect([put.status, put.headers.get("location")]).toEqual([201, "/fib/v1/cursors/alice"]);
    const task = await fetch(`${server.url}/v1/tasks`, {
      method: "POST",
      body: '{"kind":"fibonacci","n":"9"}',
    });
    const { id } = (await task.json()) as { id: string };
    expect([task.status, task.headers.get("location")]).toEqual([202, `/fib/v1/tasks/${id}`]);
    const prefer = { prefer: "respond-async" };
    const later = await fetch(`${server.url}/v1/fibonacci/9`, { headers: prefer });
    expect([later.status, later.headers.get("location")]).toEqual([202, `/fib/v1/tasks/${id}`]);
    const none = await problemOf(await fetch(`${server.url}/v1/none?x`));
    expect(none).toMatchObject({
      instance: "/fib/v1/none",
      detail: "Cannot find /fib/v1/none: /fib/docs lists the routes",
    });
    const other = await fetch(`${server.url}/v1/cursor/next`);
    expect([other.status, other.headers.get("allow")]).toEqual([405, "POST"]);
    expect(await problemOf(other)).toMatchObject({ detail: "Cannot GET /fib/v1/cursor/next: use POST" });
    const head = await exchange(portOf(server), requestBytes("HEAD /fib/api0/next"));
    expect([statusOf(head), headersOf(head, "allow")]).toEqual([405, ["GET"]]);
    await fetch(`${server.url}/api0/next`);
    await until("all is logged", () => server.log().includes(`"path":"/fib/api0/next","route":"/api0/next"`));
    expect(server.log()).toContain(`"path":"/fib/v1/cursors/alice","route":"/v1/cursors/:name"`);
    const metrics = await (await fetch(`${server.root}/metrics`)).text();
    expect(metrics).toContain(`route="/v1/cursors/:name"`);
    expect(metrics).toContain(`route="/api0/next",status="200"`);
    expect(metrics).not.toContain(`route="/fib`);
  });

  test("the cookie of --per-client is for /api0 below it, by either router", async () => {
    using folder = temporaryFolder();
    await using server = await startBelow(folder, "--per-client");
    for (const target of ["/fib/api0/next", "/%66ib/api0/next"]) {
      const answer = await exchange(portOf(server), requestBytes(`GET ${target}`));
      expect(headersOf(answer, "set-cookie")).toEqual([expect.stringContaining("; Path=/fib/api0; ")]);
    }
  });

  test("a token that opens some cursors opens no others, and the page leads to itself without one", async () => {
    using folder = temporaryFolder();
    const tokens = path.join(folder.path, "tokens");
    const token = makeToken();
    fs.writeFileSync(tokens, tokenLine("team", "write:team-", token), { mode: 0o600 });
    const base = "/v1/cursors/team-x";
    const args = ["-f", path.join(folder.path, "cursor"), "--tokens", tokens, "--base-path", base];
    await using server = await startServer(args);
    const { origin } = new URL(server.url);
    const authorization = `Bearer ${token}`;
    const next = async (at: string) =>
      (await fetch(at, { method: "POST", headers: { authorization } })).status;
    expect(await next(`${server.url}/v1/cursors/team-a/next`)).toBe(200);
    expect(await next(`${server.url}/v1/cursors/alice/next`)).toBe(403);
    expect(await next(`${server.url}/v1/cursor/next`)).toBe(403);
    expect(await next(`${origin}/v1/cursors/team-a/next`)).toBe(404);
    for (const [target, status] of [
      [base, 308],
      [`${base}/`, 200],
      [`${base}/docs`, 200],
      [`${base}/v1/cursor`, 401],
      ["/v1/cursor", 401],
      ["/livez", 200],
      ["/metrics", 401],
    ] as const) {
      const init = { headers: { accept: "text/html" }, redirect: "manual" } as const;
      expect([target, (await fetch(origin + target, init)).status]).toEqual([target, status]);
    }
  });

  test("pages of other origins, and of its own, may what they may at the root", async () => {
    using folder = temporaryFolder();
    await using server = await startBelow(folder, "--allow-origin", "https://app.test");
    const preflight = await fetch(`${server.url}/v1/cursor/next`, {
      method: "OPTIONS",
      headers: { origin: "https://app.test", "access-control-request-method": "POST" },
    });
    expect(preflight.status).toBe(204);
    for (const [headers, status] of [
      [{ origin: "https://app.test" }, 200],
      [{ origin: "https://other.test" }, 403],
      [{ "sec-fetch-site": "cross-site" }, 403],
      [{ "sec-fetch-site": "same-origin" }, 200],
      [{ referer: `${server.root}/elsewhere` }, 200],
    ] as const) {
      const moved = await fetch(`${server.url}/v1/cursor/next`, { method: "POST", headers });
      expect([headers, moved.status]).toEqual([headers, status]);
      expect([headers, (await fetch(`${server.url}/api0/next`, { headers })).status]).toEqual([
        headers,
        status,
      ]);
    }
  });

  test("the description leads to where it lies", async () => {
    using folder = temporaryFolder();
    await using server = await startBelow(folder);
    const at = `${server.url}/openapi.json`;
    const { servers } = (await (await fetch(at)).json()) as { servers: [{ url: string }] };
    expect(String(new URL(servers[0].url, at))).toBe(`${server.url}/`);
    const docs = await (await fetch(`${server.url}/docs`)).text();
    for (const [, name] of docs.matchAll(/(?:src|href)="(docs[^"]*)"/g))
      expect((await fetch(new URL(name!, `${server.url}/docs`))).status).toBe(200);
  });
});

describe("clients of a server with --base-path", () => {
  test("the shell asks below it, and is told where it is when it asks beside it", async () => {
    using folder = temporaryFolder();
    await using server = await startBelow(folder);
    for (const url of [server.url, `${server.url}/`]) {
      const at = ["--server", url];
      expect(await output(["n", ...at])).toMatch(/^1\n$/);
      expect(await output(["cursor", "set", "0", ...at])).toBe("0\n");
      expect(await output(["n", "--cursor", "alice", ...at])).toBe("1\n");
      expect(await output(["cursor", "list", ...at])).toContain("alice");
      await output(["cursor", "remove", "--cursor", "alice", ...at]);
      expect(await output(["task", "run", "fibonacci", "100", "-q", ...at])).toBe("354224848179261915075\n");
      expect(await output(["status", ...at])).toContain(` at ${server.url}, `);
      // A busy server may not have said so within the two seconds that this waits.
      await until("it is well", async () => (await run(["status", "--quiet", ...at])).exitCode === 0);
    }
    for (const command of ["n", "status"]) {
      const { exitCode, stderr } = await run([command, "--server", server.root]);
      expect(exitCode).not.toBe(0);
      expect(stderr).toContain("this server is at /fib/ (--base-path)");
    }
    // The health check of a container has the environment of its server, and no other address of it.
    const env = { FIBSERVER_PORT: String(portOf(server)), FIBSERVER_BASE_PATH: BASE };
    expect(await output(["status"], { env })).toContain(` at ${server.url}, `);
    await until("it is well", async () => (await run(["status", "--quiet"], { env })).exitCode === 0);
  });

  test("the client library asks below it, and follows events there", async () => {
    using folder = temporaryFolder();
    await using server = await startBelow(folder);
    for (const url of [server.url, `${server.url}/`, new URL(`${server.url}/`)]) {
      const client = new FibClient(url);
      await until("it is ready", () => client.isReady());
      const { index } = await client.cursor.next();
      for await (const position of client.cursor.watch()) {
        expect(position.index).toBe(index);
        break;
      }
      const task = await client.tasks.create({ kind: "fibonacci", n: 100 });
      expect(await task.result({ as: "text" })).toBe("354224848179261915075");
    }
  });
});

test("the letters and an executor refuse the flag", async () => {
  for (const command of [["worker", "--redis", "redis://127.0.0.1:1"], ["n"]]) {
    const { exitCode, stderr } = await run([...command, "--base-path", "/fib"]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("--base-path")]);
  }
});

withRedis("an executor, whose port is for who watches it, does not look at the variable", async () => {
  await using redis = await startRedis();
  const start = { env: { FIBSERVER_BASE_PATH: "/fib" } };
  await using worker = await startWorker(redis.url, start, ["--metrics", "127.0.0.1:0"]);
  const [, url] = /Watched at .*"url":"(http:[^"]*)"/.exec(worker.log())!;
  expect(new URL(url!).pathname).toBe("/");
  for (const [target, status] of [
    ["livez", 200],
    ["fib/livez", 404],
  ] as const)
    expect([target, (await fetch(url + target)).status]).toEqual([target, status]);
});
