/** What holds for the whole page, whichever part somebody looks at: for every eye, by keyboard, in many tabs, for long. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { type Server, temporaryFolder, until } from "../binary.ts";
import { launchBrowser, withChromium } from "../chromium.ts";
import { untilScrape } from "../scrape.ts";
import { LONG, makeTask, moveTo, startFilledServer } from "./filled.ts";
import { findFlaws, lookAgain, openPage, standsAt, stopClock } from "./page.ts";

setDefaultTimeout(300_000);

/** What the keyboard can reach and is seen, in its order; of several radio buttons the one that is chosen. */
const REACHABLE = `[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((each) => !each.disabled && each.checkVisibility() && (each.type !== "radio" || each.checked))`;

/** What has the focus: where in that order it is, and whether that can be seen. */
const FOCUSED = `(() => {
  const element = document.activeElement;
  const { left, right, top, bottom } = element.getBoundingClientRect();
  const ringed = element.type === "radio" ? element.nextElementSibling : element;
  const { outlineStyle, outlineWidth } = getComputedStyle(ringed);
  return {
    at: (${REACHABLE}).indexOf(element),
    name: element.outerHTML.slice(0, 120),
    isSeen: bottom > 0 && right > 0 && top < innerHeight && left < innerWidth,
    isRinged: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
  };
})()`;

/** A page that says that it is hidden, or seen, as a browser says it of its tabs. */
const HIDE = `Object.defineProperty(document, "hidden", { configurable: true, get: () => globalThis.isHidden === true });
  globalThis.setHidden = (isHidden) => {
    globalThis.isHidden = isHidden;
    document.dispatchEvent(new Event("visibilitychange"));
  };`;

describe("the whole page", () => {
  const folder = temporaryFolder();
  let server: Server;
  let browser: Browser;

  beforeAll(async () => {
    server = await startFilledServer(folder.path);
    if (Bun.which("chromium") !== null) browser = await launchBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await server[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  /** Opens it, and waits until each part shows what it has. */
  async function openFull(options: Parameters<typeof openPage>[2] = {}) {
    const opened = await openPage(browser, `${server.url}/#numbers/fibonacci/100000`, {
      reducedMotion: "reduce",
      ...options,
    });
    await isFull(opened.page);
    return opened;
  }

  withChromium("is for every eye: wide and narrow, light and dark, and nothing is cut off", async () => {
    await using opened = await openFull({ bypassCSP: true });
    const { page } = opened;
    const id = await makeTask(server, LONG, "running");
    await lookAgain(page);
    await page.locator("#tasks progress").waitFor();
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 900 });
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await findFlaws(page), `${width} ${colorScheme}`).toEqual([]);
      }
    }
    for (const width of [1280, 360, 320]) {
      await page.setViewportSize({ width, height: 740 });
      expect(await page.evaluate("document.scrollingElement.scrollWidth")).toBe(width);
    }
    // What runs would hold up the tasks of the next tests, and change what they can reach when it ends.
    await fetch(`${server.url}/v1/tasks/${id}/cancel`, { method: "POST" });
    await page.locator("#tasks progress").waitFor({ state: "detached" });
    expect(opened.complaints).toEqual([]);
    expect(opened.elsewhere).toEqual([]);
  });

  withChromium("leads the Tab key through all that can be used, and shows where it is", async () => {
    await using opened = await openFull();
    const { page } = opened;
    await page.locator(".mark").focus();
    const count = Number(await page.evaluate(`${REACHABLE}.length`));
    expect(count).toBeGreaterThan(25);
    const places: number[] = [];
    for (let i = 0; i < count; i++, await page.keyboard.press("Tab")) {
      const { at, ...focused } = await page.evaluate<Focused>(FOCUSED);
      expect(focused).toEqual({ name: focused.name, isSeen: true, isRinged: true });
      places.push(at);
    }
    expect(places).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(opened.complaints).toEqual([]);
  });

  withChromium("is used by keyboard alone, each part of it", async () => {
    await using opened = await openFull();
    const { page } = opened;
    const type = async (control: RegExp, text: string) => {
      await tabTo(page, control);
      await page.keyboard.press("Control+A");
      await page.keyboard.type(text);
      await page.keyboard.press("Enter");
    };
    await page.locator(".mark").focus();
    await type(/^Go to/, "30");
    await standsAt(page, 30);
    await type(/^Term to go to/, "705000");
    const rows = page.locator("#sequence .row:not(.missing)");
    await rows.first().getByText("8647513184").waitFor();
    await tabTo(page, /^The digits of F/);
    await page.keyboard.press("End");
    await rows.getByText("84390626").waitFor(); // the last of F(999,999)
    await type(/^n =/, "1000");
    await page.getByRole("heading", { name: "F(1 000)" }).waitFor();
    await type(/^n$/, "3000");
    await page.getByRole("heading", { name: "F(3 000)" }).waitFor();
    await page.getByRole("button", { name: "Delete F(3 000)" }).waitFor();
    await tabTo(page, /^Delete F\(3.000\)/);
    // It asks for some seconds only.
    await stopClock(page);
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "F(3 000)" }).waitFor({ state: "detached" });
    await page.clock.resume();
    await tabTo(page, /^API/);
    await page.locator(".mark").focus();
    await page.keyboard.press("ArrowLeft");
    await standsAt(page, 29);
    expect(opened.complaints).toEqual([]);
  });

  withChromium("asks nothing while it is hidden: of eight tabs the one that is seen works", async () => {
    await moveTo(server, 21);
    const context = await browser.newContext();
    await context.addInitScript(HIDE);
    const tabs: Page[] = [];
    const askedHidden: string[] = [];
    for (let i = 0; i < 8; i++) {
      const before = tabs.at(-1);
      await before?.evaluate("setHidden(true)");
      // Digits that were wanted when it was seen may still come.
      before?.on("request", (request) => {
        if (/status|tasks|cursor/.test(request.url())) askedHidden.push(request.url());
      });
      const tab = await context.newPage();
      tabs.push(tab);
      await tab.goto(`${server.url}/`);
      await isFull(tab);
    }
    await untilScrape(server, "one tab watches", watchedBy(1));
    const seen = tabs.at(-1)!;
    await seen.getByRole("button", { name: "Next" }).click();
    await standsAt(seen, 22);
    // The seen one has asked again by now; what was hidden goes on where the cursor is now.
    await seen.waitForRequest(/v1\/status/);
    expect(askedHidden).toEqual([]);
    await seen.evaluate("setHidden(true)");
    await untilScrape(server, "nobody watches", watchedBy(0));
    const asked: string[] = [];
    context.on("request", (request) => asked.push(request.url()));
    await tabs[0]!.evaluate("setHidden(false)");
    await standsAt(tabs[0]!, 22);
    expect(asked).not.toEqual([]);
    // Another cursor takes the place of the one before.
    for (const name of ["alice", "bob"]) {
      await tabs[0]!.evaluate(`location.hash = "#cursor/${name}"`);
      await standsAt(tabs[0]!, name === "alice" ? 7 : 92);
    }
    await untilScrape(server, "one cursor is watched", watchedBy(1));
    await context.close();
    await untilScrape(server, "nobody watches", watchedBy(0));
  });

  withChromium("keeps no more memory after many moves, jumps and tasks", async () => {
    await using opened = await openFull();
    const { page } = opened;
    const session = await page.context().newCDPSession(page);
    const heapBytes = async () => {
      await session.send("HeapProfiler.collectGarbage");
      return (await session.send("Runtime.getHeapUsage")).usedSize;
    };
    // The first time much is loaded, compiled and kept that stays.
    await useMuch(page, server, 50);
    const before = await heapBytes();
    await useMuch(page, server, 100);
    // What is on its way, or is kept for a moment, goes as well.
    await until("it is gone", async () => (await heapBytes()) - before < 1_000_000, 60);
    expect(opened.complaints).toEqual([]);
  });
});

