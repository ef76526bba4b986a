/** Chromium, which a test drives. @module */
import { type Browser, chromium } from "playwright-core";
import { requireTool } from "./binary.ts";

/** A `test` that needs it. */
export const withChromium = requireTool(["chromium", "--version"], "apt-get install chromium");

/** Names that it takes for this machine. */
const RULES = "MAP *.test 127.0.0.1";

/** Starts it. Each name under `.test` leads to this machine. */
export function launchBrowser(): Promise<Browser> {
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"];
  return chromium.launch({
    executablePath: Bun.which("chromium")!,
    args: [...args, `--host-resolver-rules=${RULES}`],
  });
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
