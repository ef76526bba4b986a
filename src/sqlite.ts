/**
 * A SQLite file of ours: opened, brought to its newest form, and written in transactions that are on disk when they
 * have returned. Everything here blocks, for as long as the disk takes: in a server it belongs on a thread.
 *
 * - WAL with synchronous=FULL: a commit appends to one file and syncs it once. Other processes see it behind the sync
 *   only; with NORMAL and a sync of our own they would see it before.
 * - SQLite syncs the folder with the first sync after opening the log, also when both files were there: whoever made
 *   them may have died before that. It does not tell when that fails.
 * - Opening moves the log into the database (a checkpoint): what an interrupted process wrote, or failed to sync, is
 *   written and synced again before anything is shown or builds on it. When another process is just doing that, it is
 *   waited for: it may die of it. When a reader holds it up, somebody has done it before: nobody writes before that.
 * - Nobody else in the process may open and close the file, as `fs` does to read or copy it: closing any descriptor of a
 *   file drops all locks of fcntl(2) that the process has on it, and those are SQLite's.
 * @see https://sqlite.org/wal.html, https://sqlite.org/pragma.html#pragma_locking_mode
 * @module
 */
import { Database, SQLiteError } from "bun:sqlite";
import fs from "node:fs";
import { type ErrorCode, FibError } from "./errors.ts";
import { BUSY, isBusy, isFull, refused, sqliteError } from "./sqlite-errors.ts";
import { openToRead, type Reading, shareParts, unwritable } from "./sqlite-read.ts";
import { closeFile, O_RDWR, openFile, readAt, syncData, tryLock, writeAt } from "./system-calls.ts";

/** What a file is, and who may use it. */
export interface SqliteSettings {
  readonly path: string;
  /** Tells our files from other people's; four letters. */
  readonly applicationId: number;
  /** Each brings the file to the next `user_version`. What was released is never changed. */
  readonly migrations: readonly string[];
  /**
   * How long to wait for another process that writes. Without it the file is this process's own while it is open:
   * others may read it, as a backup does. The kernel drops that lock with the process, however it ends.
   */
  readonly lockTimeoutMs?: number;
  /** No file is made where there is none. */
  readonly mustExist?: boolean;
  /** The codes of its errors. */
  readonly codes: { readonly io: ErrorCode; readonly locked: ErrorCode; readonly damaged: ErrorCode };
  /** What whoever meets its lock, or its damage, can do. */
  readonly advice: { readonly locked: string; readonly damaged: string };
}

/** Which files of ours it is. */
export type DatabaseKind = Pick<SqliteSettings, "applicationId" | "migrations" | "codes">;

/** SQLite's own waits grow to 100 ms: a shell would hardly ever meet a gap between the commits of a busy server. */
const LOCK_POLL_MS = { first: 0.2, last: 5 } as const;

/** An owner meets only readers, and those are in the way for moments: when one of them sets up the log, or closes it. */
const OWNER_WAIT_MS = 1000;

/** A log that a reader has let grow is cut to this when it begins anew. */
const LOG_BYTES_KEPT = 16 * 2 ** 20;

const COPIED_BYTES = 2 ** 20;

/** The database and its log, by the ends of their names. Without its index SQLite could not even be closed safely. */
const MAIN = "";
const PARTS = [MAIN, "-wal"];

/** An open file. */
export class SqliteFile {
  readonly db: Database;
  /** Why it may only be read, or undefined. One that may is as it was at the opening: open it again for each question. */
  readonly readOnlyReason: string | undefined;
  /** When it was written last, and its size, as it was when it was read anew. */
  #checked = "";
  readonly #reading: Reading | undefined;
  readonly #settings: SqliteSettings;
  /** Which files these were at the opening. */
  #identities: readonly string[];
  /**
   * The owner's descriptor, with its lock. Open until SQLite has closed the file, whose locks would go with it.
   */
  #ownerFd: number | undefined;

