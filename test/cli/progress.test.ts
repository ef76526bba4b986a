/** The line of progress: what it says of the time that is left, and what of it a narrow terminal keeps. In-process, with a clock. */
import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import fs from "node:fs";
import tty from "node:tty";
import { openProgress } from "../../src/cli/progress.ts";

let nowMs = 0;
let columns = 80;
let drawn = "";
let spies: { mockRestore(): void }[] = [];
const terminal = process.stderr as { columns?: number | undefined; _refreshSize?: (() => void) | undefined };

beforeEach(() => {
  const { columns: columnsBefore, _refreshSize: refreshBefore } = terminal;
  const term = process.env["TERM"];
  process.env["TERM"] = "xterm";
  terminal._refreshSize = () => {
    terminal.columns = columns;
  };
  [nowMs, columns, drawn] = [10_000, 80, ""];
  spies = [
    spyOn(performance, "now").mockImplementation(() => nowMs),
    spyOn(tty, "isatty").mockReturnValue(true),
    // A job in the foreground.
    spyOn(fs, "readFileSync").mockReturnValue("1 (fibserver) R 1 7 7 0 7 0"),
    spyOn(fs, "writeSync").mockImplementation(((_: number, text: string) => {
      drawn = text.replace(/^\r/, "").replace("\u001B[K", "");
      return text.length;
    }) as typeof fs.writeSync),
    {
      mockRestore() {
        process.env["TERM"] = term ?? "";
        Object.assign(terminal, { columns: columnsBefore, _refreshSize: refreshBefore });
      },
    },
  ];
});
afterEach(() => {
  for (const spy of spies) spy.mockRestore();
});

test("what comes before the first report is no part of the speed, and a first moment promises nothing", () => {
  const progress = openProgress("the work", false);
  // Three seconds of reading.
  nowMs += 3000;
  progress.update(0.000_01);
  expect(drawn).toMatch(/ 0% $/);
  nowMs += 150;
  progress.update(0.000_02);
  expect(drawn).toMatch(/ 0% $/);
  nowMs += 850;
  progress.update(0.1);
  expect(drawn).toMatch(/ 10%, about 9 s left $/);
});

test("the time is told as soon as a hundredth is done, or after a second of reports", () => {
  for (const [fraction, afterMs, left] of [
    [0.02, 400, ", about 20 s left"],
    [0.005, 900, ""],
    [0.005, 1100, ", about 4 min left"],
  ] as const) {
    const progress = openProgress("the work", false);
    nowMs += 600;
    progress.update(0);
    nowMs += afterMs;
    progress.update(fraction);
    expect(drawn).toEndWith(`%${left} `);
  }
});

test("a narrow terminal keeps the percent, then the time, then of the name what there is room for", () => {
  const told = "   5%, about 19 s left";
  for (const [width, line] of [
    [60, `a name of 26 characters ju [-------]${told} `],
    [40, `a name of 26 ch…${told} `],
    [25, told],
    [23, told],
    [22, "a name of 26 c…   5%"],
    [15, "a name …   5%"],
    [8, "   5%"],
  ] as const) {
    columns = width;
    const progress = openProgress("a name of 26 characters ju", false);
    nowMs += 600;
    progress.update(0);
    nowMs += 1000;
    progress.update(0.05);
    expect(drawn.trimEnd()).toBe(line.trimEnd());
    nowMs += 1000;
    progress.say("queued");
    expect(drawn).toMatch(/queued $/);
  }
});
