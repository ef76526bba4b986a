/** The part Cursor as a person uses it: with the keyboard, in two tabs and a shell, and while the server is away. */
import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import type { Browser, Page, Request, Route } from "playwright-core";
import { tokenLine } from "../../src/token.ts";
import {
  mustRequest,
  output,
  request,
  startProgram,
  startServer,
  temporaryFolder,
  until,
} from "../binary.ts";
import { launchBrowser, withChromium } from "../chromium.ts";
import { openPage, stopClock } from "./page.ts";

setDefaultTimeout(300_000);

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

/** What the page shows, without its gaps. */
const shown = (page: Page): Promise<[string, string]> =>
  page.evaluate(`[document.querySelector("h1")?.textContent, document.querySelector("#cursor output")?.textContent]
    .map((text) => text?.replaceAll(/\\s/g, ""))`);

async function untilShown(page: Page, index: number, value?: string): Promise<void> {
  const isShown = async () => {
    const [title, digits] = await shown(page);
    return title === `F(${index})` && (value === undefined || digits === value);
  };
  await until(`the page shows F(${index})`, isShown);
}

/** Counts moves that are under way, of those made from now on. @returns How many were so at the same time. */
function countMoves(page: Page): () => number {
  const underWay = new Set<Request>();
  let most = 0;
  page.on("request", (asked) => {
    if (asked.method() === "POST") most = Math.max(most, underWay.add(asked).size);
  });
  page.on("response", (answer) => underWay.delete(answer.request()));
  return () => most;
}

const press = (page: Page, name: string) =>
  page.locator("#cursor").getByRole("button", { name, exact: true }).click();
const message = (page: Page) => page.locator("#cursor .message").innerText();

async function goTo(page: Page, text: string): Promise<void> {
  await page.locator("#cursor").getByLabel("Go to").fill(text);
  await page.keyboard.press("Enter");
}

/** Whether the picture was turned on its way to an index. */
async function wasTurned(page: Page, index: number): Promise<unknown> {
  await untilShown(page, index);
  await until("it rests", async () => (await page.evaluate("turns.at(-1)")) === "");
  return page.evaluate("turns.splice(0).some((turn) => turn !== '')");
}

