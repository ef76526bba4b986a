/**
 * A page of somebody else changes nothing and reads nothing, in every way that a page has to make a request.
 *
 * Method: Chromium on a page of another site, over http and over https; the server once at an address to which
 * browsers send `Sec-Fetch-*` (loopback), once under a name to which they send none. The server's log of requests
 * says that each way has come to it, so that none is harmless for another reason.
 */
import { expect, setDefaultTimeout } from "bun:test";
import path from "node:path";
import type { Request } from "playwright-core";
import {
  isWorking,
  requireTool,
  type Program,
  type Server,
  startProgram,
  startServer,
  temporaryFolder,
  until,
} from "../binary.ts";
import { withBrowser, withChromium } from "../chromium.ts";
import { freePort } from "../redis.ts";

setDefaultTimeout(300_000);

/** Pages at once, each of eight frames: all 27 take a busy machine minutes until the first of them is there. */
const PAGES_MAX = 4;

/** The page does not say where it is. */
const HIDDEN = `<meta name="referrer" content="no-referrer">`;

/** What a page has in it to make its browser send a request. */
const WAYS: Readonly<Record<string, (url: string) => string>> = {
  picture: (url) => `<img src="${url}">`,
  script: (url) => `<script src="${url}"></script>`,
  module: (url) => `<script type="module" crossorigin src="${url}"></script>`,
  frame: (url) => `<iframe src="${url}"></iframe>`,
  style: (url) => `<link rel="stylesheet" href="${url}">`,
  background: (url) => `<p style="background: url('${url}')">x</p>`,
  font: (url) =>
    `<style>@font-face { font-family: f; src: url('${url}') } p { font-family: f }</style><p>x</p>`,
  film: (url) => `<video autoplay muted src="${url}"></video>`,
  sound: (url) => `<audio preload="auto" src="${url}"></audio>`,
  object: (url) => `<object data="${url}"></object>`,
  prefetch: (url) => `<link rel="prefetch" href="${url}">`,
  preload: (url) => `<link rel="preload" as="image" href="${url}">`,
  "hidden picture": (url) => `<img referrerpolicy="no-referrer" src="${url}">`,
  "hidden background": (url) => `${HIDDEN}<p style="background: url('${url}')">x</p>`,
  "hidden style": (url) => `<link rel="stylesheet" referrerpolicy="no-referrer" href="${url}">`,
  form: (
    url,
  ) => `<iframe name="f"></iframe><form target="f" action="${url}"><input name="sn" value="7"></form>
    <script>document.forms[0].submit()</script>`,
  "posted form": (url) => `<iframe name="f"></iframe><form method="post" target="f" action="${url}"></form>
    <script>document.forms[0].submit()</script>`,
  "hidden posted form": (url) => `${HIDDEN}<iframe name="f"></iframe>
    <form method="post" target="f" action="${url}"></form><script>document.forms[0].submit()</script>`,
  "fetch cors": (url) => fetching(url, `{}`),
  "fetch no-cors": (url) => fetching(url, `{ mode: "no-cors" }`),
  "fetch with cookies": (url) => fetching(url, `{ mode: "no-cors", credentials: "include" }`),
  "posted fetch": (url) =>
    fetching(url, `{ method: "POST", mode: "no-cors", body: '{"kind":"fibonacci","n":"5"}' }`),
  "hidden posted fetch": (url) =>
    fetching(url, `{ method: "POST", mode: "no-cors", referrerPolicy: "no-referrer", body: "{}" }`),
  "fetch with a header": (url) => fetching(url, `{ headers: { prefer: "respond-async" } }`),
  "put fetch": (url) => fetching(url, `{ method: "PUT", body: '{"index":"9"}' }`),
  beacon: (url) => `<script>navigator.sendBeacon("${url}", "{}")</script>`,
  events: (url) => `<script>new EventSource("${url}")</script>`,
};

/** What costs or changes something, by GET and by POST. */
const TARGETS = [
  "/api0/next",
  "/fibo?sn=12",
  "/v1/cursor",
  "/v1/cursor/next",
  "/v1/cursors/alice",
  "/v1/cursors/alice/next",
  "/v1/tasks",
  "/v1/fibonacci/20000000?format=text",
];

/** Of a page that waits for what it fetches. */
const FETCHES = "fetches";

/** Fetches, and puts what can be read into the page's title. */
function fetching(url: string, options: string): string {
  return `<title>${FETCHES}</title><script>fetch("${url}", ${options}).then((response) => response.text())
    .then((text) => { document.title = text === "" ? "nothing" : "read " + text; },
      () => { document.title = "refused"; })</script>`;
}

