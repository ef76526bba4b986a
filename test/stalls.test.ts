/**
 * A disk that hangs stops those who wait for it, and nobody else.
 *
 * Method: strace attaches to the running server and delays every sync of every thread by 20 seconds. The cursor, the
 * named ones, the database of tasks and the folder of results then hang together, which is more threads than the machine
 * has CPUs. Where they are to recover, their syncs are held up for as long as the test wants.
 */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { injectInto, mustRequest, startServer, temporaryFolder, until, withStrace } from "./binary.ts";
import { makeToken, tokenLine } from "../src/token.ts";
import { failingDisk, withFailingDisk } from "./failing-disk.ts";

setDefaultTimeout(300_000);

const STALL_SECONDS = 60;
/** What must not wait gets far less than the stall, and far more than it takes: a busy machine is no failure. */
const PATIENCE_MS = 10_000;
/** The deadline of a stop, 10 s, and a busy machine's share. */
const STOP_SECONDS = 25;

/** Whether the threads that sync have all come to a sync that is delayed. */
function syncingThreads(trace: string): number {
  const lines = fs.existsSync(trace) ? fs.readFileSync(trace, "latin1").split("\n") : [];
  return new Set(lines.filter((line) => line.includes("sync(")).map((line) => line.split(" ", 1)[0])).size;
}

withStrace("while every sync hangs, what needs none goes on, and SIGTERM ends in its deadline", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const trace = path.join(folder.path, "trace");
  await using server = await startServer(["-f", file]);
  const before = await mustRequest(server, "next");
  const nextOfAlice = () => fetch(`${server.url}/v1/cursors/alice/next`, { method: "POST" });
  expect((await nextOfAlice()).status).toBe(200);
  // Long enough to be still computed when strace is there: then its result hangs in the folder's thread.
  const post = (n: number) =>
    fetch(`${server.url}/v1/tasks`, {
      method: "POST",
      body: JSON.stringify({ kind: "factorial", n: String(n) }),
    });
  const { id } = (await (await post(2_000_000)).json()) as { id: string };
  const task = async () => (await (await fetch(`${server.url}/v1/tasks/${id}`)).json()) as { state: string };
  await until("it runs", async () => (await task()).state === "running");
  {
    // Ended before the next start: a tracer keeps what its threads hold until it has seen each of them end.
    await using _ = await injectInto(
      server.pid,
      trace,
      "fsync,fdatasync",
      `delay_enter=${STALL_SECONDS * 1_000_000}`,
    );
    const hanging = [fetch(`${server.url}/api0/next`), nextOfAlice(), post(1)];
    for (const answer of hanging) answer.catch(() => {});
    await until("cursor, both databases and results hang", () => syncingThreads(trace) >= 4);

    for (let round = 0; round < 20; round++) {
      for (const route of ["/livez", "/api0/current", "/?sn=2000", "/v1/fibonacci/100000"]) {
        const startMs = performance.now();
        const response = await fetch(server.url + route);
        await response.arrayBuffer();
        expect([route, response.status]).toEqual([route, 200]);
        expect(performance.now() - startMs, route).toBeLessThan(PATIENCE_MS);
      }
    }
    expect(await (await fetch(`${server.url}/api0/current`)).json()).toEqual({ value: "1", status: "200" });
    for (const answer of hanging) expect(Bun.peek.status(answer)).toBe("pending");

    server.kill("SIGTERM");
    await until("the server has ended", () => !fs.existsSync(`/proc/${server.pid}/exe`), STOP_SECONDS);
  }
  await using again = await startServer(["-f", file]);
  const after = await mustRequest(again, "current");
  // What was answered is there; what was not may be.
  expect([before.index, before.index + 1]).toContain(after.index);
});

withStrace("while the disk with the tokens hangs, SIGHUP holds up nobody", async () => {
  using folder = temporaryFolder();
  const [tokens, trace] = [path.join(folder.path, "tokens"), path.join(folder.path, "trace")];
  const token = makeToken();
  fs.writeFileSync(tokens, tokenLine("ci", "write", token), { mode: 0o600 });
  await using server = await startServer(["-f", path.join(folder.path, "cursor"), "--tokens", tokens]);
  await using _ = await injectInto(
    server.pid,
    trace,
    "open,openat",
    `delay_enter=${STALL_SECONDS * 1_000_000}`,
    tokens,
  );
  const signal = () => server.kill("SIGHUP");
  signal();
  await until("the file is opened", () => fs.readFileSync(trace, "latin1").includes("tokens"));
  // Each of these would take a thread more.
  for (let count = 0; count < 8; count++) signal();
  for (let count = 0; count < 20; count++) {
    const response = await fetch(`${server.url}/v1/cursor/next`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    expect(response.status).toBe(200);
  }
  expect(server.log()).not.toContain("again; tokens");
});

withFailingDisk("cursor, named cursors and results that hung together go on, each where it was", async () => {
  using folder = temporaryFolder();
  using disk = failingDisk();
  const file = path.join(folder.path, "cursor");
  await using server = await startServer(["-f", file], { env: disk.env });
  const get = async (route: string) => (await (await fetch(server.url + route)).json()) as object;
  const next = async (name: string) =>
    (await (await fetch(`${server.url}/v1/cursors/${name}/next`, { method: "POST" })).json()) as object;
  for (const name of ["default", "alice"]) expect(await next(name)).toMatchObject({ index: "1" });
  const body = JSON.stringify({ kind: "factorial", n: "1000000" });
  const created = await fetch(`${server.url}/v1/tasks`, { method: "POST", body });
  const { id } = (await created.json()) as { id: string };
  const stateIs = async (state: string) =>
    ((await get(`/v1/tasks/${id}`)) as { state: string }).state === state;
  await until("it is computed", () => stateIs("running"));
  for (const kind of ["data", "file", "folder"] as const) disk.begin("stall", kind);
  const moves = [next("default"), next("alice"), next("alice"), next("bob")];
  await until("cursor, named cursors and results hang", () => disk.faultedCount() >= 3);
  for (let round = 0; round < 20; round++) {
    expect((await fetch(`${server.url}/livez`)).status).toBe(200);
    expect(await get("/api0/current")).toEqual({ value: "1", status: "200" });
  }
  for (const move of moves) expect(Bun.peek.status(move)).toBe("pending");
  for (const kind of ["data", "file", "folder"] as const) disk.end("stall", kind);
  expect(await Promise.all(moves)).toMatchObject([
    { index: "2" },
    { index: "2" },
    { index: "3" },
    { index: "1" },
  ]);
  await until("the result is there", () => stateIs("ready"));
});
