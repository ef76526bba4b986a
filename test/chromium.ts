/** Chromium, which a test drives. @module */
import { type Browser, chromium } from "playwright-core";
import { requireTool } from "./binary.ts";

/** A `test` that needs it. */
export const withChromium = requireTool(["chromium", "--version"], "apt-get install chromium");

/** Names that it takes for this machine. */
const RULES = "MAP *.test 127.0.0.1";

/** As `until` waits: Playwright's own 30 s are few on a machine that is busy. */
const PATIENCE_MS = 240_000;

/** Starts it. Each name under `.test` leads to this machine. */
export async function launchBrowser(): Promise<Browser> {
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"];
  const browser = await chromium.launch({
    executablePath: Bun.which("chromium")!,
    args: [...args, `--host-resolver-rules=${RULES}`],
    timeout: PATIENCE_MS,
  });
  // What newPage() makes comes from here, too.
  const newContext = browser.newContext.bind(browser);
  browser.newContext = async (options) => {
    const context = await newContext(options);
    context.setDefaultTimeout(PATIENCE_MS);
    return context;
  };
  return browser;
}

/** Starts it, and ends it. */
export async function withBrowser(use: (browser: Browser) => Promise<void>): Promise<void> {
  const browser = await launchBrowser();
  try {
    await use(browser);
  } finally {
    await browser.close();
  }
}
