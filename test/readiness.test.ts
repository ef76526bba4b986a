/**
 * What a server says of itself while its disk hangs or refuses something: whether requests are to be sent to it, which
 * part is not well, and who waits.
 */
import { expect, setDefaultTimeout } from "bun:test";
import path from "node:path";
import {
  injectInto,
  run,
  type Server,
  startServer,
  strace,
  temporaryFolder,
  until,
  withStrace,
} from "./binary.ts";
import { failingDisk, withFailingDisk } from "./failing-disk.ts";
import { Scrape } from "./scrape.ts";

setDefaultTimeout(300_000);

interface Status {
  readonly ready: boolean;
  readonly problems: readonly { readonly part: string; readonly code: string; readonly detail: string }[];
}

const statusOf = async ({ url }: Server) => (await (await fetch(`${url}/v1/status`)).json()) as Status;
const codesOf = async (server: Server) =>
  Object.fromEntries((await statusOf(server)).problems.map(({ part, code }) => [part, code]));
/** Looks at which parts are named, again where one was late: on a machine that stalls any may be that. */
async function expectNamed(server: Server, expected: Record<string, string>): Promise<void> {
  let codes: Record<string, string> = {};
  await until("no part is late", async () => {
    codes = await codesOf(server);
    return !Object.values(codes).includes("overloaded");
  });
  expect(codes).toEqual(expected);
}

/** Waits until a script is told so: it is told that it cannot be known when no answer comes within two seconds. */
const untilQuiet = ({ url }: Server, expected: number) =>
  until(
    `status --quiet ends with ${expected}`,
    async () => (await run(["status", "--quiet", "--server", url])).exitCode === expected,
  );
const ready = ({ url }: Server) => fetch(`${url}/readyz`);
const next = ({ url }: Server, name: string) => fetch(`${url}/v1/cursors/${name}/next`, { method: "POST" });
const makeTask = ({ url }: Server, n: number) =>
  fetch(`${url}/v1/tasks`, { method: "POST", body: JSON.stringify({ kind: "fibonacci", n: String(n) }) });
const waitingOf = async ({ url }: Server) =>
  new Scrape(await (await fetch(`${url}/metrics`)).text()).get("fibserver_cursor_waiting");

withFailingDisk(
  "a cursor whose sync hangs is not ready, is again afterwards, and shows who waits",
  async () => {
    using folder = temporaryFolder();
    using disk = failingDisk();
    await using server = await startServer(["-f", path.join(folder.path, "cursor")], { env: disk.env });
    disk.begin("stall", "data");
    const begunMs = performance.now();
    const moves = [next(server, "default"), next(server, "default")];
    await until("the sync hangs", () => disk.faultedCount() > 0);
    await until("both wait", async () => (await waitingOf(server)) === 2);
    // A disk that is slow is none that hangs, which it is after five seconds.
    const { status: atFirst } = await ready(server);
    if (performance.now() - begunMs < 5000) expect(atFirst).toBe(200);
    await until("it is known to hang", async () =>
      (await statusOf(server)).problems.some(({ detail }) =>
        /^Cannot move the cursor: its disk has not finished a sync for \d+ s$/.test(detail),
      ),
    );
    const answer = (await (await ready(server)).json()) as object;
    expect(answer).toMatchObject({ status: 503, part: "cursor", code: "overloaded" });
    const { ready: isReady, problems } = await statusOf(server);
    expect([isReady, problems.map(({ part }) => part)]).toEqual([false, ["cursor"]]);
    await untilQuiet(server, 1);
    for (const move of moves) expect(Bun.peek.status(move)).toBe("pending");
    disk.end("stall", "data");
    expect((await Promise.all(moves)).map(({ status }) => status)).toEqual([200, 200]);
    expect(await (await ready(server)).text()).toBe("ok\n");
    await untilQuiet(server, 0);
    expect(await waitingOf(server)).toBe(0);
    expect(await statusOf(server)).toMatchObject({ ready: true, problems: [] });
  },
);

