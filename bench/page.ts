/**
 * How soon does the page show what somebody wants to see, and does it keep up with the wheel? In Chromium, as a person has
 * it: each time ends with the frame that shows what was asked for.
 *
 * A jump counts when the digits on the screen are the server's, which is asked for them apart, before.
 * @module
 */
import type { Browser, Page } from "playwright-core";
import { LAYOUTS } from "../src/numbers/layouts.ts";
import { SequenceOffsets } from "../src/numbers/offsets.ts";
import { launchBrowser } from "../test/chromium.ts";
import { interleave, mustBe, publish } from "./measure.ts";
import { type Server, startFibserver } from "./servers.ts";

const LOADS = 20;
const JUMPS = 50;
const WHEEL_MS = 5000;

/** Digits that are not there by then are wrong. */
const JUMP_MS_MAX = 5000;

/** All the text that is scrolled through. */
const TERMS = 1_000_000;
const TEXT = `v1/sequence?from=0&count=${TERMS}&format=text`;
const OFFSETS = new SequenceOffsets(LAYOUTS.text, 0, TERMS);

/** More than a window shows. */
const SEEN_BYTES_MAX = 8192;

/** The digits of each row that is seen, and a function of the page's that reads them. */
const DIGITS = "#sequence .row:not([hidden]) .digits";
const SHOWN = `(() => [...document.querySelectorAll("${DIGITS}")].map((row) => row.textContent.replaceAll(" ", "")))`;

/** How the wheel turns: a quick hand. */
const FRAME_MS = 16;
const WHEEL_PX = 120;

/** First paint, jumps, the wheel, and the size of all files. */
export async function benchPage(): Promise<void> {
  await using server = await startFibserver({ medium: "tmpfs" });
  await using smallest = startSmallest();
  const browser = await launchBrowser();
  try {
    const paints = await interleave(LOADS, {
      page: () => paintMs(browser, server.url, "first-contentful-paint"),
      digits: () => paintMs(browser, server.url, "largest-contentful-paint"),
      smallest: () => paintMs(browser, smallest.url, "first-contentful-paint"),
    });
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    await page.goto(`${server.url}#sequence/705000`);
    await page.locator(`${DIGITS} >> text=8647513184`).waitFor();
    const jumps = await interleave(JUMPS, {
      page: () => jumpMs(page, server),
      fetch: () => fetchMs(page),
    });
    const wheel = await scroll(page);
    publish({
      title: "The page, in Chromium",
      rows: [
        { name: "a page of one line, first paint after the HTML", unit: "ms", samples: paints.smallest },
        {
          name: "the page, first paint after the HTML",
          unit: "ms",
          samples: paints.page,
          goal: { median: 100, atMost: true },
          against: "a page of one line, first paint after the HTML",
        },
        {
          name: "… its parts, largest paint after the HTML",
          unit: "ms",
          samples: paints.digits,
          against: "a page of one line, first paint after the HTML",
        },
        { name: "a bare fetch of the same bytes", unit: "ms", samples: jumps.fetch },
        {
          name: "a jump anywhere in 104 GB, until its digits are seen",
          unit: "ms",
          samples: jumps.page,
          goal: { median: 50, atMost: true },
          against: "a bare fetch of the same bytes",
        },
        {
          name: "5 s of the wheel, tasks over 50 ms",
          unit: "",
          samples: [wheel.longTasks],
          goal: { median: 0, atMost: true },
        },
        { name: `… frames over 25 ms, of ${wheel.frames}`, unit: "", samples: [wheel.lateFrames] },
        {
          name: "the HTML and all files, as sent in Brotli",
          unit: "bytes",
          goal: { median: 40_000, atMost: true },
          samples: [await sizeBytes(server)],
        },
      ],
    });
  } finally {
    await browser.close();
  }
}

/** The yardstick: a page whose script draws one line of text. */
function startSmallest(): Server {
  const html = `<!doctype html><title>smallest</title><p id="p"></p><script type="module" src="s.js"></script>`;
  const script = `document.getElementById("p").textContent = "One line";`;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url }) =>
      url.endsWith("s.js")
        ? new Response(script, { headers: { "content-type": "text/javascript" } })
        : new Response(html, { headers: { "content-type": "text/html" } }),
  });
  return { url: String(server.url), pid: process.pid, [Symbol.asyncDispose]: () => server.stop(true) };
}

/**
 * A cold load: nothing is kept from one to the next. The first paint is the page's header, which is in the HTML; the largest
 * is what its program draws, with digits that it has fetched.
 */
