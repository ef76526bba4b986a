/** Pages of other origins, by what they send: who is allowed may what a program may, all others what they might before. */
import { expect, onTestFinished, test } from "bun:test";
import path from "node:path";
import { AllowedOrigins } from "../../src/http/origins.ts";
import { DOCUMENT } from "../../src/http/openapi.ts";
import type { Parameter } from "../../src/http/openapi/types.ts";
import { listen } from "../../src/http/server.ts";
import { Tokens } from "../../src/http/tokens.ts";
import { parseTokens } from "../../src/token-file.ts";
import { tokenLine } from "../../src/token.ts";
import { run, temporaryFolder } from "../binary.ts";
import { resolved } from "../description.ts";
import { openServices } from "../services.ts";

const APP = "https://app.example.org";
const EVIL = "https://evil.example.org";

async function openServer(origins: readonly string[], { perClient = false, withToken = false } = {}) {
  const { app, hot } = await openServices({ perClient: perClient ? { ttlMs: 60_000 } : undefined });
  const tokens = withToken
    ? new Tokens(parseTokens(tokenLine("page", "write", "secret"), "tokens"))
    : undefined;
  const where = { host: "127.0.0.1", port: 0, allowHosts: [] };
  const parts = { origins: new AllowedOrigins(origins, perClient), tokens };
  const server = listen({ fetch: app.fetch, router: app.router, hot }, where, parts);
  onTestFinished(() => void server.stop());
  return (line: string, origin?: string, headers: Record<string, string> = {}) => {
    const [method = "", target = ""] = line.split(" ");
    const page =
      origin === undefined ? {} : { origin, "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" };
    return fetch(new URL(target, server.url), { method, headers: { ...page, ...headers } });
  };
}

const MOVES = [
  "GET /api0/next",
  "GET /api0/previous",
  "POST /v1/cursor/next",
  "POST /v1/cursors/alice/next",
  "GET /fibo?sn=5",
];

test("a page that is allowed moves and reads, on every kind of route, and reads the errors too", async () => {
  const ask = await openServer([APP, "http://localhost:5173"]);
  for (const origin of [APP, "http://localhost:5173"]) {
    for (const line of [
      ...MOVES,
      "GET /api0/current",
      "GET /v1/cursor",
      "GET /v1/fibonacci/30000?format=text",
    ]) {
      const { status, headers } = await ask(line, origin);
      expect(`${line} ${status}`).toBe(`${line} 200`);
      expect(headers.get("access-control-allow-origin")).toBe(origin);
      expect(headers.get("access-control-expose-headers")).toContain("ETag");
      expect(headers.get("access-control-allow-credentials")).toBeNull();
      expect(headers.get("vary")).toContain("Origin");
    }
    for (const line of ["GET /v1/none", "PATCH /v1/cursor", "GET /v1/fibonacci/x", "DELETE /v1/cursor"]) {
      const response = await ask(line, origin);
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(response.headers.get("access-control-allow-origin")).toBe(origin);
    }
  }
});

test("what an answer depends on besides its page stays named", async () => {
  const ask = await openServer([APP]);
  expect((await ask("GET /metrics", APP)).headers.get("vary")).toBe("Accept, Origin");
  expect((await ask("GET /openapi.json", EVIL)).headers.get("vary")).toBe("Accept-Encoding, Origin");
});

test("a page that is not allowed does what it might before: it reads nothing and moves nothing", async () => {
  const ask = await openServer([APP]);
  for (const origin of [
    EVIL,
    "null",
    `${APP}.evil.org`,
    `${APP}:8443`,
    "http://app.example.org",
    APP.toUpperCase(),
    "",
  ]) {
    for (const line of MOVES) {
      const { status, headers } = await ask(line, origin);
      expect(`${line} ${origin} ${status}`).toBe(`${line} ${origin} 403`);
      expect(headers.get("access-control-allow-origin")).toBeNull();
      expect(headers.get("vary")).toBe("Origin");
    }
    const read = await ask("GET /v1/cursor", origin);
    expect([read.status, read.headers.get("access-control-allow-origin")]).toEqual([200, null]);
  }
  // What a page that is allowed embeds carries no Origin.
  for (const line of MOVES)
    expect((await ask(line, undefined, { "sec-fetch-site": "cross-site", referer: APP })).status).toBe(403);
  for (const embedded of [
    { "sec-fetch-dest": "image" },
    { "sec-fetch-dest": "script" },
    { accept: "image/png" },
  ])
    for (const line of MOVES) expect((await ask(line, APP, embedded)).status).toBe(403);
  expect((await ask("POST /v1/cursor/next", APP, { "sec-fetch-dest": "empty" })).status).toBe(200);
  const ahead = await ask("GET /api0/next", APP, { "sec-purpose": "prefetch" });
  expect(ahead.status).toBe(403);
});

