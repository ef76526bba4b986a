/** The sequence in one scroll bar, as a person goes through it: every digit that is seen is the server's own. */
import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { bytesOfFirst, termRows } from "../../src/web/digits/term-rows.ts";
import { isWorking, startProgram, startServer, temporaryFolder, until } from "../binary.ts";
import { launchBrowser, withChromium } from "../chromium.ts";
import { freePort } from "../redis.ts";
import { openPage } from "./page.ts";

setDefaultTimeout(300_000);

let browser: Browser;

beforeAll(async () => {
  if (isWorking(["chromium", "--version"])) browser = await launchBrowser();
});

afterAll(() => browser?.close());

const TERMS = 1_000_000;
const SIZE_BYTES = bytesOfFirst(TERMS);

/** What is seen. */
interface Seen {
  readonly where: string;
  readonly isWhole: boolean;
  readonly digits: readonly string[];
  readonly scrollTop: number;
}

const SEEN = `(() => {
  const rows = [...document.querySelectorAll("#sequence .row:not([hidden])")];
  return {
    where: document.querySelector("#sequence .note")?.textContent.replaceAll("\\u202f", "") ?? "",
    isWhole: rows.length > 0 && rows.every((row) => !row.classList.contains("missing")),
    digits: rows.map((row) => row.querySelector(".digits").textContent.replaceAll(" ", "")),
    scrollTop: document.querySelector("#sequence .box")?.scrollTop ?? 0,
  };
})()`;

/** Waits until all digits are there, at some place. */
async function seenWhen(page: Page, what: string, isRight: (seen: Seen) => boolean): Promise<Seen> {
  let seen: Seen | undefined;
  await until(what, async () => {
    seen = await page.evaluate<Seen>(SEEN);
    return seen.isWhole && isRight(seen);
  });
  return seen!;
}

/** Waits until the digits from a byte on are there. */
const seenFrom = (page: Page, byte: number): Promise<Seen> =>
  seenWhen(page, `byte ${byte}`, ({ where }) => where.endsWith(`byte ${byte}`));

/** The byte at the top. */
const byteOf = ({ where }: Seen): number => Number(/byte (\d+)$/.exec(where)![1]);

/** What is seen is what the server has there. */
async function expectServersDigits(url: string, seen: Seen): Promise<void> {
  const from = byteOf(seen);
  // Each row may end a line.
  const length = seen.digits.reduce((sum, { length: digits }) => sum + digits + 1, 0);
  const range = `bytes=${from}-${Math.min(from + length, SIZE_BYTES) - 1}`;
  const answer = await fetch(`${url}/v1/sequence?count=${TERMS}&format=text`, { headers: { range } });
  const text = (await answer.text()).replaceAll("\n", "");
  expect(seen.digits.join("")).toBe(text.slice(0, seen.digits.join("").length));
}

async function goTo(page: Page, kind: string, typed: string): Promise<void> {
  await page.locator("#sequence .choice").getByText(kind).click();
  await page.getByLabel(`${kind} to go to`).fill(typed);
  await page.keyboard.press("Enter");
}

/** Keeps each observer of sizes that is at work, and what it watches. */
const WATCH_OBSERVERS = `{
  const { observe, disconnect } = ResizeObserver.prototype;
  globalThis.watched = new Map();
  ResizeObserver.prototype.observe = function (target) {
    watched.set(this, target);
    observe.call(this, target);
  };
  ResizeObserver.prototype.disconnect = function () {
    watched.delete(this);
    disconnect.call(this);
  };
}`;

/** While `isCut`, answers with digits are cut after their headers. */
const CUT = `{
  const real = fetch;
  globalThis.isCut = true;
  globalThis.fetch = async (...asked) => {
    const answer = await real(...asked);
    if (!isCut || answer.status !== 206) return answer;
    return new Response(new ReadableStream({ start: (body) => body.error(new TypeError("network error")) }), answer);
  };
}`;

/** An answer that refuses, as a proxy gives it. */
const refusal = (status: number, retryAfter = "0") => ({
  status,
  headers: { "content-type": "text/html", "retry-after": retryAfter },
  body: "<h1>Refused</h1>",
});

