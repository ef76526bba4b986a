/**
 * A request is found by its id, from the client to the log. Method: the compiled program, its answers and its log.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { FibClient, FibClientError, type ResponseFacts } from "../src/client/client.ts";
import { run, startServer, temporaryFolder, until } from "./binary.ts";
import { openScripted } from "./client/server.ts";

setDefaultTimeout(300_000);

const MADE = /^[A-Za-z\d._-]{8,64}$/;

const busy = () => new Response(null, { status: 503, headers: { "x-request-id": "of.server" } });

function idOf(response: Response): string | null {
  return response.headers.get("x-request-id");
}

describe("a server", () => {
  test("takes the id of a request that can be one, and makes one in the place of any other", async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "c")]);
    const ask = (id?: string, way = "/v1/cursor") =>
      fetch(`${server.url}${way}`, id === undefined ? {} : { headers: { "x-request-id": id } });
    for (const good of ["a", "A-z_0.9", "x".repeat(64)]) expect(idOf(await ask(good))).toBe(good);
    const made = new Set<string | null>();
    for (const bad of [undefined, "", "x".repeat(65), "a b", "a,b", "ü", "<script>"]) {
      const id = idOf(await ask(bad));
      expect(id).toMatch(MADE);
      expect(id).not.toBe(bad ?? null);
      made.add(id);
    }
    expect(made.size).toBe(7);
    const refused = await ask("mine", "/v1/nowhere");
    expect(idOf(refused)).toBe("mine");
    expect(await refused.json()).toMatchObject({ status: 404, requestId: "mine" });
  });

  test("makes none on /api0, where nobody would use it, but keeps one that was sent", async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "c")]);
    expect(idOf(await fetch(`${server.url}/api0/next`))).toBeNull();
    const named = await fetch(`${server.url}/api0/next`, { headers: { "x-request-id": "mine" } });
    expect(idOf(named)).toBe("mine");
  });

  test("logs at level debug each request with its id, also of /api0, and no query", async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "c"), "--debug"], {
      env: { FIBSERVER_LOG_LEVEL: "error" },
    });
    const id = idOf(await fetch(`${server.url}/api0/next?token=s3cret`));
    expect(id).toMatch(MADE);
    await until("the request is logged", () => server.log().includes(`"requestId":"${id}"`));
    const line = server
      .log()
      .split("\n")
      .find((each) => each.includes(id!));
    expect(JSON.parse(line!)).toMatchObject({
      level: "DEBUG",
      method: "GET",
      path: "/api0/next",
      route: "/api0/next",
      status: 200,
      client: "127.0.0.1",
    });
    expect(server.log()).not.toContain("s3cret");
  });

  test("logs a request by the name of its token, and never the token", async () => {
    using folder = temporaryFolder();
    const { stdout, stderr } = await run(["token", "alice", "--scope", "read"]);
    const token = /: (\S+)\n$/.exec(stderr)![1]!;
    fs.writeFileSync(path.join(folder.path, "tokens"), stdout, { mode: 0o600 });
    const args = ["-f", "c", "--tokens", "tokens", "--debug"];
    await using server = await startServer(args, { cwd: folder.path });
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(`${server.url}/v1/cursor`, { headers })).status).toBe(200);
    expect((await fetch(`${server.url}/api0/current`, { headers })).status).toBe(200);
    await until("both are logged", () => server.log().split(`"token":"alice"`).length === 3);
    expect(server.log()).not.toContain(token);
  });

  test("names in its log the request that a task was made by", async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "c"), "--log-level", "debug"]);
    const body = JSON.stringify({ kind: "fibonacci", n: "1000000" });
    for (const [way, n, requestId, init] of [
      ["/v1/tasks", 1_000_000, "maker", { method: "POST", body }],
      ["/v1/fibonacci/1000001", 1_000_001, "prefers", { headers: { prefer: "respond-async" } }],
    ] as const) {
      const headers = { "x-request-id": requestId, ...("headers" in init && init.headers) };
      const response = await fetch(server.url + way, { ...init, headers });
      const { id } = (await response.json()) as { id: string };
      const ended = () =>
        server
          .log()
          .split("\n")
          .find((line) => line.includes(id) && line.includes('"state":"ready"'));
      await until("the end of the task is logged", () => ended() !== undefined);
      expect(JSON.parse(ended()!)).toMatchObject({
        level: "DEBUG",
        id,
        request: `fibonacci ${n}`,
        requestId,
      });
    }
  });
});

describe("a client", () => {
  const problem = { code: "internal", detail: "This is a bug in fibserver" };
  const failing = () => Response.json(problem, { status: 500, headers: { "x-request-id": "of.server" } });

  test("says by which id the server has logged what it refuses", async () => {
    await using server = openScripted(failing);
    const told: ResponseFacts[] = [];
    const client = new FibClient(server.url, { onResponse: (facts) => void told.push(facts) });
    const error = await client.cursor.current().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FibClientError);
    expect(error).toMatchObject({ status: 500, requestId: "of.server" });
    expect(told).toMatchObject([{ status: 500, requestId: "of.server" }]);
  });

  test("that is a command sends one id with all that it asks, and shows the server's", async () => {
    await using server = openScripted(busy, failing, failing);
    const { stderr } = await run(["n", "--server", server.url]);
    expect(stderr).toEndWith("(request of.server)\n");
    const sent = server.requests.map(({ headers }) => headers.get("x-request-id"));
    expect(sent).toEqual([sent[0]!, sent[0]!]);
    expect(sent[0]).toMatch(MADE);
    const asJson = await run(["n", "--json", "--server", server.url]);
    expect(JSON.parse(asJson.stderr)).toMatchObject({ exit: 69, requestId: "of.server" });
  });
});
