/** The way in, by a port: what is no request of a browser or a program gets an answer of ours, and is counted. */
import { expect, onTestFinished, test } from "bun:test";
import { entry, type EntryParts, finishing, type RequestWatch } from "../../src/http/entry.ts";
import { listen } from "../../src/http/server.ts";
import { Tokens } from "../../src/http/tokens.ts";
import { parseTokens } from "../../src/token-file.ts";
import { makeToken, tokenLine } from "../../src/token.ts";
import { openServices } from "../services.ts";
import { exchange, requestBytes } from "../wire.ts";

async function openServer(parts: Partial<EntryParts> = {}) {
  const { app, hot } = await openServices();
  const where = { host: "127.0.0.1", port: 0, allowHosts: [] };
  const server = listen({ fetch: app.fetch, router: app.router, hot }, where, parts);
  onTestFinished(() => void server.stop());
  return { url: server.url, port: Number(new URL(server.url).port) };
}

const nobody = () => undefined;

/** Counts who has come in, and who has gone out. */
function counting(): RequestWatch & { readonly routes: string[]; inFlight: number } {
  const watch = {
    routes: [] as string[],
    inFlight: 0,
    begin: () => void watch.inFlight++,
    end: ({ route }: { readonly route: string }) => {
      watch.inFlight--;
      watch.routes.push(route);
    },
  };
  return watch;
}

test("what is no address gets 400, as what has no Host, whatever its method", async () => {
  const watch = counting();
  const bugs: unknown[] = [];
  const { port } = await openServer({ watches: [watch], onBug: (error) => bugs.push(error) });
  const asked = [
    ["OPTIONS /livez?x", ""],
    ["PATCH /livez?x", "a/b"],
    ["GET /api0/next?x", "a b"],
    ["TRACE /http://x?y", ","],
    ["CONNECT x?a", "127.0.0.1"],
    ["CONNECT x:80", "127.0.0.1"],
    ["CONNECT x?a", ""],
  ] as const;
  for (const [line, host] of asked) {
    const answer = await exchange(port, requestBytes(line, { Host: host }));
    expect(answer, line).toStartWith("HTTP/1.1 400 ");
    expect(answer, line).toContain('"code":"bad_argument"');
    expect(answer, line).toContain(`"instance":"${line.split(/[ ?]/)[1]}"`);
  }
  expect(bugs).toEqual([]);
  expect([watch.routes.length, watch.inFlight]).toEqual([asked.length, 0]);
});

test("what is thrown on the way in is a bug, told of with the request's id, answered and counted", async () => {
  const watch = counting();
  const bugs: unknown[] = [];
  const boom = new Error("boom");
  const { url } = await openServer({
    watches: [watch],
    nameRequest: () => "id-1",
    onBug: (...told) => bugs.push(told),
    tokens: {
      check: () => {
        throw boom;
      },
    },
  });
  const response = await fetch(new URL("/v1/cursor", url));
  expect([response.status, response.headers.get("x-request-id")]).toEqual([500, "id-1"]);
  expect(await response.json()).toMatchObject({ code: "internal", requestId: "id-1" });
  expect(bugs).toEqual([[boom, "id-1"]]);
  expect([watch.routes, watch.inFlight]).toEqual([["/v1/cursor"], 0]);
});

test("a problem names the path of an https address as it does that of any other", async () => {
  const environment = { keepOpen: () => () => {}, holderOf: () => "", isSecure: () => true };
  const { app } = await openServices();
  const answer = entry(
    finishing(app.fetch),
    () => ({ route: "none", path: "" }),
    { refuseHost: nobody },
    environment,
  );
  for (const origin of ["https://a", "https://127.0.0.1:8443", "http://a", "http://[::1]:80"]) {
    const response = await answer(new Request(`${origin}/none/such?x`));
    expect(await response.json()).toMatchObject({ instance: "/none/such" });
  }
});

test("what took a token is kept by no cache for others", async () => {
  const token = makeToken();
  const tokens = new Tokens(parseTokens(tokenLine("ci", "read", token), "tokens"));
  const headers = { authorization: `Bearer ${token}` };
  const kept = async (url: string, target: string) => {
    const response = await fetch(new URL(target, url), { headers });
    return [response.headers.get("cache-control"), response.headers.get("vary")];
  };
  const { url } = await openServer({ tokens });
  const number = "/v1/fibonacci/100";
  expect(await kept(url, number)).toEqual(["private, max-age=31536000, immutable", "Accept, Authorization"]);
  expect(await kept(url, "/v1/cursor")).toEqual(["no-store", null]);
  // Everybody may have it.
  expect(await kept(url, "/openapi.json")).toEqual(["public, no-cache", "Accept-Encoding"]);
  const open = await openServer();
  expect(await kept(open.url, number)).toEqual(["public, max-age=31536000, immutable", "Accept"]);
});
