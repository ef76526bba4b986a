/**
 * The page in a real browser: it opens, asks nobody else, keeps to its policy, and says what it is where its program, its
 * style sheet or JavaScript are missing.
 */
import { expect, setDefaultTimeout } from "bun:test";
import path from "node:path";
import { startServer, temporaryFolder } from "../binary.ts";
import { withBrowser, withChromium } from "../chromium.ts";
import { openPage } from "./page.ts";

setDefaultTimeout(300_000);

withChromium("the page opens with all its parts, asks nobody else, and keeps to its policy", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
  await withBrowser(async (browser) => {
    await using opened = await openPage(browser, `${server.url}/`);
    expect(await opened.page.locator("main section").count()).toBe(5);
    expect(opened.complaints).toEqual([]);
    expect(opened.elsewhere).toEqual([]);
  });
});

withChromium("the page says what it is without JavaScript, program or style sheet", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
  await withBrowser(async (browser) => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(`${server.url}/`);
    const links = await page.locator("noscript a").evaluateAll((all) => all.map((each) => String(each)));
    expect(links.length).toBeGreaterThan(4);
    for (const link of links) expect((await fetch(link)).status).toBe(200);
    expect(await page.getByText("load it again").isVisible()).toBe(false);
    await context.close();

    const late = await browser.newPage();
    await late.route("**/*.js", (route) => route.abort());
    await late.goto(`${server.url}/`);
    await late.getByText("load it again").waitFor({ state: "visible" });
    await late.close();

    const plain = await browser.newPage();
    await plain.route("**/*.css", (route) => route.abort());
    await plain.goto(`${server.url}/#sequence/100`);
    await plain
      .getByText("354224848179261915075")
      .or(plain.getByText("3542248481 7926191507 5"))
      .first()
      .waitFor();
    // As high as its text, a pane would have half a million rows.
    expect(await plain.locator("#sequence .lines > *").count()).toBeLessThan(200);
  });
});
