/**
 * Pages on other origins in a real browser: the one that `--allow-origin` names may what a program may, with a token;
 * another one may nothing, with the same token.
 *
 * Method: one page, from one server, under two names, of which one is allowed.
 */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import type { Page } from "playwright-core";
import { tokenLine } from "../../src/token.ts";
import { startServer, temporaryFolder } from "../binary.ts";
import { withBrowser, withChromium } from "../chromium.ts";

setDefaultTimeout(300_000);

const TOKEN = "fib_of-a-page";

/** What the page does, and what it tells of it. Whatever fails is told by its name. */
const SCRIPT = `async (url, token) => {
  const ask = (path, init = {}) =>
    fetch(url + path, { ...init, headers: { ...(token && { authorization: "Bearer " + token }), ...init.headers } });
  const told = {};
  const tell = async (what, work) => { told[what] = await work().catch((error) => error.name); };
  await tell("next", async () => (await (await ask("/api0/next")).json()).value);
  await tell("put", async () => {
    const response = await ask("/v1/cursor", { method: "PUT", body: '{"index":"9"}', headers: { "if-match": "*", "content-type": "application/json" } });
    return (await response.json()).index + " " + response.headers.get("etag");
  });
  await tell("moved", async () => {
    const headers = { "idempotency-key": "a", "if-match": '"1"' };
    const response = await ask("/v1/cursor/next", { method: "POST", headers });
    return response.status + " " + (await response.json()).code;
  });
  await tell("range", async () => {
    const response = await ask("/v1/fibonacci/100?format=text", { headers: { range: "bytes=2-4" } });
    return (await response.text()) + " " + response.headers.get("content-range");
  });
  await tell("long", async () => (await (await ask("/v1/fibonacci/1000000?format=text")).text()).length);
  await tell("error", async () => (await (await ask("/v1/fibonacci/x")).json()).code);
  await tell("nowhere", async () => (await (await ask("/v1/nowhere")).json()).code);
  await tell("task", async () => {
    const response = await ask("/v1/tasks", { method: "POST", body: '{"kind":"fibonacci","n":"5"}' });
    return response.status + " " + response.headers.has("location");
  });
  await tell("events", async () => {
    const abort = new AbortController();
    const response = await ask("/v1/cursor/events", { signal: abort.signal, headers: { "last-event-id": "0" } });
    if (!response.ok) return (await response.json()).code;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let heard = "";
    // Its name and its data may come one after the other.
    while (!/event: position[^]*"index":"\\d+"/.test(heard)) heard += (await reader.read()).value;
    abort.abort();
    return heard.match(/"index":"\\d+"/)[0];
  });
  return told;
}`;

function answersTo(page: Page, url: string, token?: string): Promise<Record<string, unknown>> {
  return page.evaluate(`(${SCRIPT})("${url}", ${JSON.stringify(token ?? null)})`);
}

withChromium("a page that is allowed does all; another one does nothing, and reads nothing", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "tokens");
  fs.writeFileSync(file, tokenLine("page", "write", TOKEN));
  using pages = Bun.serve({
    port: 0,
    fetch: () => new Response("<title>a page</title>", { headers: { "content-type": "text/html" } }),
  });
  const origin = `http://app.test:${pages.port}`;
  const args = ["-f", path.join(folder.path, "cursor"), "--allow-origin", origin];
  await withBrowser(async (browser) => {
    const page = await browser.newPage();
    await using open = await startServer(args);
    const all = {
      next: "1",
      put: expect.stringMatching(/^9 "/),
      moved: "412 cursor_moved",
      range: "422 bytes 2-4/21",
      long: 208_988,
      error: "bad_argument",
      nowhere: "not_found",
      task: "202 true",
      events: `"index":"9"`,
    };
    await page.goto(`${origin}/`);
    expect(await answersTo(page, open.url)).toEqual(all);
    await using locked = await startServer([
      ...args.with(1, path.join(folder.path, "locked")),
      "--tokens",
      file,
    ]);
    expect(await answersTo(page, locked.url, TOKEN)).toEqual(all);
    const refused = await answersTo(page, locked.url, "fib_of-nobody");
    expect(refused).toMatchObject({
      error: "unauthorized",
      nowhere: "unauthorized",
      moved: "401 unauthorized",
    });

    const foreign = await browser.newPage();
    await foreign.goto(`http://evil.test:${pages.port}/`);
    for (const [url, token] of [[open.url], [locked.url, TOKEN]] as const) {
      const told = await answersTo(foreign, url, token);
      expect(new Set(Object.values(told))).toEqual(new Set(["TypeError"]));
      expect(Object.keys(told).length).toBe(9);
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      expect(await (await fetch(`${url}/v1/cursor`, { headers })).json()).toMatchObject({ index: "9" });
    }
    // What it only embeds is no fetch of the page, whoever it belongs to.
    const failed = page.waitForEvent("requestfailed", (request) =>
      request.url().endsWith("/api0/next?picture"),
    );
    await page.setContent(`<img src="${open.url}/api0/next?picture">`);
    await failed;
    expect(await (await fetch(`${open.url}/v1/cursor`)).json()).toMatchObject({ index: "9" });
  });
});