test("a preflight is answered for those who are allowed, with all that the API takes", async () => {
  const ask = await openServer([APP], { withToken: true });
  const wants = { "access-control-request-method": "PUT", "access-control-request-headers": "if-match" };
  for (const target of ["/v1/cursor", "/api0/next", "/v1/tasks/x"]) {
    const { status, headers } = await ask(`OPTIONS ${target}`, APP, wants);
    expect(status).toBe(204);
    expect(headers.get("access-control-allow-origin")).toBe(APP);
    expect(headers.get("access-control-allow-methods")).toBe("GET, PUT, POST, DELETE, HEAD");
    expect(headers.get("access-control-max-age")).toBe("7200");
    for (const name of [
      "Authorization",
      "Content-Type",
      "If-Match",
      "Idempotency-Key",
      "Prefer",
      "Range",
      "Last-Event-ID",
    ])
      expect(headers.get("access-control-allow-headers")).toContain(name);
    const refused = await ask(`OPTIONS ${target}`, EVIL, wants);
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([403, null]);
    // No preflights: a token, as for all else.
    expect((await ask(`OPTIONS ${target}`, APP)).status).toBe(401);
    expect((await ask(`GET ${target}`, APP, wants)).status).toBe(401);
  }
});

/** The names in a header of CORS. */
const listed = ({ headers }: Response, name: string) => headers.get(`access-control-${name}`)!.split(", ");

test("a page may send each header that is described, and read each that is not for others", async () => {
  const operations = Object.values(DOCUMENT.paths).flatMap((item) => Object.values(item));
  const sent = operations
    .flatMap(({ parameters = [] }) => parameters.map((parameter) => resolved<Parameter>(parameter)))
    .filter((parameter) => parameter.in === "header");
  const answered = operations
    .flatMap(({ responses }) => Object.values(responses))
    .flatMap(({ headers = {} }) => Object.keys(headers));
  const ask = await openServer([APP]);
  const wants = { "access-control-request-method": "GET" };
  const allowed = listed(await ask("OPTIONS /v1/cursor", APP, wants), "allow-headers");
  const exposed = listed(await ask("GET /v1/cursor", APP), "expose-headers");
  expect(allowed).toEqual(expect.arrayContaining(sent.map(({ name }) => name)));
  // Any page may read the first; no script may the second; the others are for what is on the way.
  const rest = new Set(["Cache-Control", "Set-Cookie", "Vary", "X-Accel-Buffering"]);
  // 405 is said of no operation.
  const readable = new Set(["Allow", ...answered]).difference(rest);
  expect(exposed.toSorted()).toEqual([...readable].toSorted());
});

test("what a page needs a token for says so in a way that the page can read", async () => {
  const ask = await openServer([APP], { withToken: true });
  const { status, headers } = await ask("GET /api0/next", APP);
  expect([status, headers.get("access-control-allow-origin")]).toEqual([401, APP]);
  expect((await ask("GET /api0/next", APP, { authorization: "Bearer secret" })).status).toBe(200);
  expect((await ask("GET /api0/next", EVIL, { authorization: "Bearer secret" })).status).toBe(403);
});

test("cookies are for pages that are allowed where each client has a cursor", async () => {
  const ask = await openServer([APP], { perClient: true });
  const { headers } = await ask("GET /api0/next", APP);
  expect(headers.get("access-control-allow-credentials")).toBe("true");
  expect((await ask("GET /api0/current", EVIL)).headers.get("access-control-allow-credentials")).toBeNull();
});

test("* is for every page", async () => {
  const ask = await openServer(["*"]);
  const { status, headers } = await ask("GET /api0/next", EVIL);
  expect([status, headers.get("access-control-allow-origin")]).toEqual([200, "*"]);
});

test("--allow-origin says what is wrong with an origin, and never takes * with tokens or cookies", async () => {
  using folder = temporaryFolder();
  const start = (origins: string, ...more: string[]) =>
    run(["-f", path.join(folder.path, "cursor"), "-p", "0", "--allow-origin", origins, ...more]);
  for (const origin of [
    "app.example.org", `${APP}/`, `${APP}/path`, `${APP}?x`, "https://user@app.example.org", "https://*.example.org", "null",
    "ftp://app.example.org", "https://", `https:\\\\app.example.org`, "https://app.example.org:99999", `${APP},x`,
  ]) {
    const { exitCode, stderr } = await start(origin);
    expect(`${origin} ${exitCode}`).toBe(`${origin} 2`);
    expect(stderr).toContain("for --allow-origin: it takes origins, each a scheme and a host");
  } // prettier-ignore
  for (const more of [["--per-client"], ["--tokens", "x"]]) {
    const { exitCode, stderr } = await start(`${APP},*`, ...more);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`Cannot use * for --allow-origin together with ${more[0]}: name the origins`);
  }
});
