/**
 * An open cursor file as the system sees it: lock, read, write, sync.
 *
 * Nothing here decides what is written. A file keeps its size and its blocks for ever;
 * an overwrite in place changes no metadata and cannot run out of space. `open.ts` gets
 * hold of one.
 *
 * Only the syncs are waited for (procedure.ts). The other calls block, in a server too: they take
 * 1 µs each out of the page cache and wait for a disk only when memory is so short that
 * the 8 KiB have left the cache, or when the file system makes writers wait for its journal.
 * @module
 */
import { FibError } from "../errors.ts";
import { shellWord } from "../shell-word.ts";
import {
  areEqual,
  closeFile,
  O_DIRECTORY,
  O_RDONLY,
  openFile,
  readAt,
  type Stat,
  statAt,
  statBehind,
  statOf,
  tryLock,
  unlock,
  writeAt,
} from "../system-calls.ts";
import { ioError } from "./io-error.ts";
import type { Procedure, Wait } from "./procedure.ts";
import { BLOCK_BYTES, type Decoded, decodeFile, FILE_BYTES } from "./record.ts";

/** What stays the same while a file has the same name, and differs between two files that are there at once. */
export type Identity = Readonly<Pick<Stat, "dev" | "ino">>;

/** No descriptor. */
const NONE = -1;

/** An open cursor file. */
export class CursorFile {
  readonly path: string;
  /** Why the file can only be read, or undefined. */
  readonly readOnlyReason: string | undefined;
  /** What puts on disk what was written. */
  readonly dataSync: Wait;
  readonly #fd: number;
  readonly #identity: Identity;
  /** What the file held when it was last read or written here. */
  readonly #image = new Uint8Array(FILE_BYTES);
  readonly #look = new Uint8Array(FILE_BYTES);
  /** The folder, open from the start: a move that was made must not fail because it cannot be opened any more. */
  #folderFd: number;
  /** The folder as it was before it was synced last. */
  #syncedFolder: Stat | undefined;

  constructor(
    filePath: string,
    fd: number,
    identity: Identity,
    folder: { readonly fd: number } | { readonly readOnlyReason: string },
  ) {
    this.path = filePath;
    this.dataSync = { sync: "data", fd, path: filePath };
    this.#fd = fd;
    this.#identity = identity;
    this.readOnlyReason = "fd" in folder ? undefined : folder.readOnlyReason;
    this.#folderFd = "fd" in folder ? folder.fd : NONE;
  }

