/**
 * Getting hold of a cursor file: open it, create it, take over a Go server's.
 *
 * A file is created under the lock of the folder (put.ts), in the place of nothing, and takes
 * over in the place of what was read and of nothing else. The folders above are synced first:
 * where there is a file, the way to it is on disk.
 *
 * The file's own name is on disk when its folder has been synced, and nobody can know
 * that of a name that was there before: its creator may have been killed between rename
 * and sync. So everybody who opens a file syncs the folder, by `CursorFile.syncName`,
 * before anything is answered. Rejected: a mark in the file that this was done. An `mv`
 * takes the mark along to a name that is not on disk, and back.
 * @module
 */
import { FibError } from "../errors.ts";
import { realPath } from "../naming-calls.ts";
import {
  areEqual,
  closeFile,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  openFile,
  readAt,
  statAt,
  statBehind,
  statOf,
} from "../system-calls.ts";
import {
  CursorFile,
  damaged,
  fileGone,
  folderOf,
  type Identity,
  keepsChanging,
  readOnlyNotice,
  refused,
  syncFolder,
  wrongSize,
} from "./file.ts";
import { decodeGoFile, GO_FILE_BYTES } from "./go.ts";
import { codeOf, ioError } from "./io-error.ts";
import type { Procedure } from "./procedure.ts";
import { inLockedFolder, type Owner, putFile, type PutOptions } from "./put.ts";
import { encodeFile, FILE_BYTES, initialRecord } from "./record.ts";
import { renameToFree, replace } from "./rename.ts";

/** Tells a person what happened to the file while it was opened. */
export type Notice = (message: string) => void;

/** How a file is opened. */
export interface OpenOptions {
  /** Gets a line for each thing that a person should know. */
  readonly notice: Notice;
  /** Make a missing file, at F(0). Whoever has had one open already must not: its moves would begin again. */
  readonly mayCreate: boolean;
}

/** A Go server's file; its content is copied, its owner and mode are kept. */
interface GoFile {
  readonly bytes: Uint8Array;
  readonly stat: Owner & Identity;
}

/**
 * Opens a cursor file; creates a missing one, and takes over a Go server's.
 *
 * @param filePath - Where it is, or will be; its folder must exist.
 * @returns The file; its content is not judged yet, except for its kind and size, and its name is not synced.
 * @throws {@link FibError} `cursor_damaged` for what is no cursor file, `cursor_io` where the system refuses,
 * `cursor_locked` while another process creates files in the folder.
 */
export function* openCursorFile(filePath: string, options: OpenOptions): Procedure<CursorFile> {
  try {
    // A second round follows a creation or a takeover, by us or by somebody who was faster; a third would be a fight.
    for (let round = 0; round < 3; round++) {
      const file = openExisting(filePath);
      if (file instanceof CursorFile) {
        if (file.readOnlyReason !== undefined) {
          options.notice(readOnlyNotice(file.readOnlyReason));
        }
        return file;
      }
      if (file === "missing" && !options.mayCreate) throw fileGone(filePath);
      yield* inLockedFolder(filePath, function* (folderFd) {
        const found = openExisting(filePath);
        if (found instanceof CursorFile) found.close();
        else if (found !== "missing") yield* takeOver(filePath, found, folderFd, options);
        else if (options.mayCreate) yield* createFile(filePath, encodeFile(initialRecord()), folderFd);
      });
    }
  } catch (error) {
    throw ioError(filePath, "open", error);
  }
  throw keepsChanging(filePath);
}

/** What is at the path; its content is not judged. */
function openExisting(filePath: string): CursorFile | GoFile | "missing" {
  const opened = openDescriptor(filePath);
  if (opened === undefined) return "missing";
  const { fd } = opened;
  try {
    const stat = statOf(fd);
    if (!stat.isFile) throw refused(filePath, "it is not a regular file");
    const { readOnlyReason } = opened;
    const folder = readOnlyReason === undefined ? openFolder(filePath) : { readOnlyReason };
    if (stat.sizeBytes === FILE_BYTES) return new CursorFile(filePath, fd, stat, folder);
    if ("fd" in folder) closeFile(folder.fd);
    if (stat.sizeBytes !== GO_FILE_BYTES) throw wrongSize(filePath, stat.sizeBytes);
    if ("readOnlyReason" in folder) {
      throw new FibError("cursor_io", `Cannot take over a Go server's file: ${folder.readOnlyReason}`);
    }
    const bytes = readGoFile(filePath, fd);
    closeFile(fd);
    return { bytes, stat };
  } catch (error) {
    closeFile(fd);
    throw error;
  }
}

/** Opens without following links and without waiting for the other end of a FIFO; undefined when there is none. */
function openDescriptor(filePath: string): { fd: number; readOnlyReason?: string } | undefined {
  try {
    return { fd: openFile(filePath, O_RDWR | O_NOFOLLOW | O_NONBLOCK) };
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return undefined;
    if (code !== "EACCES" && code !== "EROFS" && code !== "EPERM") throw openError(filePath, error);
    const readOnlyReason = `${filePath} can only be read (${code}): make it writable for this user, or use another file with -f`;
    try {
      return { fd: openFile(filePath, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), readOnlyReason };
    } catch (readError) {
      throw openError(filePath, readError);
    }
  }
}

