/** `fibserver status`: a screen, JSON, exit statuses for health checks, and a terminal that is left in order. */
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import {
  BINARY,
  output,
  type Result,
  run,
  spawn,
  startProgram,
  startServer,
  temporaryFolder,
  until,
} from "../binary.ts";
import { failingDisk, withFailingDisk } from "../failing-disk.ts";
import { deadUrl, openScripted, openServer } from "../client/server.ts";
import { freePort, startRedis, withRedis } from "../redis.ts";
import { Terminal, withTmux } from "../terminal.ts";

setDefaultTimeout(300_000);

/** What a server could say, with figures that are easy to find. */
const STATUS = {
  version: "9.9.9",
  uptimeSeconds: 93_784,
  ready: true,
  problems: [] as { part: string; code: string; detail: string }[],
  storage: "redis",
  access: { from: "network", tokens: false, tls: true },
  cursor: { index: "77" },
  lastMinute: {
    seconds: 61,
    requestsPerSecond: 1234.5,
    movesPerSecond: 3.25,
    errorsPerSecond: 0.01,
    requestSeconds: { p50: 0.000_2, p90: 0.004, p99: 2.5 },
    syncSeconds: { p50: null, p90: null, p99: null },
  },
  tasks: { queued: 2, running: 1, ready: 0 },
  computations: null,
  memory: { residentBytes: 64_000_000, heapBytes: 3_000_000 },
};

/** What a real server tells: on a busy machine it may not find out all of it within 1.5 s, and is asked again. */
async function toldWhole(...args: readonly string[]): Promise<string> {
  const unknown = /NOT READY|not known now|"ready":false|"(cursor|tasks)":null/;
  let told = "";
  await until("it knows all", async () => !unknown.test((told = await output(["status", ...args]))));
  return told;
}

const said = (status: object) => () => Response.json({ ...STATUS, ...status });

test("the screen says how it is, who may use it and what it does, in 60 columns and without colour in a pipe", async () => {
  await using server = openScripted(said({}));
  expect(await output(["status", "--server", server.url])).toBe(`\
fibserver 9.9.9 at ${server.url}, up 1 d 2 h
ready
who may   whoever reaches it, without a token, over TLS
cursor    index 77, kept in redis

the last minute
            a second       half  90 in 100  99 in 100
requests        1235    0.20 ms     4.0 ms      2.5 s
moves            3.3
syncs                         -          -          -
errors          <0.1

tasks     2 queued, 1 running
numbers   not known now
memory    64 MB
`);
});

test("what is not well comes first, whole, and no terminal obeys what a server says", async () => {
  const detail = `Cannot write /srv/\u001B[31mcursor: there is no room on the disk, and ${"more ".repeat(20)}is needed`;
  await using server = openScripted(
    said({ ready: false, problems: [{ part: "cursor", code: "cursor_io", detail }] }),
  );
  const shown = await output(["status", "--server", server.url]);
  expect(shown.split("\n")[1]).toStartWith("NOT READY: cursor: Cannot write /srv/\\033[31mcursor");
  expect(shown.replaceAll(/\n */g, " ")).toContain(`${"more ".repeat(20)}is needed`);
  expect(shown).not.toContain("\u001B");
});

test("a real server tells what has happened since a moment ago", async () => {
  await using server = await openServer();
  for (let i = 0; i < 5; i++) await (await fetch(`${server.url}/api0/next`)).text();
  const status = JSON.parse(await toldWhole("--json", "--server", server.url)) as typeof STATUS;
  expect(status).toMatchObject({
    ready: true,
    storage: "files",
    access: { from: "machine", tokens: false, tls: false },
    cursor: { index: "5" },
    tasks: { queued: 0, running: 0 },
    computations: { running: 0, waiting: 0 },
  });
  const { seconds, movesPerSecond, requestsPerSecond, requestSeconds, syncSeconds } = status.lastMinute;
  expect(Math.round(movesPerSecond * seconds)).toBe(5);
  expect(Math.round(requestsPerSecond * seconds)).toBeGreaterThanOrEqual(5);
  expect(requestSeconds.p99).toBeGreaterThan(0);
  expect(syncSeconds.p99).toBeGreaterThan(0);
  expect(await toldWhole("--server", server.url)).toContain("cursor    index 5, kept in files");
});

