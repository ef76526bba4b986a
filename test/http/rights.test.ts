/**
 * Which token may use which route: each route of the app with each scope, through the way in.
 *
 * Method: what the app has and what the table of needs has are compared both ways; then every route is asked with every
 * kind of token in every spelling that leads to it, and what may not be is refused before a handler has seen it.
 */
import { describe, expect, onTestFinished, test } from "bun:test";
import { DOCUMENT, templateOf } from "../../src/http/openapi.ts";
import type { Method } from "../../src/http/methods.ts";
import { CHANGING_GETS, NEEDS, needOf } from "../../src/http/rights.ts";
import { listen } from "../../src/http/server.ts";
import { Tokens } from "../../src/http/tokens.ts";
import { parseTokens } from "../../src/token-file.ts";
import { tokenLine } from "../../src/token.ts";
import { problemOf } from "../refusal.ts";
import { openServices } from "../services.ts";

const SCOPES = ["read", "write", "write:team-"] as const;
type Scope = (typeof SCOPES)[number];

/** Which scopes get past the door, by what a route needs; for cursors of the team and of others. */
const ALLOWED: Readonly<Record<string, { own: readonly Scope[]; other: readonly Scope[] }>> = {
  nothing: { own: SCOPES, other: SCOPES },
  token: { own: SCOPES, other: SCOPES },
  "token unless page": { own: SCOPES, other: SCOPES },
  read: { own: ["read", "write"], other: ["read", "write"] },
  write: { own: ["write"], other: ["write"] },
  "read cursor": { own: SCOPES, other: ["read", "write"] },
  "list cursors": { own: SCOPES, other: ["read", "write"] },
  "move cursor": { own: ["write", "write:team-"], other: ["write"] },
};

const tokenOf = (scope: string) => `secret-of-${scope.replaceAll(":", ".")}`;