/** What {@link FOCUSED} finds. */
interface Focused {
  readonly at: number;
  readonly name: string;
  readonly isSeen: boolean;
  readonly isRinged: boolean;
}

const watchedBy =
  (count: number) =>
  (found: { get: (series: string) => number | undefined }): boolean =>
    found.get('fibserver_watchers{what="cursors"}') === count;

/** Waits until each part shows what it has. */
async function isFull(page: Page): Promise<void> {
  await page.locator("#cursor output").waitFor();
  await page.locator("#sequence .row:not(.missing)").first().waitFor();
  await page.locator("#numbers .row:not(.missing)").first().waitFor();
  await page.locator("#tasks li").first().waitFor();
  await page.locator("#server svg path").first().waitFor({ state: "attached" });
}

/** Presses Tab until a control of this name has the focus. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const focused = await page.evaluate<string>(`(({ ariaLabel, labels, textContent }) =>
      (ariaLabel ?? labels?.[0]?.textContent ?? textContent).trim())(document.activeElement)`);
    if (name.test(focused)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`No Tab leads to ${name}`);
}

/** So many moves there and back, and jumps, faster than digits come; and half as many tasks, that come and end. */
async function useMuch(page: Page, server: Server, count: number): Promise<void> {
  for (let i = 0; i < count; i++)
    for (const way of ["next", "previous"]) await fetch(`${server.url}/v1/cursor/${way}`, { method: "POST" });
  for (let i = 0; i < count / 2; i++)
    await makeTask(server, { kind: "factorial", n: String(1000 + i) }, "ready");
  await page.evaluate(`(async () => {
    for (let i = 0; i < ${count}; i++) {
      location.hash = "#sequence/" + Math.floor(Math.random() * 1e6);
      await new Promise(requestAnimationFrame);
    }
    location.hash = "#sequence/0";
  })()`);
  await page.locator("#sequence .row:not(.missing) .gutter", { hasText: /^0$/ }).waitFor();
}
