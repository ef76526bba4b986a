/** The page of a server that wants tokens: it asks for one, shows what that allows, and forgets it. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { output, type Server, startProgram, startServer, temporaryFolder } from "../binary.ts";
import { launchBrowser, withChromium } from "../chromium.ts";
import { freePort } from "../redis.ts";
import { findFlaws, openPage, standsAt } from "./page.ts";

setDefaultTimeout(300_000);

const SCOPES = ["write", "read", "write:app-"] as const;

describe("the page of a server that wants tokens", () => {
  const folder = temporaryFolder();
  const tokens = new Map<string, string>();
  let server: Server;
  let browser: Browser;

  beforeAll(async () => {
    const file = path.join(folder.path, "tokens");
    for (const scope of SCOPES) {
      const made = await output(["token", scope.replace(/:.*/, "r"), "--scope", scope, "--json"]);
      const { token, line } = JSON.parse(made) as { token: string; line: string };
      tokens.set(scope, token);
      fs.appendFileSync(file, `${line}\n`, { mode: 0o600 });
    }
    server = await startServer(["-f", path.join(folder.path, "cursor"), "--tokens", file]);
    if (Bun.which("chromium") !== null) browser = await launchBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await server[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  /** Opens it, and gives it the token of this scope. */
  async function openWith(scope: (typeof SCOPES)[number], place = "") {
    const opened = await openPage(browser, `${server.url}/${place}`);
    await enter(opened.page, tokens.get(scope)!);
    await opened.page.locator("main section").first().waitFor();
    return opened;
  }

  withChromium(
    "asks for one, refuses a wrong one, and keeps the right one in its tab until that is forgotten",
    async () => {
      await using opened = await openPage(browser, `${server.url}/`, { bypassCSP: true });
      const { page } = opened;
      const asks = page.getByRole("heading", { name: "This server wants a token" });
      await asks.waitFor();
      const alert = page.getByRole("alert");
      await enter(page, "t\u00f6ken");
      await alert.getByText("A token has letters").waitFor();
      await enter(page, "fib_wrong");
      await alert.getByText("It does not take the one that it got").waitFor();
      expect(await isInField(page)).toBe(true);
      expect(await findFlaws(page)).toEqual([]);
      await page.setViewportSize({ width: 320, height: 740 });
      expect(await page.evaluate("document.scrollingElement.scrollWidth")).toBe(320);
      await page.setViewportSize({ width: 1280, height: 900 });
      await enter(page, tokens.get("write")!);
      // Events with the header: a move elsewhere is seen here.
      await standsAt(page, 0);
      const headers = { authorization: `Bearer ${tokens.get("write")}` };
      await fetch(`${server.url}/v1/cursor`, { method: "PUT", headers, body: `{"index":"33"}` });
      await standsAt(page, 33);
      await page.locator("#sequence .row:not(.missing)").first().waitFor();
      await page.locator("#server svg path").first().waitFor({ state: "attached" });

      await page.reload();
      await standsAt(page, 33);
      const other = await page.context().newPage();
      await other.goto(`${server.url}/`);
      await other.getByRole("heading", { name: "This server wants a token" }).waitFor();
      await page.getByRole("button", { name: "Forget token" }).click();
      await asks.waitFor();
      expect(await isInField(page)).toBe(true);
      await page.reload();
      await asks.waitFor();
      expect(opened.elsewhere).toEqual([]);
    },
  );

  withChromium("a move that waits is given up with the token that it was made with", async () => {
    await using opened = await openWith("write");
    const { page } = opened;
    await page.locator("#cursor output").waitFor();
    await page.clock.install();
    let sentCount = 0;
    await page.route("**/v1/cursor/next", (route) => {
      sentCount++;
      return route.fulfill({ status: 503, headers: { "retry-after": "61" } });
    });
    await page.getByRole("button", { name: "Next" }).click();
    await page.locator("#cursor").getByText("1 move waits").waitFor();
    await page.getByRole("button", { name: "Forget token" }).click();
    await page.getByRole("heading", { name: "This server wants a token" }).waitFor();
    const before = sentCount;
    const asked = page.waitForRequest("**/v1/cursor/next", { timeout: 1000 }).catch(() => undefined);
    await page.clock.runFor(70_000);
    expect(await asked).toBeUndefined();
    expect(sentCount).toBe(before);
  });

  withChromium(
    "what is typed and waits when a server begins to want one is kept until it has it",
    async () => {
      const file = path.join(folder.path, "later");
      // One that nobody else gets while the server is away.
      const args = ["-p", String(await freePort()), "-f", file];
      const start = (...more: string[]) => startProgram([...args, ...more], /"url":"(http:[^"]*)\/"/);
      const first = await start();
      await using opened = await openPage(browser, `${first.said}/`);
      const { page } = opened;
      await standsAt(page, 0);
      const typed = page.locator("#numbers input:not([type=radio])").first();
      await typed.fill("123456");
      first.kill("SIGKILL");
      await first.ended();
      for (let count = 0; count < 2; count++) await page.getByRole("button", { name: "Next" }).click();
      await page.locator("#cursor").getByText("2 moves wait").waitFor();
      {
        await using second = await start("--tokens", path.join(folder.path, "tokens"));
        await page.getByRole("heading", { name: "This server wants a token" }).waitFor();
        expect(await page.locator("main section:visible").count()).toBe(0);
        expect(second.said).toBe(first.said);
        await enter(page, tokens.get("write")!);
        await standsAt(page, 2);
        expect(await typed.inputValue()).toBe("123456");
        await page.getByRole("button", { name: "Forget token" }).click();
        await page.getByRole("heading", { name: "This server wants a token" }).waitFor();
      }
      await page.clock.install();
      await using third = await start();
      expect(third.said).toBe(first.said);
      await page.clock.runFor(10_000);
      await standsAt(page, 2);
    },
  );

  withChromium("downloads with it", async () => {
    await using opened = await openWith("write", "#numbers/fibonacci/1000");
    const { page } = opened;
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.locator("#numbers").getByRole("button", { name: "Download" }).click(),
    ]);
    const text = fs.readFileSync(await download.path(), "utf8").trim();
    expect(text).toBe((await output(["fib", "1000"])).trim());
  });

  withChromium("shows what a token to read is refused, where it asks, and is whole otherwise", async () => {
    await using opened = await openWith("read");
    const { page } = opened;
    await page.locator("#sequence .row:not(.missing)").first().waitFor();
    await page.getByRole("button", { name: "Next" }).click();
    await page.locator("#cursor").getByText("This token does not move it").waitFor();
    await page.locator("#tasks").getByLabel("n", { exact: true }).fill("100000");
    await page.getByRole("button", { name: "Make" }).click();
    await page.locator("#tasks").getByText("This token does not allow that").waitFor();
    expect(await page.locator("main section :is(h1, h2)").count()).toBe(5);
    expect(await page.locator("form.token").count()).toBe(0);
  });

  withChromium("moves the cursors of a token's prefix, and shows that others are not its", async () => {
    await using opened = await openWith("write:app-", "#cursor/app-one");
    const { page } = opened;
    await page.getByRole("button", { name: "Next" }).click();
    await standsAt(page, 1);
    await page.locator("#sequence .row:not(.missing)").first().waitFor();
    await page.locator("#server").getByText("This token does not show how the server is.").waitFor();
    expect(await page.locator("#server svg").count()).toBe(0);
    await page.evaluate(`location.hash = "#cursor/other"`);
    await page.locator("#cursor").getByText("This token does not allow that").waitFor();
    expect(await page.locator("main section :is(h1, h2)").count()).toBe(5);
  });
});

const isInField = (page: Page) => page.evaluate("document.activeElement.id === 'token'");

async function enter(page: Page, token: string): Promise<void> {
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Open" }).click();
}
