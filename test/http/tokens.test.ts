/** Tokens of a real server: how a request shows one, what it may, SIGHUP, and that none is ever written down. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import type { Config } from "../../src/config/config.ts";
import { parseTokens, type TokenEntry } from "../../src/token-file.ts";
import { makeToken, tokenLine } from "../../src/token.ts";
import { Tokens } from "../../src/http/tokens.ts";
import type { Logger } from "../../src/log.ts";
import { warnOfNetwork } from "../../src/serving/access.ts";
import { run, type Server, startServer, temporaryFolder, until } from "../binary.ts";
import { startCollector } from "../collector.ts";
import { exchange, requestBytes, statusOf } from "../wire.ts";

setDefaultTimeout(300_000);

/** What any token may. */
const PING = { route: "/ping", path: "/ping" };

const READ = "fib_read-read-read-read-read-read-read-read-read";
const WRITE = "fib_write-write-write-write-write-write-write-wr";
const TEAM = "fib_team-team-team-team-team-team-team-team-team";
const LINES = [
  tokenLine("reader", "read", READ),
  tokenLine("writer", "write", WRITE),
  tokenLine("team", "write:team-", TEAM),
];

/** A server whose tokens these are. */
async function openServer(
  lines: readonly string[] = LINES,
  args: readonly string[] = [],
  env: Record<string, string> = {},
) {
  const folder = temporaryFolder();
  const file = path.join(folder.path, "tokens");
  const write = (next: readonly string[]) => fs.writeFileSync(file, `${next.join("\n")}\n`, { mode: 0o600 });
  write(lines);
  const server = await startServer(["-f", path.join(folder.path, "cursor"), "--tokens", file, ...args], {
    env,
  });
  const ask = (
    target: string,
    token?: string,
    init: Omit<RequestInit, "headers"> & { headers?: Record<string, string> } = {},
  ) =>
    fetch(server.url + target, {
      ...init,
      headers: { ...init.headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    });
  return {
    server,
    file,
    write,
    ask,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

const portOf = ({ url }: Server) => Number(new URL(url).port);

test("only the header of RFC 6750 is taken, strictly", () => {
  const tokens = new Tokens(parseTokens(LINES.join("\n"), "tokens"));
  const check = (authorization: string) => {
    const told = tokens.check(new Request("http://x/ping", { headers: { authorization } }), PING);
    return told !== undefined && "name" in told ? told.name : told!.error.code;
  };
  for (const header of [`Bearer ${READ}`, `bearer ${READ}`, `BEARER    ${READ}`, ` Bearer ${READ} `])
    expect(check(header)).toBe("reader");
  for (const header of [
    READ, `Bearer`, `Bearer${READ}`, `Bearer\t${READ}`, `Basic ${READ}`, `Token ${READ}`, `Bearer ${READ},`, `Bearer "${READ}"`,
    `Bearer ${READ} x`, `Bearer ${READ}, Bearer ${READ}`, `Bearer ${READ}=`, `Bearer ${READ.slice(0, -1)}`, `Bearer ${READ}x`,
    `Bearer ${READ.toUpperCase()}`, `Bearer ${Bun.SHA256.hash(READ, "hex")}`, "Bearer =", "",
  ]) {
    expect(`${header} ${check(header)}`).toBe(`${header} unauthorized`);
  } // prettier-ignore
});

test("a digest is compared whole: one that differs in any bit is another token's", () => {
  const [{ grant, digest }] = parseTokens(LINES[0]!, "tokens") as [TokenEntry];
  const request = new Request("http://x/ping", { headers: { authorization: `Bearer ${READ}` } });
  const tokens = new Tokens([{ grant, digest }]);
  expect(tokens.check(request, PING)).toEqual(grant);
  for (let bit = 0; bit < 256; bit++) {
    const other = Uint8Array.from(digest, (byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    tokens.replace([{ grant, digest: other }]);
    expect(tokens.check(request, PING)).toMatchObject({ error: { code: "unauthorized" } });
  }
});

test("a server with tokens answers those who send one, on the hot routes too, and a second header is refused", async () => {
  await using opened = await openServer();
  const { ask, server } = opened;
  for (const target of ["/api0/next", "/api0/current", "/v1/cursor", "/nowhere", "/?sn=5"]) {
    const response = await ask(target);
    expect(response.status).toBe(401);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({ code: "unauthorized", status: 401 });
  }
  for (const target of ["/livez", "/readyz"]) expect((await ask(target)).status).toBe(200);
  expect(await (await ask("/api0/next", WRITE)).json()).toEqual({ value: "1", status: "200" });
  const refused = await ask("/api0/next", READ);
  expect(refused.status).toBe(403);
  expect(await refused.json()).toMatchObject({
    code: "forbidden",
    detail: "Cannot do this with the token of reader: it needs the scope write of everything, and has read",
  });
  expect(await (await ask("/api0/current", READ)).json()).toEqual({ value: "1", status: "200" });
  const twice = requestBytes("GET /api0/next", {
    Authorization: `Bearer ${WRITE}`,
    authorization: `Bearer ${WRITE}`,
  });
  expect(statusOf(await exchange(portOf(server), twice))).toBe(401);
  const misnamed = requestBytes("GET /api0/next", { Host: "evil.test", Authorization: `Bearer ${WRITE}` });
  expect(statusOf(await exchange(portOf(server), misnamed))).toBe(403);
  expect((await ask("/v1/cursors/team-a/next", TEAM, { method: "POST" })).status).toBe(200);
  expect((await ask("/v1/cursors/alice/next", TEAM, { method: "POST" })).status).toBe(403);
  expect(await (await ask("/v1/cursors?prefix=team-", TEAM)).json()).toMatchObject({
    cursors: [{ name: "team-a" }],
  });
});

test("events and ranges are for those who have a token", async () => {
  await using opened = await openServer();
  const { ask } = opened;
  await ask("/v1/cursors/team-a/next", TEAM, { method: "POST" });
  for (const target of ["/v1/cursors/team-a/events", "/v1/cursor/events"]) {
    expect((await ask(target)).status).toBe(401);
    const events = await ask(target, READ);
    let heard = "";
    for await (const text of events.body!.pipeThrough(new TextDecoderStream())) {
      heard += text;
      if (heard.includes("event: position")) break;
    }
    expect(heard).toContain(`"index":"${target.includes("team") ? 1 : 0}"`);
  }
  expect((await ask("/v1/cursor/events", TEAM)).status).toBe(403);
  const range = { headers: { range: "bytes=2-4" } };
  expect((await ask("/v1/fibonacci/100?format=text", undefined, range)).status).toBe(401);
  const part = await ask("/v1/fibonacci/100?format=text", TEAM, range);
  expect([part.status, await part.text()]).toEqual([206, "422"]);
});

test("a preference for a task counts only for who may make one", async () => {
  await using opened = await openServer();
  const { ask } = opened;
  for (const prefer of ["respond-async", "wait=5, respond-async"]) {
    for (const [token, status] of [[READ, 200], [TEAM, 200], [WRITE, 202]] as const) {
      const { status: given } = await ask("/v1/fibonacci/100000", token, { headers: { prefer } });
      if (prefer === "respond-async" || token !== WRITE) expect(given).toBe(status);
    } // prettier-ignore
  }
  const { tasks } = (await (await ask("/v1/tasks", READ)).json()) as { tasks: unknown[] };
  expect(tasks.length).toBe(1);
});

test("a token is written down nowhere, wherever it is sent", async () => {
  const sentinel = makeToken();
  const collector = startCollector();
  await using opened = await openServer(
    [...LINES, tokenLine("sentinel", "read", sentinel)],
    ["--debug"],
    collector.env,
  );
  const { server, ask } = opened;
  const names = [
    "Accept", "Authorization", "Cookie", "From", "Idempotency-Key", "If-Match", "If-None-Match", "If-Range", "Last-Event-ID",
    "Origin", "Prefer", "Proxy-Authorization", "Range", "Referer", "Sec-Fetch-Site", "User-Agent", "X-Api-Key", "X-Forwarded-For",
    "X-Forwarded-Proto", "X-Request-Id", "traceparent",
  ]; // prettier-ignore
  const places = [
    `/${sentinel}`, `/v1/cursors/${sentinel}`, `/v1/cursors?prefix=${sentinel}`, `/v1/fibonacci/${sentinel}`, `/v1/tasks/${sentinel}`,
    `/v1/tasks?state=${sentinel}`, `/v1/fibonacci/5?format=${sentinel}`, `/?sn=${sentinel}`, `/v1/cursor?access_token=${sentinel}`,
  ]; // prettier-ignore
  const told: string[] = [];
  const keep = async (response: Response) =>
    told.push(JSON.stringify(Object.fromEntries(response.headers)), await response.text());
  for (const token of [undefined, READ, WRITE, sentinel, `${sentinel}x`]) {
    for (const place of places) await keep(await ask(place, token));
    for (const name of names) {
      for (const value of [sentinel, `Bearer ${sentinel}`, `"${sentinel}"`, `a ${sentinel}, b`]) {
        const headers = { ...(token !== undefined && { authorization: `Bearer ${token}` }), [name]: value };
        for (const [target, method] of [["/api0/current", "GET"], ["/v1/cursor/next", "POST"], ["/v1/fibonacci/5", "GET"]] as const)
          await keep(await fetch(server.url + target, { method, headers }));
      }
    }
    for (const [target, method] of [["/v1/cursor", "PUT"], ["/v1/tasks", "POST"]] as const) {
      for (const body of [sentinel, `{"index":"${sentinel}"}`, `{"kind":"${sentinel}"}`, `{"kind":"fibonacci","${sentinel}":1}`])
        await keep(await ask(target, token, { method, body }));
    }
  } // prettier-ignore
  const inHost = requestBytes("GET /v1/cursor", { Host: sentinel });
  told.push(await exchange(portOf(server), inHost));
  for (const target of ["/metrics", "/v1/status", "/v1/tasks"]) await keep(await ask(target, READ));
  server.kill("SIGTERM");
  await server.ended();
  expect(told.length).toBeGreaterThan(1000);
  expect(server.log()).toContain("/v1/cursors/fib_…");
  expect(told.filter((text) => text.includes(sentinel))).toEqual([]);
  const spans = JSON.stringify(collector.spans, (_, value: unknown) =>
    typeof value === "bigint" ? 0 : value,
  );
  expect(spans).toContain(`"url.path":"/v1/cursors/fib_…"`);
  expect(spans).not.toContain(sentinel);
  for (const secret of [sentinel, READ, WRITE]) expect(server.log()).not.toContain(secret);
});

test("SIGHUP reads the file again; one that cannot be used changes nothing", async () => {
  await using opened = await openServer([LINES[0]!]);
  const { server, ask, write, file } = opened;
  const statuses = async () => [(await ask("/ping", READ)).status, (await ask("/ping", WRITE)).status];
  expect(await statuses()).toEqual([200, 401]);
  write([LINES[1]!]);
  expect(await statuses()).toEqual([200, 401]);
  server.kill("SIGHUP");
  await until("the new token is known", async () => (await ask("/ping", WRITE)).status === 200);
  expect(await statuses()).toEqual([401, 200]);
  for (const [text, sign] of [["ci read", "line 1: a line is NAME SCOPE SHA-256, 3 words, and this one has 2"], ["", "it has none"]] as const) {
    write([text]);
    server.kill("SIGHUP");
    await until(sign, () => server.log().includes(sign));
    expect(await statuses()).toEqual([401, 200]);
  } // prettier-ignore
  fs.rmSync(file);
  server.kill("SIGHUP");
  await until("it said so", () =>
    /"level":"ERROR".*there is no such file.*; those of before are still good/.test(server.log()),
  );
  expect(await statuses()).toEqual([401, 200]);
  fs.writeFileSync(file, LINES[0]!);
  fs.chmodSync(file, 0o644);
  server.kill("SIGHUP");
  await until("it warned", () => server.log().includes(`may read the tokens: chmod o-rw ${file}`));
  fs.chmodSync(file, 0o642);
  server.kill("SIGHUP");
  await until("it warned of worse", () => server.log().includes("may change the tokens"));
  await until("the first is back", async () => (await ask("/ping", READ)).status === 200);
  server.kill("SIGTERM");
  expect(await server.ended()).toBe(0);
});

test("without tokens SIGHUP ends a server", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
  server.kill("SIGHUP");
  expect(await server.ended()).toBe(129);
});

test("a file that cannot be used ends the start with 2, and a line that says why", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "tokens");
  const start = () => run(["-f", path.join(folder.path, "cursor"), "-p", "0", "--tokens", file]);
  const expectRefusal = async (reason: string) => {
    const { stderr, exitCode, stdout } = await start();
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(`Cannot use the tokens of ${file}: ${reason}`);
  };
  await expectRefusal("there is no such file");
  const long = await run(["-f", path.join(folder.path, "cursor"), "--tokens", "n".repeat(300)]);
  expect(long).toMatchObject({ stdout: "", exitCode: 2 });
  expect(long.stderr).toContain("ENAMETOOLONG");
  fs.mkdirSync(file);
  await expectRefusal("it is no file");
  fs.rmdirSync(file);
  expect(Bun.spawnSync(["mkfifo", file]).exitCode).toBe(0);
  await expectRefusal("it is no file");
  fs.rmSync(file);
  fs.symlinkSync("/dev/zero", file);
  await expectRefusal("it is no file");
  fs.rmSync(file);
  fs.writeFileSync(file, "");
  await expectRefusal("it has none");
  fs.writeFileSync(file, `\nci read ${READ}\n`);
  await expectRefusal("line 2: a token itself stands here");
  fs.writeFileSync(file, "#".repeat(2 ** 20 + 1));
  await expectRefusal("it is larger than 1048576 bytes");
  expect(fs.existsSync(path.join(folder.path, "cursor"))).toBe(false);
});

/** How the warnings begin that a server with these settings gives. */
function warningsOf(config: Partial<Config>): string[] {
  const warnings: string[] = [];
  const log = { warn: (_: string, { notice }: { notice: string }) => void warnings.push(notice) };
  warnOfNetwork(config as Config, log as unknown as Logger);
  return warnings.map((warning) => warning.slice(0, warning.indexOf(":")));
}

test("what is open to the network is warned of, and what asks for tokens over TLS is not", () => {
  const pem = { path: "x", source: "--tls-cert" };
  const tls = { cert: pem, key: pem };
  const [open, readable] = ["Open to the network", "Tokens can be read by others on their way"];
  expect(warningsOf({ host: "127.0.0.1" })).toEqual([]);
  expect(warningsOf({ host: "0.0.0.0" })).toEqual([open]);
  expect(warningsOf({ host: "0.0.0.0", tls })).toEqual([open]);
  expect(warningsOf({ host: "::", tokensFile: "x" })).toEqual([readable]);
  expect(warningsOf({ host: "::", tokensFile: "x", tls })).toEqual([]);
});

test("a server that is open to the network says what to do", async () => {
  using folder = temporaryFolder();
  const args = ["-f", path.join(folder.path, "cursor"), "--host", "0.0.0.0"];
  await using open = await startServer(args);
  expect(open.log()).toContain("Open to the network");
  expect(open.log()).toContain("give --tokens FILE (fibserver help token)");
  await using opened = await openServer(LINES, ["--host", "0.0.0.0"]);
  expect(opened.server.log()).not.toContain("Open to the network");
  expect(opened.server.log()).toContain("Tokens can be read by others on their way: give --tls-cert");
  await using local = await openServer();
  expect(local.server.log()).not.toContain(`"level":"WARN"`);
});
