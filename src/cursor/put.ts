/**
 * Putting a file somewhere, whole or not at all, under the lock of the *folder*: two processes that find no file cannot
 * both put theirs there. Through a temporary file: write, sync, rename, sync of the folder. Its name is always the same,
 * so what a killed creation leaves is cleared away by the next one.
 * @module
 */
import { FibError } from "../errors.ts";
import { shellWord } from "../shell-word.ts";
import { changeMode, changeOwner, remove, rename } from "../naming-calls.ts";
import {
  closeFile,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  openFile,
  type Stat,
  writeAt,
} from "../system-calls.ts";
import { folderOf, lockAt } from "./file.ts";
import { codeOf, ioError } from "./io-error.ts";
import type { Procedure } from "./procedure.ts";
import { renameToFree } from "./rename.ts";

/** Leaves whose a file is, for chown(2). */
const SAME = -1;

/** Held for a few milliseconds by whoever creates a file in the folder, so a short wait is enough. */
const FOLDER_LOCK_MS = 1000;

/** Whose a file is, and what they may. */
export type Owner = Readonly<Pick<Stat, "uid" | "gid" | "mode">>;

/** How a file is put somewhere. */
export interface PutOptions {
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
export function* writeNewFile(filePath: string, bytes: Uint8Array): Procedure<void> {
  yield* inLockedFolder(filePath, function* (folderFd) {
    const isPut = yield* putFile(filePath, bytes, folderFd, { place: renameToFree });
    if (!isPut) throw new FibError("bad_argument", `Cannot write ${filePath}: it exists; name another file`);
  });
}

/**
 * Writes a file, syncs it, gives it its name and syncs that. Call it with the folder's lock.
 *
 * @returns false when the name could not be had; then nothing is left.
 * @throws {@link FibError} `cursor_io`.
 */
export function* putFile(
  filePath: string,
  bytes: Uint8Array,
  folderFd: number,
  { owner, place = replaceAny }: PutOptions,
): Procedure<boolean> {
  const temporary = `${filePath}.fibserver-new`;
  try {
    remove(temporary);
    const fd = openFile(temporary, O_RDWR | O_CREAT | O_EXCL, owner === undefined ? 0o644 : 0o600);
    let isPut: boolean;
    try {
      const written = writeAt(fd, bytes, 0);
      if (written !== bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes were written`);
      if (owner !== undefined) keepOwner(fd, owner);
      yield { sync: "all", fd, path: filePath };
      isPut = place(temporary, filePath);
      if (!isPut) remove(temporary);
    } catch (error) {
      remove(temporary);
      throw error;
    } finally {
      closeFile(fd);
    }
    yield { sync: "all", fd: folderFd, path: folderOf(filePath) };
    return isPut;
  } catch (error) {
    throw ioError(filePath, "create", error);
  }
}

function replaceAny(from: string, to: string): boolean {
  rename(from, to);
  return true;
}

/**
 * Gives a file the mode and the owner of the one that it replaces, as far as we may.
 *
 * @param calls - Those of node:fs, where native calls are not needed otherwise.
 * @throws the system's error.
 */
export function keepOwner(fd: number, { uid, gid, mode }: Owner, calls = { changeOwner, changeMode }): void {
  let kept = mode & 0o777;
  try {
    calls.changeOwner(fd, uid, gid);
  } catch (error) {
    if (codeOf(error) !== "EPERM") throw error;
    if (!mayGive(() => calls.changeOwner(fd, SAME, gid))) {
      // Ours, and of a group that we may not give it to: then no other group gets its rights.
      kept &= 0o707;
    }
  }
  calls.changeMode(fd, kept);
}

function mayGive(give: () => void): boolean {
  try {
    give();
    return true;
  } catch (error) {
    if (codeOf(error) !== "EPERM") throw error;
    return false;
  }
}

/**
 * Does something while nobody else creates files in a folder.
 *
 * @throws {@link FibError} `cursor_locked`; `cursor_io`, when there is no such folder; and as `work` does.
 */
export function* inLockedFolder(
  filePath: string,
  work: (folderFd: number) => Procedure<void>,
): Procedure<void> {
  const folder = folderOf(filePath);
  let fd: number;
  try {
    fd = openFile(folder, O_RDONLY);
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
    while (!lockAt(folder, fd)) {
      if (performance.now() > deadlineMs)
        throw new FibError("cursor_locked", `Cannot create ${filePath}: ${folder} is locked`);
      yield { pauseMs: 1 };
    }
    yield* work(fd);
  } finally {
    closeFile(fd);
  }
}