const said = (page: Page, text: string) => page.locator("#sequence .said").getByText(text).waitFor();

withChromium(
  "the sequence leads to terms, bytes, values, and wherever the thumb goes, and shows the server's digits",
  async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
    await using opened = await openPage(browser, `${server.url}/`);
    const { page } = opened;
    await expectServersDigits(server.url, await seenFrom(page, 0));

    await goTo(page, "Term", "705 000");
    const term = await seenFrom(page, 51_936_778_396);
    expect(term.where).toBe("F(705000), digit 1 of 147336 · byte 51936778396");
    await expectServersDigits(server.url, term);
    await goTo(page, "Term", "1000000");
    await said(page, "beyond this text: it ends with F(999");
    const input = page.getByLabel("Term to go to");
    await input.fill("-5");
    await page.locator("#sequence .said:empty").waitFor({ state: "attached" });
    expect(await input.getAttribute("aria-invalid")).toBe("false");
    await page.locator("#sequence").getByRole("button", { name: "Go" }).click();
    await said(page, "A term has an index");
    expect(await input.getAttribute("aria-invalid")).toBe("true");
    expect(await page.evaluate("document.activeElement.name")).toBe("place");
    const described = await input.getAttribute("aria-describedby");
    expect(await page.locator(`#${described}`).textContent()).toContain("A term has an index");
    await page.locator("#sequence .choice").getByText("Byte").click();
    await page.locator("#sequence .said:empty").waitFor({ state: "attached" });
    await goTo(page, "Byte", String(SIZE_BYTES));
    await said(page, "The bytes of this text are 0 to");

    await goTo(page, "Value", "354 224 848 179 261 915 075");
    await seenFrom(page, bytesOfFirst(100));
    await goTo(page, "Value", "10 947");
    await said(page, "it lies between F(21) and F(22)");
    await page.getByRole("link", { name: "F(21)" }).click();
    await seenFrom(page, bytesOfFirst(21));
    // What is found too late leads nobody away.
    const late = Promise.withResolvers<void>();
    await page.route("**/v1/index/144*", async (route) => {
      await late.promise;
      await route.continue().catch(() => {});
    });
    await goTo(page, "Value", "144");
    await goTo(page, "Term", "5");
    late.resolve();
    await goTo(page, "Value", "9".repeat(17_000));
    await seenFrom(page, bytesOfFirst(5));
    await said(page, "too long for a request");

    const width = 100;
    const rows = termRows(TERMS, width);
    for (let jump = 0; jump < 20; jump++) {
      const byte = Math.floor(Math.random() * (SIZE_BYTES - 10_000));
      await goTo(page, "Byte", String(byte));
      await expectServersDigits(server.url, await seenFrom(page, rows.at(rows.ofByte(byte)).byte));
    }
    for (const share of [0.3, 0.31, 0.9, 0.02]) {
      await page.evaluate(`(() => {
        const box = document.querySelector("#sequence .box");
        box.scrollTop = ${share} * (box.scrollHeight - box.clientHeight);
      })()`);
      const byte = rows.at(Math.round(share * (rows.count - 16))).byte;
      const seen = await seenWhen(page, `${share} of all`, (now) => Math.abs(byteOf(now) - byte) < 1e6);
      await expectServersDigits(server.url, seen);
    }
    // The browser itself complains of the value that is too long, as it does of every status from 400.
    expect(opened.complaints.filter((line) => !line.includes("status of 4"))).toEqual([]);
  },
);

