/** `/docs` and `/openapi.json`: in a real browser, offline, under its policy; in each coding; conditional. */
import { expect, onTestFinished, setDefaultTimeout, test } from "bun:test";
import path from "node:path";
import zlib from "node:zlib";
import type { Page } from "playwright-core";
import { DOCUMENT } from "../../src/http/openapi.ts";
import { startServer, temporaryFolder, until } from "../binary.ts";
import { launchBrowser, withChromium } from "../chromium.ts";
import { openServices } from "../services.ts";

setDefaultTimeout(300_000);

/** The addresses that the page has in it. */
async function filesOf(page: Response): Promise<string[]> {
  return Array.from((await page.text()).matchAll(/"(docs\/[^"]+)"/g), ([, name]) => `/${name}`);
}

test("/openapi.json is the description, in each coding, and is not sent again while it is the same", async () => {
  const { app } = await openServices();
  for (const [accepted, unpack] of [
    ["gzip, br", zlib.brotliDecompressSync],
    ["zstd", zlib.zstdDecompressSync],
    ["gzip", zlib.gunzipSync],
    ["gzip;q=0", (bytes: Buffer) => bytes],
  ] as const) {
    const response = await app.request("/openapi.json", { headers: { "accept-encoding": accepted } });
    const bytes = unpack(Buffer.from(await response.arrayBuffer()));
    expect(JSON.parse(bytes.toString())).toEqual(JSON.parse(JSON.stringify(DOCUMENT)));
    expect(response.headers.get("cache-control")).toBe("public, no-cache");
    const headers = { "accept-encoding": accepted, "if-none-match": response.headers.get("etag")! };
    expect((await app.request("/openapi.json", { headers })).status).toBe(304);
    const other = { ...headers, "if-none-match": '"another"' };
    expect((await app.request("/openapi.json", { headers: other })).status).toBe(200);
  }
});

test("the files of /docs are kept for ever, the same in each coding, and have no other names", async () => {
  const { app } = await openServices();
  const page = await app.request("/docs");
  expect(page.headers.get("content-security-policy")).toBe(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
  expect(page.headers.get("x-content-type-options")).toBe("nosniff");
  const files = await filesOf(page);
  expect(files).toHaveLength(4);
  for (const file of files) {
    const [plain, gzip, br] = await Promise.all(
      ["", "gzip", "br;q=0.5"].map(async (coding) => {
        const response = await app.request(file, { headers: { "accept-encoding": coding } });
        expect(response.status).toBe(200);
        expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
        expect(response.headers.get("vary")).toBe("Accept-Encoding");
        return { tag: response.headers.get("etag"), bytes: Buffer.from(await response.arrayBuffer()) };
      }),
    );
    expect(zlib.gunzipSync(gzip!.bytes).equals(plain!.bytes)).toBe(true);
    expect(zlib.brotliDecompressSync(br!.bytes).equals(plain!.bytes)).toBe(true);
    expect(new Set([plain!.tag, gzip!.tag, br!.tag]).size).toBe(3);
    expect((await app.request(file.replace(/\.\w{16}\./, "."))).status).toBe(404);
  }
});

/** Opens `/docs` in a browser; what is refused by its policy, or asked of others, is remembered. */
async function openDocs(url: string): Promise<{ page: Page; complaints: string[]; asked: string[] }> {
  const browser = await launchBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  const complaints: string[] = [];
  const asked: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => asked.push(request.url()));
  // A violation is told to the page, whoever causes it.
  await page.addInitScript(`document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
    console.error("violates", violatedDirective, blockedURI))`);
  await page.goto(`${url}/docs`);
  await page.waitForSelector(".opblock");
  return { page, complaints, asked };
}

withChromium(
  "in Chromium /docs shows every operation, asks nobody else, and keeps to its policy",
  async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
    const { page, complaints, asked } = await openDocs(server.url);
    const count = Object.values(DOCUMENT.paths).flatMap((item) => Object.keys(item)).length;
    await until("every operation is there", async () => (await page.locator(".opblock").count()) >= count);
    expect(await page.locator(".opblock").count()).toBe(count);
    // One of each kind, with its parameters, its bodies and its examples: all 50 at once take a browser 20 s.
    for (const { name } of DOCUMENT.tags) {
      const block = page.locator(`.opblock-tag-section:has([data-tag="${name}"]) .opblock`).first();
      await block.locator(".opblock-summary-control").click();
      await block.locator(".responses-inner").waitFor();
    }
    expect(await page.locator(".errors-wrapper").count()).toBe(0);
    expect(complaints).toEqual([]);
    const elsewhere = asked.filter((url) => !url.startsWith(`${server.url}/`) && !url.startsWith("data:"));
    expect(elsewhere).toEqual([]);
  },
);

withChromium("in Chromium a number and a move can be tried out, with a token", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
  const { page, complaints } = await openDocs(server.url);
  await page.click("button.authorize");
  await page.fill(".auth-container input", "a-token");
  await page.click(".auth-btn-wrapper button.authorize");
  await page.click(".auth-btn-wrapper .btn-done");
  for (const [operation, sent, body] of [
    ["operations-Numbers-fibonacci", "GET /v1/fibonacci/100", '"354224848179261915075"'],
    ["operations-Cursors-next", "POST /v1/cursor/next", '"index": "1"'],
  ] as const) {
    const block = page.locator(`#${operation}`);
    await block.locator(".opblock-summary-control").click();
    await block.locator(".try-out__btn").click();
    const request = page.waitForRequest(
      (made) => `${made.method()} ${new URL(made.url()).pathname}` === sent,
    );
    await block.locator("button.execute").click();
    expect((await request).headers()["authorization"]).toBe("Bearer a-token");
    const shown = block.locator(
      ".live-responses-table .response-col_description .microlight, .live-responses-table pre",
    );
    await until(`${body} is shown`, async () => (await shown.allTextContents()).join("\n").includes(body));
  }
  expect(await (await fetch(`${server.url}/v1/cursor`)).json()).toEqual({ index: "1", value: "1" });
  expect(complaints).toEqual([]);
});
