/**
 * A disk whose syncs a test holds up or fails, whichever thread makes them.
 *
 *   using disk = failingDisk();
 *   await using server = await startServer(args, { env: disk.env });
 *   disk.begin("stall", "data");      // from here on an fdatasync does not return
 *   disk.end("stall", "data");        // now it does
 * @module
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { requireTool } from "./binary.ts";

/** A `test` that uses {@link failingDisk}. */
export const withFailingDisk = requireTool(["gcc", "--version"], "apt-get install gcc libc6-dev");

/** What happens: the sync does not return, returns EIO or EINTR, or SIGKILL ends the process before it. */
type Fault = "stall" | "fail" | "interrupt" | "kill";
/** Which syncs: fdatasync, fsync of a file, fsync of a folder. */
type Kind = "data" | "file" | "folder";

/** Faults for the programs that are started with `env`. */
export interface FailingDisk extends Disposable {
  readonly env: Readonly<Record<string, string>>;
  /** @param after - So many syncs of the kind come first, counted from the start of each program. */
  begin(fault: Fault, kind: Kind, after?: number): void;
  end(fault: Fault, kind: Kind): void;
  /** How many syncs have met a fault so far. */
  faultedCount(): number;
}

/** Makes one. Its compiler takes 50 ms. */
export function failingDisk(): FailingDisk {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "fibserver-faults-"));
  const library = path.join(folder, "failing-disk.so");
  const source = path.join(import.meta.dir, "failing-disk.c");
  const { exitCode, stderr } = Bun.spawnSync(["gcc", "-O1", "-shared", "-fPIC", "-o", library, source]);
  if (exitCode !== 0) throw new Error(`gcc: ${stderr.toString()}`);
  const control = (fault: Fault, kind: Kind) => path.join(folder, `${fault}-${kind}`);
  return {
    env: { LD_PRELOAD: library, FAILING_DISK: folder },
    begin(fault, kind, after = 0) {
      // Whole at once: the program may look at any moment.
      fs.writeFileSync(path.join(folder, "new"), String(after));
      fs.renameSync(path.join(folder, "new"), control(fault, kind));
    },
    end: (fault, kind) => fs.rmSync(control(fault, kind)),
    faultedCount: () => fs.statSync(path.join(folder, "faulted"), { throwIfNoEntry: false })?.size ?? 0,
    // A program that is still held up goes on when its fault is gone.
    [Symbol.dispose]: () => fs.rmSync(folder, { recursive: true }),
  };
}