withChromium("two tabs and a shell on one cursor: whoever moves it, all see it", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await using server = await startServer(["-f", file, "--max-index", "100000"]);
  await using opened = await openPage(browser, `${server.url}/`, {
    permissions: ["clipboard-read", "clipboard-write"],
  });
  await using other = await openPage(browser, `${server.url}/`);
  const { page } = opened;
  await untilShown(page, 0, "0");
  const previous = page.locator("#cursor").getByRole("button", { name: "Previous" });
  expect(await previous.getAttribute("aria-disabled")).toBe("true");

  await page.keyboard.press("ArrowRight");
  await untilShown(page, 1, "1");
  const mostAtOnce = countMoves(page);
  for (let count = 0; count < 20; count++) await page.keyboard.press("ArrowRight");
  await untilShown(page, 21, "10946");
  expect(mostAtOnce()).toBe(1);
  await untilShown(other.page, 21, "10946");
  expect(await output(["n", "-f", file])).toBe("17711\n");
  await untilShown(page, 22, "17711");
  await press(other.page, "Previous");
  await untilShown(page, 21, "10946");
  await page.keyboard.press("ArrowLeft");
  await untilShown(other.page, 20, "6765");
  await untilShown(page, 20, "6765");
  expect(await page.locator(".spiral svg").getAttribute("aria-label")).toContain("F(20)");

  // An answer that comes after the events of two moves does not lead back to the first.
  const { promise: late, resolve: answer } = Promise.withResolvers<void>();
  await page.route("**/next", async (route) => {
    const response = await route.fetch();
    await late;
    await route.fulfill({ response });
  });
  await page.keyboard.press("ArrowRight");
  await untilShown(page, 21);
  expect(await output(["n", "-f", file])).toBe("17711\n");
  await untilShown(page, 22);
  answer();
  await page.locator(".moves [aria-busy=true]").waitFor({ state: "detached" });
  expect(await shown(page)).toEqual(["F(22)", "17711"]);
  await page.unrouteAll();

  // A move whose answer is lost is made once; the answer to the same again does not tell where the cursor stands now.
  let isLost = false;
  await page.route("**/next", async (route) => {
    if (isLost) return route.continue();
    isLost = true;
    await route.fetch();
    expect(await output(["n", "-f", file])).toBe("46368\n");
    await route.abort();
  });
  await page.keyboard.press("ArrowRight");
  await until("the answer is lost", () => isLost);
  await page.locator(".moves [aria-busy=true]").waitFor({ state: "detached" });
  await untilShown(page, 24, "46368");
  expect((await request(server, "current"))?.index).toBe(24);
  await page.unrouteAll();

  // Of two answers the last is shown alone.
  await goTo(page, "9".repeat(20_000));
  await page.getByText("no index of that length; --max-index").waitFor();
  await goTo(page, "2.2");
  await page.getByText("An index is a whole number").waitFor();
  expect(await message(page)).toBe("");
  await page.keyboard.press("ArrowLeft");
  await goTo(page, "100\u202f000");
  await untilShown(page, 100_000);
  await untilShown(other.page, 100_000);
  const [, digits] = await shown(other.page);
  const { value } = (await (await fetch(`${server.url}/v1/cursor`)).json()) as { value: string };
  expect(digits).toBe(`${value.slice(0, 52)}…20793digits…${value.slice(-54)}`);
  expect((await shown(page))[1]).toBe(digits);
  await press(page, "Copy");
  await page.locator("#cursor").getByText("copied").waitFor();
  expect(await page.evaluate("navigator.clipboard.readText()")).toBe(value);

  // Digits are asked for of the last of many positions alone, however slow the line is.
  let askedCount = 0;
  const { promise: slow, resolve: hurry } = Promise.withResolvers<void>();
  await other.page.route("**/v1/fibonacci/*first=*", async (route) => {
    askedCount++;
    await slow;
    await route.continue();
  });
  for (let index = 99_990; index <= 99_999; index++) {
    await fetch(`${server.url}/v1/cursor`, { method: "PUT", body: `{"index":"${index}"}` });
    await untilShown(page, index);
  }
  // A short value comes with its event: once it is shown, those before have been told.
  await fetch(`${server.url}/v1/cursor`, { method: "PUT", body: `{"index":"10"}` });
  await untilShown(other.page, 10, "55");
  await fetch(`${server.url}/v1/cursor`, { method: "PUT", body: `{"index":"99999"}` });
  hurry();
  await untilShown(other.page, 99_999);
  expect(askedCount).toBeLessThan(5);
  await untilShown(page, 99_999);
  // A move brings no value that is longer than what is shown of it.
  // It is read on its way: what the page has read Chromium may have thrown away.
  const { promise: moved, resolve: read } = Promise.withResolvers<unknown>();
  await page.route("**/v1/cursor/next", async (route) => {
    const response = await route.fetch();
    read(await response.json());
    await route.fulfill({ response });
  });
  await page.keyboard.press("ArrowRight");
  expect(await moved).toEqual({ index: "100000", digits: 20899 });
  await untilShown(page, 100_000, digits);

  await press(page, "Next");
  await page.locator("#cursor").getByText("--max-index").waitFor();
  await goTo(page, "100001");
  await page.getByText(/from 0 to 100\s?000; --max-index/).waitFor();
  expect((await request(server, "current"))?.index).toBe(100_000);
  // The browser writes down each refusal.
  expect(opened.complaints.filter((each) => !/status of (400|413|507)|ERR_FAILED/.test(each))).toEqual([]);
  expect(other.complaints).toEqual([]);
});

withChromium(
  "a phone on its side shows the value and its buttons; text twice as large stays on the page",
  async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--max-index", "705"]);
    const name = "a".repeat(64);
    await fetch(`${server.url}/v1/cursors/${name}`, { method: "PUT", body: `{"index":"705"}` });
    const viewport = { width: 640, height: 360 };
    await using opened = await openPage(browser, `${server.url}/#cursor/${name}`, { viewport });
    const { page } = opened;
    await untilShown(page, 705);
    const bottom = (await page.locator(".moves .main").boundingBox())!;
    expect(bottom.y + bottom.height).toBeLessThan(viewport.height);

    await page.setViewportSize({ width: 360, height: 640 });
    await page.getByRole("button", { name: "choose another" }).click();
    await page.getByRole("button", { name: "Remove" }).waitFor();
    const beyond = () =>
      page.evaluate(`[...document.querySelectorAll(".top *, #cursor *, #sequence :not(.box *, .spoken)")]
      .filter((each) => each.getBoundingClientRect().right > innerWidth && !each.closest("button, a"))
      .map((each) => each.outerHTML)`);
    expect(await beyond()).toEqual([]);
    await page.evaluate(`document.documentElement.style.fontSize = "200%"`);
    expect(await beyond()).toEqual([]);
  },
);

