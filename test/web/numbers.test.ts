/** The part Numbers in a real browser, as a person uses it. */
import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { titleOf } from "../../src/web/kinds.ts";
import { makeToken, tokenLine } from "../../src/token.ts";
import { isWorking, type Server, startProgram, startServer, temporaryFolder, until } from "../binary.ts";
import { launchBrowser, withChromium } from "../chromium.ts";
import { freePort } from "../redis.ts";
import { LONG } from "./filled.ts";
import { lookAgain, openPage } from "./page.ts";

setDefaultTimeout(300_000);

let browser: Browser;
beforeAll(async () => {
  if (isWorking(["chromium", "--version"])) browser = await launchBrowser();
});
afterAll(() => browser?.close());

/** What the browser itself writes of an answer that is an error. */
const REFUSED = /^Failed to load resource: the server responded with a status of 4\d\d/;

const GAP = "\u202f";

/** Without gaps. */
const plain = (shown: string | null) => shown?.replaceAll(/\s/g, "");

/** Some seconds of work, another for each number. */
const long = (which: number) => `${which}${LONG.n}`;

/** A page that shows Numbers, on a server of its own. */
async function openNumbers({
  args = [],
  place = "numbers",
  host = "127.0.0.1",
  context = {},
}: {
  readonly args?: readonly string[];
  readonly place?: string;
  readonly host?: string;
  readonly context?: BrowserContextOptions;
} = {}) {
  const folder = temporaryFolder();
  const server = await startServer(["-f", path.join(folder.path, "cursor"), ...args]);
  const url = server.url.replace("127.0.0.1", host);
  const opened = await openPage(browser, `${url}/#${place}`, context);
  const { page } = opened;
  const part = page.locator("#numbers");
  const title = part.locator("h3");
  return {
    ...opened,
    server,
    part,
    title,
    /** Chooses a kind, types, and computes. */
    compute: async (kind: string, ...typed: string[]) => {
      await part.getByRole("radio", { name: kind, exact: true }).check({ force: true });
      const inputs = part.locator(".field input");
      for (const [i, text] of typed.entries()) await inputs.nth(i).fill(text);
      await inputs.last().press("Enter");
    },
    titled: (text: string) => title.filter({ hasText: text }).waitFor(),
    /** Whatever was not expected. */
    complaints: () => opened.complaints.filter((line) => !REFUSED.test(line)),
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

/** Of a JSON answer, whose shape the test knows. */
async function json<T>(answer: Promise<Response>): Promise<T> {
  return (await (await answer).json()) as T;
}

const text = async ({ url }: Pick<Server, "url">, target: string) => (await fetch(url + target)).text();

/** The tasks of a server, by their numbers. */
function tasksOf({ url }: Server) {
  type Listed = { id: string; n: string; state: string };
  // The newest first: these are so long that not many of them are in one answer.
  const tasks = async () => (await json<{ tasks: Listed[] }>(fetch(`${url}/v1/tasks?order=newest`))).tasks;
  const post = (what: object) =>
    json<{ id: string }>(fetch(`${url}/v1/tasks`, { method: "POST", body: JSON.stringify(what) }));
  const cancel = (id: string) => fetch(`${url}/v1/tasks/${id}/cancel`, { method: "POST" });
  return {
    tasks,
    post,
    cancel,
    stateOf: async (n: string) => (await tasks()).find((task) => task.n === n)?.state,
    /** Keeps the only thread busy, until what it returns is called: what is asked for meanwhile waits. */
    block: async (...which: readonly number[]) => {
      const ids: string[] = [];
      for (const each of which) ids.push((await post({ ...LONG, n: long(each) })).id);
      await until("it is busy", async () => (await tasks()).some(({ state }) => state === "running"));
      return async () => void (await Promise.all(ids.map(cancel)));
    },
  };
}

/** The digits that are seen in the pane, from its top. */
async function seenDigits(page: Page): Promise<string> {
  const rows = page.locator("#numbers .row:not([hidden]) .digits");
  await page.locator("#numbers .row:not(.missing)").first().waitFor();
  return (await rows.allTextContents()).join("").replaceAll(" ", "");
}

/** Saves what Download gives. */
async function download(page: Page): Promise<{ readonly name: string; readonly text: string }> {
  const [saved] = await Promise.all([
    page.waitForEvent("download"),
    page.locator("#numbers").getByText("Download", { exact: true }).click(),
  ]);
  return { name: saved.suggestedFilename(), text: fs.readFileSync(await saved.path(), "latin1") };
}

withChromium(
  "numbers: digits, size beforehand, statistics, copy, download, and the small kinds",
  async () => {
    const context = { permissions: ["clipboard-read", "clipboard-write"] };
    await using numbers = await openNumbers({ context });
    const { page, part, server, compute, titled } = numbers;
    const digits = await text(server, "/v1/fibonacci/100000?format=text");
    // There is one to look at from the first, in nobody's address.
    await titled(`F(100${GAP}000)`);
    expect(digits.startsWith(await seenDigits(page))).toBe(true);
    expect(new URL(page.url()).hash).toBe("#numbers");
    await part.getByText(`20${GAP}899\u00a0digits, computed in`).waitFor();
    await part.locator(".spread rect.bar").nth(9).waitFor();
    const counted = (await part.locator(".spread td").allTextContents()).map((cell) => cell.replace(GAP, ""));
    expect(counted.map(Number)).toEqual(
      (await json<{ counts: number[] }>(fetch(`${server.url}/v1/fibonacci/100000/digits`))).counts,
    );

    await part.getByRole("button", { name: "Copy" }).click();
    await part.getByText("Copied", { exact: true }).waitFor();
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(digits);
    expect(await download(page)).toEqual({ name: "fibonacci-100000.txt", text: digits });

    // The size is there before anything is computed.
    await part.getByRole("radio", { name: "n!" }).check({ force: true });
    await part.locator("#number-n").fill("10 000");
    await part.locator(".beside", { hasText: `35${GAP}660\u00a0digits` }).waitFor();
    await part.locator("#number-n").press("Enter");
    await titled(`10${GAP}000!`);
    expect((await text(server, "/v1/factorial/10000?format=text")).startsWith(await seenDigits(page))).toBe(
      true,
    );
    expect(new URL(page.url()).hash).toBe("#numbers/factorial/10000");

    await compute("F(n) mod m", "10^100", "1 000 000 007");
    await part.getByText(`175${GAP}077${GAP}019`).waitFor();
    await compute("Pisano", "1000");
    await part.getByText(`1${GAP}500`, { exact: true }).waitFor();
    await compute("Zeckendorf", "100");
    expect(await part.locator(".sum").textContent()).toBe("= F(11) + F(6) + F(4)");
    await compute("Zeckendorf", "7^2000");
    await part.locator(".sum em", { hasText: "more" }).waitFor();
    await compute("L(n)", "50");
    await part.getByText(`28${GAP}143${GAP}753${GAP}123`).waitFor();
    // What a network answers in the place of the server are no digits, and the number is here when the server answers again.
    await page.route("**/v1/lucas/60?*", (route) =>
      route.fulfill({ contentType: "text/html", body: "<html>Welcome to the hotel" }),
    );
    await compute("L(n)", "60");
    await part.getByText("These are no digits").waitFor();
    await page.unroute("**/v1/lucas/60?*");
    await lookAgain(page);
    await part.getByText(`3${GAP}461${GAP}452${GAP}808${GAP}002`).waitFor();
    // Nor is what breaks off on the way.
    await page.route("**/v1/lucas/61?*", (route) =>
      route.request().method() === "HEAD"
        ? route.continue()
        : route.fulfill({ contentType: "text/plain", body: "56006" }),
    );
    await compute("L(n)", "61");
    await part.getByText("The answer has ended early").waitFor();
    await page.unroute("**/v1/lucas/61?*");
    await part.getByText(`5${GAP}600${GAP}748${GAP}293${GAP}801`).waitFor();
    // Each kind remembers what was typed.
    await part.getByRole("radio", { name: "n!" }).check({ force: true });
    expect(await part.locator("#number-n").inputValue()).toBe("10 000");
    expect(numbers.complaints()).toEqual([]);
  },
);

withChromium(
  "numbers: what is beyond the limit shows its ends, or which flag; wrong input is said at the input",
  async () => {
    await using numbers = await openNumbers({ place: "numbers/fibonacci/10^18" });
    const { page, part, compute, titled } = numbers;
    await titled("F(1018)");
    const folded = await part.locator(".folded").textContent();
    expect(folded!.replaceAll(/[\s\u202f\u00a0]/g, "")).toBe(
      "262897881867922046740750648916…208987640249978674digits…123436395041183788299560546875",
    );
    await part.getByText("--max-digits is the flag").waitFor();
    await compute("F(n)", "10^100");
    await titled("F(10100)");
    await compute("n!", "99 999 999");
    await part
      .getByText(`756${GAP}570${GAP}549 digits, and the limit is 25${GAP}000${GAP}000 (--max-digits)`)
      .waitFor();
    // The answer of the question before is not below what is said of this one.
    expect(await numbers.title.count()).toBe(0);
    await part.locator(".beside", { hasText: `756${GAP}570${GAP}549 digits, beyond --max-digits` }).waitFor();
    await compute("A(m, n)", "4", "3");
    await part.getByText("it cannot be written down").waitFor();

    // Neither a count of a thousand digits nor a long title makes the page wider.
    const widthsOf = () => page.evaluate("[document.documentElement.scrollWidth, innerWidth]");
    await compute("F(n)", "10^999");
    await titled("F(10999)");
    expect(await widthsOf()).toEqual([1280, 1280]);
    await compute("F(n) mod m", "9".repeat(1000), "9".repeat(128));
    await part.locator(".spread").waitFor();
    expect(await widthsOf()).toEqual([1280, 1280]);
    // On a phone on its side there is something beside the digits to scroll the page by.
    await page.setViewportSize({ width: 640, height: 360 });
    await compute("L(n)", "100 000");
    await titled(`L(100${GAP}000)`);
    await part.locator(".box").waitFor();
    const { height } = (await part.locator(".box").boundingBox())!;
    expect(height).toBeLessThan(240);

    // An address says what is wrong as the button does, and what it does not compute takes no answer of another question.
    await page.evaluate(`location.hash = "#numbers/fibonacci/-5"`);
    await part.locator(".wrong", { hasText: "n takes a whole number" }).waitFor();
    await page.evaluate(`location.hash = "#numbers/factorial/1000000"`);
    await numbers.title.waitFor({ state: "detached" });

    await compute("A(m, n)", "4", "some");
    const input = part.locator("#number-n");
    expect(await input.getAttribute("aria-invalid")).toBe("true");
    expect(await page.evaluate("document.activeElement.id")).toBe("number-n");
    const described = await input.getAttribute("aria-describedby");
    expect(await part.locator(`#${described}`).textContent()).toContain("takes a whole number");
    await input.fill("2");
    expect(await input.getAttribute("aria-invalid")).toBe("false");
    expect(numbers.complaints()).toEqual([]);
  },
);

withChromium(
  "numbers: what is long is a task, with progress; cancelled, replaced, spared when it is shared",
  async () => {
    await using numbers = await openNumbers({
      args: ["--max-computations", "1"],
      place: `numbers/remainder/1${LONG.n}/${LONG.mod}`,
    });
    const { page, part, server, compute, titled } = numbers;
    const { tasks, stateOf, post, cancel } = tasksOf(server);
    const said = part.locator(".said");
    const go = (place: string) => page.evaluate(`location.hash = ${JSON.stringify(`#numbers/${place}`)}`);
    // A link fills the form; what is long waits for the button.
    await said.getByText("Press Compute for").waitFor();
    expect(await part.locator("#number-n").inputValue()).toBe(long(1));
    expect(await tasks()).toEqual([]);
    await part.getByRole("button", { name: "Compute" }).click();
    await part.getByRole("progressbar").waitFor();
    await part.getByText("%").waitFor();
    await part.getByRole("button", { name: "Cancel" }).click();
    await said.getByText("is cancelled").waitFor();
    expect(plain(await said.textContent())).toBe(
      plain(`${titleOf({ kind: "remainder", numbers: [long(1), LONG.mod] })} is cancelled.`),
    );
    await until("it is cancelled", async () => (await stateOf(long(1))) === "cancelled");
    expect(await part.locator("#number-n").inputValue()).toBe(long(1));

    // What is given up before the server has said that it has it.
    const created = Promise.withResolvers<void>();
    await page.route("**/v1/tasks", async (route) => {
      await created.promise;
      await route.continue();
    });
    await compute("F(n) mod m", long(2), LONG.mod);
    await part.getByRole("button", { name: "Cancel" }).click();
    await said.getByText("is cancelled").waitFor();
    created.resolve();
    await until("it is cancelled", async () => (await stateOf(long(2))) === "cancelled");

    // Somebody else wants it as well.
    await compute("F(n) mod m", long(3), LONG.mod);
    await part.getByText("%").waitFor();
    const shared = await post({ ...LONG, n: long(3) });
    await part.getByRole("button", { name: "Cancel" }).click();
    await part.getByText("was asked for more than once, so it goes on").waitFor();
    expect(await stateOf(long(3))).toBe("running");
    await cancel(shared.id);

    // Asked for again it goes on, and a new one gives up the one before.
    await compute("F(n) mod m", long(4), LONG.mod);
    await part.getByText("%").waitFor();
    const count = (await tasks()).length;
    await part.locator("#number-n").press("Enter");
    await compute("F(n)", "1 000 000");
    await titled(`F(1${GAP}000${GAP}000)`);
    await until("the one before is given up", async () => (await stateOf(long(4))) === "cancelled");
    expect(await tasks()).toHaveLength(count + 1);
    const digits = await text(server, "/v1/fibonacci/1000000?format=text");
    expect(digits.startsWith(await seenDigits(page))).toBe(true);
    await part.locator(".box").press("End");
    await until("the end is seen", async () => digits.endsWith(await seenDigits(page)));
    await part.getByRole("button", { name: "Count the digits" }).press("Enter");
    await part.locator(".spread rect.bar").nth(9).waitFor();
    // Whoever has pressed the button is not thrown out of the part.
    expect(await page.evaluate("document.activeElement.className")).toBe("counts");
    expect(await download(page)).toEqual({ name: "fibonacci-1000000.txt", text: digits });

    // By its id, as Tasks leads to it; and by its number, where somebody has computed that.
    const { id } = (await tasks()).find(({ n }) => n === "1000000")!;
    for (const place of [`task/${id}`, "fibonacci/10^6"]) {
      await compute("L(n)", "10");
      await titled("L(10)");
      await go(place);
      await titled(`F(1${GAP}000${GAP}000)`);
      expect(await part.getByRole("radio", { name: "F(n)", exact: true }).isChecked()).toBe(true);
    }

    expect(numbers.complaints()).toEqual([]);
  },
);

withChromium(
  "numbers: an address cancels nothing, and what has ended is not asked about again while its result is on the way",
  async () => {
    await using numbers = await openNumbers({ args: ["--max-computations", "1"], place: "numbers/lucas/10" });
    const { page, part, server, compute, titled } = numbers;
    const { tasks, stateOf, post, cancel, block } = tasksOf(server);
    const go = (place: string) => page.evaluate(`location.hash = ${JSON.stringify(`#numbers/${place}`)}`);
    await titled("L(10)");
    const { id } = await post({ kind: "fibonacci", n: "1000000" });
    await until("there is a result", async () => (await stateOf("1000000")) === "ready");

    // Anybody may have written an address: it cancels nothing that somebody began here, on its way or under way.
    const sent = Promise.withResolvers<void>();
    await page.route("**/v1/tasks", async (route) => {
      await sent.promise;
      await route.continue();
    });
    const answered = page.waitForResponse((answer) => answer.request().method() === "POST");
    await compute("F(n) mod m", long(5), LONG.mod);
    await part.getByText("Computing").waitFor();
    await go("lucas/11");
    await titled("L(11)");
    // It begins when it is in sight again, so that it does not end before.
    const begin = await block(6, 7, 8, 9);
    sent.resolve();
    await answered;
    await compute("F(n) mod m", long(5), LONG.mod);
    await part.getByText("Waiting for its turn").waitFor();
    await begin();
    await part.getByText("%").waitFor();
    for (const [place, shown] of [
      ["lucas/12", "L(12)"],
      [`task/${id}`, `F(1${GAP}000${GAP}000)`],
    ] as const) {
      await go(place);
      await titled(shown);
    }
    // It may have come to its end.
    expect(["running", "ready"]).toContain((await stateOf(long(5)))!);
    await cancel((await tasks()).find(({ n }) => n === long(5))!.id);
    await until("it has ended", async () => (await stateOf(long(5))) !== "running");

    // One that has ended is not asked about again while its result is on the way.
    const beginNext = await block(11);
    const waiting = await post({ kind: "statistics", n: "1000000" });
    const polls: string[] = [];
    const resultAsked = Promise.withResolvers<void>();
    const resultSent = Promise.withResolvers<void>();
    await page.route(`**/v1/tasks/${waiting.id}/result*`, async (route) => {
      resultAsked.resolve();
      await resultSent.promise;
      await route.continue();
    });
    await go(`task/${waiting.id}`);
    await part.getByText("Waiting for its turn").waitFor();
    await beginNext();
    await resultAsked.promise;
    page.on("request", (request) => request.url().endsWith(waiting.id) && polls.push(request.url()));
    await lookAgain(page);
    resultSent.resolve();
    await titled(`Digits of F(1${GAP}000${GAP}000)`);
    expect(polls).toEqual([]);
    expect(numbers.complaints()).toEqual([]);
  },
);

withChromium(
  "numbers: with a token that may only read, what is long is asked for directly; copied and saved",
  async () => {
    using folder = temporaryFolder();
    const token = makeToken();
    const file = path.join(folder.path, "tokens");
    fs.writeFileSync(file, `${tokenLine("reader", "read", token)}\n`, { mode: 0o600 });
    // Not this machine's own name: over http, such a page has no navigator.clipboard.
    const args = ["--tokens", file, "--allow-host", "fib.test"];
    await using numbers = await openNumbers({ args, host: "fib.test" });
    const { page, part, server, compute, titled } = numbers;
    await page.getByLabel("Token").fill(token);
    await page.getByRole("button", { name: "Open" }).click();
    // What is there at first begins with a frame: later than that, it would take the place of what is asked for here.
    await titled(`F(100${GAP}000)`);
    await compute("F(n)", "1 000 000");
    await titled(`F(1${GAP}000${GAP}000)`);
    const headers = { authorization: `Bearer ${token}` };
    const digits = await (await fetch(`${server.url}/v1/fibonacci/1000000?format=text`, { headers })).text();
    expect(digits.startsWith(await seenDigits(page))).toBe(true);
    expect(await download(page)).toEqual({ name: "fibonacci-1000000.txt", text: digits });

    // There is no task whose progress could be told, and it is given up all the same.
    await compute("F(n) mod m", LONG.n, LONG.mod);
    await part.getByText("Computing").waitFor();
    await part.getByRole("button", { name: "Cancel" }).click();
    await part.locator(".said").getByText("is cancelled").waitFor();

    await compute("F(n)", "1000");
    await titled(`F(1${GAP}000)`);
    expect(await page.evaluate("navigator.clipboard")).toBeUndefined();
    await part.getByRole("button", { name: "Copy" }).click();
    await part.getByText("Copied", { exact: true }).waitFor();
    const input = part.locator("#number-n");
    await input.fill("");
    await input.press("Control+V");
    await until("it is pasted", async () => (await input.inputValue()) !== "");
    const short = await (await fetch(`${server.url}/v1/fibonacci/1000?format=text`, { headers })).text();
    expect(await input.inputValue()).toBe(short);
    expect(numbers.complaints()).toEqual([]);
  },
);

withChromium("numbers: what was asked while the server was away is computed when it is back", async () => {
  using folder = temporaryFolder();
  const args = ["-p", String(await freePort()), "-f", path.join(folder.path, "cursor")];
  const start = async () => {
    const { said, ...program } = await startProgram(args, /"url":"(http:[^"]*)\/"/);
    return { url: said, ...program };
  };
  const first = await start();
  await using opened = await openPage(browser, `${first.url}/#numbers/lucas/1000`);
  const part = opened.page.locator("#numbers");
  const titled = (hasText: string) => part.locator("h3", { hasText }).waitFor();
  await titled(`L(1${GAP}000)`);
  await first[Symbol.asyncDispose]();
  await part.locator("#number-n").fill("2000");
  await part.locator("#number-n").press("Enter");
  await part.getByText("The server does not answer").waitFor();
  // What was found before is still to be read.
  await titled(`L(1${GAP}000)`);
  await using second = await start();
  await titled(`L(2${GAP}000)`);
  expect((await text(second, "/v1/lucas/2000?format=text")).startsWith(await seenDigits(opened.page))).toBe(
    true,
  );
});