withChromium(
  "keys move exactly, the ends are the ends, the address holds the place, and a resize keeps it",
  async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
    await using opened = await openPage(browser, `${server.url}/#sequence/705000+1234`);
    const { page } = opened;
    const rows = termRows(TERMS, 100);
    const start = rows.ofByte(bytesOfFirst(705_000) + 1234);
    await seenFrom(page, rows.at(start).byte);
    await page.locator("#sequence .box").focus();
    let row = start;
    const press = async (key: string, by: number) => {
      await page.keyboard.press(key);
      row += by;
      await seenFrom(page, rows.at(row).byte);
    };
    // The row at the top says which term it is of, wherever in it that is.
    const gutter = page.locator("#sequence .row:not([hidden]) .gutter").first();
    expect(await gutter.textContent()).toBe("705\u202f000");
    await press("ArrowDown", 1);
    await press("ArrowUp", -1);
    await press("PageDown", 15);
    await press("Shift+Space", -15);
    for (let pages = 0; pages < 10; pages++) await press("Space", 15);
    await page.locator("#sequence .box").hover();
    for (let turn = 1; turn <= 20; turn++) await page.mouse.wheel(0, 240);
    row += 200;
    await seenFrom(page, rows.at(row).byte);
    await until("the address holds the place", () => {
      const { term, line } = rows.at(row);
      return page.url().endsWith(`/#sequence/${term}+${line * 100}`);
    });

    await page.setViewportSize({ width: 360, height: 700 });
    const narrow = termRows(TERMS, 30);
    await seenFrom(page, narrow.at(narrow.ofByte(rows.at(row).byte)).byte);
    await page.setViewportSize({ width: 1280, height: 900 });
    await seenFrom(page, rows.at(row).byte);

    await page.keyboard.press("End");
    const end = await seenFrom(page, rows.at(rows.count - 16).byte);
    await expectServersDigits(server.url, end);
    expect(end.digits).toHaveLength(16);
    row = rows.count - 16;
    await press("ArrowUp", -1);
    row = 0;
    await press("Home", 0);
    expect((await page.evaluate<Seen>(SEEN)).scrollTop).toBe(0);
    await press("ArrowDown", 1);
    expect(opened.complaints).toEqual([]);

    await using again = await openPage(browser, `${server.url}/#sequence/705000+1200`);
    await seenFrom(again.page, rows.at(start).byte);
  },
);

withChromium(
  "what is copied is the text itself: no gaps, no indices, and a line for each number",
  async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
    await using opened = await openPage(browser, `${server.url}/#sequence/477`);
    const { page } = opened;
    await seenFrom(page, bytesOfFirst(477));
    const copied = await page.evaluate<string>(`(() => {
      const [first, , last] = [...document.querySelectorAll("#sequence .digits")].map((each) => each.firstChild);
      getSelection().setBaseAndExtent(first, 2, last, 13);
      const event = new ClipboardEvent("copy", { clipboardData: new DataTransfer(), bubbles: true, cancelable: true });
      last.parentElement.dispatchEvent(event);
      return event.clipboardData.getData("text/plain");
    })()`);
    const answer = await fetch(`${server.url}/v1/sequence?from=477&count=3&format=text`);
    // F(477) has 100 digits, a row; 2 + 10 digits and a gap are before the place in the third row.
    const [first, second, third] = (await answer.text()).split("\n");
    expect(copied).toBe(`${first!.slice(2)}\n${second}\n${third!.slice(0, 12)}`);
  },
);

withChromium(
  "a short text is shown whole, without a scroll bar or an empty row, and its address stays as it was sent",
  async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--max-sequence", "12"]);
    await using opened = await openPage(browser, `${server.url}/#sequence/7`);
    const { page } = opened;
    const seen = await seenFrom(page, 0);
    expect(seen.digits).toEqual(["0", "1", "1", "2", "3", "5", "8", "13", "21", "34", "55", "89"]);
    await page.locator("#sequence [role=status]").getByText("byte 0").waitFor({ state: "attached" });
    expect(page.url()).toEndWith("/#sequence/7");
    const hidden = await page.evaluate<number>(`(() => {
      const { scrollHeight, clientHeight } = document.querySelector("#sequence .box");
      return scrollHeight - clientHeight;
    })()`);
    expect(hidden).toBe(0);
  },
);

