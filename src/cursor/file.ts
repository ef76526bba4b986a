/**
 * The cursor file as the system sees it: open, create, take over, lock, read, write, sync.
 *
 * Nothing here decides what is written. Creation happens under the lock of the
 * *folder*, so two processes that find no file cannot both put theirs there, and goes
 * through a temporary file: sync, rename, sync of the folder. After that the file
 * keeps its size and its blocks for ever; an overwrite in place changes no metadata
 * and cannot run out of space.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { FibError } from "../errors.ts";
import { decodeGoFile, GO_FILE_BYTES } from "./go.ts";
import { tryLock, unlock } from "./lock.ts";
import { BLOCK_BYTES, type Decoded, decodeFile, encodeFile, FILE_BYTES, initialRecord } from "./record.ts";

const { O_RDONLY, O_RDWR, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

/** Tells a person what happened to the file while it was opened. */
export type Notice = (message: string) => void;

/** What stays the same while a file has the same name, and differs between two files that are there at once. */
type Identity = Readonly<Pick<fs.Stats, "dev" | "ino">>;

/** An open cursor file. */
export class CursorFile {
  readonly path: string;
  /** Why the file can only be read, or undefined. */
  readonly readOnlyReason: string | undefined;
  readonly #fd: number;
  readonly #identity: Identity;
  /** What the file held when it was last read or written here. */
  readonly #image = new Uint8Array(FILE_BYTES);
  readonly #look = new Uint8Array(FILE_BYTES);

  constructor(filePath: string, fd: number, identity: Identity, readOnlyReason: string | undefined) {
    this.path = filePath;
    this.#fd = fd;
    this.#identity = identity;
    this.readOnlyReason = readOnlyReason;
  }

  /** Takes the exclusive lock between processes; false when another one has it. */
  tryLock(): boolean {
    return tryLock(this.#fd);
  }

  unlock(): void {
    unlock(this.#fd);
  }

  /**
   * Reads and checks the whole file. Call it with the lock.
   *
   * @throws {@link FibError} `cursor_damaged`, `cursor_io`.
   */
  read(): Decoded {
    return decodeFileAt(this.path, this.#image.subarray(0, this.#readInto(this.#image)));
  }

  /**
   * Says whether the file still holds, to the byte, what was last read or written here: nobody else has
   * committed, restored a backup or damaged it. Takes 1.2 µs and no lock.
   *
   * @throws {@link FibError} `cursor_io`.
   */
  isUnchanged(): boolean {
    return this.#readInto(this.#look) === FILE_BYTES && Buffer.compare(this.#look, this.#image) === 0;
  }

  /**
   * Overwrites one copy.
   *
   * @param block - {@link BLOCK_BYTES} bytes.
   * @throws {@link FibError} `cursor_io`, also when fewer bytes were written.
   */
  write(slot: 0 | 1, block: Uint8Array): void {
    const written = this.#io("write", () =>
      fs.writeSync(this.#fd, block, 0, BLOCK_BYTES, slot * BLOCK_BYTES),
    );
    if (written !== BLOCK_BYTES) {
      throw new FibError(
        "cursor_io",
        `Cannot write ${this.path}: only ${written} of ${BLOCK_BYTES} bytes were written`,
      );
    }
    this.#image.set(block, slot * BLOCK_BYTES);
  }

  /** Puts on disk what was written; blocks the thread. @throws {@link FibError} `cursor_io`. */
  syncBlocking(): void {
    this.#io("sync", () => fs.fdatasyncSync(this.#fd));
  }

  /** Puts on disk what was written, on another thread. @throws {@link FibError} `cursor_io`. */
  sync(): Promise<void> {
    // Not node:util's promisify, which takes 1 ms to load.
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#fd, (error) => (error ? reject(ioError(this.path, "sync", error)) : resolve()));
    });
  }

  /** Says whether the path still leads to this file: true, false (another file is there) or undefined (none is). */
  isInPlace(): boolean | undefined {
    const stat = this.#io("find", () => fs.lstatSync(this.path, { throwIfNoEntry: false }));
    return stat && stat.ino === this.#identity.ino && stat.dev === this.#identity.dev;
  }

  /** Closes the descriptor, and with it gives back the lock. */
  close(): void {
    fs.closeSync(this.#fd);
  }

  #readInto(bytes: Uint8Array): number {
    return this.#io("read", () => fs.readSync(this.#fd, bytes, 0, FILE_BYTES, 0));
  }

  #io<T>(action: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw ioError(this.path, action, error);
    }
  }
}

/**
 * Opens a cursor file; creates a missing one at F(0), and takes over a Go server's.
 *
 * @param filePath - Where it is, or will be; its folder must exist.
 * @param notice - Gets a line for each thing that a person should know.
 * @returns The file; its content is not judged yet, except for its kind and size.
 * @throws {@link FibError} `cursor_damaged` for what is no cursor file, `cursor_io` where the system refuses,
 * `cursor_locked` while another process creates files in the folder.
 */
