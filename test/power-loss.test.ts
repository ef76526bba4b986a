/**
 * The power fails after a move was answered by one process, while the name of the file is another's doing: the one
 * that created it, took it over or moved it there has died, failed or not come so far as to sync the folder.
 */
import { expect, setDefaultTimeout } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { mustRequest, run, spawn, startServer, until } from "./binary.ts";
import { failingDisk } from "./failing-disk.ts";
import { ext4Disk, withPowerLoss } from "./power-loss.ts";

setDefaultTimeout(300_000);

/** A Go server's file at index 5. */
const GO_FILE = Buffer.from("00000000000000030000000000000005", "hex");

for (const [kind, index, foldersBefore] of [
  ["creation", 0, 0],
  // Its first sync of the folder puts the old bytes there.
  ["takeover", 5, 1],
] as const) {
  const values = ["0", "1", "1", "2", "3", "5", "8", "13"].slice(index);
  const prepare = (file: string) => {
    if (kind === "creation") return;
    fs.writeFileSync(file, GO_FILE);
    Bun.spawnSync(["sync", file, path.dirname(file)]);
  };

  for (const fault of ["kill", "fail"] as const) {
    withPowerLoss(
      `moves are kept when the ${kind} before them met ${fault} and then the power fails`,
      async () => {
        using disk = ext4Disk();
        using faults = failingDisk();
        const file = path.join(disk.path, "cursor");
        prepare(file);
        faults.begin(fault, "folder", foldersBefore);
        const first = await run(["-f", file, "n"], { env: faults.env });
        expect(first).toMatchObject({ stdout: "", exitCode: fault === "kill" ? 137 : 74 });
        expect(fs.statSync(file).size).toBe(8192);
        expect((await run(["-f", file, "n", "n"])).stdout).toBe(`${values[1]}\n${values[2]}\n`);
        disk.losePower();
        disk.restorePower();
        expect((await run(["-f", file, "c"])).stdout).toBe(`${values[2]}\n`);
      },
    );
  }

  withPowerLoss(`moves are kept when the power fails while another's ${kind} is not over`, async () => {
    using disk = ext4Disk();
    using faults = failingDisk();
    const file = path.join(disk.path, "cursor");
    prepare(file);
    faults.begin("stall", "folder", foldersBefore);
    await using slow = spawn(["-f", file, "n"], { env: faults.env });
    await until("it waits for the folder", () => faults.faultedCount() === 1);
    expect((await run(["-f", file, "n", "n"])).stdout).toBe(`${values[1]}\n${values[2]}\n`);
    disk.losePower();
    slow.kill("SIGKILL");
    await slow.exited;
    disk.restorePower();
    expect((await run(["-f", file, "c"])).stdout).toBe(`${values[2]}\n`);
  });
}

for (const who of ["a server that was running", "a shell command"] as const) {
  withPowerLoss(
    `a file that was moved into place stays there with the moves that ${who} answered`,
    async () => {
      using disk = ext4Disk();
      const [file, other] = [path.join(disk.path, "cursor"), path.join(disk.path, "other")];
      await run(["cursor", "set", "3", "-f", file]);
      await run(["cursor", "set", "40", "-f", other]);
      {
        await using server = await startServer(["-f", file]);
        fs.renameSync(other, file);
        if (who === "a shell command") expect((await run(["-f", file, "n"])).stdout).toBe("165580141\n");
        else expect(await mustRequest(server, "next")).toMatchObject({ index: 41 });
        disk.losePower();
      }
      disk.restorePower();
      expect((await run(["-f", file, "c"])).stdout).toBe("165580141\n");
    },
  );
}

withPowerLoss("a file that was away and is put back keeps the moves that are answered then", async () => {
  using disk = ext4Disk();
  const [file, other] = [path.join(disk.path, "cursor"), path.join(disk.path, "other")];
  await run(["cursor", "set", "3", "-f", file]);
  {
    await using server = await startServer(["-f", file]);
    expect(await mustRequest(server, "next")).toMatchObject({ index: 4 });
    // Longer than a tick of the kernel's clock, by which a folder's time counts.
    const { mtimeMs } = fs.statSync(disk.path);
    const tick = () => {
      fs.writeFileSync(other, "");
      return fs.statSync(disk.path).mtimeMs > mtimeMs;
    };
    await until("the clock has gone on", () => (fs.rmSync(other, { force: true }), tick()));
    fs.renameSync(file, other);
    Bun.spawnSync(["sync", disk.path]);
    fs.renameSync(other, file);
    expect(await mustRequest(server, "next")).toMatchObject({ index: 5 });
    disk.losePower();
  }
  disk.restorePower();
  expect((await run(["-f", file, "c"])).stdout).toBe("5\n");
});

for (const who of ["a letter that adopts", "a server that moves"] as const) {
  withPowerLoss(`a file that is moved away and back during the sync of ${who} keeps that move`, async () => {
    using disk = ext4Disk();
    using faults = failingDisk();
    const [file, other] = [path.join(disk.path, "cursor"), path.join(disk.path, "other")];
    await run(["cursor", "set", "3", "-f", file]);
    {
      await using server =
        who === "a server that moves" ? await startServer(["-f", file], { env: faults.env }) : undefined;
      faults.begin("stall", "data");
      const letter = server === undefined ? spawn(["-f", file, "n"], { env: faults.env }) : undefined;
      const answer = letter?.stdout.text() ?? mustRequest(server!, "next").then(({ index }) => index);
      await until("it waits for its sync", () => faults.faultedCount() === 1);
      fs.renameSync(file, other);
      Bun.spawnSync(["sync", disk.path]);
      fs.renameSync(other, file);
      faults.end("stall", "data");
      expect(await answer).toBe(server === undefined ? "3\n" : 4);
      // What it has open could not be unmounted.
      await letter?.exited;
      disk.losePower();
    }
    disk.restorePower();
    expect((await run(["-f", file, "c"])).stdout).toBe("3\n");
  });
}

withPowerLoss("what -o has written is there, whole, and what it replaced is gone", async () => {
  using disk = ext4Disk();
  const [fresh, replaced] = [path.join(disk.path, "fresh"), path.join(disk.path, "replaced")];
  fs.writeFileSync(replaced, "before");
  Bun.spawnSync(["sync", replaced, disk.path]);
  for (const out of [fresh, replaced]) expect((await run(["fib", "100000", "-o", out])).exitCode).toBe(0);
  disk.losePower();
  disk.restorePower();
  for (const out of [fresh, replaced]) expect(fs.statSync(out).size).toBe(20_900);
});
