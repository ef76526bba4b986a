/**
 * What anybody can send is read in linear time: no header and no parameter keeps the server busy.
 *
 * Method: the built program gets 15,000 characters of each pattern in everything that a route reads, and the CPU time
 * that it takes for it is read from /proc, so that other programs on the machine do not count. A reader that
 * tries every pair of places takes 0.1 s or more at this length, one that tries every three takes minutes.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { startServer, temporaryFolder } from "../binary.ts";
import { exchange, requestBytes } from "../wire.ts";

setDefaultTimeout(900_000);

const LENGTH = 15_000;
const BUSY_MS_MAX = 50;
/** The unit of the kernel's CPU times. */
const TICK_MS = 10;
/** A collection of garbage may fall into one try, or a machine stall in some, not in each. */
const TRIES = 20;

/** Repeated, between a beginning that makes a reader interested and an end that disappoints it. */
const PATTERNS = [
  ...Array.from(" ,;=-/\"'*0a.:%&+[\\"),
  "\t ", ", ", "0-0,", "-,", "W/", 'W/"', '"a",', "a=;", 'a="', "a/b,", "a/b;q=1,", "*/*;q=0,", "1.1.1.1,", "::", "1.", "[1", "1:", "%25", "%F", `fib_${"%2525".repeat(14)}!`, "fib_", "%2566", "&n=1", "&sn", "=&", "wait=1,",
] as const; // prettier-ignore
const FRAMES = [
  ["Bearer ", "x"],
  ["", ""],
  ["bytes=", "x"],
  ["bytes=0", "-x"],
  ['W/"', "x"],
  ["wait", "x"],
  ["respond-async", "=x"],
  ["text/plain;q", "x"],
  ["http://127.0.0.1", "/x"],
  ["a", " "],
  ["fibserver-client=", ";x"],
  ['fibserver-client="', "x"],
] as const;

/** Every header that a route reads, and a route that reads it. */
const HEADERS = {
  Accept: "GET /v1/fibonacci/5",
  Authorization: "GET /api0/current",
  Cookie: "GET /api0/current",
  Host: "GET /api0/current",
  "Idempotency-Key": "POST /v1/cursor/next",
  "If-Match": "GET /v1/fibonacci/5",
  "If-None-Match": "GET /v1/fibonacci/5",
  "If-Range": "GET /v1/fibonacci/5",
  "Last-Event-ID": "GET /v1/tasks/x/events",
  Origin: "GET /api0/previous",
  Prefer: "GET /v1/fibonacci/5",
  Purpose: "GET /api0/previous",
  Range: "GET /v1/fibonacci/5",
  Referer: "GET /api0/previous",
  "Sec-Fetch-Mode": "GET /v1/fibonacci/5",
  "Sec-Fetch-Site": "GET /api0/previous",
  "Sec-Purpose": "GET /api0/previous",
  "X-Forwarded-For": "GET /v1/fibonacci/5",
  "X-Forwarded-Proto": "GET /api0/current",
  "X-Moz": "GET /api0/previous",
} as const;
const CURSOR_HEADERS = {
  "If-Match": "POST /v1/cursor/previous",
  "If-None-Match": "POST /v1/cursor/previous",
  // Of an event that nobody is sent, or the connection would stay.
  "Last-Event-ID": "HEAD /v1/cursor/events",
};

/** Every place in an address that a route reads. */
const ADDRESSES = [
  "/?sn=", "/?", "/fib/", "/fibonacci?n=", "/ackermann?m=1&n=", "/fibo?sn=", "/fibotask?id=", "/v1/fibonacci/",
  "/v1/fibonacci/5?format=", "/v1/ackermann/1/", "/v1/index/", "/v1/index/1", "/v1/sequence?from=", "/v1/sequence?start=", "/v1/sequence?",
  "/v1/fibonacci/5?mod=", "/v1/fibonacci/5?first=", "/v1/fibonacci/5?last=", "/v1/lucas/", "/v1/pisano/", "/v1/zeckendorf/", "/v1/tasks?state=",
  "/v1/tasks?after=", "/v1/tasks/", "/v1/cursors?prefix=", "/v1/cursors?after=", "/v1/cursors?limit=", "/v1/cursors/", "/", "/v1/",
]; // prettier-ignore

/** The bodies of the two routes that take one. */
const BODIES = {
  "PUT /v1/cursor": (text: string) => [text, `{"index":"${text}"}`, `{"index":${text}`, "[".repeat(LENGTH)],
  "POST /v1/tasks": (text: string) => [
    text,
    `{"kind":"fibonacci","n":"${text}"}`,
    `{"kind":"${text}"}`,
    `{"kind":"remainder","n":"1","mod":"${text}"}`,
    `{"kind":"sequence","from":"0","count":"1","start":"${text}"}`,
  ],
};

const TOKEN = "fib_of-a-test";

/** A request of somebody who may, unless it says otherwise. */
function bytesOf(line: string, headers: Record<string, string> = {}, body = ""): string {
  return requestBytes(line, { Authorization: `Bearer ${TOKEN}`, ...headers }, body);
}

function* requests(): Generator<readonly [what: string, bytes: string]> {
  for (const pattern of PATTERNS) {
    const long = pattern.repeat(LENGTH / pattern.length);
    for (const [start, end] of FRAMES) {
      const value = `${start}${long}${end}`;
      for (const [name, line] of [...Object.entries(HEADERS), ...Object.entries(CURSOR_HEADERS)]) {
        yield [`${name}: ${start}${pattern}…`, bytesOf(line, { [name]: value })];
      }
    }
    // The expression that took minutes had a second run of spaces.
    const half = long.slice(0, LENGTH / 2);
    yield [`Range: two of ${pattern}`, bytesOf("GET /v1/fibonacci/5", { Range: `bytes=${half}-${half}x` })];
    for (const start of ADDRESSES) {
      const target = `${start}${long}x`.replaceAll(/\s/g, "+");
      yield [`${start}${pattern}…`, bytesOf(`GET ${target}`)];
    }
    for (const [line, bodies] of Object.entries(BODIES)) {
      for (const body of bodies(long)) {
        yield [
          `${line} ${body.slice(0, 40)}`,
          bytesOf(line, { "Content-Length": String(body.length) }, body),
        ];
      }
    }
  }
}

test("15,000 characters of any pattern, in whatever a route reads, cost no more than 50 ms", async () => {
  using folder = temporaryFolder();
  const tokens = path.join(folder.path, "tokens");
  fs.writeFileSync(tokens, `all write ${Bun.SHA256.hash(TOKEN, "hex")}\n`);
  const args = [
    "-f",
    path.join(folder.path, "cursor"),
    "--host",
    "0.0.0.0",
    "--trust-proxy",
    "127.0.0.0/8",
    "--per-client",
    "--tokens",
    tokens,
    "--allow-origin",
    "https://app.example.org",
  ];
  await using server = await startServer(args);
  const port = Number(new URL(server.url).port);
  const slow: string[] = [];
  let count = 0;
  for (const [what, bytes] of requests()) {
    let busyMs = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < TRIES && busyMs > BUSY_MS_MAX; tries++) {
      const startMs = cpuMs(server.pid);
      expect((await exchange(port, bytes)).slice(0, 9), what).toBe("HTTP/1.1 ");
      busyMs = cpuMs(server.pid) - startMs;
    }
    if (busyMs > BUSY_MS_MAX) slow.push(`${what} ${busyMs} ms`);
    count++;
  }
  expect(slow).toEqual([]);
  expect(count).toBeGreaterThan(7000);
  expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
});

/** The CPU time that a process has used, in all its threads. */
function cpuMs(pid: number): number {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