  /**
   * Takes the exclusive lock between processes; false when another one has it.
   *
   * @throws {@link FibError} `cursor_io`, when the file system has no locks.
   */
  tryLock(): boolean {
    return lockAt(this.path, this.#fd);
  }

  unlock(): void {
    unlock(this.#fd);
  }

  /**
   * Reads and checks the whole file. Call it with the lock.
   *
   * @throws {@link FibError} `cursor_damaged`, also when it has another size by now; `cursor_io`, also when fewer bytes
   * were read: the rest would be taken for damage, and overwritten.
   */
  read(): Decoded {
    const count = this.#readInto(this.#image);
    if (count === FILE_BYTES) return decodeFileAt(this.path, this.#image);
    const { sizeBytes } = this.#io("find", () => statOf(this.#fd));
    if (sizeBytes !== FILE_BYTES) throw wrongSize(this.path, sizeBytes);
    throw new FibError(
      "cursor_io",
      `Cannot read ${this.path}: only ${count} of ${FILE_BYTES} bytes were read; try again`,
    );
  }

  /**
   * Says whether the file still holds, to the byte, what was last read or written here: nobody else has
   * committed, restored a backup or damaged it. Takes 0.6 µs and no lock.
   *
   * @throws {@link FibError} `cursor_io`.
   */
  isUnchanged(): boolean {
    return this.#readInto(this.#look) === FILE_BYTES && areEqual(this.#look, this.#image);
  }

  /**
   * Overwrites one copy.
   *
   * @param block - {@link BLOCK_BYTES} bytes.
   * @throws {@link FibError} `cursor_io`, also when fewer bytes were written.
   */
  write(slot: 0 | 1, block: Uint8Array): void {
    const written = this.#io("write", () => writeAt(this.#fd, block, slot * BLOCK_BYTES));
    if (written !== BLOCK_BYTES) {
      throw new FibError(
        "cursor_io",
        `Cannot write ${this.path}: only ${written} of ${BLOCK_BYTES} bytes were written`,
      );
    }
    this.#image.set(block, slot * BLOCK_BYTES);
  }

  /**
   * Puts the file's name on disk, unless it is there: whoever created it or moved it here may have died in
   * between, or may not be that far yet. Costs one sync of the folder, some 0.1 ms.
   *
   * @throws {@link FibError} `cursor_io`.
   */
  *syncName(): Procedure<void> {
    const folder = this.#folder();
    const synced = this.#syncedFolder;
    const isSame = synced !== undefined && folder.ino === synced.ino && folder.dev === synced.dev;
    // Whether no name in it has changed since then: this very file may have been moved away and back, and only the way
    // back is missing on disk. As fine as the kernel's tick, 4 ms. Takes 1.2 µs.
    if (isSame && folder.mtimeNs === synced.mtimeNs) return;
    const path = folderOf(this.path);
    if (!isSame) this.#followFolder(path, folder);
    yield { sync: "all", fd: this.#folderFd, path };
    this.#syncedFolder = folder;
  }

  /** Says whether the path still leads to this file: true, false (another file is there) or undefined (none is). */
  isInPlace(): boolean | undefined {
    const stat = this.#io("find", () => statAt(this.path));
    return stat && stat.ino === this.#identity.ino && stat.dev === this.#identity.dev;
  }

  /** Closes the descriptor, and with it gives back the lock. */
  close(): void {
    if (this.#folderFd !== NONE) closeFile(this.#folderFd);
    closeFile(this.#fd);
  }

  /** Opens the folder that the path leads through, if that is another one by now. */
  #followFolder(path: string, folder: Identity): void {
    const { ino, dev } = this.#io("find", () => statOf(this.#folderFd));
    if (ino === folder.ino && dev === folder.dev) return;
    const fd = openToSync(path);
    closeFile(this.#folderFd);
    this.#folderFd = fd;
  }

  /** The folder that the path leads through; the one that is open where that cannot be told, or is gone. */
  #folder(): Stat {
    try {
      return statBehind(folderOf(this.path)) ?? statOf(this.#folderFd);
    } catch {
      return this.#io("find", () => statOf(this.#folderFd));
    }
  }

  #readInto(bytes: Uint8Array): number {
    return this.#io("read", () => readAt(this.#fd, bytes, 0));
  }

  #io<T>(action: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw ioError(this.path, action, error);
    }
  }
}

function openToSync(folder: string): number {
  try {
    return openFile(folder, O_RDONLY | O_DIRECTORY);
  } catch (error) {
    throw ioError(folder, "sync", error);
  }
}

/** Takes the lock of what is open at a path, as `CursorFile.tryLock` does. */
export function lockAt(filePath: string, fd: number): boolean {
  try {
    return tryLock(fd);
  } catch (error) {
    const { code, message } = ioError(filePath, "lock", error);
    throw new FibError(code, `${message}; use a local file system`, { cause: error });
  }
}

/** Puts the names in a folder on disk. @throws {@link FibError} `cursor_io`. */
export function* syncFolder(folder: string): Procedure<void> {
  const fd = openToSync(folder);
  try {
    yield { sync: "all", fd, path: folder };
  } finally {
    closeFile(fd);
  }
}

/**
 * Picks the newest valid record, and names the file when there is none.
 *
 * @param bytes - The whole file.
 * @throws {@link FibError} `cursor_damaged`, with what to do.
 */
export function decodeFileAt(filePath: string, bytes: Uint8Array): Decoded {
  try {
    return decodeFile(bytes);
  } catch (error) {
    throw damaged(filePath, error);
  }
}

/** What the codecs find wrong as one sentence with the file's name; any other error as it is. */
export function damaged(filePath: string, error: unknown): unknown {
  if (!(error instanceof FibError) || error.code !== "cursor_damaged") return error;
  return new FibError(
    "cursor_damaged",
    `Cannot use ${filePath}: ${error.message}. Nothing was changed; look at it with ` +
      `\`fibserver cursor inspect -f ${shellWord(filePath)}\`, restore a copy, or name another file with -f`,
  );
}

/** What is no cursor file. */
export function refused(filePath: string, reason: string): FibError {
  return new FibError(
    "cursor_damaged",
    `Cannot use ${filePath}: ${reason}. Nothing was changed; name another file with -f`,
  );
}

/** What has the size of no cursor file. */
export function wrongSize(filePath: string, sizeBytes: number): FibError {
  return refused(filePath, `it has ${sizeBytes} bytes and a cursor file has ${FILE_BYTES}`);
}

/** What to say once of a file that may only be read. @param reason - `CursorFile.readOnlyReason`. */
export function readOnlyNotice(reason: string): string {
  return `${reason}. What it shows was not synced here and may not be on disk`;
}

/** What to say when there is another file at each look. */
export function keepsChanging(filePath: string): FibError {
  return new FibError("cursor_io", `Cannot use ${filePath}: another program keeps replacing it; try again`);
}

/** What to say when the file was there and is no more. */
export function fileGone(filePath: string): FibError {
  return new FibError(
    "cursor_io",
    `Cannot use ${filePath}: it is gone; put it back, or start again for a new one`,
  );
}

/** The folder of a path, as dirname(3) has it. */
export function folderOf(path: string): string {
  let end = path.length;
  while (end > 1 && path[end - 1] === "/") end--;
  end = path.lastIndexOf("/", end - 1);
  if (end === -1) return ".";
  while (end > 0 && path[end - 1] === "/") end--;
  return end === 0 ? "/" : path.slice(0, end);
}
