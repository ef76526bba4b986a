/** Behind a real nginx, in a real browser: a path that is passed on (`--base-path`), and one that is taken away. */
import { expect, setDefaultTimeout } from "bun:test";
import path from "node:path";
import type { Page } from "playwright-core";
import { FibClient } from "../../src/client/client.ts";
import { isWorking, requireTool, type Server, startServer, temporaryFolder } from "../binary.ts";
import { withBrowser } from "../chromium.ts";
import { startNginx } from "../nginx.ts";
import { openPage } from "../web/page.ts";

setDefaultTimeout(300_000);

const TOOLS = [
  ["nginx", "-v"],
  ["chromium", "--version"],
];
const withBoth = requireTool(
  TOOLS.find((probe) => !isWorking(probe)) ?? TOOLS[0]!,
  "apt-get install nginx-light chromium",
);

/** As the README has it. @param pass - With a slash behind the port the path is taken away. */
const behind = (pass: string) => `location /fib/ {
  proxy_pass ${pass};
  proxy_set_header Host $host:$server_port;
}`;

/** What is true of the page and of clients, whichever way their server is behind a proxy. */
async function checkAll(page: Page, url: string): Promise<void> {
  const at = (index: number) =>
    page.getByRole("heading", { level: 1, name: `F(${index})`, exact: true }).waitFor();
  await at(0);
  await page.getByRole("button", { name: "Next" }).click();
  await at(1);
  const client = new FibClient(url);
  expect((await client.cursor.next()).index).toBe(2);
  // By an event, which nginx passes on at once.
  await at(2);
  expect((await client.status()).ready).toBe(true);
  const task = await client.tasks.create({ kind: "fibonacci", n: 100 });
  expect(await task.result({ as: "text" })).toBe("354224848179261915075");
  await page.goto(`${url}docs`);
  await page.waitForSelector(".opblock");
}

const rootOf = ({ url }: Server) => new URL(url).origin;

withBoth(
  "nginx passes /fib on to a server with --base-path /fib: page, moves, events, cookies, slash",
  async () => {
    using folder = temporaryFolder();
    const args = ["-f", path.join(folder.path, "cursor"), "--base-path", "/fib", "--per-client"];
    await using server = await startServer(args);
    await using nginx = await startNginx(behind(rootOf(server)));
    const url = `${nginx.url}/fib/`;
    await withBrowser(async (browser) => {
      // nginx itself sends who has left out the slash to where it is.
      await using opened = await openPage(browser, `${nginx.url}/fib`);
      const { page, complaints, elsewhere } = opened;
      expect(page.url()).toBe(url);
      await checkAll(page, url);
      for (const value of ["1", "1", "2", "3"])
        expect(await page.evaluate<unknown>(`fetch("api0/next").then((answer) => answer.json())`)).toEqual({
          value,
          status: "200",
        });
      const [cookie, ...others] = await page.context().cookies(`${url}api0/next`);
      expect([cookie?.path, others]).toEqual(["/fib/api0", []]);
      expect(await page.context().cookies(`${url}v1/cursor`)).toEqual([]);
      expect([complaints, elsewhere]).toEqual([[], []]);
      await using direct = await openPage(browser, `${server.url}?x#server`);
      expect(direct.page.url()).toBe(`${server.url}/?x#server`);
      expect(direct.complaints).toEqual([]);
    });
  },
);

withBoth(
  "nginx takes /fib away before a server at the root: the page works, since it names all by its own address",
  async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
    await using nginx = await startNginx(behind(`${rootOf(server)}/`));
    const url = `${nginx.url}/fib/`;
    await withBrowser(async (browser) => {
      await using opened = await openPage(browser, url);
      const { page, complaints, elsewhere } = opened;
      await checkAll(page, url);
      expect([complaints, elsewhere]).toEqual([[], []]);
    });
  },
);