withChromium("cursors by name: looked for, made, shown, and removed", async () => {
  using folder = temporaryFolder();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
  const put = (name: string, index: string) =>
    fetch(`${server.url}/v1/cursors/${name}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ index }),
    });
  await Promise.all([...Array(101).keys()].map((at) => put(`bob-${at}`, "5")));
  await using opened = await openPage(browser, `${server.url}/`);
  const { page } = opened;
  await page.getByRole("button", { name: "Cursor default" }).click();
  await until("a hundred are listed", async () => (await page.locator(".panel li").count()) === 100);
  await page.keyboard.type("Alice");
  await page.getByText("A name has 1 to 64").waitFor();
  await page.getByRole("textbox", { name: "Cursor" }).fill("bob-99");
  await until("one is listed", async () => (await page.locator(".panel li").count()) === 1);
  await page.getByRole("link", { name: "bob-99 5" }).click();
  await untilShown(page, 5, "5");

  // The address of another part does not take the name away.
  await page.evaluate(`location.hash = "#sequence/5"`);
  await page.locator("#sequence .foot .note", { hasText: "F(5)" }).waitFor();
  await page.locator("#sequence .box").press("PageDown");
  await page.waitForURL(/#sequence\/(?!5$)/);
  await page.reload();
  await untilShown(page, 5, "5");

  await page.getByRole("button", { name: "Cursor bob-99" }).click();
  await page.keyboard.type("alice");
  await page.getByRole("link", { name: "alice new" }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByText("There is no cursor alice yet").waitFor();
  // What was refused stays to be read, however often it is looked whether there is one now.
  await goTo(page, "93");
  await page.locator("#cursor").getByText("--max-index").waitFor();
  for (let count = 0; count < 2; count++) await page.waitForResponse(/cursors\?prefix=alice&limit=1$/);
  expect(await message(page)).toContain("--max-index");
  expect(new URL(page.url()).hash).toBe("#cursor/alice");
  await press(page, "Next");
  await untilShown(page, 1, "1");
  await put("alice", "9");
  await untilShown(page, 9, "34");

  await using other = await openPage(browser, `${server.url}/#cursor/alice`);
  await untilShown(other.page, 9, "34");
  await page.getByRole("button", { name: "Cursor alice" }).click();
  await press(page, "Remove alice");
  await press(page, "Remove for all");
  await other.page.getByText("The cursor alice was removed").waitFor();
  await page.getByText("The cursor alice was removed").waitFor();
  expect((await fetch(`${server.url}/v1/cursors/alice`)).status).toBe(404);
  await put("alice", "3");
  await untilShown(other.page, 3, "2");
  await other.page.goto(`${server.url}/#cursor/A%20B`);
  await other.page.getByText("“A B” is no name").waitFor();
  await other.page.goto(`${server.url}/#cursor/${"a".repeat(300)}`);
  await other.page.getByText("aaa” is no name").waitFor();
  expect(await other.page.evaluate<number>("document.scrollingElement.scrollWidth")).toBe(1280);
  expect(opened.complaints.filter((each) => !each.includes("status of 400"))).toEqual([]);
  expect(other.complaints).toEqual([]);
});

withChromium("a server that ends and comes back: what is seen stays, and a move is made once", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const first = await startServer(["-f", file]);
  await using opened = await openPage(browser, `${first.url}/`);
  const { page } = opened;
  await goTo(page, "10");
  await untilShown(page, 10, "55");
  await first[Symbol.asyncDispose]();
  await page.locator("#cursor .message").getByText("The server is away").waitFor();
  await press(page, "Next");
  await page.getByText("1 move waits for an answer").waitFor();
  expect(await page.locator("#cursor").getByRole("button", { name: "Next" }).getAttribute("aria-busy")).toBe(
    "true",
  );
  expect(await shown(page)).toEqual(["F(10)", "55"]);
  const { port } = new URL(first.url);
  await using again = await startProgram(["-f", file, "-p", port], /"url":"(http:[^"]*)\/"/);
  await untilShown(page, 11, "89");
  await until("nothing is said any more", async () => (await message(page)) === "");
  // An event may have told of the move before its own answer.
  await page.locator(".moves .main[aria-busy=false]").waitFor();
  // Events go on as well, and tell of no second move.
  expect(await output(["n", "-f", file])).toBe("144\n");
  await untilShown(page, 12, "144");

  // Another file, in which as many moves have been made by the time that events come again.
  const before = await mustRequest({ url: again.said }, "current");
  await page.route("**/v1/cursor/events", (route) => route.abort());
  again.kill("SIGKILL");
  await again.exited;
  await page.locator("#cursor .message").getByText("The server is away").waitFor();
  await using third = await startProgram(["-f", `${file}2`, "-p", port], /"url":"(http:[^"]*)\/"/);
  let now;
  do now = await mustRequest({ url: third.said }, "next");
  while (now.generation < before.generation);
  expect(now.index).not.toBe(before.index);
  await page.unrouteAll();
  await untilShown(page, now.index);
});