withChromium(
  "what a server refuses is asked again when it says, or never; a pane that is gone leaves nothing behind",
  async () => {
    using folder = temporaryFolder();
    await using server = await startServer(["-f", path.join(folder.path, "cursor")]);
    await using opened = await openPage(browser, `${server.url}/`);
    const { page } = opened;
    await page.addInitScript(WATCH_OBSERVERS);
    await page.reload();
    await seenFrom(page, 0);
    await page.evaluate(CUT);
    await goTo(page, "Term", "400000");
    await page.locator("#sequence .digit-pane .notice").getByText("The server does not answer").waitFor();
    await page.evaluate("isCut = false");
    await seenFrom(page, bytesOfFirst(400_000));
    const refusals = [refusal(429, "2")];
    const asked: number[] = [];
    let isLocked = false;
    await page.route(/v1\/sequence\?/, async (route) => {
      asked.push(performance.now());
      const refused = refusals.shift();
      // From then on everything is: a single answer would let in whoever has not even seen the form.
      if (refused?.status === 401) isLocked = true;
      await (refused === undefined ? route.continue() : route.fulfill(refused));
    });
    await page.route(/\/v1\//, (route) => (isLocked ? route.fulfill(refusal(401)) : route.fallback()));
    await goTo(page, "Term", "500000");
    await page.locator("#sequence .digit-pane .notice").getByText("too much at once").waitFor();
    await expectServersDigits(server.url, await seenFrom(page, bytesOfFirst(500_000)));
    expect(asked[1]! - asked[0]!).toBeGreaterThan(1900);

    expect(await page.evaluate<number>("watched.size")).toBeGreaterThan(0);
    // It was refused, came, and then what is before and behind it: none of these is to get the next refusal.
    await until("what is next to it is asked for", () => asked.length >= 4);
    refusals.push(refusal(401));
    await goTo(page, "Term", "900000");
    await page.getByLabel("Token").fill("a-token-that-no-server-asks-for-1234567890");
    expect(await page.evaluate<boolean>("[...watched.values()].every((each) => each.isConnected)")).toBe(
      true,
    );
    // Whoever was locked out comes back to where the address is.
    isLocked = false;
    await page.keyboard.press("Enter");
    await seenWhen(page, "where it was", (seen) => byteOf(seen) >= bytesOfFirst(500_000));
  },
);

withChromium("while the server is away the pane says so, and goes on when it is back", async () => {
  using folder = temporaryFolder();
  // One that nobody else gets while the server is away.
  const args = ["-p", String(await freePort()), "-f", path.join(folder.path, "cursor")];
  const start = (...more: string[]) => startProgram([...args, ...more], /"url":"(https?:[^"]*)\/"/);
  await using server = await start();
  await using opened = await openPage(browser, `${server.said}/`);
  const { page } = opened;
  await seenFrom(page, 0);
  server.kill("SIGKILL");
  await server.ended();
  await goTo(page, "Term", "500000");
  await page.locator("#sequence .digit-pane .notice").getByText("The server does not answer").waitFor();
  await until("dots for digits", async () => !(await page.evaluate<Seen>(SEEN)).isWhole);

  const back = await start();
  const seen = await seenFrom(page, bytesOfFirst(500_000));
  await expectServersDigits(back.said, seen);
  await page.locator("#sequence .digit-pane .notice").waitFor({ state: "detached" });

  // It may come back with another limit; beyond it nothing leads.
  await back[Symbol.asyncDispose]();
  await page.locator(".link .away").waitFor();
  await using shorter = await start("--max-sequence", "100");
  expect(shorter.said).toBe(back.said);
  await page.locator("#sequence").getByText("The first 100 terms").waitFor();
  await goTo(page, "Value", "354224848179261915075");
  await said(page, "F(100) is beyond this text: it ends with F(99) (--max-sequence).");
  await goTo(page, "Value", String(10n ** 30n));
  await said(page, "it lies between F(145) and F(146)");
  expect(await page.locator("#sequence .said a").count()).toBe(0);
  await goTo(page, "Value", "4");
  await page.getByRole("link", { name: "F(4)" }).press("Enter");
  await page.locator("#sequence .said:empty").waitFor({ state: "attached" });
  expect(await page.evaluate("document.activeElement.className")).toContain("box");
});
