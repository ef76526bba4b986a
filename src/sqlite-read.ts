/**
 * Looking at a SQLite file of ours without leaving anything behind, and whether one may be written at all.
 *
 * An ordinary opening makes the log and its index where there are none, also for who may only read: those would belong
 * to the reader, and in a folder with the sticky bit the owner could write no more. So what is not there is done without:
 * a file without a log is read as it stands (`immutable`), and one with both is read through them (`readonly_shm`).
 * @see https://sqlite.org/wal.html#readonly
 * @module
 */
import { constants, Database } from "bun:sqlite";
import fs from "node:fs";
import { pathToFileURL } from "node:url";
import { type ErrorCode, FibError } from "./errors.ts";

/** Unless somebody is waiting. */
const LOCK_WAIT_MS = 5000;

/** A file, and the code of what goes wrong with it. */
interface Place {
  readonly path: string;
  readonly codes: { readonly io: ErrorCode; readonly locked: ErrorCode };
}

/** A database that is only read. */
export interface Reading extends Disposable {
  readonly db: Database;
  /**
   * Call it behind the last read: nobody has written what was read without his log.
   *
   * @throws {@link FibError} `codes.locked`
   */
  readonly check: () => void;
}

/**
 * Opens a file to read it, and makes none beside it.
 *
 * @param mayLeave - Who may write it may leave an empty log, for what takes long and must not be in vain because somebody
 * writes meanwhile.
 * @param waitMs - How long to wait for who sets up the log, or has the file alone.
 * @throws {@link FibError} `codes.io`; SQLite's error.
 */
export function openToRead({ path, codes }: Place, mayLeave = false, waitMs = LOCK_WAIT_MS): Reading {
  const [main, log, index] = ["", "-wal", "-shm"].map((end) => traceOf(path + end, { path, codes }));
  // SQLite would wait for the other end of a FIFO.
  if (main?.isFile === false) throw noFile({ path, codes });
  const { SQLITE_OPEN_READONLY, SQLITE_OPEN_READWRITE, SQLITE_OPEN_URI } = constants;
  const hasLog = log !== undefined && (index !== undefined || log.size > 0n);
  const isWritable = unwritable(path) === undefined;
  requireReadable({ path, codes });
  if (hasLog && index === undefined && !isWritable)
    throw new FibError(codes.io, `Cannot read ${path}: whoever may write it has to open it once`);
  const isAsItStands = !hasLog && !(isWritable && mayLeave);
  const how = isAsItStands ? "immutable=1" : isWritable ? "mode=ro" : "readonly_shm=1";
  // What was interrupted while it was made, or got its log, has to be undone before it can be read.
  const isInterrupted = isWritable && mayLeave && fs.existsSync(`${path}-journal`);
  const access = isInterrupted ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  const uri = `${pathToFileURL(path).href}?${isInterrupted ? "mode=rw" : how}`;
  const db = new Database(uri, access | SQLITE_OPEN_URI);
  db.run(`PRAGMA busy_timeout = ${waitMs}`);
  const check = () => {
    const now = traceOf(path, { path, codes });
    const isSame = now?.ino === main?.ino && now?.mtimeNs === main?.mtimeNs && now?.size === main?.size;
    if (!isAsItStands || (isSame && !fs.existsSync(`${path}-shm`))) return;
    throw new FibError(codes.locked, `Cannot read ${path}: another process writes it; try again`);
  };
  return { db, check, [Symbol.dispose]: () => db.close() };
}

/** The error for what is no file. */
export function noFile({ path, codes }: Place): FibError {
  const reason = "it is no file but a link, a folder or the like";
  return new FibError(codes.io, `Cannot use ${path}: ${reason}; move it away for a new one`);
}

/**
 * Why a file may only be read; undefined when it may be written. By access(2): a descriptor would, once it is closed,
 * take SQLite's locks along.
 */
export function unwritable(path: string): string | undefined {
  const beside = [`${path}-wal`, `${path}-shm`];
  const slash = path.lastIndexOf("/");
  const folder = slash > 0 ? path.slice(0, slash) : slash === 0 ? "/" : ".";
  const needed = [path, ...(beside.every((file) => fs.existsSync(file)) ? beside : [folder])];
  for (const place of needed) {
    try {
      fs.accessSync(place, fs.constants.W_OK);
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") continue;
      const why = place === path ? code : `${code} for ${place}`;
      return `${path} can only be read (${why}): make it writable for this user, or use another file with -f`;
    }
  }
  return undefined;
}

/**
 * Gives the log and its index the group of the file: SQLite does so for root alone, and a member of that group would lock
 * the others out.
 */
export function shareParts(path: string): void {
  const main = fs.statSync(path, { throwIfNoEntry: false });
  for (const end of ["-wal", "-shm"]) {
    const part = fs.statSync(path + end, { throwIfNoEntry: false });
    if (main === undefined || part === undefined || part.gid === main.gid) continue;
    try {
      fs.chownSync(path + end, -1, main.gid);
    } catch {
      // Not ours, or of a group that is not: then its mode decides.
    }
  }
}

/** SQLite does not say why it cannot open a file. */
function requireReadable({ path, codes }: Place): void {
  try {
    fs.accessSync(path, fs.constants.R_OK);
  } catch (error) {
    throw new FibError(codes.io, `Cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function traceOf(file: string, { path, codes }: Place) {
  try {
    const stat = fs.statSync(file, { bigint: true, throwIfNoEntry: false });
    return stat && { isFile: stat.isFile(), ino: stat.ino, size: stat.size, mtimeNs: stat.mtimeNs };
  } catch (error) {
    throw new FibError(codes.io, `Cannot find ${path}: ${(error as Error).message}`, { cause: error });
  }
}
