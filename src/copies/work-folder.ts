/**
 * A hidden folder beside the place that something is made for, where it becomes whole before it gets its name.
 *
 * Its own name is always the same for one place, and its lock is flock(2) on it: whoever comes later clears away what
 * a killed process has left, and meets one that still works. Only its user can look into it.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { renameToFree } from "../cursor/rename.ts";
import { FibError } from "../errors.ts";
import { shellWord } from "../shell-word.ts";
import {
  closeFile,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  openFile,
  statAt,
  statOf,
  tryLock,
} from "../system-calls.ts";

const CHUNK_BYTES = 2 ** 20;

/** Has something done when a signal ends the process; what is returned ends that. */
export type OnEnd = (cleanup: () => void) => () => void;

/** The folder; with its scope, or a signal, it goes away with all that is in it. */
export interface WorkFolder extends Disposable {
  readonly path: string;
  /**
   * Gives it the name of its place, on disk; what is in it must be synced.
   *
   * @throws {@link FibError} `bad_argument`, when that name is taken; the system's error.
   */
  keep(): void;
}

/**
 * Makes the folder, or takes over what is left of it.
 *
 * @param place - What it is for; its own folder must exist.
 * @throws {@link FibError} `cursor_locked`, when another process is at work there; `bad_argument`; the system's error.
 */
export function openWorkFolder(place: string, onEnd: OnEnd): WorkFolder {
  const parent = path.dirname(place);
  if (!fs.existsSync(parent))
    throw new FibError(
      "bad_argument",
      `Cannot write ${place}: its folder does not exist; mkdir -p ${shellWord(parent)}`,
    );
  // Short, and none of the place's: that may be as long as a name can be.
  const folder = path.join(parent, `.fibserver.${Bun.hash(path.basename(place)).toString(36)}.tmp`);
  const fd = lockFolder(folder, place);
  let isKept = false;
  const clear = () => {
    if (!isKept) fs.rmSync(folder, { recursive: true, force: true });
  };
  const forget = onEnd(clear);
  for (const name of fs.readdirSync(folder)) fs.rmSync(path.join(folder, name), { recursive: true });
  return {
    path: folder,
    keep() {
      syncPath(folder);
      if (!renameToFree(folder, place)) throw exists(place);
      try {
        syncPath(parent);
        isKept = true;
      } catch (error) {
        fs.renameSync(place, folder);
        throw error;
      }
    },
    [Symbol.dispose]() {
      forget();
      clear();
      closeFile(fd);
    },
  };
}

/** Waits for nobody: somebody who makes the same now makes it as well as we would. */
function lockFolder(folder: string, place: string): number {
  for (;;) {
    try {
      fs.mkdirSync(folder, 0o700);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const fd = openFile(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    const { uid, ino } = statOf(fd);
    const isLocked = uid === process.geteuid!() && tryLock(fd);
    // Whoever had it may have given it its name, or removed it.
    if (isLocked && statAt(folder)?.ino === ino) return fd;
    closeFile(fd);
    if (!isLocked)
      throw new FibError("cursor_locked", `Cannot write ${place}: another process has ${folder}`);
  }
}

/** What to say of a name that is taken. */
export function exists(place: string): FibError {
  return new FibError("bad_argument", `Cannot write ${place}: it exists; move it away, or name another one`);
}

/** Puts a file, or the names in a folder, on disk. @throws the system's error. */
export function syncPath(place: string): void {
  const fd = fs.openSync(place, "r");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** The SHA-256 of a file, in hex. @throws the system's error. */
export function digestOf(file: string): string {
  const hash = new Bun.CryptoHasher("sha256");
  const chunk = new Uint8Array(CHUNK_BYTES);
  const fd = fs.openSync(file, "r");
  try {
    for (let count; (count = fs.readSync(fd, chunk)) > 0;) hash.update(chunk.subarray(0, count));
  } finally {
    fs.closeSync(fd);
  }
  return hash.digest("hex");
}