/** What the server has answered, such as `GET /api0/next 403`. */
function answered(server: Server): string[] {
  const line = /"method":"(\w+)","path":"([^"]*)",(?:"route":"[^"]*",)?"status":(\d+)/g;
  return [...server.log().matchAll(line)].map(([, method, path_, status]) => `${method} ${path_} ${status}`);
}

async function expectUntouched({ url }: Server): Promise<void> {
  expect(await (await fetch(`${url}/v1/cursor`)).json()).toEqual({ index: "5", value: "5" });
  const { cursors } = (await (await fetch(`${url}/v1/cursors`)).json()) as { cursors: object };
  expect(cursors).toEqual([{ name: "default", index: "5" }]);
  expect(await (await fetch(`${url}/v1/tasks`)).json()).toEqual({ tasks: [] });
}

for (const scheme of ["http", "https"] as const) {
  const isReady = scheme === "http" || isWorking(["openssl", "version"]);
  const run = isReady ? withChromium : requireTool(["openssl", "version"], "apt-get install openssl");
  for (const host of ["fib.test", "127.0.0.1"]) {
    // From https to a name without it the browser sends nothing by itself.
    const isSent = scheme === "http" || host === "127.0.0.1";
    run(
      `a page of another site over ${scheme} moves nothing at ${host}, and starts and reads nothing`,
      async () => {
        using folder = temporaryFolder();
        const args = ["-f", path.join(folder.path, "cursor"), "--allow-host", "fib.test", "-d"];
        await using server = await startServer(args);
        await fetch(`${server.url}/v1/cursor`, { method: "PUT", body: `{"index":"5"}` });
        const target = `http://${host}:${new URL(server.url).port}`;
        const pages = new Map<string, string>();
        using evil = Bun.serve({
          port: 0,
          ...(scheme === "https" && { tls: selfSigned(folder.path) }),
          fetch: ({ url }) =>
            new Response(pages.get(new URL(url).pathname) ?? "", {
              headers: { "content-type": "text/html", "referrer-policy": "unsafe-url" },
            }),
        });
        await withBrowser(async (browser) => {
          const context = await browser.newContext({ ignoreHTTPSErrors: true });
          const visit = async ([way, html]: [string, (url: string) => string]) => {
            const frames = TARGETS.map((address) => {
              const place = `/${pages.size}`;
              pages.set(place, html(target + address));
              return `<iframe src="${place}"></iframe>`;
            });
            const place = `/${pages.size}`;
            pages.set(place, frames.join(""));
            const page = await context.newPage();
            const ended = new Set<Request>();
            const note = (request: Request) => request.url().startsWith(target) && ended.add(request);
            page.on("response", (response) => note(response.request()));
            page.on("requestfailed", note);
            await page.goto(`${scheme}://evil.test:${evil.port}${place}`);
            await until(`each ${way} is answered`, () => !isSent || ended.size >= TARGETS.length);
            let titles: string[] = [];
            await until(`each ${way} has been read, or cannot be`, async () => {
              titles = await Promise.all(page.frames().map((frame) => frame.title().catch(() => "")));
              return !titles.includes(FETCHES);
            });
            const read = titles.filter((title) => title.startsWith("read "));
            expect(read, way).toEqual([]);
            await page.close();
          };
          const ways = Object.entries(WAYS).values();
          const visitor = async () => {
            for (const way of ways) await visit(way);
          };
          await Promise.all(Array.from({ length: PAGES_MAX }, visitor));
        });
        await expectUntouched(server);
        // What it has asked for last.
        await until("all is logged", () => answered(server).includes("GET /v1/tasks 200"));
        const moved = answered(server).filter((line) =>
          /^(GET|POST|PUT) \/(api0|fibo|v1\/cursor\/next|v1\/fib).* 20\d$/.test(line),
        );
        expect(moved).toEqual([]);
        const refusals = answered(server).filter((line) => line.endsWith(" 403"));
        if (isSent) expect(refusals.length).toBeGreaterThan(50);
      },
    );
  }
}

withChromium("a page of the server's own, and an address that is typed, do move", async () => {
  using folder = temporaryFolder();
  await using server = await startServer([
    "-f",
    path.join(folder.path, "cursor"),
    "--allow-host",
    "fib.test",
  ]);
  const port = new URL(server.url).port;
  await withBrowser(async (browser) => {
    for (const host of ["fib.test", "127.0.0.1"]) {
      const page = await browser.newPage();
      await page.goto(`http://${host}:${port}/api0/next`);
      const index = await page.evaluate<unknown>(
        `fetch("/v1/cursor/next", { method: "POST" }).then((response) => response.json()).then(({ index }) => index)`,
      );
      expect(index).toBe(host === "fib.test" ? "2" : "4");
    }
  });
});

