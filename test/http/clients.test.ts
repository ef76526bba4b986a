/** `--per-client`: a cursor for whoever sends the cookie back, and no way to that of anybody else. */
import { describe, expect, onTestFinished, test } from "bun:test";
import { clientName } from "../../src/cursor-name.ts";
import type { NamedCursors } from "../../src/cursor/named.ts";
import { FibError } from "../../src/errors.ts";
import { secretOf } from "../../src/http/clients.ts";
import { listen } from "../../src/http/server.ts";
import { ModelCursors } from "../cursor/model.ts";
import { openServices } from "../services.ts";
import { exchange, headersOf, requestBytes } from "../wire.ts";

const SECRET = "ABCDEFGHIJKLMNOPQRST-_";

async function openApp(named: NamedCursors = new ModelCursors(), indexMax = 92) {
  const services = await openServices({ perClient: { ttlMs: 34_560_000_500 }, named, indexMax });
  const ask = async (move: string, cookie?: string, headers: Record<string, string> = {}) => {
    const all = { ...headers, ...(cookie !== undefined && { cookie }) };
    const response = await services.app.request(`/api0/${move}`, { headers: all });
    const set = response.headers.get("set-cookie");
    return { status: response.status, body: await response.text(), set, pair: set?.split(";", 1)[0] };
  };
  return { ...services, named, ask };
}

const cookieOf = (value: string) => `fibserver-client=${value}`;
const body = (value: string, status = 200) => `{"value":"${value}","status":"${status}"}`;

