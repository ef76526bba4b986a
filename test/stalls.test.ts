/**
 * A disk that hangs stops those who wait for it, and nobody else.
 *
 * Method: every sync is held up, for as long as the test wants. The cursor, the named ones, the database of tasks and the
 * folder of results then hang together, which is more threads than the machine has CPUs. Where an open is to hang, strace
 * attaches to the running server and delays it.
 */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import {
  injectInto,
  mustRequest,
  type Server,
  startServer,
  temporaryFolder,
  until,
  withStrace,
} from "./binary.ts";
import { makeToken, tokenLine } from "../src/token.ts";
import { type FailingDisk, failingDisk, withFailingDisk } from "./failing-disk.ts";

setDefaultTimeout(300_000);

const STALL_SECONDS = 250;
/** What must not wait gets far less than the stall, and far more than it takes: a busy machine is no failure. */
const PATIENCE_MS = 60_000;
/** The deadline of a stop, 10 s, and a busy machine's share. */
const STOP_SECONDS = 60;

/** What such a request is answered with. */
async function json<T>(url: string, init?: RequestInit): Promise<T> {
  return (await (await fetch(url, init)).json()) as T;
}

function post({ url }: Server, n: number): Promise<{ id: string }> {
  const body = JSON.stringify({ kind: "factorial", n: String(n) });
  return json(`${url}/v1/tasks`, { method: "POST", body });
}

function next({ url }: Server, name: string): Promise<{ index: string }> {
  return json(`${url}/v1/cursors/${name}/next`, { method: "POST" });
}

async function untilReady({ url }: Server, id: string): Promise<void> {
  const isReady = async () => (await json<{ state: string }>(`${url}/v1/tasks/${id}`)).state === "ready";
  await until(`${id} is ready`, isReady);
}

/** Has a result hang on its way to its folder, and then all that is synced. @returns The task. */
async function hang(server: Server, disk: FailingDisk): Promise<string> {
  // Behind it there is a database of tasks, and what syncs a folder are results.
  await untilReady(server, (await post(server, 2)).id);
  disk.begin("stall", "folder");
  const { id } = await post(server, 100_000);
  await until("its result hangs", () => disk.faultedCount() === 1);
  for (const kind of ["data", "file"] as const) disk.begin("stall", kind);
  return id;
}

withFailingDisk(
  "while every sync hangs, what needs none goes on, and SIGTERM ends in its deadline",
  async () => {
    using folder = temporaryFolder();
    using disk = failingDisk();
    const file = path.join(folder.path, "cursor");
    {
      await using server = await startServer(["-f", file], { env: disk.env });
      expect(await mustRequest(server, "next")).toMatchObject({ index: 1 });
      expect(await next(server, "alice")).toMatchObject({ index: "1" });
      await hang(server, disk);
      const hanging: Promise<unknown>[] = [
        fetch(`${server.url}/api0/next`),
        next(server, "alice"),
        post(server, 1),
      ];
      for (const answer of hanging) answer.catch(() => {});
      await until("cursor, both databases and results hang", () => disk.faultedCount() >= 4);

      // What waits for the disk has no end.
      for (let round = 0; round < 20; round++) {
        for (const route of ["/livez", "/api0/current", "/?sn=2000", "/v1/fibonacci/100000"]) {
          const response = await fetch(server.url + route);
          await response.arrayBuffer();
          expect([route, response.status]).toEqual([route, 200]);
        }
      }
      expect(await json(`${server.url}/api0/current`)).toEqual({ value: "1", status: "200" });
      for (const answer of hanging) expect(Bun.peek.status(answer)).toBe("pending");

      server.kill("SIGTERM");
      await until("the server has ended", () => !fs.existsSync(`/proc/${server.pid}/exe`), STOP_SECONDS);
    }
    await using again = await startServer(["-f", file]);
    // What was answered is there; what was not may be.
    expect([1, 2]).toContain((await mustRequest(again, "current")).index);
  },
);

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
  for (const name of ["default", "alice"]) expect(await next(server, name)).toMatchObject({ index: "1" });
  const id = await hang(server, disk);
  const moves = ["default", "alice", "alice", "bob"].map((name) => next(server, name));
  await until("cursor, named cursors and results hang", () => disk.faultedCount() >= 3);
  for (let round = 0; round < 20; round++) {
    expect((await fetch(`${server.url}/livez`)).status).toBe(200);
    expect(await json(`${server.url}/api0/current`)).toEqual({ value: "1", status: "200" });
  }
  for (const move of moves) expect(Bun.peek.status(move)).toBe("pending");
  for (const kind of ["data", "file", "folder"] as const) disk.end("stall", kind);
  const indexes = (await Promise.all(moves)).map(({ index }) => index);
  // Two requests of one group come in any order.
  expect([indexes[0], indexes.slice(1, 3).toSorted(), indexes[3]]).toEqual(["2", ["2", "3"], "1"]);
  await untilReady(server, id);
});
