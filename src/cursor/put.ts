/**
 * Putting a file somewhere, whole or not at all, under the lock of the *folder*: two processes that find no file cannot
 * both put theirs there. Through a temporary file: write, sync, rename, sync of the folder. Its name is always the same,
 * so what a killed creation leaves is cleared away by the next one.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { FibError } from "../errors.ts";
import { shellWord } from "../shell-word.ts";
import { ioError } from "./file.ts";
import { tryLock } from "./lock.ts";
import { renameToFree } from "./rename.ts";
import { blockingSyncs, type Syncs } from "./syncs.ts";

/** Held for a few milliseconds by whoever creates a file in the folder, so a short wait is enough. */
const FOLDER_LOCK_MS = 1000;

/** Whose a file is, and what they may. */
export type Owner = Readonly<Pick<fs.BigIntStats, "uid" | "gid" | "mode">>;

/** How a file is put somewhere. */
export interface PutOptions {
  readonly syncs: Syncs;
  /** Whose it is to be; ours, without. */
  readonly owner?: Owner;
  /** Gives it its name, or says that it cannot have it; replaces what is there, without. */
  readonly place?: (from: string, to: string) => boolean;
}

/**
 * Writes a new file whole or not at all, and returns when it is on disk.
 *
 * @param filePath - What to create.
 * @throws {@link FibError} `cursor_io`; `bad_argument` for what is there already.
 */
export function writeNewFile(filePath: string, bytes: Uint8Array): Promise<void> {
  return inLockedFolder(filePath, async (folderFd) => {
    const isPut = await putFile(filePath, bytes, folderFd, { syncs: blockingSyncs, place: renameToFree });
    if (!isPut) throw new FibError("bad_argument", `Cannot write ${filePath}: it exists; name another file`);
  });
}

/**
 * Writes a file, syncs it, gives it its name and syncs that. Call it with the folder's lock.
 *
 * @returns false when the name could not be had; then nothing is left.
 * @throws {@link FibError} `cursor_io`.
 */
export async function putFile(
  filePath: string,
  bytes: Uint8Array,
  folderFd: number,
  { syncs, owner, place = replaceAny }: PutOptions,
): Promise<boolean> {
  const temporary = `${filePath}.fibserver-new`;
  try {
    fs.rmSync(temporary, { force: true });
    const fd = fs.openSync(temporary, "wx", owner === undefined ? 0o644 : 0o600);
    let isPut: boolean;
    try {
      const written = fs.writeSync(fd, bytes, 0, bytes.length, 0);
      if (written !== bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes were written`);
      if (owner !== undefined) keepOwner(fd, owner);
      await syncs.all(fd);
      isPut = place(temporary, filePath);
      if (!isPut) fs.rmSync(temporary, { force: true });
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw error;
    } finally {
      fs.closeSync(fd);
    }
    await syncs.all(folderFd);
    return isPut;
  } catch (error) {
    throw error instanceof FibError ? error : ioError(filePath, "create", error);
  }
}

function replaceAny(from: string, to: string): boolean {
  fs.renameSync(from, to);
  return true;
}

/** Gives a file the mode and the owner of the one that it replaces, as far as we may. */
export function keepOwner(fd: number, { uid, gid, mode }: Owner): void {
  let kept = Number(mode) & 0o777;
  try {
    fs.fchownSync(fd, Number(uid), Number(gid));
  } catch (error) {
    if (codeOf(error) !== "EPERM") throw error;
    // Ours, and of a group that we may not give it to: then no other group gets its rights.
    kept &= 0o707;
  }
  fs.fchmodSync(fd, kept);
}

/**
 * Does something while nobody else creates files in a folder.
 *
 * @throws {@link FibError} `cursor_locked`; `cursor_io`, when there is no such folder; and as `work` does.
 */
export async function inLockedFolder(
  filePath: string,
  work: (folderFd: number) => Promise<void>,
): Promise<void> {
  const folder = path.dirname(filePath);
  let fd: number;
  try {
    fd = fs.openSync(folder, fs.constants.O_RDONLY);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw ioError(folder, "open", error);
    throw new FibError(
      "cursor_io",
      `Cannot create ${filePath}: its folder does not exist; mkdir -p ${shellWord(folder)}`,
    );
  }
  try {
    // Not by Date: a clock that is set back would make this wait longer.
    const deadlineMs = performance.now() + FOLDER_LOCK_MS;
    while (!tryLock(fd)) {
      if (performance.now() > deadlineMs)
        throw new FibError("cursor_locked", `Cannot create ${filePath}: ${folder} is locked`);
      await Bun.sleep(1);
    }
    await work(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** The system's name of an error, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
