/** `/` for people and for programs, and the files of the page: who gets which, in which coding, kept how, and from whom. */
import { describe, expect, onTestFinished, test } from "bun:test";
import zlib from "node:zlib";
import { textFile } from "../../src/http/files.ts";
import { AllowedOrigins } from "../../src/http/origins.ts";
import { listen } from "../../src/http/server.ts";
import { Tokens } from "../../src/http/tokens.ts";
import { parseTokens } from "../../src/token-file.ts";
import { tokenLine } from "../../src/token.ts";
import { problemOf } from "../refusal.ts";
import { openServices } from "../services.ts";

const CHROMIUM =
  "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7";
const HTML = { accept: CHROMIUM };
const FOR_EVER = "public, max-age=31536000, immutable";

/** By a port, as what stands on the way of a request is a part of it. */
async function openServer({ withToken = false, origins = [] as string[] } = {}) {
  const { app, hot } = await openServices();
  const tokens = withToken
    ? new Tokens(parseTokens(tokenLine("somebody", "read", "secret"), "tokens"))
    : undefined;
  const parts = origins.length > 0 ? { tokens, origins: new AllowedOrigins(origins, false) } : { tokens };
  const where = { host: "127.0.0.1", port: 0, allowHosts: [] };
  const server = listen({ fetch: app.fetch, router: app.router, hot }, where, parts);
  onTestFinished(() => void server.stop());
  const ask = (target: string, headers: Record<string, string> = {}, method = "GET") =>
    fetch(new URL(target, server.url), { method, headers, decompress: false } as RequestInit);
  return { ask, url: server.url };
}

type Ask = Awaited<ReturnType<typeof openServer>>["ask"];

const isFile = (name: string) => name.startsWith("page/");

/** The addresses that the page has in it: of its files, and where its links lead. */
async function namesIn(ask: Ask): Promise<{ files: string[]; links: string[] }> {
  const html = await (await ask("/", HTML)).text();
  const named = Array.from(html.matchAll(/(?:href|src)="([^"]+)"/g), ([, name]) => name!);
  const { files = [], links = [] } = Object.groupBy(named, (name) => (isFile(name) ? "files" : "links"));
  return { files, links };
}

function headersOf({ headers }: Response): Record<string, string> {
  const { date: _, ...others } = Object.fromEntries(headers);
  return others;
}

