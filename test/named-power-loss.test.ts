/**
 * The power fails after a named cursor was moved or shown, while what it stands on is another process's doing: one that
 * was killed before its sync, whose sync failed, or who has made or moved a name without syncing the folder.
 */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { run, type Server, spawn, startServer, temporaryFolder, until } from "./binary.ts";
import { failingDisk, withFailingDisk } from "./failing-disk.ts";
import { ext4Disk, withPowerLoss } from "./power-loss.ts";

setDefaultTimeout(300_000);

const ALICE = ["--cursor", "alice"];

/** Index of a named cursor of a server, after a move. */
async function next({ url }: Server, name = "alice"): Promise<number> {
  const response = await fetch(`${url}/v1/cursors/${name}/next`, { method: "POST" });
  const { index } = (await response.json()) as { index: string };
  return Number(index);
}

/** Index of the named cursor in a file. */
async function indexIn(file: string): Promise<number> {
  const { stdout } = await run(["cursor", "show", ...ALICE, "-f", file, "--json"]);
  return Number((JSON.parse(stdout) as { index: string }).index);
}

withPowerLoss("what a killed process has not synced is shown to nobody before it is on disk", async () => {
  using disk = ext4Disk();
  const file = path.join(disk.path, "cursor");
  await run(["-f", file, "n", "n", "n", ...ALICE]);
  {
    // The first sync is that of the new log's head, the second one that of the move.
    using dying = failingDisk();
    dying.begin("kill", "file", 1);
    const move = await run(["-f", file, "n", ...ALICE], { env: dying.env });
    expect(move).toMatchObject({ stdout: "", exitCode: 137 });
  }
  using stalling = failingDisk();
  stalling.begin("stall", "file");
  await using opening = spawn(["-f", file, "c", ...ALICE], { env: stalling.env });
  await until("it waits for its checkpoint", () => stalling.faultedCount() === 1);
  const other = spawn(["-f", file, "c", ...ALICE, "--lock-timeout", "1"]);
  const shown = (await other.stdout.text()).trim();
  // What it has open could not be unmounted.
  const exitCode = await other.exited;
  disk.losePower();
  opening.kill("SIGKILL");
  await opening.exited;
  disk.restorePower();
  if (shown !== "") expect((await run(["-f", file, "c", ...ALICE])).stdout.trim()).toBe(shown);
  expect(exitCode).toBe(shown === "" ? 75 : 0);
});

for (const fault of ["kill", "fail"] as const) {
  withPowerLoss(`moves are kept when the folder's sync of the first one met ${fault}`, async () => {
    using disk = ext4Disk();
    using faults = failingDisk();
    const file = path.join(disk.path, "cursor");
    faults.begin(fault, "folder");
    const first = await run(["-f", file, "n", ...ALICE], { env: faults.env });
    expect(first).toMatchObject({ stdout: "", exitCode: fault === "kill" ? 137 : 74 });
    expect((await run(["-f", file, "n", ...ALICE])).stdout).toBe("1\n");
    const index = await indexIn(file);
    expect(index).toBeGreaterThan(0);
    disk.losePower();
    disk.restorePower();
    expect(await indexIn(file)).toBe(index);
  });
}

// ext4 takes a change of names along with any fsync, so these two ask for the sync and not for what it does.
withFailingDisk("the folders above a first cursor are synced before it is made", async () => {
  using folder = temporaryFolder();
  using faults = failingDisk();
  const outer = path.join(folder.path, "outer");
  fs.mkdirSync(path.join(outer, "inner"), { recursive: true });
  faults.begin("fail", "folder");
  const { stderr, exitCode } = await run(["-f", path.join(outer, "inner", "cursor"), "n", ...ALICE], {
    env: faults.env,
  });
  expect(stderr).toContain(`Cannot create ${path.join(outer, "inner", "cursor.cursors")}: EIO`);
  expect(exitCode).toBe(74);
  expect(fs.readdirSync(path.join(outer, "inner"))).toEqual([]);
});

withFailingDisk(
  "a move is not answered before the name of a file that was away is on disk again",
  async () => {
    using folder = temporaryFolder();
    using faults = failingDisk();
    const [file, other] = [path.join(folder.path, "cursor"), path.join(folder.path, "other")];
    await using server = await startServer(["-f", file], { env: faults.env });
    expect(await next(server)).toBe(1);
    expect(await next(server)).toBe(2);
    fs.renameSync(`${file}.cursors`, other);
    fs.renameSync(other, `${file}.cursors`);
    faults.begin("fail", "folder");
    const response = await fetch(`${server.url}/v1/cursors/alice/next`, { method: "POST" });
    expect(response.status).toBe(503);
  },
);

withPowerLoss(
  "what two processes have answered is there, each value once, wherever one is killed",
  async () => {
    for (const [kind, after] of [
      ["file", 3],
      ["file", 4],
      ["file", 7],
      ["folder", 1],
    ] as const) {
      using disk = ext4Disk();
      using faults = failingDisk();
      const file = path.join(disk.path, "cursor");
      const given: number[] = [];
      {
        const args = ["-f", file, "--lock-timeout", "60"];
        await using one = await startServer(args);
        await using two = await startServer(args, { env: faults.env });
        given.push(await next(one));
        faults.begin("kill", kind, after);
        const move = async (server: Server) => {
          for (let count = 0; count < 15; count++) {
            const index = await next(server).catch(() => undefined);
            if (index === undefined) return;
            given.push(index);
          }
        };
        await Promise.all([move(one), move(one), move(two), move(two)]);
        given.push(await next(one));
        disk.losePower();
      }
      disk.restorePower();
      expect(new Set(given).size).toBe(given.length);
      expect(await indexIn(file)).toBeGreaterThanOrEqual(Math.max(...given));
    }
  },
);
