/** A client that repeats an error must not fill a disk. Method: records through the throttle into a list. */
import { expect, test } from "bun:test";
import type { LogRecord } from "@logtape/logtape";
import path from "node:path";
import { BURST_COUNT, throttled } from "../src/log.ts";

/** A window that ends soon after the test has stopped logging. */
const WINDOW_MS = 20;

function line(rawMessage: string, level: LogRecord["level"] = "warning", value = ""): LogRecord {
  return {
    category: ["fibserver"],
    level,
    rawMessage,
    message: [rawMessage, value],
    properties: { value },
    timestamp: 0,
  };
}

/** A throttled sink, what came out of it, and a promise of the next thing that does. */
function collect() {
  const written: LogRecord[] = [];
  let wake = Promise.withResolvers<void>();
  const sink = throttled((record) => {
    written.push(record);
    wake.resolve();
    wake = Promise.withResolvers();
  }, WINDOW_MS);
  const until = async (count: number) => {
    // The throttle's timers keep no process alive, and so none may wait for them alone.
    const awake = setInterval(() => {}, 1000);
    while (written.length < count) await wake.promise;
    clearInterval(awake);
  };
  return { sink, written, until };
}

test("throttled() lets a burst of one kind through, then counts, then says how many it held back", async () => {
  const { sink, written, until } = collect();
  for (let i = 0; i < 1000; i++) sink(line("A request failed: {value}", "error", String(i)));
  expect(written.length).toBe(BURST_COUNT);
  await until(BURST_COUNT + 1);
  expect(written.at(-1)).toMatchObject({
    level: "error",
    message: ["990 more lines like this one were held back: A request failed: {value}0"],
  });
});

test("throttled() writes as before once the window has ended, and says nothing when it held nothing back", async () => {
  const { sink, written, until } = collect();
  for (let i = 0; i <= BURST_COUNT; i++) sink(line("again"));
  sink(line("once"));
  await until(BURST_COUNT + 2);
  sink(line("again"));
  expect(written.map(({ message }) => message[0])).toEqual([
    ...Array.from({ length: BURST_COUNT }, () => "again"),
    "once",
    "1 more lines like this one were held back: again",
    "again",
  ]);
});

test("throttled() does not count one kind or level against another", () => {
  const { sink, written } = collect();
  for (let i = 0; i < BURST_COUNT; i++) {
    sink(line("one"));
    sink(line("two"));
    sink(line("one", "error"));
  }
  expect(written.length).toBe(3 * BURST_COUNT);
});

test("a bug is told with its request and its stack, whose lines are indented and forge none", async () => {
  const source = path.resolve(import.meta.dir, "../src/log.ts");
  const stack = "Error: inside\u001B[31m\n12:00 info fine";
  const script = `const { withLog, bugsTo } = await import(${JSON.stringify(source)});
    const bug = Object.assign(new Error("inside"), { stack: ${JSON.stringify(stack)} });
    await withLog({ logLevel: "info", logFormat: "text" }, async (log) => {
      bugsTo(log)(bug, "mine");
      await Bun.stdin.text();
    });`;
  await using child = Bun.spawn([process.execPath, "-e", script], { stdio: ["pipe", "ignore", "pipe"] });
  let said = "";
  for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
    said += chunk;
    // It goes on until its log is read: an end waits for that for a moment only.
    if (said.endsWith("]\n")) await child.stdin.end();
  }
  said = said.replace(/^\S+ /, "");
  expect(said).toBe("error Something failed: Error: inside\\033[31m\n    12:00 info fine [mine]\n");
});

test("throttled() holds no debug line back: they were asked for", () => {
  const { sink, written } = collect();
  for (let i = 0; i < 500; i++) sink(line("GET", "debug"));
  expect(written.length).toBe(500);
});
