/** The page's tasks, as people use them: made, followed, cancelled, fetched, deleted, here and in a shell. */
import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import type { TaskStatus } from "@fibserver/client";
import type { Browser, Page, Response } from "playwright-core";
import { output, run, startServer, temporaryFolder, until } from "../binary.ts";
import { launchBrowser, withChromium } from "../chromium.ts";
import { taskTitle } from "../../src/web/kinds.ts";
import { LONG } from "./filled.ts";
import { lookAgain, openPage, stopClock } from "./page.ts";

setDefaultTimeout(300_000);

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const isOfList = (answer: Response) => answer.url().includes("state=ready");
const rows = (page: Page) => page.locator("#tasks li");
const row = (page: Page, title: string) => rows(page).filter({ has: page.getByText(title, { exact: true }) });
const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

async function make(page: Page, kind: string, ...numbers: string[]): Promise<void> {
  await page.locator("#task-kind").selectOption(kind);
  for (const [i, number] of numbers.entries()) await page.locator(`#task-argument${i}`).fill(number);
  // While one is being made it makes no other.
  await button(page, "Make").and(page.locator("[aria-busy=false]")).click();
}

/** What the browser saves at a click. */
async function saved(page: Page, name: string): Promise<{ name: string; text: string }> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByLabel(`Download ${name}`, { exact: true }).click(),
  ]);
  return { name: download.suggestedFilename(), text: fs.readFileSync(await download.path(), "latin1") };
}

withChromium(
  "a task is made, followed, fetched and deleted, with the keyboard alone where one likes",
  async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
    await using opened = await openPage(browser, `${server.url}/`);
    const { page } = opened;
    await page.getByText("Nothing is computed now.").waitFor();

    await make(page, "fibonacci", " 1\u202f000 ");
    await row(page, "F(1 000)").getByText("ready").waitFor();
    // Whoever made it is told, and stays where they were.
    await page.locator("#tasks .spoken").getByText("F(1 000): ready").waitFor();
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Make");
    expect(await row(page, "F(1 000)").locator(".size").textContent()).toBe("209\u00a0digits");
    const digits = (await output(["fib", "1000"])).trim();
    expect(await saved(page, "F(1 000)")).toEqual({ name: "fibonacci-1000.txt", text: digits });
    expect(await page.getByRole("link", { name: "Open F(1 000)" }).getAttribute("href")).toMatch(
      /^#numbers\/task\/[\da-f-]{36}$/,
    );

    // The same asked twice is the same row; a sequence is a link.
    await make(page, "fibonacci", "10^3");
    await make(page, "sequence", "5", "3");
    await row(page, "F(5) to F(7)").getByText("ready").waitFor();
    expect(await rows(page).count()).toBe(2);
    expect(await saved(page, "F(5) to F(7)")).toEqual({ name: "sequence-5-3.txt", text: "5\n8\n13\n" });

    // What runs can be followed, and is cancelled; the button that did it keeps the focus, and deletes at the second press.
    await make(page, "remainder", LONG.n, LONG.mod);
    const title = taskTitle(LONG as TaskStatus);
    const progress = row(page, title).locator("progress");
    await until("it has come further", async () => Number(await progress.getAttribute("value")) > 0);
    await button(page, `Cancel ${title}`).focus();
    await page.keyboard.press("Enter");
    await row(page, title).getByText("cancelled").waitFor();
    const focused = () => page.evaluate("document.activeElement.getAttribute('aria-label')");
    expect(await focused()).toBe(`Delete ${title}`);
    // It asks for some seconds only.
    await stopClock(page);
    await page.keyboard.press("Enter");
    await button(page, `Delete? ${title}`).waitFor();
    await page.keyboard.press("Shift+Tab");
    await button(page, `Delete ${title}`).waitFor();
    await button(page, `Delete ${title}`).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await row(page, title).waitFor({ state: "detached" });
    expect(await focused()).toBe("Delete F(5) to F(7)");
    expect(opened.complaints).toEqual([]);
  },
);

