/** The page's view of its server: figures that go on when the server is back, with a gap, and what is not well. */
import { expect, setDefaultTimeout } from "bun:test";
import path from "node:path";
import { mustRequest, startProgram, startServer, temporaryFolder, until } from "../binary.ts";
import { withBrowser, withChromium } from "../chromium.ts";
import { failingDisk, withFailingDisk } from "../failing-disk.ts";
import { lookAgain, openPage } from "./page.ts";

setDefaultTimeout(300_000);

withChromium("the server's figures are drawn while it is there, with a gap where it was not", async () => {
  using folder = temporaryFolder();
  const args = ["-f", path.join(folder.path, "cursor"), "--max-index", "1000000"];
  const first = await startServer(args);
  const { port } = new URL(first.url);
  await withBrowser(async (browser) => {
    await using opened = await openPage(browser, `${first.url}/`);
    const part = opened.page.locator("#server");
    await part.getByText(/^Version .*, kept in files, open to this machine without a token\.$/).waitFor();
    const moves = part.locator(".figures > div").filter({ hasText: "Moves a second" });
    const lineCount = () => moves.locator(".line").count();
    await until("there is a line", async () => (await lineCount()) > 0);
    // Those of the last minute count.
    await until("moves are seen", async () => {
      await mustRequest(first, "next");
      return Number(await moves.locator("b").textContent()) > 0;
    });
    expect(await moves.getByRole("img").getAttribute("aria-label")).toMatch(
      /^Moves a second: at most [\d.]+$/,
    );
    const links = await part.locator("a").evaluateAll((all) => all.map((each) => String(each)));
    expect(links.map((link) => new URL(link).pathname)).toEqual(["/docs", "/openapi.json", "/metrics"]);
    for (const link of links) expect((await fetch(link)).status).toBe(200);
    expect(opened.complaints).toEqual([]);

    await first[Symbol.asyncDispose]();
    await lookAgain(opened.page);
    await moves.getByText("–").waitFor();
    const before = await lineCount();
    await using _ = await startProgram(["-p", port, ...args], /"url":"(.*)\/"/);
    await lookAgain(opened.page);
    // A slow answer makes a gap as well, so there may be more than one.
    await until("there is another line", async () => (await lineCount()) > before);
  });
});

withFailingDisk("what is not well is named, and no more once it is well", async () => {
  using folder = temporaryFolder();
  using disk = failingDisk();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")], { env: disk.env });
  await withBrowser(async (browser) => {
    await using opened = await openPage(browser, `${server.url}/`);
    const task = (n: number) =>
      fetch(`${server.url}/v1/tasks`, {
        method: "POST",
        body: JSON.stringify({ kind: "fibonacci", n: String(n) }),
      });
    await task(1);
    for (const kind of ["data", "file"] as const) disk.begin("fail", kind);
    expect((await task(2)).status).toBe(503);
    const problem = opened.page.locator("#server .notice");
    await lookAgain(opened.page);
    // A slow server tells first that it does not know.
    await problem.filter({ hasText: /^Tasks cannot be used .*\(tasks_io\)$/ }).waitFor();
    for (const kind of ["data", "file"] as const) disk.end("fail", kind);
    await until("tasks go on", async () => (await task(3)).status === 202);
    await lookAgain(opened.page);
    await problem.first().waitFor({ state: "detached" });
  });
});
