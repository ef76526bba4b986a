/**
 * A file that has no name until it is whole and on disk: whatever ends the process, SIGKILL too, leaves nothing behind.
 *
 * Linux opens it with O_TMPFILE and names it with linkat(2). That replaces nothing, so the last step is a name of our own
 * and a rename, microseconds apart. Where the file system knows no such files (NFS, FUSE), it has that name from the
 * start, and a signal removes it.
 *
 * The name is drawn at random and never one that is there: process numbers repeat, in containers that share a folder.
 * @see open(2), which has the line for linkat
 * @module
 */
import { randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { codeOf } from "../cursor/io-error.ts";
import { keepOwner } from "../cursor/put.ts";
import { nameOpenFile, prepareNaming, syncFileSystem } from "../naming-calls.ts";
import { onEnd } from "../signals.ts";

const { O_DIRECTORY, O_RDONLY, O_WRONLY } = fs.constants;
/** As Linux has it on x64 and arm64; node:fs does not name it. */
const O_TMPFILE = 0o20000000 | O_DIRECTORY;

/** Where no native call can be made, a file has its name from the start, and all else goes on as it does. */
const BY_NODE = { changeOwner: fs.fchownSync, changeMode: fs.fchmodSync };

/** A file that is being written. */
export interface NewFile {
  readonly fd: number;
  /**
   * All is written: puts it on disk and gives it its name, in place of whatever has that, whose mode and owner it gets.
   * @throws the system's error; then discard it.
   */
  readonly keep: () => void;
  /** It is not wanted. */
  readonly discard: () => void;
}

/**
 * Begins a file.
 *
 * @param place - The path that it gets when it is whole.
 * @throws the system's error.
 */
export function openNewFile(place: string): NewFile {
  // Short, and none of the target's: that may be as long as a name can be.
  const temporary = path.join(path.dirname(place), `.fibserver.${randomUUID().slice(0, 13)}.tmp`);
  return openUnnamed(place, temporary) ?? openNamed(place, temporary);
}

/** @returns undefined where that cannot be had. */
function openUnnamed(place: string, temporary: string): NewFile | undefined {
  let fd: number | undefined;
  try {
    fd = fs.openSync(path.dirname(place), O_TMPFILE | O_WRONLY, 0o666);
    // Before anything is computed, so that it is known then whether the file can be named.
    prepareNaming();
    fs.lstatSync(`/proc/self/fd/${fd}`);
    const named = fd;
    return newFile(fd, place, temporary, () => nameOpenFile(named, temporary));
  } catch {
    if (fd !== undefined) fs.closeSync(fd);
    return undefined;
  }
}

function openNamed(place: string, temporary: string): NewFile {
  // Before the file is there: a signal may come in between. Its handler waits until this thread gives way.
  const forget = onEnd(() => fs.rmSync(temporary, { force: true }));
  try {
    // What replaces a private file is private from the start.
    const fd = fs.openSync(temporary, "wx", fs.existsSync(place) ? 0o600 : 0o666);
    return newFile(fd, place, temporary, undefined, forget);
  } catch (error) {
    forget();
    throw error;
  }
}

/** @param giveName - Gives it its temporary name, if it has none. */
function newFile(
  fd: number,
  place: string,
  temporary: string,
  giveName?: () => void,
  forget: () => void = () => {},
): NewFile {
  let isNamed = giveName === undefined;
  return {
    fd,
    keep: () => {
      const replaced = fs.statSync(place, { throwIfNoEntry: false });
      if (replaced !== undefined) keepOwner(fd, replaced, BY_NODE);
      // Before it has its name: that must not outlive the bytes when the power fails.
      fs.fsyncSync(fd);
      giveName?.();
      isNamed = true;
      fs.renameSync(temporary, place);
      isNamed = false;
      forget();
      syncFolder(path.dirname(place), fd);
    },
    discard: () => {
      try {
        if (isNamed) fs.rmSync(temporary, { force: true });
      } catch {
        // Why it is not wanted is the error to tell.
      }
      forget();
    },
  };
}

/**
 * Has the name outlive a power loss, on all file systems that can.
 *
 * @param fd - A file in the folder, by which it is synced where it may not be read.
 * @throws the system's error: the file is there then, but may be lost.
 */
function syncFolder(folder: string, fd: number): void {
  try {
    const folderFd = fs.openSync(folder, O_RDONLY);
    try {
      fs.fsyncSync(folderFd);
    } finally {
      fs.closeSync(folderFd);
    }
  } catch (error) {
    const code = codeOf(error) ?? "";
    // FUSE knows no sync of a folder.
    if (["EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"].includes(code)) return;
    if (code !== "EACCES" || !isFileSystemSynced(fd))
      throw new Error(`${(error as Error).message}; it is there, but may be lost`, { cause: error });
  }
}

function isFileSystemSynced(fd: number): boolean {
  try {
    syncFileSystem(fd);
    return true;
  } catch {
    return false;
  }
}
