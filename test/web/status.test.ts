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
  const args = ["-f", path.join(folder.path, "cursor")];
  const first = await startServer(args);
  const { port } = new URL(first.url);
  for (let i = 0; i < 30; i++) await mustRequest(first, "next");
  await withBrowser(async (browser) => {
    await using opened = await openPage(browser, `${first.url}/`);
    const part = opened.page.locator("#server");
    await part.getByText(/^Version .*, kept in files, open to this machine without a token\.$/).waitFor();
    const moves = part.locator(".figures > div").filter({ hasText: "Moves a second" });
    const runs = (count: number) =>
      until(`there are ${count} lines`, async () => (await moves.locator(".line").count()) === count);
    await runs(1);
    expect(Number(await moves.locator("b").textContent())).toBeGreaterThan(0);
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
    await using _ = await startProgram(["-p", port, ...args], /"url":"(.*)\/"/);
    await lookAgain(opened.page);
    await runs(2);
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
    await problem.getByText("Tasks cannot be used").waitFor();
    expect(await problem.textContent()).toContain("(tasks_io)");
    for (const kind of ["data", "file"] as const) disk.end("fail", kind);
    await until("tasks go on", async () => (await task(3)).status === 202);
    await lookAgain(opened.page);
    await problem.waitFor({ state: "detached" });
  });
});
