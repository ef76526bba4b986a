/**
 * What do metrics cost a move, and the server that is asked for them?
 *
 * There is no way to serve without metrics. So the program is built a second time, from a copy of its sources in which
 * nobody watches requests and nothing is counted, and both serve side by side, on tmpfs, where the CPU of requests shows.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { eachOf, fill, MANY_COUNT } from "./cursors.ts";
import { wrkMoves } from "./load.ts";
import { interleave, median, mustBe, publish } from "./measure.ts";
import { newFolder, type Server, startFibserver } from "./servers.ts";

const INDEX = 5;
const CONNECTIONS = 64;
const TASKS_COUNT = 10_000;
const SCRAPES_PER_ROUND = 20;
const WITHOUT = "without metrics";
const SCRAPE_MS_MAX = 5;

/** What is left out of the copy: a text, and what stands in its place. */
const LEFT_OUT: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  "src/serving/serve.ts": [["watches = [requests, ", "watches = ["]],
  "src/metrics.ts": [
    ["add(amount = 1): void {", "add(amount = 1): void {\n    if (amount > 0) return;"],
    ["observe(value: number): void {", "observe(value: number): void {\n    if (value >= 0) return;"],
  ],
};

/** The CPU of moves with and without: half a minute. */
export async function benchMetrics(rounds: number): Promise<void> {
  const folder = buildWithout();
  await using server = await startFibserver({ medium: "tmpfs" });
  await using without = await startFibserver({
    medium: "tmpfs",
    binary: path.join(folder, "dist/fibserver"),
  });
  const cpuUs = (of: Server) => async () => (await wrkMoves(of, INDEX, CONNECTIONS)).cpuUs;
  for (const of of [server, without]) await cpuUs(of)();
  const samples = await interleave(rounds, { without: cpuUs(without), metrics: cpuUs(server) });
  fs.rmSync(folder, { recursive: true });
  publish({
    title: `Metrics of moves, ${CONNECTIONS} connections, CPU for each request`,
    rows: [
      { name: WITHOUT, unit: "µs", samples: samples.without },
      {
        name: "with metrics",
        unit: "µs",
        samples: samples.metrics,
        against: WITHOUT,
        goal: { ratio: 1.03, atMost: true },
      },
    ],
  });
}

/** Builds the program in which nothing is counted. @returns The folder. */
function buildWithout(): string {
  const folder = newFolder();
  for (const name of ["src", "packages", "Makefile", "package.json", "bun.lock", "tsconfig.json", "LICENSE"])
    fs.cpSync(name, path.join(folder, name), { recursive: true, preserveTimestamps: true });
  for (const name of ["node_modules", ".bun"].filter((entry) => fs.existsSync(entry)))
    fs.symlinkSync(path.resolve(name), path.join(folder, name));
  for (const [name, replacements] of Object.entries(LEFT_OUT)) {
    const file = path.join(folder, name);
    let text = fs.readFileSync(file, "utf8");
    for (const [from, to] of replacements) {
      mustBe(text.split(from).length, 2, `the places of '${from}' in ${name}`);
      text = text.replace(from, to);
    }
    fs.writeFileSync(file, text);
  }
  const { exitCode, stderr } = Bun.spawnSync(["make", "dist/fibserver"], {
    cwd: folder,
    env: { ...process.env, MAKEFLAGS: "" },
  });
  if (exitCode !== 0) throw new Error(`The copy cannot be built: ${stderr.toString()}`);
  return folder;
}

/** How long a scrape takes, and how long it keeps others waiting: a minute, to fill the server. */
export async function benchScrapes(rounds: number): Promise<void> {
  await using server = await startFibserver({ medium: "tmpfs" });
  await fill(server, MANY_COUNT);
  await eachOf(TASKS_COUNT, async (i) => {
    const body = JSON.stringify({ kind: "ackermann", m: "2", n: String(10 ** 12 + i) });
    const { status } = await fetch(`${server.url}v1/tasks`, { method: "POST", body });
    mustBe(status, 202, "the status of a new task");
  });
  await scrape(server);
  const samples = await interleave(rounds, {
    scrape: () => middleOf(() => scrape(server)),
    others: () => middleOf(() => longestWait(server)),
  });
  const goal = { median: SCRAPE_MS_MAX, atMost: true };
  publish({
    title: `GET /metrics, ${MANY_COUNT.toLocaleString("en-US")} cursors, ${TASKS_COUNT.toLocaleString("en-US")} tasks`,
    rows: [
      { name: "until it is answered", unit: "ms", samples: samples.scrape, goal },
      { name: "the longest that another request waits", unit: "ms", samples: samples.others, goal },
    ],
  });
}

async function scrape({ url }: Server): Promise<number> {
  const startMs = performance.now();
  const text = await (await fetch(`${url}metrics`)).text();
  const durationMs = performance.now() - startMs;
  mustBe(text.includes("http_request_duration_seconds_count"), true, "the metrics");
  return durationMs;
}

/** The longest of the requests that are sent, one behind the other, while a scrape is answered. */
async function longestWait(server: Server): Promise<number> {
  const scraped = scrape(server);
  let longestMs = 0;
  do {
    const startMs = performance.now();
    await (await fetch(`${server.url}livez`)).text();
    longestMs = Math.max(longestMs, performance.now() - startMs);
  } while (Bun.peek.status(scraped) === "pending");
  await scraped;
  return longestMs;
}

/** The middle of some: the slowest of them is a matter of who else uses the machine. */
async function middleOf(measure: () => Promise<number>): Promise<number> {
  const timesMs: number[] = [];
  while (timesMs.length < SCRAPES_PER_ROUND) timesMs.push(await measure());
  return median(timesMs);
}