async function openServer() {
  const { app, hot } = await openServices();
  const lines = SCOPES.map((scope, at) => tokenLine(`name${at}`, scope, tokenOf(scope)));
  const tokens = new Tokens(parseTokens(lines.join("\n"), "tokens"));
  const where = { host: "127.0.0.1", port: 0, allowHosts: [] };
  const seen: string[] = [];
  const handled = (request: Request) => {
    seen.push(`${request.method} ${request.url}`);
    return new Response("handled");
  };
  // The routes are the app's; what they do is not the matter here.
  const routes = { fetch: handled, router: app.router };
  const server = listen(
    { ...routes, hot: Object.fromEntries(Object.keys(hot).map((path) => [path, handled])) },
    where,
    { tokens },
  );
  onTestFinished(() => void server.stop());
  const ask = (method: string, target: string, token?: string) =>
    fetch(new URL(target, server.url), {
      method,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
  const rows = app.routes.map(({ method, path }) => ({ method, path }));
  return { ask, seen, rows };
}

/** An address that a pattern matches. */
function addressOf(pattern: string, name: string): string {
  const path = pattern.replace(":name", name).replaceAll(/:\w+(\{[^}]*\})?/g, "5");
  return pattern === "/v1/cursors" ? `${path}?prefix=${name}` : path;
}

test("the table has each route of the app, and no other", async () => {
  const { rows } = await openServer();
  const inApp = rows.map(({ method, path }) => `${method} ${path}`).toSorted();
  const inTable = Object.entries(NEEDS).flatMap(([path, needs]) =>
    Object.keys(needs).map((method) => `${method} ${path}`),
  );
  expect(inTable.toSorted()).toEqual(inApp);
});

/** What a route needs, by the rule of the design: the table is written by hand, and one wrong word in it opens a door. */
function needByRule(method: string, path: string): string {
  const isChange = method !== "GET" || ["/api0/next", "/api0/previous", "/fibo"].includes(path);
  if (/^\/(livez|readyz|openapi\.json|docs|page\/)/.test(path)) return "nothing";
  if (path === "/") return "token unless page";
  if (path === "/v1/cursors") return "list cursors";
  if (path.startsWith("/v1/cursors/")) return isChange ? "move cursor" : "read cursor";
  if (isChange) return "write";
  const isNumber =
    /^\/(v1\/)?(fib|fibonacci|lucas|factorial|ackermann|index|zeckendorf|pisano|sequence|ping)?(\/|$)/.test(
      path,
    );
  return isNumber ? "token" : "read";
}

test("each route needs what the rule says: write for a change, read for a look, any token for a number", () => {
  for (const [path, needs] of Object.entries(NEEDS)) {
    for (const [method, need] of Object.entries(needs))
      expect(`${method} ${path} ${need}`).toBe(`${method} ${path} ${needByRule(method, path)}`);
  }
});

test("the description of the API says of the same routes that they need no token", () => {
  const open = Object.entries(DOCUMENT.paths).flatMap(([path, { get }]) =>
    get?.security?.every((scheme) => Object.keys(scheme).length === 0) ? [path] : [],
  );
  const needNothing = Object.keys(NEEDS)
    .filter((path) => NEEDS[path]!.GET === "nothing")
    .map(templateOf);
  expect(open.toSorted()).toEqual(needNothing.toSorted());
});

test("a route that is missing in the table needs write, and what matches none a token", () => {
  expect(needOf("GET", "/v1/new")).toBe("write");
  expect(needOf("POST", "/v1/cursor")).toBe("write");
  expect(needOf("GET", "none")).toBe("token");
});

test("each route answers those scopes that it is for, and nobody else", async () => {
  const { ask, seen, rows } = await openServer();
  expect(rows.length).toBeGreaterThan(30);
  for (const { method, path } of rows) {
    const allowed = ALLOWED[NEEDS[path]![method as Method]!]!;
    for (const whose of ["own", "other"] as const) {
      const target = addressOf(path, whose === "own" ? "team-a" : "alice");
      for (const method_ of method === "GET" ? ["GET", "HEAD"] : [method]) {
        for (const scope of SCOPES) {
          const what = `${method_} ${target} with ${scope}`;
          seen.length = 0;
          const { status, headers } = await ask(method_, target, tokenOf(scope));
          const isAllowed = allowed[whose].includes(scope);
          expect(`${what}: ${status} ${seen.length}`).toBe(`${what}: ${isAllowed ? "200 1" : "403 0"}`);
          if (!isAllowed)
            expect(headers.get("www-authenticate")).toContain(`error="insufficient_scope", scope="`);
        }
        seen.length = 0;
        const isOpen = NEEDS[path]![method as Method] === "nothing";
        for (const token of [undefined, "unknown"]) {
          const { status, headers } = await ask(method_, target, token);
          expect(`${target} ${status}`).toBe(`${target} ${isOpen ? 200 : 401}`);
          const challenge = `Bearer realm="fibserver"${token === undefined ? "" : `, error="invalid_token"`}`;
          if (!isOpen) expect(headers.get("www-authenticate")).toBe(challenge);
        }
        expect(seen.length).toBe(isOpen ? 2 : 0);
      }
    }
  }
});

/** Each letter by its number, as any browser may spell it. */
function encoded(path: string): string {
  return path.replaceAll(/[a-z0-9]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`);
}

describe("spellings", () => {
  test("another spelling of an address opens nothing", async () => {
    const { ask, seen } = await openServer();
    for (const path of ["/api0/next", "/api0/previous", "/fibo", "/v1/cursor/next", "/v1/tasks"]) {
      const method = path.startsWith("/v1") ? "POST" : "GET";
      for (const target of [
        path,
        `${path}?x`,
        encoded(path),
        `${path}?/livez`,
        `/livez/..${path}`,
        `/%2e${path}`,
      ]) {
        for (const scope of ["read", "write:team-"]) {
          const { status } = await ask(method, target, tokenOf(scope));
          expect(`${target} ${status}`).toBe(`${target} 403`);
        }
        expect((await ask(method, target)).status, target).toBe(401);
      }
    }
    expect(seen).toEqual([]);
  });

  test("the name that write:PREFIX compares is the one that the route gets", async () => {
    const { ask, seen } = await openServer();
    const token = tokenOf("write:team-");
    for (const target of [
      "/v1/cursors/alice", "/v1/cursors/team", "/v1/cursors/TEAM-a", "/v1/cursors/%2561lice", "/v1/cursors/alice%2Fteam-a",
      "/v1/cursors/alice?name=team-a", "/v1/cursors/default", "/v1/cursors", "/v1/cursors?prefix=", "/v1/cursors?prefix=team",
      "/v1/cursors?prefix=team-&prefix=", "/v1/cursors?prefix=alice&after=team-", "/v1/cursors?after=team-",
      "/v1/cursors/team-a/../alice", "/v1/cursor",
    ]) {
      expect(`${target} ${(await ask("GET", target, token)).status}`).toBe(`${target} 403`);
    } // prettier-ignore
    expect(seen).toEqual([]);
    for (const target of ["/v1/cursors/team-a", "/v1/cursors/%74eam-a", "/v1/cursors?prefix=team-b&after=a"])
      expect(`${target} ${(await ask("GET", target, token)).status}`).toBe(`${target} 200`);
  });

  test("a path of no route is found out by nobody without a token", async () => {
    const { ask } = await openServer();
    const response = await ask("GET", "/v1/none");
    expect(response.status).toBe(401);
    expect(await problemOf(response)).toMatchObject({ code: "unauthorized", instance: "/v1/none" });
    expect((await ask("OPTIONS", "/v1/cursor")).status).toBe(401);
    expect((await ask("GET", "/v1/none", tokenOf("read"))).status).toBe(200);
  });
});

test("a refusal says what would do, and its challenge the least of it", async () => {
  const { ask } = await openServer();
  for (const [line, scope, needed, least] of [
    ["GET /metrics", "write:team-", "read or write of everything, and has write:team-", "read"],
    ["GET /v1/cursors", "write:team-", "read or write of everything, and has write:team-; or ask with ?prefix=team- (--prefix team-)", "read"],
    ["GET /v1/cursors/alice", "write:team-", "read or write of everything or of this cursor, and has write:team-", "read"],
    ["PUT /v1/cursors/alice", "write:team-", "write of everything or of this cursor, and has write:team-", "write"],
    ["PUT /v1/cursors/alice", "read", "write of everything or of this cursor, and has read", "write"],
    ["POST /v1/tasks", "write:team-", "write of everything, and has write:team-", "write"],
    ["GET /api0/next", "read", "write of everything, and has read", "write"],
  ] as const) {
    const [method, target] = line.split(" ") as [string, string];
    const response = await ask(method, target, tokenOf(scope));
    expect(response.headers.get("www-authenticate")).toEndWith(`scope="${least}"`);
    const { detail } = await problemOf(response);
    expect(detail).toEndWith(`: it needs the scope ${needed}`);
  } // prettier-ignore
  // What is said helps.
  expect((await ask("GET", "/v1/cursors?prefix=team-", tokenOf("write:team-"))).status).toBe(200);
});

test("a GET that changes something has no HEAD, and no page of another origin may ask for it", async () => {
  expect([...CHANGING_GETS]).toEqual(["/api0/next", "/api0/previous", "/fibo"]);
  for (const perClient of [undefined, { ttlMs: 60_000 }]) {
    const { app } = await openServices({ perClient });
    for (const route of CHANGING_GETS) {
      for (const headers of [{ "sec-fetch-site": "cross-site" }, { range: "bytes=0-" }]) {
        const { status } = await app.request(`${route}?sn=5`, { headers });
        expect(`${route} ${status}`).toBe(`${route} 403`);
      }
      const head = await app.request(`${route}?sn=5`, { method: "HEAD" });
      expect([head.status, head.headers.get("allow")]).toEqual([405, "GET"]);
    }
  }
});