test("nobody there is 69, another service 69, an older server and an executor are told apart", async () => {
  const dead = await deadUrl();
  const { stdout, stderr, exitCode } = await run(["status", "--server", dead]);
  expect({ stdout, exitCode }).toEqual({ stdout: "", exitCode: 69 });
  expect(stderr).toMatch(/^fibserver: Cannot reach .*ECONNREFUSED; start one with fibserver serve[^\n]*\n$/);
  await using other = openScripted(() => new Response("<html>"));
  expect((await run(["status", "--server", other.url])).exitCode).toBe(69);
  await using wrong = openScripted(said({ lastMinute: { seconds: "1" } }));
  const refused = await run(["status", "--server", wrong.url]);
  expect(refused.exitCode).toBe(69);
  expect(refused.stderr).toContain("a status whose lastMinute is");
  const problem = { code: "not_found", detail: "There is nothing at /v1/status", status: 404 };
  const headers = { "content-type": "application/problem+json" };
  await using older = openScripted(() => Response.json(problem, { status: 404, headers }));
  const told = await run(["status", "--server", older.url]);
  expect(told.exitCode).toBe(1);
  expect(told.stderr).toContain("--quiet");
});

const quiet = (server: string) => run(["status", "--quiet", "--server", server]);

/** The same of one that is well: on a busy machine it may take more than the two seconds, and is asked again. */
async function quietOnceWell(server: string): Promise<Result> {
  let result: Result | undefined;
  await until("it is well", async () => (result = await quiet(server)).exitCode === 0);
  return result!;
}

test("--quiet prints nothing and ends with 0 or 1, whatever is there, and soon", async () => {
  const [well, unwell] = [
    { stdout: "", stderr: "", exitCode: 0 },
    { stdout: "", stderr: "", exitCode: 1 },
  ];
  await using server = await openServer();
  expect(await quietOnceWell(server.url)).toEqual(well);
  await using unready = openScripted(() => Response.json({ part: "cursor" }, { status: 503 }));
  await using page = openScripted(() => new Response("<html>welcome"));
  await using silent = openScripted(() => new Promise<Response>(() => {}));
  for (const url of [await deadUrl(), page.url]) expect(await quiet(url)).toEqual(unwell);
  // It asks once: who asks for a health check asks again. A busy machine may not come to ask in two seconds.
  let runCount = 0;
  await until("it is asked", async () => {
    runCount++;
    expect(await quiet(unready.url)).toEqual(unwell);
    return unready.requests.length > 0;
  });
  expect(unready.requests.length).toBeLessThanOrEqual(runCount);
  expect(new Set(unready.requests.map(({ url }) => new URL(url).pathname))).toEqual(new Set(["/readyz"]));
  // What asks for health has a limit of its own, and a client by itself would wait for a minute.
  const soon = { under: ["timeout", "50"] };
  expect(await run(["status", "--quiet", "--server", silent.url], soon)).toEqual(unwell);
  expect((await run(["status", "--quiet", "--json"])).exitCode).toBe(2);
  expect((await quiet("ftp://127.0.0.1")).exitCode).toBe(2);
});

test("where there are tokens it takes one to be told, none to ask whether all is well", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "tokens");
  fs.writeFileSync(file, `ops read ${Bun.SHA256.hash("a-token", "hex")}\n`, { mode: 0o600 });
  await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--tokens", file]);
  const at = ["--server", server.url];
  expect(await run(["status", ...at])).toMatchObject({ stdout: "", exitCode: 77 });
  const shown = await output(["status", ...at], { env: { FIBSERVER_TOKEN: "a-token" } });
  expect(shown).toContain("who may   programs on this machine, with a token, no TLS");
  expect(await quietOnceWell(server.url)).toEqual({ stdout: "", stderr: "", exitCode: 0 });
});

withFailingDisk("while a disk hangs a server tells how it is all the same", async () => {
  using folder = temporaryFolder();
  using disk = failingDisk();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")], { env: disk.env });
  disk.begin("stall", "data");
  const moving = fetch(`${server.url}/v1/cursor/next`, { method: "POST" });
  await until("the sync hangs", () => disk.faultedCount() > 0);
  const status = JSON.parse(await output(["status", "--json", "--server", server.url])) as typeof STATUS;
  expect(status.memory.residentBytes).toBeGreaterThan(0);
  // The move that waits is not told of as if it had been made.
  expect(status.cursor?.index ?? "0").toBe("0");
  disk.end("stall", "data");
  expect((await moving).status).toBe(200);
  expect(await toldWhole("--server", server.url)).toContain("index 1, kept");
});

withRedis("--quiet asks an executor, and sees that its Redis is away", async () => {
  await using redis = await startRedis();
  await using executor = await startProgram(
    ["worker", "--redis", redis.url, "--metrics", "0"],
    /"url":"(http:[^"]*)\/"/,
  );
  await until("it is ready", async () => (await quiet(executor.said)).exitCode === 0);
  expect((await run(["status", "--server", executor.said])).stderr).toContain(
    "a worker is asked with --quiet",
  );
  await redis.crash();
  await until("it is not ready", async () => (await quiet(executor.said)).exitCode === 1);
});

withRedis("a server on Redis says so, and which part is away", async () => {
  await using redis = await startRedis();
  await using server = await startProgram(["-p", "0", "--redis", redis.url], /"url":"(http:[^"]*)\/"/);
  expect(await output(["status", "--server", server.said])).toContain("kept in redis");
  await redis.crash();
  await until("it is told", async () =>
    (await output(["status", "--server", server.said])).includes("NOT READY: tasks: Redis cannot be reached"),
  );
});

