/** The registry and its text. Method: small registries, exact text, and a real promtool for the format as a whole. */
import { describe, expect, test } from "bun:test";
import { Registry } from "../src/metrics.ts";
import { showProcess } from "../src/process-metrics.ts";
import { requireTool, startServer, temporaryFolder, until } from "./binary.ts";
import { Scrape } from "./scrape.ts";

const promtoolTest = requireTool(["promtool", "--version"], "apt-get install prometheus");

/** What promtool has to say against a text: nothing, when it is right. */
async function complaints(text: string): Promise<string> {
  const child = Bun.spawn(["promtool", "check", "metrics"], { stdin: Buffer.from(text), stderr: "pipe" });
  const said = await child.stderr.text();
  return (await child.exited) === 0 ? said : `exit ${child.exitCode}: ${said}`;
}

describe("text()", () => {
  test("differs between the formats in the names of families, in what is escaped, and in the end", async () => {
    const registry = new Registry();
    registry.counter("moves_total", 'Moves "to\nand \\ fro".', ["way"]).cell('a"b\\c\nd').add(2);
    registry.gauge("program_info", "What it is.", ["version"], () => [[["1"], 1]]);
    registry.value("waiting", "Who waits.", () => 3);
    expect(await registry.text("prometheus")).toBe(
      String.raw`# HELP moves_total Moves "to\nand \\ fro".
# TYPE moves_total counter
moves_total{way="a\"b\\c\nd"} 2
# HELP program_info What it is.
# TYPE program_info gauge
program_info{version="1"} 1
# HELP waiting Who waits.
# TYPE waiting gauge
waiting 3
`,
    );
    expect(await registry.text("openmetrics")).toBe(
      String.raw`# HELP moves Moves \"to\nand \\ fro\".
# TYPE moves counter
moves_total{way="a\"b\\c\nd"} 2
# HELP program What it is.
# TYPE program info
program_info{version="1"} 1
# HELP waiting Who waits.
# TYPE waiting gauge
waiting 3
# EOF
`,
    );
  });

  test("adds up the buckets of a histogram, to +Inf, and writes bounds as OpenMetrics has them", async () => {
    const registry = new Registry();
    const cell = registry.histogram("wait_seconds", "Waits.", ["who"], [0.5, 1]).cell("x");
    for (const value of [0.5, 0.5000001, 1, 7]) cell.observe(value);
    const lines = (await registry.text("prometheus")).split("\n").filter((line) => !line.startsWith("#"));
    expect(lines).toEqual([
      'wait_seconds_bucket{who="x",le="0.5"} 1',
      'wait_seconds_bucket{who="x",le="1.0"} 3',
      'wait_seconds_bucket{who="x",le="+Inf"} 4',
      'wait_seconds_sum{who="x"} 9.0000001',
      'wait_seconds_count{who="x"} 4',
      "",
    ]);
  });

  test("writes numbers that are the same when they are read", async () => {
    const values = [0.1 + 0.2, 2 ** 53 - 1, 5e-324, 1.7e308, -0.5, Infinity, -Infinity, NaN];
    const registry = new Registry();
    registry.gauge("number", "Numbers.", ["i"], () => values.map((value, i) => [[String(i)], value]));
    const lines = (await registry.text("prometheus")).split("\n").filter((line) => line.startsWith("number"));
    const read = lines.map((line) => line.split(" ")[1]!);
    expect(read.slice(-3)).toEqual(["+Inf", "-Inf", "NaN"]);
    expect(read.slice(0, -3).map(Number)).toEqual(values.slice(0, -3));
  });

  test("leaves out what fails, and waits for what comes", async () => {
    const registry = new Registry();
    registry.gauge("broken", "Throws.", [], () => {
      throw new Error("broken");
    });
    registry.gauge("refused", "Rejects.", [], () => Promise.reject(new Error("refused")));
    registry.value("late", "Comes.", async () => 4);
    expect(await registry.text("prometheus")).toBe("# HELP late Comes.\n# TYPE late gauge\nlate 4\n");
  });
});