describe("/api0 --per-client", () => {
  test("next gives a cookie and a cursor, which is moved by it; the default one stays", async () => {
    const { ask, app, must } = await openApp();
    const first = await ask("next");
    expect(first).toMatchObject({ status: 200, body: body("1") });
    expect(first.set).toMatch(
      /^fibserver-client=[\w-]{22}; Path=\/api0; Max-Age=34560000; HttpOnly; SameSite=Strict$/,
    );
    for (const value of ["1", "2", "3"])
      expect(await ask("next", first.pair)).toMatchObject({ body: body(value), set: null });
    expect(await ask("previous", first.pair)).toMatchObject({ body: body("2"), set: null });
    expect(await ask("current", first.pair)).toMatchObject({ body: body("2"), set: null });
    const other = await ask("next");
    expect(other.body).toBe(body("1"));
    expect(other.pair).not.toBe(first.pair);
    expect((await must("current")).index).toBe(0);
    expect(await (await app.request("/v1/cursors")).json()).toEqual({
      cursors: [{ name: "default", index: "0" }],
    });
    const name = clientName(first.pair!.split("=")[1]!);
    expect((await app.request(`/v1/cursors/${name}`)).status).toBe(400);
  });

  test("previous and current of nobody are as at 0, make nothing, and give no cookie", async () => {
    const { ask, named } = await openApp();
    const asked: string[] = [];
    const at = named.at.bind(named);
    named.at = (name) => (asked.push(name), at(name));
    expect(await ask("previous")).toMatchObject({ status: 409, body: body("-1", 409), set: null });
    expect(await ask("current")).toMatchObject({ status: 200, body: body("0"), set: null });
    expect(asked).toEqual([]);
    const unknown = `fibserver-client=${SECRET}`;
    expect(await ask("previous", unknown)).toMatchObject({ status: 409, body: body("-1", 409), set: null });
    expect(await ask("current", unknown)).toMatchObject({ status: 200, body: body("0"), set: null });
    expect(await ask("current", unknown)).toMatchObject({ status: 200, body: body("0"), set: null });
  });

  test("a cookie that nobody knows is not adopted: next gives another one", async () => {
    const { ask } = await openApp();
    const { body: text, pair } = await ask("next", `fibserver-client=${SECRET}`);
    expect(text).toBe(body("1"));
    expect(pair).toMatch(/^fibserver-client=[\w-]{22}$/);
    expect(pair).not.toContain(SECRET);
    expect(await ask("current", `fibserver-client=${SECRET}`)).toMatchObject({ body: body("0") });
  });

  test("the ends of the sequence are the Go server's, and change no cookie", async () => {
    const { ask } = await openApp(new ModelCursors({ indexMax: 1 }), 1);
    const { pair } = await ask("next");
    expect(await ask("next", pair)).toMatchObject({ status: 507, body: body("-2", 507), set: null });
    expect(await ask("previous", pair)).toMatchObject({ status: 200, body: body("0") });
    expect(await ask("previous", pair)).toMatchObject({ status: 409, body: body("-1", 409), set: null });
  });

  test("the cookie is given again, the same, when the store says that it is old", async () => {
    const model = new ModelCursors();
    const named: NamedCursors = {
      at: (name) => {
        const cursor = model.at(name);
        return {
          ...cursor,
          submit: (request, answer) =>
            cursor.submit(request, (outcome) =>
              answer(
                outcome instanceof FibError
                  ? outcome
                  : { ...outcome, renewsCookie: request.ifGeneration === "any" },
              ),
            ),
        };
      },
      list: (filter) => model.list(filter),
      close: () => model.close(),
    };
    const { ask } = await openApp(named);
    const first = await ask("next");
    const second = await ask("next", first.pair);
    expect([second.body, second.set]).toEqual([body("1"), first.set]);
    expect((await ask("current", first.pair)).set).toBeNull();
  });

  test("no room for one more client is 503 and -3, with Retry-After and without a cookie", async () => {
    const full = new FibError("overloaded", "Cannot make it: full");
    const named: NamedCursors = {
      at: () => ({
        current: () => undefined,
        submit: async (_, answer) => await answer(full),
        watch: () => () => {},
      }),
      list: () => Promise.resolve([]),
      close: () => Promise.resolve(),
    };
    const { ask, app } = await openApp(named);
    expect(await ask("next")).toMatchObject({ status: 503, body: body("-3", 503), set: null });
    expect(await ask("next", `fibserver-client=${SECRET}`)).toMatchObject({ status: 503, set: null });
    expect((await app.request("/api0/next")).headers.get("retry-after")).toBe("1");
  });

  test("a foreign page moves nothing and gets no cookie; HEAD neither", async () => {
    const { ask, app } = await openApp();
    const { pair } = await ask("next");
    for (const headers of [
      { origin: "https://evil.test" },
      { "sec-fetch-site": "cross-site" },
      { range: "bytes=0-" },
    ])
      for (const cookie of [undefined, pair])
        expect(await ask("next", cookie, headers as never)).toMatchObject({ status: 403, set: null });
    // What moves nothing may be asked from anywhere.
    const elsewhere = { origin: "https://evil.test" };
    expect(await ask("current", pair, elsewhere)).toMatchObject({ status: 200, body: body("1") });
    expect((await app.request("/api0/next", { method: "HEAD", headers: { cookie: pair! } })).status).toBe(
      405,
    );
    expect(await ask("current", pair)).toMatchObject({ body: body("1") });
  });

  test("Secure comes with TLS: ours, or that of a proxy which is trusted, on a real port", async () => {
    const isSecureOver = async (trustedProxies: string[], proto?: string, line = "GET /api0/next") => {
      const { app, hot } = await openApp();
      const server = listen(
        { fetch: app.fetch, hot },
        { host: "127.0.0.1", port: 0, allowHosts: [], trustedProxies },
      );
      onTestFinished(async () => void (await server.stop()));
      const headers: Record<string, string> = proto === undefined ? {} : { "X-Forwarded-Proto": proto };
      const answer = await exchange(Number(new URL(server.url).port), requestBytes(line, headers));
      expect(headersOf(answer, "set-cookie")).toHaveLength(1);
      return headersOf(answer, "set-cookie")[0]!.endsWith("; Secure");
    };
    expect(await isSecureOver([])).toBe(false);
    expect(await isSecureOver([], "https")).toBe(false);
    expect(await isSecureOver(["10.0.0.0/8"], "https")).toBe(false);
    expect(await isSecureOver(["127.0.0.1"], "https")).toBe(true);
    expect(await isSecureOver(["127.0.0.1"], "http, HTTPS")).toBe(true);
    expect(await isSecureOver(["127.0.0.1"], "https, http")).toBe(false);
    // The scheme of an absolute address is the client's word (Bun does not take it).
    expect(await isSecureOver([], undefined, "GET https://127.0.0.1/api0/next")).toBe(false);
    const { app } = await openApp();
    const direct = await app.request("https://127.0.0.1/api0/next");
    expect(direct.headers.get("set-cookie")).toEndWith("; Secure");
  });
});

describe("secretOf()", () => {
  test("finds the cookie among others, quoted or not", () => {
    for (const header of [
      cookieOf(SECRET),
      cookieOf(`"${SECRET}"`),
      `a=1; ${cookieOf(SECRET)}; b=2`,
      `a=1;${cookieOf(SECRET)}`,
      `  fibserver-client = ${SECRET} ;`,
      `junk; =; ;;${cookieOf(SECRET)}`,
      `xfibserver-client=x; ${cookieOf(SECRET)}`,
    ])
      expect(secretOf(header), header).toBe(SECRET);
  });

  test("takes the first of two that can be ours", () => {
    const other = SECRET.toLowerCase();
    expect(secretOf(`${cookieOf(SECRET)}; ${cookieOf(other)}`)).toBe(SECRET);
    expect(secretOf(`${cookieOf("short")}; ${cookieOf(SECRET)}`)).toBe(SECRET);
  });

  test("takes nothing that we cannot have given", () => {
    for (const value of [
      "",
      "a",
      SECRET.slice(1),
      `${SECRET}A`,
      `${SECRET}==`,
      SECRET.replace("A", "+"),
      `"${SECRET}`,
      "é".repeat(22),
      `"`,
    ])
      expect(secretOf(cookieOf(value)), value).toBeUndefined();
    for (const header of [null, "", ";", "fibserver-client", `Fibserver-Client=${SECRET}`])
      expect(secretOf(header)).toBeUndefined();
  });
});