withChromium("an EventSource hears where the cursor is, also behind a restart of the server", async () => {
  using folder = temporaryFolder();
  // One that nobody else gets while the server is away.
  const args = ["-p", String(await freePort()), "-f", path.join(folder.path, "cursor")];
  const start = () => startProgram(args, /"url":"(http:[^"]*)\/"/);
  const first = await start();
  const url = first.said;
  let server: Program = first;
  try {
    await withBrowser(async (browser) => {
      const page = await browser.newPage();
      await page.goto(`${url}/livez`);
      await page.evaluate(`window.heard = []; window.opened = 0;
        const source = new EventSource("/v1/cursor/events");
        source.onopen = () => window.opened++;
        source.addEventListener("position", ({ data }) => window.heard.push(JSON.parse(data).index))`);
      await page.waitForFunction(`window.heard.at(-1) === "0"`);
      await fetch(`${url}/v1/cursor/next`, { method: "POST" });
      await page.waitForFunction(`window.heard.at(-1) === "1"`);
      server.kill("SIGTERM");
      expect(await server.ended()).toBe(0);
      server = await start();
      await page.waitForFunction(`window.opened === 2`);
      await fetch(`${url}/v1/cursor/next`, { method: "POST" });
      await page.waitForFunction(`window.heard.at(-1) === "2"`);
      // It said what it knew, and so was not told again.
      expect(await page.evaluate<unknown>(`window.heard`)).toEqual(["0", "1", "2"]);
    });
  } finally {
    await server[Symbol.asyncDispose]();
  }
});

withChromium(
  "--per-client: each browser has a cursor of its own, by a cookie that no script reads",
  async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--per-client", "-d"]);
    await withBrowser(async (browser) => {
      const contexts = [await browser.newContext(), await browser.newContext()];
      for (const context of contexts) {
        const page = await context.newPage();
        for (const value of ["1", "1", "2", "3"]) {
          const response = await page.goto(`${server.url}/api0/next`);
          expect(await response?.json()).toEqual({ value, status: "200" });
        }
        expect(await page.evaluate<unknown>(`document.cookie`)).toBe("");
        const [cookie, ...others] = await context.cookies(`${server.url}/api0/next`);
        expect(others).toEqual([]);
        expect(cookie).toMatchObject({
          name: "fibserver-client",
          path: "/api0",
          httpOnly: true,
          sameSite: "Strict",
        });
        expect(server.log()).not.toContain(cookie!.value);
      }
    });
    expect(await (await fetch(`${server.url}/v1/cursor`)).json()).toEqual({ index: "0", value: "0" });
  },
);

for (const host of ["127.0.0.1", "0.0.0.0"]) {
  withChromium(`a name that is made to point at a server on ${host} reads and moves nothing`, async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--host", host]);
    const port = new URL(server.url).port;
    expect(server.log().includes("Open to the network")).toBe(host === "0.0.0.0");
    const origin = `http://rebound.test:${port}`;
    await withBrowser(async (browser) => {
      const page = await browser.newPage();
      // The refusal is a page of that origin, as good as one that was there before the name pointed here.
      expect((await page.goto(`${origin}/api0/next`))?.status()).toBe(403);
      for (const call of [
        `fetch("/api0/current")`,
        `fetch("/api0/next")`,
        `fetch("/v1/cursor/next", { method: "POST" })`,
        `fetch("/v1/tasks", { method: "POST", body: '{"kind":"fibonacci","n":"5"}' })`,
        `fetch("/fibo?sn=5")`,
        `fetch("/livez")`,
      ]) {
        expect(await page.evaluate<unknown>(`${call}.then(({ status }) => status)`), call).toBe(403);
      }
    });
    const url = `http://127.0.0.1:${port}`;
    expect(await (await fetch(`${url}/v1/cursor`)).json()).toEqual({ index: "0", value: "0" });
    expect(await (await fetch(`${url}/v1/tasks`)).json()).toEqual({ tasks: [] });
  });
}

/** A certificate that nobody vouches for. */
function selfSigned(folder: string) {
  const [key, cert] = ["key", "cert"].map((name) => path.join(folder, `${name}.pem`)) as [string, string];
  const made = Bun.spawnSync([
    "openssl",
    "req",
    "-x509",
    "-nodes",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-subj",
    "/CN=evil.test",
    "-keyout",
    key,
    "-out",
    cert,
  ]);
  expect(made.exitCode).toBe(0);
  return { key: Bun.file(key), cert: Bun.file(cert) };
}
