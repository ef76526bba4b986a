/** The page and a server that ends while it is open, and comes back. */
import { expect, setDefaultTimeout } from "bun:test";
import path from "node:path";
import { grouped } from "../../src/web/numerals.ts";
import { startProgram, temporaryFolder, until } from "../binary.ts";
import { withBrowser, withChromium } from "../chromium.ts";
import { freePort } from "../redis.ts";
import { openPage, standsAt } from "./page.ts";

setDefaultTimeout(300_000);

withChromium(
  "the page says that its server is away, loses nothing, and goes on when it is back",
  async () => {
    using folder = temporaryFolder();
    // One that nobody else gets while the server is away.
    const args = ["-p", String(await freePort()), "-f", path.join(folder.path, "cursor")];
    const start = () => startProgram(args, /"url":"(http:[^"]*)\/"/);
    await withBrowser(async (browser) => {
      await using first = await start();
      await using opened = await openPage(browser, `${first.said}/`);
      const { page } = opened;
      const errors: string[] = [];
      page.on("pageerror", (error) => errors.push(String(error)));
      await page.locator("#server svg path").first().waitFor({ state: "attached" });
      const typed = page.locator("#numbers input:not([type=radio])").first();
      await typed.fill("123456");
      first.kill("SIGKILL");
      await first.ended();
      await page.locator(".away").getByText("the server is away").waitFor();
      // A move that is asked for meanwhile waits.
      await page.getByRole("button", { name: "Next" }).click();
      expect(await page.locator("main section :is(h1, h2)").count()).toBe(5);
      await using second = await start();
      await page.locator(".live").waitFor();
      expect(await typed.inputValue()).toBe("123456");
      await standsAt(page, 1);
      // Events flow again: who moves it elsewhere moves it here.
      await fetch(`${second.said}/v1/cursor`, { method: "PUT", body: `{"index":"33"}` });
      await standsAt(page, 33);
      expect(await page.locator("main section").count()).toBe(5);
      expect(errors).toEqual([]);
    });
  },
);

/** The next answers with digits of the sequence break off, or never come; `undefined`: they are as they are. `met`: one did. */
const BREAK = `{
  const real = fetch;
  globalThis.fetch = async (url, init) => {
    const { signal } = init;
    if (globalThis.fault === undefined || !String(url).includes("v1/sequence")) return real(url, init);
    globalThis.met = fault;
    if (fault === "silent")
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const cut = new ReadableStream({ pull: (controller) => controller.error(new TypeError("cut")) });
    return new Response(cut, await real(url, init));
  };
}`;

withChromium(
  "digits that break off or never come are asked for again, and what is wrong is said",
  async () => {
    using folder = temporaryFolder();
    await using server = await startProgram(
      ["-p", "0", "-f", path.join(folder.path, "cursor")],
      /"url":"(http:[^"]*)\/"/,
    );
    await withBrowser(async (browser) => {
      await using opened = await openPage(browser, `${server.said}/`);
      const { page } = opened;
      // Nor does the page need storage.
      await page.addInitScript(
        `Object.defineProperty(window, "sessionStorage", { get: () => { throw new Error("none"); } })`,
      );
      await page.addInitScript(BREAK);
      await page.clock.install();
      await page.goto(`${server.said}/`);
      const rows = (index: number) =>
        page
          .locator("#sequence .row:not(.missing) .gutter", { hasText: grouped(index) })
          .first()
          .waitFor();
      await rows(0);
      const ask = (fault: string, index: number) =>
        page.evaluate(`globalThis.fault = ${JSON.stringify(fault)}; location.hash = "#sequence/${index}"`);
      await ask("cut", 20000);
      await page.locator("#sequence").getByText("The server does not answer").waitFor();
      await page.evaluate("fault = undefined");
      await page.clock.runFor(10_000);
      await rows(20000);
      await ask("silent", 40000);
      await until("it is asked", async () => (await page.evaluate("met")) === "silent");
      await page.evaluate("fault = undefined");
      await page.clock.runFor(40_000);
      await rows(40000);

      await page.route("**/v1/sequence?*", (route) =>
        route.fulfill({ status: 400, json: { code: "constructor", detail: {} } }),
      );
      await page.evaluate(`location.hash = "#sequence/60000"`);
      await page.locator("#sequence").getByText("That is no number this server can use").waitFor();
      expect(opened.complaints.filter((each) => !each.includes("status of 400"))).toEqual([]);
    });
  },
);