withFailingDisk("databases that hang are named, and the server is ready for the rest", async () => {
  using folder = temporaryFolder();
  using disk = failingDisk();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")], { env: disk.env });
  expect([(await next(server, "alice")).status, (await makeTask(server, 90)).status]).toEqual([200, 202]);
  for (const kind of ["data", "file"] as const) disk.begin("stall", kind);
  const asked = [next(server, "alice"), makeTask(server, 91)];
  await until("both hang", () => disk.faultedCount() >= 2);
  await until("the move is seen to wait", async () => (await waitingOf(server)) === 1);
  expect(await codesOf(server)).toEqual({ cursors: "overloaded", tasks: "overloaded" });
  expect((await ready(server)).status).toBe(200);
  await untilQuiet(server, 0);
  const { stdout } = await run(["status", "--server", server.url]);
  expect(stdout).toMatch(/\nready\nBUT cursors: Cannot tell .*\nBUT tasks: Cannot tell /);
  for (const kind of ["data", "file"] as const) disk.end("stall", kind);
  expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 202]);
  // What was asked meanwhile may be answered a moment later.
  await until("nothing is named", async () => Object.keys(await codesOf(server)).length === 0);
});

withFailingDisk("databases that are refused a write are named until one succeeds", async () => {
  using folder = temporaryFolder();
  using disk = failingDisk();
  await using server = await startServer(["-f", path.join(folder.path, "cursor")], { env: disk.env });
  expect([(await next(server, "alice")).status, (await makeTask(server, 90)).status]).toEqual([200, 202]);
  for (const kind of ["data", "file"] as const) disk.begin("fail", kind);
  expect([(await next(server, "alice")).status, (await makeTask(server, 91)).status]).toEqual([503, 503]);
  await expectNamed(server, { cursors: "cursor_io", tasks: "tasks_io" });
  expect((await ready(server)).status).toBe(200);
  for (const kind of ["data", "file"] as const) disk.end("fail", kind);
  // They can be read again by now, which says nothing of writing.
  await until("cursors go on", async () => (await fetch(`${server.url}/v1/cursors`)).ok);
  await until("tasks go on", async () => (await fetch(`${server.url}/v1/tasks`)).ok);
  await expectNamed(server, { cursors: "cursor_io", tasks: "tasks_io" });
  // 91 may be there: its commit failed when it could be seen already.
  expect([(await next(server, "alice")).status, (await makeTask(server, 92)).status]).toEqual([200, 202]);
  await expectNamed(server, {});
});

withStrace("a disk without room is named until a write succeeds", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await using server = await startServer(["-f", file]);
  expect([(await next(server, "alice")).status, (await makeTask(server, 90)).status]).toEqual([200, 202]);
  for (const [part, code, write] of [
    ["cursors", "cursor_io", () => next(server, "alice")],
    ["tasks", "tasks_io", () => makeTask(server, 91)],
  ] as const) {
    {
      const trace = path.join(folder.path, `trace-${part}`);
      await using _ = await injectInto(server.pid, trace, "pwrite64", "error=ENOSPC", `${file}.${part}-wal`);
      expect((await write()).status).toBe(503);
      await expectNamed(server, { [part]: code });
      expect((await ready(server)).status).toBe(200);
    }
    expect((await write()).ok).toBe(true);
    await expectNamed(server, {});
  }
});

withStrace("a file that another process is moving on a slow disk makes nobody unready", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  await using server = await startServer(["-f", file]);
  const under = strace(path.join(folder.path, "trace"), "fdatasync", "fdatasync:delay_enter=2500000");
  const moved = run(["n", "-f", file], { under });
  const statuses = new Set<number>();
  await until("it has moved", async () => {
    statuses.add((await ready(server)).status);
    return Bun.peek.status(moved) !== "pending";
  });
  expect((await moved).stdout).toBe("1\n");
  expect([...statuses]).toEqual([200]);
});
