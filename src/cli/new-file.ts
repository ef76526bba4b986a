/**
 * A file that has no name until it is whole and on disk: whatever ends the process, SIGKILL too, leaves nothing behind.
 *
 * Linux opens it with O_TMPFILE and names it with linkat(2). That replaces nothing, so the last step is a name of our own
 * and a rename, microseconds apart. Where the file system knows no such files (NFS, FUSE), it has that name from the
 * start, and a signal removes it.
 * @see open(2), which has the line for linkat
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { openLibc } from "../cursor/libc.ts";
import { codeOf, keepOwner } from "../cursor/put.ts";
import { onEnd } from "./ending.ts";

const { O_DIRECTORY, O_WRONLY } = fs.constants;
/** As Linux has it on x64 and arm64; node:fs does not name it. */
const O_TMPFILE = 0o20000000 | O_DIRECTORY;
const AT_FDCWD = -100;
const AT_SYMLINK_FOLLOW = 0x400;

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
  const temporary = path.join(path.dirname(place), `.fibserver.${process.pid}.tmp`);
  return openUnnamed(place, temporary) ?? openNamed(place, temporary);
}

/** @returns undefined where that cannot be had. */
function openUnnamed(place: string, temporary: string): NewFile | undefined {
  let fd: number | undefined;
  try {
    fd = fs.openSync(path.dirname(place), O_TMPFILE | O_WRONLY, 0o666);
    return newFile(fd, place, temporary, { giveName: openLink(fd, place, temporary), forget: () => {} });
  } catch {
    if (fd !== undefined) fs.closeSync(fd);
    return undefined;
  }
}

function openNamed(place: string, temporary: string): NewFile {
  // Before the file is there: a signal may come in between. Its handler waits until this thread gives way.
  const forget = onEnd(() => fs.rmSync(temporary, { force: true }));
  try {
    fs.rmSync(temporary, { force: true });
    // What replaces a private file is private from the start.
    const fd = fs.openSync(temporary, "wx", fs.existsSync(place) ? 0o600 : 0o666);
    return newFile(fd, place, temporary, { giveName: () => {}, forget });
  } catch (error) {
    forget();
    throw error;
  }
}

function newFile(
  fd: number,
  place: string,
  temporary: string,
  { giveName, forget }: { readonly giveName: () => void; readonly forget: () => void },
): NewFile {
  return {
    fd,
    keep: () => {
      finish(fd, place);
      giveName();
      fs.renameSync(temporary, place);
      forget();
      syncFolder(path.dirname(place));
    },
    discard: () => {
      try {
        fs.rmSync(temporary, { force: true });
      } catch {
        // Why it is not wanted is the error to tell.
      }
      forget();
    },
  };
}

/** Before a file has its name: that must not outlive the bytes when the power fails. */
function finish(fd: number, place: string): void {
  const replaced = fs.statSync(place, { bigint: true, throwIfNoEntry: false });
  if (replaced !== undefined) keepOwner(fd, replaced);
  fs.fsyncSync(fd);
}

/** So that the name outlives a power loss. A folder that cannot be opened, or synced at all (FUSE), is no failure. */
function syncFolder(folder: string): void {
  try {
    const fd = fs.openSync(folder, fs.constants.O_RDONLY);
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  } catch (error) {
    if (codeOf(error) === "EIO") throw error;
  }
}

/** Native calls are made ready before anything is computed, so that it is known then whether they can be had. */
function openLink(fd: number, place: string, name: string): () => void {
  const { linkat } = openLibc({ linkat: { args: ["i32", "ptr", "i32", "ptr", "i32"], returns: "i32" } });
  const self = `/proc/self/fd/${fd}`;
  const [from, to] = [self, name].map((text) => Buffer.from(`${text}\0`)) as [Buffer, Buffer];
  return () => {
    // A process with our number may have been killed between the two steps.
    fs.rmSync(name, { force: true });
    if (linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) === 0) return;
    // What cannot be linked is copied; that also says why, if it cannot be there at all.
    fs.copyFileSync(self, name, fs.constants.COPYFILE_EXCL);
    const copy = fs.openSync(name, O_WRONLY);
    try {
      finish(copy, place);
    } finally {
      fs.closeSync(copy);
    }
  };
}