describe("families", () => {
  test("declare() makes each combination at 0, and what has no labels is there from the start", async () => {
    const registry = new Registry();
    registry.counter("plain_total", "Plain.");
    registry.counter("both_total", "Both.", ["a", "b"]).declare(["1", "2"], ["x", "y"]).cell("2", "x").add();
    const lines = (await registry.text("prometheus")).split("\n").filter((line) => /^\w/.test(line));
    expect(lines).toEqual([
      "plain_total 0",
      'both_total{a="1",b="x"} 0',
      'both_total{a="1",b="y"} 0',
      'both_total{a="2",b="x"} 1',
      'both_total{a="2",b="y"} 0',
    ]);
  });

  test("a name that is taken and labels that do not fit are bugs", () => {
    const registry = new Registry();
    const family = registry.counter("a_total", "A.", ["x"]);
    expect(() => registry.gauge("a_total", "A.", [], () => [])).toThrow("a_total is registered twice");
    expect(() => family.cell("1", "2")).toThrow("a_total has labels x");
  });

  test("total() adds up the cells that are wanted", () => {
    const registry = new Registry();
    const family = registry.histogram("h_seconds", "H.", ["route"], [1, 2]);
    for (const [route, value] of [["a", 0.5], ["a", 1.5], ["b", 3]] as const) family.cell(route).observe(value); // prettier-ignore
    expect(family.total()).toEqual({
      sum: 5,
      counts: new Float64Array([1, 1, 1]),
      bounds: [1, 2],
    });
    const ofB = family.total(([route]) => route === "b");
    expect(ofB).toEqual({ sum: 3, counts: new Float64Array([0, 0, 1]), bounds: [1, 2] });
    const counter = registry.counter("c_total", "C.", ["x"]).declare(["1", "2"]);
    counter.cell("1").add(2);
    counter.cell("2").add(3);
    expect(counter.total().sum).toBe(5);
  });
});

test("how late the loop is is measured again and again, in seconds", async () => {
  const registry = new Registry();
  const startMs = performance.now();
  showProcess(registry);
  // A loop that does nothing else for a while: its timer is late by that.
  while (performance.now() - startMs < 150);
  const delays = async () =>
    new Scrape(await registry.text("prometheus")).histogram("fibserver_eventloop_delay_seconds", "+Inf");
  await until("it was measured twice", async () => (await delays()).count >= 2);
  const { sum } = await delays();
  expect(sum).toBeGreaterThan(0.04);
  expect(sum).toBeLessThan((performance.now() - startMs) / 1000);
});

describe("a server", () => {
  promtoolTest("tells what promtool accepts, with its process and what it was built from", async () => {
    using folder = temporaryFolder();
    const earliest = Date.now() / 1000 - 60;
    await using server = await startServer(["-f", `${folder.path}/cursor`]);
    await fetch(`${server.url}/api0/next`);
    await fetch(`${server.url}/v1/cursors/none`);
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(await complaints(text)).toBe("");
    // So that it is one that complains.
    expect(await complaints(text.replace("# HELP process_open_fds", "# HELP x"))).not.toBe("");
    const valueOf = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
    expect(valueOf("process_resident_memory_bytes")).toBeGreaterThan(20e6);
    expect(valueOf("process_virtual_memory_bytes")).toBeGreaterThan(valueOf("process_resident_memory_bytes"));
    expect(valueOf("process_cpu_seconds_total")).toBeGreaterThan(0);
    expect(valueOf("process_cpu_seconds_total")).toBeLessThan(60);
    expect(valueOf("process_open_fds")).toBeGreaterThan(5);
    expect(valueOf("process_max_fds")).toBeGreaterThan(valueOf("process_open_fds"));
    expect(valueOf("process_start_time_seconds")).toBeWithin(earliest, Date.now() / 1000 + 60);
    expect(valueOf('fibserver_eventloop_delay_seconds_bucket{le="\\+Inf"}')).toBeGreaterThanOrEqual(0);
    const commit = (await Bun.file("build/commit").text()).trim();
    expect(text).toContain(`commit="${commit}",bun="${Bun.version}"} 1\n`);
  });
});
