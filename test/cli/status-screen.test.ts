/** The screen of `fibserver status`, line by line, where the program's own servers seldom bring it. */
import { expect, test } from "bun:test";
import { statusLine, statusScreen, unknownLine, unknownScreen } from "../../src/cli/status-screen.ts";
import type { ServerStatus } from "../../src/client/client.ts";
import { FibError } from "../../src/errors.ts";

const NOTHING = { p50: null, p90: null, p99: null };
const WELL: ServerStatus = {
  version: "1.0.0",
  uptimeSeconds: 1,
  ready: true,
  problems: [],
  storage: "files",
  access: { from: "machine", tokens: false, tls: false },
  cursor: { index: "7" },
  lastMinute: {
    seconds: 60,
    requestsPerSecond: 0,
    movesPerSecond: 0,
    errorsPerSecond: 0,
    requestSeconds: NOTHING,
    syncSeconds: NOTHING,
  },
  tasks: {},
  computations: {},
  memory: { residentBytes: 0, heapBytes: 0 },
};

const PLAIN = { columns: 80, styled: false };
const shown = (status: Partial<ServerStatus>, page = PLAIN) =>
  statusScreen({ ...WELL, ...status }, "http://x", page);

test("a server that is stopping is not said to be ready, though it has no problem", () => {
  expect(shown({ ready: false })[1]).toBe("NOT READY: it is stopping");
  expect(statusLine({ ...WELL, ready: false })).toStartWith("not ready;");
});

const isYellow = (access: ServerStatus["access"]) =>
  shown({ access }, { ...PLAIN, styled: true })[2]!.startsWith("\u001B[33m");

test("in yellow is who may use it where everybody on the network may, and only there", () => {
  expect(isYellow({ from: "network", tokens: false, tls: true })).toBe(true);
  expect(isYellow({ from: "network", tokens: true, tls: false })).toBe(false);
  expect(isYellow({ from: "machine", tokens: false, tls: false })).toBe(false);
});

test("no text of a server gets into a line of a pipe as it is", () => {
  const problems = [{ part: "cursor", code: "cursor_io", detail: "a\u001B[2J\nb" }];
  expect(statusLine({ ...WELL, ready: false, problems })).toStartWith(
    "not ready, cursor: a\\033[2J\\012b; requests 0/s",
  );
});

test("a time is told in its two largest units", () => {
  const gone = new FibError("unreachable", "gone");
  for (const [seconds, told] of [
    [0.9, "0 s"],
    [59, "59 s"],
    [61, "1 min 1 s"],
    [3 * 3600 + 62 * 60, "4 h 2 min"],
    [90_000, "1 d 1 h"],
  ] as const)
    expect(unknownScreen(gone, "http://x", seconds, PLAIN)[1]).toBe(`AWAY for ${told}: gone`);
});

test("who answers is not away, and no terminal obeys what it says", () => {
  const refusal = new FibError("forbidden", "not\u001Bhere");
  expect(unknownScreen(refusal, "http://x", 1, PLAIN)[1]).toBe(String.raw`REFUSED for 1 s: not\033here`);
  expect(unknownLine(refusal)).toBe(String.raw`refused: not\033here`);
});
