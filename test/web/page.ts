/**
 * The page in Chromium, as tests open it: whatever the browser complains of is remembered, and is a failure.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import axe from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";

/** Where pictures go, to be looked at; nobody keeps them. */
const SHOTS = path.resolve(import.meta.dir, "../../build/shots");

/** A page that is open. */
export interface OpenedPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors and warnings of the console, exceptions, and what its policy refuses. Empty, unless a test causes some. */
  readonly complaints: string[];
  /** What was asked of others than its server. */
  readonly elsewhere: string[];
}

/** Opens it. @param url - Of the server, perhaps with a fragment; the size and what else a browser may have are as given. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  const elsewhere: string[] = [];
  const { origin } = new URL(url);
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const asked = request.url();
    if (!asked.startsWith(`${origin}/`) && !asked.startsWith("blob:")) elsewhere.push(asked);
  });
  // A violation is told to the page, whoever causes it.
  await page.addInitScript(`document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
    console.error("violates", violatedDirective, blockedURI))`);
  await page.goto(url);
  await page.waitForSelector("main section, main form");
  return { page, complaints, elsewhere, [Symbol.asyncDispose]: () => context.close() };
}

/** Looks elsewhere and back: then the page asks at once. */
export function lookAgain(page: Page): Promise<void> {
  return page.evaluate(`for (const value of [true, false]) {
    Object.defineProperty(document, "hidden", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }`);
}

/** Stops the page's clock: what the page would do in a while it does when the clock is run, or goes on. */
export async function stopClock(page: Page): Promise<void> {
  await page.clock.install();
  // It cannot go back, and has gone on since the time was read here.
  await page.clock.pauseAt(Date.now() + 60_000);
}

/** Waits until the cursor's part shows an index. */
export async function standsAt(page: Page, index: number): Promise<void> {
  await page.locator("#cursor h1", { hasText: `(${index})` }).waitFor();
}

/** What axe-core finds wrong. Its script needs a page that was opened with `bypassCSP`. */
export async function findFlaws(page: Page): Promise<unknown> {
  await page.evaluate(axe.source);
  return page.evaluate(`axe.run().then(({ violations }) => violations.map(({ id, nodes }) =>
    [id, ...nodes.map(({ target, failureSummary }) => target + ": " + failureSummary)]))`);
}

/** Takes a picture of all of it, or of a part. */
export async function takePicture(page: Page, name: string, selector?: string): Promise<void> {
  if (selector === undefined) await page.screenshot({ path: shot(name), fullPage: true });
  else await page.locator(selector).screenshot({ path: shot(name) });
}

/** Takes a picture of what is in the window. */
export async function takeView(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: shot(name) });
}

function shot(name: string): string {
  fs.mkdirSync(SHOTS, { recursive: true });
  return path.join(SHOTS, `${name}.png`);
}