const refuse = (status: number) => (route: Route) =>
  route.fulfill({ status, headers: { "retry-after": "61" } });

withChromium(
  "a proxy that holds moves back is left alone as it says, and they wait and are made",
  async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
    await using opened = await openPage(browser, `${server.url}/`);
    const { page } = opened;
    await untilShown(page, 0);
    // It waits for so long on the page's clock, on which those seconds that the test takes do not go by.
    await stopClock(page);
    let sentCount = 0;
    page.on("request", (asked) => (sentCount += Number(asked.method() === "POST")));
    const untilAskedAgain = async () => {
      const before = sentCount;
      await until("it is asked again", async () => {
        await page.clock.runFor(1000);
        return sentCount > before;
      });
    };
    await page.route("**/v1/**", refuse(503));
    const refused = page.waitForResponse("**/v1/cursor/next");
    await press(page, "Next");
    await press(page, "Next");
    await refused;
    await page.locator("#cursor").getByText("The server is away").waitFor();
    await page.locator("#cursor").getByText("2 moves wait for an answer").waitFor();
    // Of 31 s.
    await page.clock.runFor(30_000);
    expect(sentCount).toBe(1);

    await page.route("**/v1/**", (route) => route.fulfill({ contentType: "text/html", body: "Welcome" }));
    await untilAskedAgain();
    await page.locator("#cursor").getByText("2 moves wait for an answer").waitFor();

    await page.route("**/v1/**", refuse(429));
    await untilAskedAgain();
    await page.locator(".live").waitFor();
    await page.locator("#cursor").getByText("2 moves wait for an answer").waitFor();
    await page.unrouteAll();
    await page.clock.resume();
    await page.clock.runFor(63_000);
    await untilShown(page, 2);
    await until("nothing is said any more", async () => (await message(page)) === "");
    expect(sentCount).toBeLessThan(20);
    await page.locator("#sequence .row:not(.missing)").first().waitFor();

    // Events that fall silent without an end.
    await page.addInitScript(`{
      const real = fetch;
      globalThis.fetch = async (url, init) => {
        if (!String(url).endsWith("cursor/events") || globalThis.wasSilent) return real(url, init);
        globalThis.wasSilent = true;
        const pull = (controller) =>
          controller.enqueue(new TextEncoder().encode('event: position\\nid: 0\\ndata: {"index":"0","value":"0"}\\n\\n'));
        return new Response(new ReadableStream({ start: pull }), { headers: { "content-type": "text/event-stream" } });
      };
    }`);
    await page.reload();
    await untilShown(page, 0);
    await page.clock.runFor(62_000);
    await untilShown(page, 2);
  },
);