  /**
   * Opens the file, creating it when there is none.
   *
   * @throws {@link FibError} with one of the codes of `settings`.
   */
  constructor(settings: SqliteSettings) {
    this.#settings = settings;
    const { path, mustExist = false, lockTimeoutMs } = settings;
    this.readOnlyReason = lockTimeoutMs === undefined ? undefined : unwritable(path);
    const options = { create: !mustExist, readwrite: true, strict: true };
    if (this.readOnlyReason !== undefined) this.#reading = this.#io("open", () => openToRead(settings));
    // It takes white space from both ends of a name.
    const name = path.startsWith("/") ? path : `./${path}`;
    this.db = this.#reading?.db ?? this.#io("open", () => new Database(name, options));
    this.#identities = [this.#identityOf(MAIN)];
    try {
      // SQLite has opened the file and holds no lock of it yet, which a refused one of ours could drop.
      if (settings.lockTimeoutMs === undefined) this.#own();
      this.#io("open", () => this.#prepare());
      shareParts(path);
      if (this.#reading === undefined) this.#identities = PARTS.map((end) => this.#identityOf(end));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Commits everything that `work` writes, or nothing.
   *
   * @param isRepeatable - It does nothing but write, and so may be done once more where the disk is full.
   * @throws as the constructor does.
   */
  transaction<T>(work: () => T, isRepeatable = false): T {
    const commit = () => this.db.transaction(work).immediate();
    return this.#io("write", () => {
      try {
        return commit();
      } catch (error) {
        // Behind a checkpoint the log begins anew, in the room that it has; the database has its own, unless it grows.
        if (!isFull(error) || !isRepeatable) throw error;
        this.db.run("PRAGMA wal_checkpoint(RESTART)");
        return commit();
      }
    });
  }

  /** Reads, all of it at one moment. @throws as the constructor does. */
  read<T>(work: () => T): T {
    return this.#io("read", () => {
      const result = this.db.transaction(work).deferred();
      this.#reading?.check();
      return result;
    });
  }

  /**
   * Says whether the file is still where it was opened, with its log: nobody has moved, replaced or removed them.
   * Takes 4 µs.
   *
   * @throws {@link FibError} when that cannot be seen.
   */
  isInPlace(): boolean {
    return this.#identities.every((identity, i) => this.#identityOf(PARTS[i]!) === identity);
  }

  #identityOf(end: string): string {
    const stat = this.#stat(end);
    return stat === undefined ? "" : `${stat.dev} ${stat.ino}`;
  }

  #stat(end: string): fs.BigIntStats | undefined {
    const { path, codes } = this.#settings;
    try {
      return fs.lstatSync(path + end, { bigint: true, throwIfNoEntry: false });
    } catch (error) {
      throw new FibError(codes.io, `Cannot find ${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  /**
   * Reads the file anew when it has changed: what is in memory, and in the log, hides that somebody has overwritten it.
   * By a connection of its own, whose closing leaves the locks of this one alone. After a checkpoint, 0.2 ms.
   *
   * @throws as the constructor does.
   */
  checkContent(): void {
    const stat = this.#stat(MAIN);
    const mark = `${stat?.mtimeNs} ${stat?.size}`;
    if (mark === this.#checked || this.#reading !== undefined) return;
    this.#io("read", () => {
      using opened = openToRead(this.#settings);
      versionOf(opened.db, this.#settings);
    });
    this.#checked = mark;
  }

  /** The error for a file that is not in its place. */
  moved(): FibError {
    const { path, codes } = this.#settings;
    return new FibError(
      codes.io,
      `Cannot use ${path}: it was moved or replaced while it was in use; try again`,
    );
  }

  /** The error for content that cannot be what was written. */
  damaged(reason: string): FibError {
    const { path, codes, advice } = this.#settings;
    return new FibError(codes.damaged, `Cannot use ${path}: ${reason}${advice.damaged}`);
  }

  close(): void {
    try {
      // SQLite leaves the log of a file that was moved, and the next one there would take it for its own.
      if (this.#identityOf(MAIN) !== this.#identities[0]) this.db.run("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // The file that was moved needs its log, then.
    }
    try {
      this.db.close();
    } catch {
      // Its last checkpoint failed: the next opening makes it.
    }
    if (this.#ownerFd !== undefined) closeFile(this.#ownerFd);
    this.#ownerFd = undefined;
  }

  /**
   * Takes the lock that only one process has. Rejected: SQLite's own exclusive mode, in which nobody else can read.
   */
  #own(): void {
    const { path, codes, advice } = this.#settings;
    let isOurs: boolean;
    try {
      this.#ownerFd = openFile(path, O_RDWR);
      isOurs = tryLock(this.#ownerFd);
    } catch (error) {
      throw new FibError(codes.io, `Cannot open ${path}: ${(error as Error).message}`, { cause: error });
    }
    if (!isOurs) throw new FibError(codes.locked, `Cannot use ${path}: ${advice.locked}`);
  }

  #prepare(): void {
    const { migrations, lockTimeoutMs } = this.#settings;
    this.db.run("PRAGMA busy_timeout = 0");
    const version = versionOf(this.db, this.#settings);
    if (this.readOnlyReason !== undefined) {
      if (version === migrations.length) return;
      throw new FibError(this.#settings.codes.io, `Cannot use it as it is: ${this.readOnlyReason}`);
    }
    const mode = this.db.query("PRAGMA journal_mode = WAL").values()[0]![0];
    if (mode !== "wal")
      throw refused(
        this.#settings,
        `SQLite offers ${String(mode)} instead of a log; use a local file system`,
      );
    this.db.run("PRAGMA synchronous = FULL");
    const isShared = lockTimeoutMs !== undefined;
    // Also without a migration: a disk that refuses writes is found now, and not at the first task. Who only looks at a
    // shared file need not write.
    if (!isShared || version < migrations.length) this.db.transaction(() => this.#migrate()).immediate();
    // Who shares the file may not be held up, and finds the log as this one does: it need not become empty.
    this.db.run(`PRAGMA journal_size_limit = ${LOG_BYTES_KEPT}`);
    const found = this.#checkpoint(isShared ? "PASSIVE" : "TRUNCATE");
    if (found === "held up" && isShared) throw BUSY;
    if (found === "held up") this.#writeAgain();
    if (found === "full") this.#syncLog();
  }

  #checkpoint(mode: string): "done" | "held up" | "full" {
    try {
      return numberOf(this.db, `PRAGMA wal_checkpoint(${mode})`) === 1 ? "held up" : "done";
    } catch (error) {
      if (isFull(error)) return "full";
      throw error;
    }
  }

  /** Where the database has no room for what is in the log: that can be read all the same, once it is on disk. */
  #syncLog(): void {
    this.#withLog(syncData);
  }

  /**
   * What the checkpoint would have done, were there no reader: everything that is shown is written, where it stands,
   * and synced. Of a log that a reader holds, and of the pages that an interrupted checkpoint has moved, nobody knows
   * whether they are on disk. Takes 0.7 s for each GB.
   */
  #writeAgain(): void {
    this.#withLog((logFd) => {
      writeAgain(logFd);
      writeAgain(this.#ownerFd!);
    });
  }

  #withLog(work: (logFd: number) => void): void {
    const { path, codes } = this.#settings;
    try {
      // Nobody has locks on the log.
      const logFd = openFile(`${path}-wal`, O_RDWR);
      try {
        work(logFd);
      } finally {
        closeFile(logFd);
      }
    } catch (error) {
      throw new FibError(codes.io, `Cannot write ${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Whether who may only read has met somebody who was making or removing the log. */
  #isUnsettled(error: unknown): boolean {
    if (this.readOnlyReason === undefined) return false;
    if (error instanceof FibError) return error.code === this.#settings.codes.locked;
    return error instanceof SQLiteError && /^SQLITE_(CANTOPEN|READONLY)/.test(error.code ?? "");
  }

  #migrate(): void {
    const { applicationId, migrations } = this.#settings;
    for (const migration of migrations.slice(numberOf(this.db, "PRAGMA user_version")))
      this.db.run(migration);
    this.db.run(`PRAGMA application_id = ${applicationId}`);
    this.db.run(`PRAGMA user_version = ${migrations.length}`);
  }

  /** Does something, again as long as another process is in the way; an error of SQLite becomes one of ours. */
  #io<T>(action: string, call: () => T): T {
    const { lockTimeoutMs = OWNER_WAIT_MS } = this.#settings;
    const deadlineMs = performance.now() + lockTimeoutMs;
    for (let pauseMs: number = LOCK_POLL_MS.first; ; pauseMs *= 2) {
      try {
        return call();
      } catch (error) {
        const isInTheWay = isBusy(error) || (action === "open" && this.#isUnsettled(error));
        if (!isInTheWay || performance.now() >= deadlineMs) throw sqliteError(error, this.#settings, action);
        // Jitter, or two processes could keep missing the same gap.
        Bun.sleepSync(Math.min(pauseMs, LOCK_POLL_MS.last) * (0.5 + Math.random()));
      }
    }
  }
}

/**
 * The `user_version` of a file of ours; 0 for one that nobody has written to.
 *
 * @throws {@link FibError} `codes.io`, when it is another program's, or a newer version wrote it; SQLite's error.
 */
export function versionOf(db: Database, settings: DatabaseKind & Pick<SqliteSettings, "path">): number {
  // In this order: somebody may be making the tables, with their owner, just now.
  const hasTables = numberOf(db, "SELECT count(*) FROM sqlite_schema") > 0;
  const owner = numberOf(db, "PRAGMA application_id");
  if (owner !== settings.applicationId && (owner !== 0 || hasTables))
    throw refused(settings, "it is another program's");
  const version = numberOf(db, "PRAGMA user_version");
  if (version > settings.migrations.length) throw refused(settings, "a newer fibserver wrote it");
  return version;
}

function numberOf(db: Database, sql: string): number {
  return db.query(sql).values()[0]![0] as number;
}

/** Writes the same bytes to a file once more, so that a sync which failed before is made good. */
function writeAgain(fd: number): void {
  const bytes = new Uint8Array(COPIED_BYTES);
  for (let at = 0, count; (count = readAt(fd, bytes, at)) > 0; at += count) {
    const written = writeAt(fd, bytes.subarray(0, count), at);
    if (written !== count) throw new Error(`only ${written} of ${count} bytes were written`);
  }
  syncData(fd);
}