// Who may write to a file and not list its folder cannot put the name on disk, so no move could be promised.
function openFolder(filePath: string): { fd: number } | { readOnlyReason: string } {
  const folder = folderOf(filePath);
  try {
    return { fd: openFile(folder, O_RDONLY | O_DIRECTORY) };
  } catch (error) {
    if (codeOf(error) !== "EACCES") throw ioError(folder, "open", error);
    const readOnlyReason = `${filePath} can only be read, because its folder cannot be synced (EACCES): make ${folder} readable for this user, or use another file with -f`;
    return { readOnlyReason };
  }
}

function readGoFile(filePath: string, fd: number): Uint8Array {
  const bytes = new Uint8Array(GO_FILE_BYTES);
  const count = readAt(fd, bytes, 0);
  // The rest would be zeros, and all zeros are index 0.
  if (count === GO_FILE_BYTES) return bytes;
  throw new FibError(
    "cursor_io",
    `Cannot read ${filePath}: only ${count} of ${GO_FILE_BYTES} bytes were read; try again`,
  );
}

/** Creates a file, and puts the way to it on disk. Call it with the folder's lock. @throws {@link FibError} `cursor_io`. */
export function* createFile(
  filePath: string,
  bytes: Uint8Array,
  folderFd: number,
  options: Pick<PutOptions, "owner"> = {},
): Procedure<void> {
  try {
    yield* syncFoldersAbove(filePath);
  } catch (error) {
    throw ioError(filePath, "create", error instanceof FibError ? error.cause : error);
  }
  // Where somebody else has put a file meanwhile, that one is found by the next round.
  yield* putFile(filePath, bytes, folderFd, { ...options, place: renameToFree });
}

/** Puts the way to a file on disk, up to the mount point. @throws {@link FibError} `cursor_io`. */
function* syncFoldersAbove(filePath: string): Procedure<void> {
  let folder = realPath(folderOf(filePath));
  for (const dev = statBehind(folder)?.dev; folder !== "/";) {
    folder = folderOf(folder);
    if (statBehind(folder)?.dev !== dev) return;
    try {
      yield* syncFolder(folder);
    } catch (error) {
      // A folder that may not be read was not made by this user just now.
      if (codeOf(error) !== "EACCES") throw error;
    }
  }
}

function* takeOver(
  filePath: string,
  { bytes, stat }: GoFile,
  folderFd: number,
  { notice }: OpenOptions,
): Procedure<void> {
  const user = process.geteuid!();
  if (user !== 0 && user !== stat.uid) {
    throw new FibError(
      "cursor_io",
      `Cannot take over ${filePath}: it belongs to another user (uid ${stat.uid}), who would lose it; open it once as that user, or as root`,
    );
  }
  let index: number;
  try {
    index = decodeGoFile(bytes);
  } catch (error) {
    throw damaged(filePath, error);
  }
  const kept = keptName(filePath, bytes);
  // Also when it is there already: whoever wrote it may not have got as far as the folder's sync.
  yield* putFile(kept, bytes, folderFd, { owner: stat });
  const isGoFile = (found: string) => {
    const now = statAt(found);
    return now !== undefined && now.ino === stat.ino && now.dev === stat.dev;
  };
  const place = (from: string, to: string) => replace(from, to, isGoFile);
  const isPut = yield* putFile(filePath, encodeFile(initialRecord(index)), folderFd, { owner: stat, place });
  if (isPut)
    notice(`${filePath} was a Go server's file: taken over at index ${index}, the old bytes are in ${kept}`);
}

/** A name that is free, or has these very bytes: other bytes that were kept by an earlier takeover stay. */
function keptName(filePath: string, bytes: Uint8Array): string {
  for (let count = 1; ; count++) {
    const name = count === 1 ? `${filePath}.go16` : `${filePath}.go16.${count}`;
    const stat = statAt(name);
    if (stat === undefined) return name;
    if (stat.isFile && stat.sizeBytes === GO_FILE_BYTES && holds(name, bytes)) return name;
  }
}

function holds(name: string, bytes: Uint8Array): boolean {
  try {
    const fd = openFile(name, O_RDONLY);
    try {
      return areEqual(readGoFile(name, fd), bytes);
    } finally {
      closeFile(fd);
    }
  } catch {
    // Somebody else's, who lets nobody read it.
    return false;
  }
}

function openError(filePath: string, error: unknown): FibError {
  const code = codeOf(error);
  if (code === "ELOOP") return refused(filePath, "it is a symbolic link");
  if (code === "EISDIR") return refused(filePath, "it is a folder");
  if (code === "ENXIO") return refused(filePath, "it is not a regular file");
  return ioError(filePath, "open", error);
}