withChromium(
  "what a shell does is seen; of many tasks the last are shown, and the others counted",
  async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
    await using opened = await openPage(browser, `${server.url}/`);
    const { page } = opened;
    const env = { FIBSERVER_SERVER: server.url };
    await page.getByText("Nothing is computed now.").waitFor();
    const id = (
      await output(["task", "run", "remainder", LONG.n, LONG.mod, "--detach", "-q"], { env })
    ).trim();
    await lookAgain(page);
    await rows(page).getByRole("progressbar").waitFor();
    const before = await rows(page).elementHandle();
    await run(["task", "cancel", id], { env });
    await rows(page).getByText("cancelled").waitFor();
    expect(await before?.evaluate((each) => (each as unknown as { isConnected: boolean }).isConnected)).toBe(
      true,
    );
    await run(["task", "forget", id], { env });
    await lookAgain(page);
    await page.getByText("Nothing is computed now.").waitFor();

    for (let n = 1; n <= 60; n++) {
      const body = JSON.stringify({ kind: "fibonacci", n: String(n) });
      expect((await fetch(`${server.url}/v1/tasks`, { method: "POST", body })).status).toBe(202);
    }
    await lookAgain(page);
    await page.getByText("52\u00a0more have ended").waitFor();
    expect(await rows(page).locator("h3").allTextContents()).toEqual(
      Array.from({ length: 8 }, (_, i) => `F(${60 - i})`),
    );
    await button(page, "Show more").click();
    await page.getByText("10\u00a0more have ended").waitFor();
    expect(await rows(page).count()).toBe(50);
    // Nothing is drawn anew between press and release.
    await stopClock(page);
    await button(page, "Delete F(60)").hover();
    await page.mouse.down();
    const body = JSON.stringify({ kind: "lucas", n: "1" });
    await fetch(`${server.url}/v1/tasks`, { method: "POST", body });
    for (let poll = 0; poll < 2; poll++) {
      await Promise.all([page.waitForResponse(isOfList), lookAgain(page)]);
    }
    expect(await rows(page).locator("h3").first().textContent()).toBe("F(60)");
    await page.mouse.up();
    await button(page, "Delete? F(60)").waitFor();
    await page.clock.resume();
    await lookAgain(page);
    await row(page, "L(1)").waitFor();

    // An old one that is asked for here is shown all the same.
    await make(page, "fibonacci", "3");
    await row(page, "F(3)").waitFor();
    await page.getByText("10\u00a0more have ended").waitFor();
    expect(await rows(page).locator("h3").last().textContent()).toBe("F(3)");
    // Until it is deleted elsewhere: then nobody asks for it any more.
    const old = (await row(page, "F(3)").getAttribute("data-id"))!;
    const gone = page.waitForResponse((answer) => answer.url().endsWith(old) && answer.status() === 404);
    await run(["task", "forget", old], { env });
    await Promise.all([gone, lookAgain(page)]);
    await row(page, "F(3)").waitFor({ state: "detached" });
    let asked = 0;
    page.on("request", (request) => (asked += Number(request.url().endsWith(old))));
    await Promise.all([page.waitForResponse(isOfList), lookAgain(page)]);
    await Promise.all([page.waitForResponse(isOfList), lookAgain(page)]);
    expect(asked).toBe(0);
    expect(opened.complaints.filter((line) => !line.includes("status of 404"))).toEqual([]);
  },
);

withChromium(
  "a token that may not make tasks is told so, and with one that may the page itself fetches results",
  async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, "tokens");
    const [reader, writer] = await Promise.all(
      ["read", "write"].map(async (scope) => {
        const made = await output(["token", scope, "--scope", scope, "--json"]);
        return JSON.parse(made) as { token: string; line: string };
      }),
    );
    fs.writeFileSync(file, `${reader!.line.trim()}\n${writer!.line.trim()}\n`, { mode: 0o600 });
    await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--tokens", file]);
    await using opened = await openPage(browser, `${server.url}/`);
    const { page } = opened;
    await page.getByLabel("Token").fill(reader!.token);
    await button(page, "Open").click();
    await make(page, "sequence", "5", "0");
    await page.getByText("count begins at 1").waitFor();
    await make(page, "lucas", "-5");
    const lucas = page.locator("#task-argument0[aria-invalid=true]:focus");
    await lucas.waitFor();
    expect(await page.locator("#task-wrong").textContent()).toBe(
      "n takes a whole number, such as 1 000 or 10^18",
    );
    expect(await page.locator("#tasks .notice").count()).toBe(0);
    await make(page, "lucas", "5");
    await page.locator("#tasks").getByText("This token does not allow that").waitFor();
    // A link shows no token.
    expect(await page.locator("#server a").allTextContents()).toEqual(["API", "OpenAPI"]);

    await button(page, "Forget token").click();
    await page.getByLabel("Token").fill(writer!.token);
    await button(page, "Open").click();
    await make(page, "lucas", "5");
    await row(page, "L(5)").getByText("ready").waitFor();
    expect(await saved(page, "L(5)")).toEqual({ name: "lucas-5.txt", text: "11" });
  },
);