async function paintMs(
  browser: Browser,
  url: string,
  what: "first-contentful-paint" | "largest-contentful-paint",
): Promise<number> {
  const page = await browser.newPage();
  await page.goto(url);
  if (what === "largest-contentful-paint") await page.locator(DIGITS).first().waitFor();
  // As an observer has it: the policy of the page lets nobody wait by eval.
  const ms = Number(
    await page.evaluate(`new Promise((resolve) => {
      const [{ responseEnd }] = performance.getEntriesByType("navigation");
      new PerformanceObserver((list) => {
        const paint = list.getEntries().findLast(({ name, entryType }) => [name, entryType].includes("${what}"));
        if (paint) resolve(paint.startTime - responseEnd);
      }).observe({ type: "${what}".replace("first-contentful-", ""), buffered: true });
    })`),
  );
  await page.context().close();
  return ms;
}

/** A digit of a term, each with the same chance. */
function anywhere(): { index: number; digit: number; byte: number } {
  const byte = Math.floor(Math.random() * OFFSETS.sizeBytes);
  const index = OFFSETS.positionOf(byte);
  const start = OFFSETS.offsetOf(index);
  // What ends a term belongs to its last digit.
  const digit = Math.min(byte, OFFSETS.offsetOf(index + 1) - 2) - start;
  return { index, digit, byte: start + digit };
}

/** Goes somewhere by an address, and waits for all the digits of that place. */
async function jumpMs(page: Page, server: Server): Promise<number> {
  const { index, digit, byte } = anywhere();
  const width = Number(await page.evaluate(`Math.max(...${SHOWN}().map(({ length }) => length))`));
  const expected = await textFrom(server, byte - (digit % width));
  return Number(
    await page.evaluate(`new Promise((resolve, reject) => {
      const shown = ${SHOWN};
      const startMs = performance.now();
      location.hash = "#sequence/${index}+${digit}";
      const look = () => {
        const text = shown().join("");
        if (text.length > 500 && "${expected}".startsWith(text)) resolve(performance.now() - startMs);
        else if (performance.now() > startMs + ${JUMP_MS_MAX}) reject(new Error("These are not the server's: " + text));
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    })`),
  );
}

/** The server's own text, without what is between terms. */
async function textFrom({ url }: Server, byte: number): Promise<string> {
  const range = `bytes=${byte}-${byte + SEEN_BYTES_MAX - 1}`;
  const response = await fetch(new URL(TEXT, url), { headers: { range } });
  mustBe(response.status, 206, "a range");
  return (await response.text()).replaceAll("\n", "");
}

/** The same browser asks for the text of a place, and shows nothing. */
async function fetchMs(page: Page): Promise<number> {
  const { byte } = anywhere();
  const range = `bytes=${byte}-${byte + SEEN_BYTES_MAX - 1}`;
  return Number(
    await page.evaluate(`(async () => {
      const startMs = performance.now();
      await (await fetch("${TEXT}", { headers: { range: "${range}" }, cache: "no-store" })).text();
      return performance.now() - startMs;
    })()`),
  );
}

/** What the wheel does to the browser's main thread. */
interface Scrolled {
  readonly longTasks: number;
  readonly frames: number;
  readonly lateFrames: number;
}

/** Turns the wheel over the digits. */
async function scroll(page: Page): Promise<Scrolled> {
  const before = await page.evaluate(`${SHOWN}().join("")`);
  await page.locator(DIGITS).nth(3).hover();
  const scrolled = page.evaluate(`new Promise((resolve) => {
    let [longTasks, frames, lateFrames, lastMs] = [0, 0, 0, performance.now()];
    const observer = new PerformanceObserver((list) => (longTasks += list.getEntries().length));
    observer.observe({ type: "longtask" });
    const endMs = lastMs + ${WHEEL_MS};
    requestAnimationFrame(function frame(ms) {
      frames++;
      if (ms - lastMs > 25) lateFrames++;
      lastMs = ms;
      if (ms < endMs) return requestAnimationFrame(frame);
      observer.disconnect();
      resolve({ longTasks, frames, lateFrames });
    });
  })`);
  for (const endMs = performance.now() + WHEEL_MS; performance.now() < endMs; await Bun.sleep(FRAME_MS))
    await page.mouse.wheel(0, WHEEL_PX);
  const result = (await scrolled) as Scrolled;
  mustBe((await page.evaluate(`${SHOWN}().join("")`)) === before, false, "what is seen is where it was");
  return result;
}

/** Of the page and all that it names, as they are sent. */
async function sizeBytes({ url }: Server): Promise<number> {
  const html = await (await fetch(url, { headers: { accept: "text/html" } })).text();
  const names = Array.from(html.matchAll(/(?:src|href)="(page\/[^"]+)"/g), ([, name]) => name!);
  mustBe(names.length, 3, "files of the page");
  const sizes = ["", ...names].map(async (name) => {
    const headers = { accept: "text/html", "accept-encoding": "br" };
    const response = await fetch(new URL(name, url), { headers, decompress: false });
    mustBe(response.status, 200, `the status of /${name}`);
    return (await response.arrayBuffer()).byteLength;
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