withChromium(
  "where no events come the cursor is asked for, and only who sees it moves it by keys",
  async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, "cursor");
    await using server = await startServer(["-f", file]);
    await using opened = await openPage(browser, `${server.url}/`);
    const { page } = opened;
    await page.route("**/v1/cursor/events", () => {});
    await page.reload();
    await untilShown(page, 0, "0");
    expect(await output(["n", "-f", file])).toBe("1\n");
    await untilShown(page, 1, "1");

    await page.evaluate("scrollTo(0, document.body.scrollHeight)");
    await page.keyboard.press("ArrowRight");
    await page.evaluate("scrollTo(0, 0)");
    await page.keyboard.press("ArrowRight");
    await untilShown(page, 2, "1");

    // Where nobody has a token none is to blame, and the buttons stay as they are.
    await page.route("**/v1/cursor/next", (route) =>
      route.fulfill({ status: 403, json: { code: "forbidden", detail: "from a page of another" } }),
    );
    await press(page, "Next");
    await page.locator("#cursor").getByText("The server does not allow that").waitFor();
    expect(await message(page)).not.toContain("token");
    await page.unroute("**/v1/cursor/next");

    // An own move that leads back: the server was given an older file.
    await page.route("**/v1/cursor/next", (route) =>
      route.fulfill({ headers: { etag: '"1"' }, json: { index: "1", value: "1" } }),
    );
    let isHeld = false;
    await page.route("**/v1/cursor", () => void (isHeld = true));
    await until("no answer of the server is on its way", () => isHeld);
    await press(page, "Next");
    await untilShown(page, 1);
  },
);

withChromium(
  "only a step turns the picture, and none does where somebody wants things to stand still",
  async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
    const openResting = async (reducedMotion: "reduce" | "no-preference") => {
      const opened = await openPage(browser, `${server.url}/`, { reducedMotion });
      await opened.page.locator(".spiral path").waitFor({ state: "attached" });
      await opened.page.evaluate(`window.turns = [];
      const group = document.querySelector(".spiral g");
      new MutationObserver(() => turns.push(group.getAttribute("transform")))
        .observe(group, { attributes: true, attributeFilter: ["transform"] })`);
      return opened;
    };
    await using moving = await openResting("no-preference");
    await using still = await openResting("reduce");
    await goTo(moving.page, "30");
    expect(await wasTurned(moving.page, 30)).toBe(false);
    expect(await wasTurned(still.page, 30)).toBe(false);
    await press(moving.page, "Next");
    expect(await wasTurned(moving.page, 31)).toBe(true);
    expect(await wasTurned(still.page, 31)).toBe(false);
    await press(still.page, "Previous");
    expect(await wasTurned(moving.page, 30)).toBe(true);
    expect(await wasTurned(still.page, 30)).toBe(false);
  },
);

withChromium(
  "a token that only reads: the cursor is followed, and a move says why it is not made",
  async () => {
    using folder = temporaryFolder();
    const token = "fib_read-read-read-read-read-read-read-read-read";
    const team = "fib_team-team-team-team-team-team-team-team-team";
    const tokens = path.join(folder.path, "tokens");
    const lines = [tokenLine("reader", "read", token), tokenLine("team", "write:team-", team)];
    fs.writeFileSync(tokens, `${lines.join("\n")}\n`, { mode: 0o600 });
    const file = path.join(folder.path, "cursor");
    await using server = await startServer(["-f", file, "--tokens", tokens]);
    const open = async (bearer: string) => {
      const opened = await openPage(browser, `${server.url}/`);
      await opened.page.getByLabel("Token").fill(bearer);
      await opened.page.keyboard.press("Enter");
      await opened.page.locator("#cursor").getByRole("button", { name: "Next" }).waitFor();
      return opened;
    };
    await using reader = await open(token);
    await untilShown(reader.page, 0);
    await press(reader.page, "Next");
    await reader.page.getByText("This token does not move it").waitFor();
    expect(
      await reader.page
        .locator("#cursor")
        .getByRole("button", { name: "Next" })
        .getAttribute("aria-disabled"),
    ).toBe("true");
    expect(await output(["n", "-f", file])).toBe("1\n");
    await untilShown(reader.page, 1, "1");

    await using other = await open(team);
    await other.page.locator("#cursor .notice").getByText("This token does not allow that").waitFor();
    await other.page.goto(`${server.url}/#cursor/team-a`);
    await other.page.getByRole("button", { name: "Cursor team-a" }).waitFor();
    await press(other.page, "Next");
    await untilShown(other.page, 1, "1");
  },
);