describe("GET /", () => {
  const WANTS: readonly (readonly [accept: string | undefined, isPage: boolean])[] = [
    [CHROMIUM, true],
    // Firefox, Safari, lynx.
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,image/png,image/svg+xml,*/*;q=0.8", true],
    ["text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01", true],
    ["text/html", true],
    ["TEXT/HTML", true],
    ["text/html;q=0.001", true],
    ["text/html; charset=utf-8 ; Q=0.5", true],
    ["application/json, text/html", true],
    ["application/json;q=0.8, text/html;q=0.9", true],
    ["application/json;q=0, text/html;q=0.1", true],
    // What is named goes before what is meant by it.
    ["text/html;q=0.5, application/json;q=0.4, */*", true],
    // curl, wget, fetch, Go, and who says nothing.
    ["*/*", false],
    [undefined, false],
    ["", false],
    ["*", false],
    ["text/html;q=0.5, *", false],
    ["text/html;q=0.5, application/json;q=x", true],
    ["text/*", false],
    ["text/html;q=0", false],
    ["text/html;q=0.000, */*", false],
    ["text/html;q=x", false],
    ["text/htmlx", false],
    ["application/xhtml+xml", false],
    ["application/json", false],
    ["application/json, text/html;q=0.9", false],
    ["text/html;q=0.5, */*", false],
    ["text/html;q=0.5, application/*;q=0.6", false],
    ["application/json, text/plain, */*", false],
    [",".repeat(15_000), false],
  ];

  test("is the page for who names HTML and wants it no less than JSON, and for all others what it was", async () => {
    const { app } = await openServices();
    for (const [accept, isPage] of WANTS) {
      const headers = accept === undefined ? {} : { accept };
      for (const target of ["/", "/?x=1"]) {
        const response = await app.request(target, { headers });
        const what = `${target} ${accept?.slice(0, 100)}`;
        const type = isPage ? "text/html; charset=utf-8" : "application/json";
        expect([what, response.status, response.headers.get("content-type")]).toEqual([what, 200, type]);
        expect(response.headers.get("vary")).toBe(isPage ? "Accept, Accept-Encoding" : "Accept");
        const text = await response.text();
        if (isPage) expect(text).toStartWith("<!doctype html>\n");
        else expect(text).toBe(`{"message":"pong"}`);
      }
      const ping = await app.request("/ping", { headers });
      expect(await ping.text()).toBe(`{"message":"pong"}`);
      const terms = await app.request("/?sn=5", { headers });
      expect([terms.headers.get("content-type"), await terms.text()]).toEqual([
        "text/plain; charset=utf-8",
        "0 1 1 2 3 ",
      ]);
      const refused = await app.request("/?sn=x", { headers });
      expect([refused.status, await refused.text()]).toEqual([
        400,
        "sn must be a whole number from 0 to 100000.\n",
      ]);
    }
  });

  test("allows a browser nothing from elsewhere, nothing inline, and no page around it", async () => {
    const { ask } = await openServer();
    const { headers } = await ask("/", HTML);
    expect(headers.get("content-security-policy")?.split("; ").toSorted()).toEqual([
      "base-uri 'none'",
      "connect-src 'self'",
      "default-src 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "img-src 'self'",
      "require-trusted-types-for 'script'",
      "script-src 'self'",
      "style-src 'self'",
      "trusted-types 'none'",
    ]);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
    const html = await (await ask("/", HTML)).text();
    expect(html).not.toMatch(/<style|style=|<script>|\son\w+=|https?:|"\/|data:/);
  });

  test("leads to files and links that are there, relative to where it lies", async () => {
    const { ask, url } = await openServer();
    const { files, links } = await namesIn(ask);
    expect(files).toHaveLength(3);
    expect(links.length).toBeGreaterThan(4);
    for (const name of [...files, ...links]) expect([name, (await ask(name)).status]).toEqual([name, 200]);
    expect(new URL(files[0]!, `${url}below/`).pathname).toStartWith("/below/page/");
  });
});

test("the page is asked for each time, its files never again, each the same in each coding", async () => {
  const { ask } = await openServer();
  const { files } = await namesIn(ask);
  const unpack: Readonly<Record<string, (packed: Buffer<ArrayBuffer>) => Uint8Array>> = {
    br: zlib.brotliDecompressSync,
    zstd: Bun.zstdDecompressSync,
    gzip: zlib.gunzipSync,
    identity: (packed) => packed,
  };
  for (const [target, codings, cacheControl, vary] of [
    ["/", ["gzip", "identity"], "public, no-cache", "Accept, Accept-Encoding"],
    ...files.map((name) => [`/${name}`, Object.keys(unpack), FOR_EVER, "Accept-Encoding"] as const),
  ] as const) {
    const tags = new Set<string>();
    const texts = new Set<string>();
    for (const coding of codings) {
      const headers = { ...HTML, "accept-encoding": coding };
      const got = await ask(target, headers);
      expect([target, coding, got.status]).toEqual([target, coding, 200]);
      expect(got.headers.get("content-encoding") ?? "identity").toBe(coding);
      expect(got.headers.get("cache-control")).toBe(cacheControl);
      expect(got.headers.get("vary")).toBe(vary);
      const bytes = Buffer.from(await got.arrayBuffer());
      expect(got.headers.get("content-length")).toBe(String(bytes.length));
      texts.add(Buffer.from(unpack[coding]!(bytes)).toString());
      const etag = got.headers.get("etag")!;
      tags.add(etag);

      const head = await ask(target, headers, "HEAD");
      expect([head.status, headersOf(head)]).toEqual([200, headersOf(got)]);
      const same = await ask(target, { ...headers, "if-none-match": `"x", W/${etag}` });
      expect([same.status, await same.text(), same.headers.get("etag")]).toEqual([304, "", etag]);
      expect(same.headers.get("cache-control")).toBe(cacheControl);
      expect(same.headers.get("vary")).toBe(vary);
      expect((await ask(target, { ...headers, "if-none-match": '"x"' })).status).toBe(200);
    }
    expect([target, tags.size, texts.size]).toEqual([target, codings.length, 1]);
  }
});

test("a coding that a client refuses is not sent, and the smallest of those that it takes is", async () => {
  const { ask } = await openServer();
  const script = (await namesIn(ask)).files.find((name) => name.endsWith(".js"));
  for (const [accepted, coding] of [
    ["gzip, deflate, br, zstd", "br"],
    ["BR", "br"],
    ["br;q=0, zstd, gzip", "zstd"],
    ["br;q=0.0, zstd;Q=0.000, gzip", "gzip"],
    ["br; q=0, gzip;q=0", null],
    ["br;q=0.001", "br"],
    ["brotli, x-gzip", null],
    ["", null],
    ["*", null],
  ] as const) {
    const { headers } = await ask(`/${script}`, { "accept-encoding": accepted });
    expect([accepted, headers.get("content-encoding")]).toEqual([accepted, coding]);
  }
});

test("each coding of a file is made once, and all answers share it", async () => {
  const file = textFile("text/plain", "a text");
  for (const coding of ["br", "zstd", "gzip", "identity"] as const)
    expect(await file.content(coding)).toBe(await file.content(coding));
});

test("no other name is a file of the page", async () => {
  const { ask } = await openServer();
  const [file] = (await namesIn(ask)).files;
  const wrong = [
    "app.js",
    "",
    "..%2fapp.js",
    "__proto__",
    "%00",
    `${file!.slice("page/".length)}.br`,
    "x".repeat(5000),
  ];
  for (const name of wrong)
    expect([name, (await problemOf(await ask(`/page/${name}`))).status]).toEqual([name, 404]);
  expect((await ask(`/${file}`, {}, "POST")).status).toBe(405);
});

test("with tokens the page and its files are everybody's, to be kept by any cache, and nothing else is", async () => {
  const { ask } = await openServer({ withToken: true });
  const { files } = await namesIn(ask);
  for (const headers of [
    HTML,
    { ...HTML, authorization: "Bearer secret" },
    { ...HTML, authorization: "x" },
  ]) {
    const page = await ask("/", headers);
    expect([page.status, page.headers.get("cache-control")]).toEqual([200, "public, no-cache"]);
    expect(page.headers.get("vary")).toBe("Accept, Accept-Encoding");
    for (const name of files) {
      const file = await ask(`/${name}`, headers);
      expect([file.status, file.headers.get("cache-control")]).toEqual([200, FOR_EVER]);
    }
  }
  expect((await ask("/", HTML, "HEAD")).status).toBe(200);
  for (const target of ["/", "/?sn=5", "/ping", "/v1/status", "/v1/sequence", "/v1/sequence/locate?index=5"])
    expect([target, (await ask(target)).status]).toEqual([target, 401]);
  // Browsers too: only the page itself is open.
  for (const target of ["/?sn=5", "/?x=1&sn=5", "/ping", "/v1/cursor", "/none"])
    expect([target, (await ask(target, HTML)).status]).toEqual([target, 401]);
  expect((await ask("/", HTML, "POST")).status).toBe(401);
  expect((await ask("/", { authorization: "Bearer secret" })).status).toBe(200);
});

test("a foreign Host gets neither the page nor a file, and a page of another origin is told of by Vary", async () => {
  const { ask } = await openServer({ origins: ["https://app.example.org"] });
  const { files } = await namesIn(ask);
  for (const target of ["/", `/${files[0]}`]) {
    const foreign = await ask(target, { ...HTML, host: "evil.example.org" });
    expect((await problemOf(foreign)).code).toBe("forbidden");
    expect((await ask(target, HTML)).headers.get("vary")).toEndWith("Accept-Encoding, Origin");
  }
});