export function openCursorFile(filePath: string, notice: Notice): CursorFile {
  // A second round follows a creation or a takeover, by us or by somebody who was faster; a third would be a fight.
  for (let round = 0; round < 3; round++) {
    const file = openExisting(filePath);
    if (file instanceof CursorFile) return file;
    inLockedFolder(filePath, (folderFd) => {
      const found = openExisting(filePath);
      if (found instanceof CursorFile) found.close();
      else if (found === "missing") putFile(filePath, encodeFile(initialRecord()), folderFd);
      else takeOver(filePath, found, folderFd, notice);
    });
  }
  throw new FibError("cursor_io", `Cannot open ${filePath}: another program keeps replacing it`);
}

/**
 * Writes a new file whole or not at all, and returns when it is on disk.
 *
 * @param filePath - What to create or replace.
 * @throws {@link FibError} `cursor_io`.
 */
export function writeWholeFile(filePath: string, bytes: Uint8Array): void {
  inLockedFolder(filePath, (folderFd) => putFile(filePath, bytes, folderFd));
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

/**
 * Opens without following links and without waiting for the other end of a FIFO.
 *
 * @returns The file, "missing", or the bytes of a Go server's file.
 */
function openExisting(filePath: string): CursorFile | Uint8Array | "missing" {
  let readOnlyReason: string | undefined;
  let fd: number;
  try {
    fd = fs.openSync(filePath, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return "missing";
    if (code !== "EACCES" && code !== "EROFS" && code !== "EPERM") throw openError(filePath, error);
    readOnlyReason = `${filePath} can only be read (${code}): make it writable for this user, or use another file with -f`;
    try {
      fd = fs.openSync(filePath, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (readError) {
      throw openError(filePath, readError);
    }
  }
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) throw refused(filePath, "it is not a regular file");
    if (stat.size === FILE_BYTES) return new CursorFile(filePath, fd, stat, readOnlyReason);
    if (stat.size !== GO_FILE_BYTES) {
      throw refused(filePath, `it has ${stat.size} bytes and a cursor file has ${FILE_BYTES}`);
    }
    const bytes = new Uint8Array(GO_FILE_BYTES);
    fs.readSync(fd, bytes, 0, GO_FILE_BYTES, 0);
    fs.closeSync(fd);
    return bytes;
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

function takeOver(filePath: string, goBytes: Uint8Array, folderFd: number, notice: Notice): void {
  let index: number;
  try {
    index = decodeGoFile(goBytes);
  } catch (error) {
    throw damaged(filePath, error);
  }
  // A name that is free: what was kept by an earlier takeover stays.
  let kept = `${filePath}.go16`;
  for (let count = 2; fs.existsSync(kept); count++) kept = `${filePath}.go16.${count}`;
  putFile(kept, goBytes, folderFd);
  putFile(filePath, encodeFile(initialRecord(index)), folderFd);
  notice(`${filePath} was a Go server's file: taken over at index ${index}, the old bytes are in ${kept}`);
}

function putFile(filePath: string, bytes: Uint8Array, folderFd: number): void {
  const temporary = `${filePath}.${crypto.randomUUID()}.tmp`;
  try {
    const fd = fs.openSync(temporary, "wx", 0o644);
    try {
      const written = fs.writeSync(fd, bytes, 0, bytes.length, 0);
      if (written !== bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes were written`);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(temporary, filePath);
    fs.fsyncSync(folderFd);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw ioError(filePath, "create", error);
  }
}

function inLockedFolder(filePath: string, work: (folderFd: number) => void): void {
  const folder = path.dirname(filePath);
  let fd: number;
  try {
    fd = fs.openSync(folder, O_RDONLY);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw ioError(folder, "open", error);
    throw new FibError(
      "cursor_io",
      `Cannot create ${filePath}: its folder does not exist; mkdir -p ${folder}`,
    );
  }
  try {
    // Held for a few milliseconds by whoever creates a file here, so a short wait is enough.
    for (const deadline = Date.now() + FOLDER_LOCK_MS; !tryLock(fd); Bun.sleepSync(1)) {
      if (Date.now() > deadline)
        throw new FibError("cursor_locked", `Cannot create ${filePath}: ${folder} is locked`);
    }
    work(fd);
  } finally {
    fs.closeSync(fd);
  }
}

const FOLDER_LOCK_MS = 1000;

function openError(filePath: string, error: unknown): FibError {
  const code = codeOf(error);
  if (code === "ELOOP") return refused(filePath, "it is a symbolic link");
  if (code === "EISDIR") return refused(filePath, "it is a folder");
  if (code === "ENXIO") return refused(filePath, "it is not a regular file");
  return ioError(filePath, "open", error);
}

function refused(filePath: string, reason: string): FibError {
  return new FibError(
    "cursor_damaged",
    `Cannot use ${filePath}: ${reason}. Nothing was changed; name another file with -f`,
  );
}

// What the codecs find wrong becomes one sentence with the file's name; anything else passes.
function damaged(filePath: string, error: unknown): unknown {
  if (!(error instanceof FibError) || error.code !== "cursor_damaged") return error;
  return new FibError(
    "cursor_damaged",
    `Cannot use ${filePath}: ${error.message}. Nothing was changed; look at it with ` +
      `\`fibserver cursor inspect -f ${filePath}\`, restore a copy, or name another file with -f`,
  );
}

function ioError(filePath: string, action: string, error: unknown): FibError {
  const reason = error instanceof Error ? error.message : String(error);
  return new FibError("cursor_io", `Cannot ${action} ${filePath}: ${reason}`, { cause: error });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