const startAt = (port: string, file: string) =>
  startProgram(["-p", port, "-f", file], /"url":"(http:[^"]*)\/"/);

test("--watch in a pipe is a line or an object for each look, tells when the server is away, and goes on", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const port = String(await freePort());
  const url = `http://127.0.0.1:${port}`;
  let server = await startAt(port, file);
  let text = "";
  const lines = () => text.split("\n").slice(0, -1);
  const watching = spawn(["status", "--watch", "--json", "--server", url]);
  const reading = (async () => {
    for await (const chunk of watching.stdout.pipeThrough(new TextDecoderStream())) text += chunk;
  })();
  try {
    await until("it is shown", () => lines().some((line) => line.includes(`"ready":true`)));
    await server[Symbol.asyncDispose]();
    await until("it is away", () => lines().at(-1)!.includes("ECONNREFUSED"));
    expect(JSON.parse(lines().at(-1)!)).toMatchObject({ ready: false, code: "unreachable" });
    const awayCount = lines().length;
    server = await startAt(port, file);
    await until("it is back", () =>
      lines()
        .slice(awayCount)
        .some((line) => line.includes(`"ready":true`)),
    );
  } finally {
    await server[Symbol.asyncDispose]();
    watching.kill("SIGINT");
  }
  await reading;
  expect(await watching.exited).toBe(130);
  const times = lines().map((line) => Date.parse((JSON.parse(line) as { time: string }).time));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

test("--watch ends without a word when the reader of its pipe has seen enough, and with 69 when nobody was ever there", async () => {
  await using server = openScripted(said({}));
  const watching = Bun.spawn(
    ["bash", "-c", `"$0" status --watch --server ${server.url} | head -1; echo "$\{PIPESTATUS[0]}"`, BINARY],
    { stdout: "pipe", stderr: "pipe" },
  );
  const [stdout, stderr] = await Promise.all([watching.stdout.text(), watching.stderr.text()]);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^\S+Z ready; requests 1235\/s; .*; tasks 2 queued, 1 running\n0\n$/);
  expect((await run(["status", "--watch", "--server", await deadUrl()])).exitCode).toBe(69);
});

withTmux(
  "--watch draws over itself, follows the size, leaves what was there above, and a prompt below",
  async () => {
    using folder = temporaryFolder();
    let index = 100;
    await using server = openScripted(() => said({ cursor: { index: String(index) } })());
    await using terminal = new Terminal(folder.path, 60);
    terminal.type(`clear; echo what was before; $F status --watch --server ${server.url}`);
    await terminal.shows(/index 100, kept/);
    index++;
    await terminal.shows(/index 101, kept/);
    expect(terminal.screen()).toMatch(/^fibserver 9\.9\.9 at/);
    expect(terminal.screen().match(/kept in redis/g)).toHaveLength(1);
    expect(terminal.history()).toContain("what was before");
    // A network without tokens stands out.
    expect(terminal.history()).toContain("\u001B[33mwho may");
    terminal.resize(45, 8);
    await terminal.shows(/^fibserver 9\.9\.9 at(?![^]*memory)/);
    index++;
    await terminal.shows(/^fibserver 9\.9\.9 at[^]*index 102, kept/);
    expect(terminal.screen()).not.toContain("memory");
    terminal.resize(70, 24);
    await terminal.shows(/memory +64 MB/);
    terminal.press("C-c");
    expect(await terminal.status()).toBe(130);
    expect(terminal.screen()).toMatch(/memory +64 MB\n[^]*^status=130$/m);
    expect(terminal.flags()).toBe("cursor 1 wrap 1");
  },
);

withTmux("--watch says that the server is away, and since when; NO_COLOR is heeded", async () => {
  using folder = temporaryFolder();
  const server = openScripted(said({}));
  await using terminal = new Terminal(folder.path, 60);
  terminal.type(`clear; NO_COLOR=1 $F status --watch --server ${server.url}`);
  await terminal.shows(/^ready$/m);
  await server[Symbol.asyncDispose]();
  await terminal.shows(/^AWAY for \d+ s: Cannot reach/m);
  expect(terminal.screen()).not.toContain("memory");
  expect(terminal.history()).not.toContain("\u001B[3");
  terminal.press("C-c");
  expect(await terminal.status()).toBe(130);
});

withTmux("on a dumb terminal --watch prints lines, and nothing that moves its cursor", async () => {
  using folder = temporaryFolder();
  await using server = openScripted(said({}));
  await using terminal = new Terminal(folder.path, 200);
  terminal.type(`clear; TERM=dumb $F status --watch --server ${server.url}`);
  await terminal.shows(/Z ready; [^]*Z ready; /);
  terminal.press("C-c");
});
