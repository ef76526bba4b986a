/**
 * `make shots`: pictures of the page and of each of its parts, in `build/shots/`, to be looked at. Each state that it can
 * be in, in each of four looks: 1280 and 360 pixels wide, light and dark. Nobody keeps them, but for the README's, which
 * is copied by hand.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { type Server, startServer, temporaryFolder } from "../binary.ts";
import { withBrowser } from "../chromium.ts";
import { makeLongTasks, startFilledServer } from "./filled.ts";
import { openPage, takePicture, takeView } from "./page.ts";

/** How long requests and movements may take to come to rest: nobody waits for a picture but a person. */
const SETTLE_MS = 1500;

/** What the charts of the server show comes from moves; they begin with the page. */
const MOVING_MS = 6000;

const LOOKS: Readonly<Record<string, BrowserContextOptions>> = {
  "wide-light": { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  "wide-dark": { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  "narrow-light": { viewport: { width: 360, height: 740 }, colorScheme: "light", hasTouch: true },
  "narrow-dark": { viewport: { width: 360, height: 740 }, colorScheme: "dark", hasTouch: true },
};

/** The page in each look, under its name. */
type Looks = readonly (readonly [string, Page])[];

const SCENES: Readonly<Record<string, (browser: Browser, folder: string) => Promise<void>>> = {
  /** A new server: nothing has been done yet. */
  empty: async (browser, folder) => {
    await using server = await startServer(["-f", path.join(folder, "cursor")]);
    await takeAll(await openLooks(browser, server), "empty");
  },
  /** Everything has something to show; what the window shows at first is README's picture. */
  busy: async (browser, folder) => {
    await using server = await startFilledServer(folder);
    const looks = await openLooks(browser, server);
    for (const place of ["sequence/705000", "numbers/fibonacci/100000"]) await visit(looks, place);
    await moveFor(server, MOVING_MS);
    await makeLongTasks(server);
    await takeAll(looks, "busy");
    for (const [, page] of looks) await page.evaluate("scrollTo(0, 0)");
    await takeViews(looks, "top");
  },
  /** What an address can ask for, and cannot be had. */
  error: async (browser, folder) => {
    await using server = await startServer(["-f", path.join(folder, "cursor")]);
    const looks = await openLooks(browser, server);
    for (const place of ["cursor/nobody", "sequence/99999999", "numbers/ackermann/4/4"])
      await visit(looks, place);
    await takeAll(looks, "error");
  },
  /** The server has ended. */
  away: async (browser, folder) => {
    await using server = await startFilledServer(folder);
    const looks = await openLooks(browser, server);
    await visit(looks, "numbers/fibonacci/100000");
    server.kill("SIGKILL");
    await server.ended();
    for (const [, page] of looks) await page.locator(".away").waitFor();
    await takeAll(looks, "away");
  },
  /** It wants a token; then it has refused one. */
  locked: async (browser, folder) => {
    const tokens = path.join(folder, "tokens");
    fs.writeFileSync(tokens, `ci read ${"0".repeat(64)}\n`, { mode: 0o600 });
    await using server = await startServer(["-f", path.join(folder, "cursor"), "--tokens", tokens]);
    const looks = await openLooks(browser, server);
    for (const [, page] of looks) await page.locator("form.token").waitFor();
    await takeViews(looks, "locked");
    for (const [, page] of looks) {
      await page.getByLabel("Token").fill("fib_wrong");
      await page.keyboard.press("Enter");
    }
    await takeViews(looks, "refused");
  },
};

async function openLooks(browser: Browser, { url }: Server): Promise<Looks> {
  const opening = Object.entries(LOOKS).map(async ([look, options]) => {
    const { page } = await openPage(browser, `${url}/`, options);
    return [look, page] as const;
  });
  return Promise.all(opening);
}

/** Goes where an address leads. */
async function visit(looks: Looks, place: string): Promise<void> {
  for (const [, page] of looks) await page.evaluate(`location.hash = "${place}"`);
  await Bun.sleep(SETTLE_MS);
}

/** The whole page, and each part. */
async function takeAll(looks: Looks, scene: string): Promise<void> {
  await Bun.sleep(SETTLE_MS);
  const taking = looks.map(async ([look, page]) => {
    await takePicture(page, `${scene}-${look}`);
    for (const section of await page.locator("main section").all()) {
      const part = await section.getAttribute("id");
      await takePicture(page, `${scene}-${look}-${part}`, `#${part}`);
    }
  });
  await Promise.all(taking);
}

async function takeViews(looks: Looks, scene: string): Promise<void> {
  await Bun.sleep(SETTLE_MS);
  for (const [look, page] of looks) await takeView(page, `${scene}-${look}`);
}

/** Back and forth, and ends where it began. */
async function moveFor({ url }: Server, ms: number): Promise<void> {
  for (const endMs = performance.now() + ms; performance.now() < endMs;)
    for (const way of ["previous", "next"]) await fetch(`${url}/v1/cursor/${way}`, { method: "POST" });
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((scene) => !(scene in SCENES));
if (unknown.length > 0)
  throw new Error(`There is no scene ${unknown.join(" ")}: there are ${Object.keys(SCENES).join(" ")}`);
for (const [scene, take] of Object.entries(SCENES)) {
  if (wanted.length > 0 && !wanted.includes(scene)) continue;
  using folder = temporaryFolder();
  await withBrowser((browser) => take(browser, folder.path));
}
