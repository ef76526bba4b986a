/** A clock that jumps: neither the cursor nor a task that was accepted cares. libfaketime sets it while programs run. */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { mustRequest, requireTool, run, startServer, temporaryFolder, until } from "./binary.ts";

setDefaultTimeout(60_000);

const LIBRARY = `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/faketime/libfaketime.so.1`;
const withClock = requireTool(["test", "-e", LIBRARY], "apt-get install libfaketime");

/** A clock that is the system's until it is set to something else, such as `-1d`. */
function clockIn(folder: string) {
  const file = path.join(folder, "clock");
  const set = (offset: string) => {
    fs.writeFileSync(`${file}.new`, `${offset}\n`);
    fs.renameSync(`${file}.new`, file);
  };
  set("+0");
  // The monotonic clock is nobody's to set.
  const env = { LD_PRELOAD: LIBRARY, FAKETIME_DONT_FAKE_MONOTONIC: "1", FAKETIME_NO_CACHE: "1" };
  return { env: { ...env, FAKETIME_TIMESTAMP_FILE: file }, set };
}

withClock("moves and tasks go on over jumps of a day in both directions, also across a start", async () => {
  using folder = temporaryFolder();
  const file = path.join(folder.path, "cursor");
  const clock = clockIn(folder.path);
  const made: { id: string; createdAt: string }[] = [];
  let moves = 0;
  for (const offsets of [["+0", "-1d", "+1d"], ["-1d"], ["+0"]]) {
    clock.set(offsets[0]!);
    await using server = await startServer(["-f", file, "--result-ttl", "864000"], { env: clock.env });
    for (const offset of offsets) {
      clock.set(offset);
      expect((await mustRequest(server, "next")).index).toBe(++moves);
      const body = JSON.stringify({ kind: "fibonacci", n: String(100_000 + moves) });
      const response = await fetch(`${server.url}/v1/tasks`, { method: "POST", body });
      expect(response.status).toBe(202);
      made.push((await response.json()) as (typeof made)[number]);
    }
    for (const { id } of made) {
      const state = async () =>
        ((await (await fetch(`${server.url}/v1/tasks/${id}`)).json()) as { state: string }).state;
      await until(`${id} is ready`, async () => (await state()) === "ready");
    }
    server.kill("SIGTERM");
    expect(await server.ended()).toBe(0);
  }
  // The clock that they were made by did jump.
  const times = made.map(({ createdAt }) => Date.parse(createdAt));
  expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(86_400_000);
});

withClock("a folder that is locked is waited for one second, whatever the clock says", async () => {
  using folder = temporaryFolder();
  const clock = clockIn(folder.path);
  const locked = path.join(folder.path, "locked");
  fs.mkdirSync(locked);
  const holder = Bun.spawn(["flock", "--no-fork", locked, "sh", "-c", "echo held; exec sleep 60"], {
    stdout: "pipe",
  });
  try {
    await holder.stdout.getReader().read();
    const startMs = performance.now();
    const waiting = run(["n", "-f", path.join(locked, "cursor")], { env: clock.env });
    // Back, and back again, for as long as it waits.
    for (let days = 1; Bun.peek.status(waiting) === "pending"; days++) {
      clock.set(`-${days}d`);
      await Bun.sleep(20);
    }
    const { exitCode, stderr } = await waiting;
    expect(stderr).toContain("is locked");
    expect(exitCode).toBe(75);
    expect(performance.now() - startMs).toBeLessThan(10_000);
  } finally {
    holder.kill();
    await holder.exited;
  }
});
