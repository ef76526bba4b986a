/**
 * Named cursors in one SQLite file (sqlite.ts says how that is opened and written), which several processes may use:
 * servers and shell commands.
 *
 * A row for each cursor, some hundred bytes, and one for each keyed move: 100 slots for a name, used in turn, so that
 * the oldest gives way by itself. Generations come from one counter, so no ETag of a cursor that was removed fits its
 * successor. What is counted is written down: a count of a hundred thousand rows takes 2 ms.
 *
 * Rows are read and written one by one within a transaction of store.ts. Not a format of our own: SQLite has the
 * index, the recovery and the locks, and is in the binary already.
 * @module
 */
import type { Database } from "bun:sqlite";
import { CLIENT_PREFIX } from "../cursor-name.ts";
import { shellWord } from "../shell-word.ts";
import { remove } from "../naming-calls.ts";
import { type DatabaseKind, SqliteFile } from "../sqlite.ts";
import { noFile } from "../sqlite-read.ts";
import { type Stat, statAt, statBehind } from "../system-calls.ts";
import { folderOf, refused, syncFolder } from "./file.ts";
import { ioError, look } from "./io-error.ts";
import type { KeyedMove } from "./moves.ts";
import type { ListedCursor, NameFilter } from "./named.ts";
import { createFile } from "./open.ts";
import { runBlocking } from "./procedure.ts";
import { inLockedFolder } from "./put.ts";
import { RING_COUNT } from "./record.ts";

/** Each brings the file to the next `user_version`. What was released is never changed here. */
const MIGRATIONS = [
  `CREATE TABLE cursors (
     name TEXT PRIMARY KEY,
     generation INTEGER NOT NULL,
     position INTEGER NOT NULL,
     keyedCount INTEGER NOT NULL,
     movedAtMs INTEGER NOT NULL,
     renewedAtMs INTEGER,
     isBack INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX clients ON cursors (isBack, renewedAtMs) WHERE renewedAtMs IS NOT NULL;
   CREATE TABLE keyedMoves (
     name TEXT NOT NULL,
     slot INTEGER NOT NULL,
     digest BLOB NOT NULL,
     operation INTEGER NOT NULL,
     position INTEGER NOT NULL,
     PRIMARY KEY (name, slot)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE counts (generation INTEGER NOT NULL, cursors INTEGER NOT NULL, clients INTEGER NOT NULL) STRICT;
   INSERT INTO counts VALUES (0, 0, 0);`,
] as const;

/** Which file it is. */
export const CURSORS_KIND: DatabaseKind = {
  /** "FIBN". */
  applicationId: 0x4649424e,
  migrations: MIGRATIONS,
  codes: { io: "cursor_io", locked: "cursor_locked", damaged: "cursor_damaged" },
};

/** Behind every character that a name may have. */
export const NAME_END = "~";

/** A cursor as it is stored; `position` is its index, which is a word of SQL's. */
export interface CursorRow {
  readonly name: string;
  readonly generation: number;
  readonly position: number;
  /** How many keyed moves there have been so far. */
  readonly keyedCount: number;
  readonly movedAtMs: number;
  /** When a client's cookie was sent to it; null for a name that can be asked for. */
  readonly renewedAtMs: number | null;
  /** Whether that client has sent its cookie back, 1 or 0. */
  readonly isBack: number;
}

/** What is counted in the file. */
export interface Counts {
  /** The newest generation of all cursors. */
  generation: number;
  cursors: number;
  clients: number;
}

/** An open database of named cursors. */
export class CursorDatabase extends SqliteFile {
  readonly #folder: string;
  readonly #statements: ReturnType<typeof statementsOf>;
  /** The folder as it was before it was synced last. */
  #syncedFolder: Stat | undefined;

  /**
   * Opens the file, creating it when there is none, unless it must exist.
   *
   * @throws {@link FibError} `cursor_io`, `cursor_locked`, `cursor_damaged`.
   */
  constructor(path: string, lockTimeoutMs: number, mustExist: boolean) {
    if (!hasFile(path) && !mustExist) makeFile(path);
    super({
      ...CURSORS_KIND,
      path,
      mustExist: true,
      lockTimeoutMs,
      advice: {
        locked: `another process has held it for ${lockTimeoutMs} ms; try again`,
        damaged: `; fibserver cursor inspect -f ${shellWord(cursorFileOf(path))} says what can be saved, and the default cursor is another file`,
      },
    });
    this.#folder = folderOf(path);
    this.#statements = this.read(() => statementsOf(this.db));
  }

  /**
   * Puts the names of the files on disk, when any name in their folder has changed since that was done: as
   * `CursorFile.syncName`. Call it last, before an answer. Takes 1.2 µs when there is nothing to do.
   *
   * @throws {@link FibError} `cursor_io`.
   */
  syncName(): void {
    const folder = look(this.#folder, statBehind);
    const synced = this.#syncedFolder;
    if (folder === undefined) throw this.moved();
    const { dev, ino, mtimeNs } = folder;
    if (ino === synced?.ino && dev === synced.dev && mtimeNs === synced.mtimeNs) return;
    if (this.readOnlyReason === undefined) runBlocking(syncFolder(this.#folder));
    this.#syncedFolder = folder;
  }

  /** The cursor of a name; undefined when there is none. */
  find(name: string): CursorRow | undefined {
    return this.#statements.find.get(name) ?? undefined;
  }

  /** Makes a cursor; there must be none of its name. */
  insert(row: CursorRow): void {
    this.#statements.insert.run({ ...row });
  }

  /** Writes where a cursor is. */
  move({ generation, position, keyedCount, movedAtMs, name }: CursorRow): void {
    this.#statements.move.run(generation, position, keyedCount, movedAtMs, name);
  }

  /** Writes when a client's cookie was sent, and whether it came back. */
  renew({ renewedAtMs, isBack, name }: CursorRow): void {
    this.#statements.renew.run(renewedAtMs, isBack, name);
  }

  /** Removes a cursor with its keys. */
  remove(name: string): void {
    this.#statements.removeKeys.run(name);
    this.#statements.remove.run(name);
  }

  /** The move that was made with a key, as long as it is remembered. */
  findKey(name: string, digest: Uint8Array): KeyedMove | undefined {
    const found = this.#statements.findKey.get(name, digest);
    return found === null ? undefined : { operation: found.operation, index: found.position };
  }

  /** Remembers a keyed move, in the place of the one that was made {@link RING_COUNT} before. */
  rememberKey(name: string, keyedCount: number, digest: Uint8Array, { operation, index }: KeyedMove): void {
    this.#statements.writeKey.run(name, keyedCount % RING_COUNT, digest, operation, index);
  }

  /** Clients whose cookie was sent at `untilMs` or before, the oldest first. */
  oldestClients(isBack: boolean, untilMs: number, limit: number): CursorRow[] {
    return this.#statements.oldestClients.all(Number(isBack), untilMs, limit);
  }

  /** What is counted; of the whole file. */
  counts(): Counts {
    const counts = this.#statements.counts.get();
    if (counts === null) throw this.damaged("its counts are lost");
    return counts;
  }

  /** Writes what is counted: in the transaction of what has changed it. */
  writeCounts(counts: Counts): void {
    this.#statements.writeCounts.run({ ...counts });
  }

  /** A number that changes when another process has committed something. */
  dataVersion(): number {
    return this.#statements.dataVersion.values()[0]![0] as number;
  }

  /** Cursors that can be asked for. Those of clients lie together, and are stepped over. */
  list({ prefix, after, limit }: NameFilter): Required<ListedCursor>[] {
    const { list } = this.#statements;
    const end = prefix + NAME_END;
    const clientsEnd = CLIENT_PREFIX + NAME_END;
    const before = list.all(after, prefix, end < CLIENT_PREFIX ? end : CLIENT_PREFIX, limit);
    if (before.length === limit) return before;
    const start = after > clientsEnd ? after : clientsEnd;
    return [...before, ...list.all(start, prefix, end, limit - before.length)];
  }
}

/**
 * Whether there is a file at a path, which must be one of its own: SQLite follows a link, and a move looks at what is at
 * the path itself.
 *
 * @throws {@link FibError} `cursor_io`, also when that cannot be seen.
 */
export function hasFile(path: string): boolean {
  const found = look(path, statAt);
  if (found?.isFile === false) throw noFile({ ...CURSORS_KIND, path });
  return found !== undefined;
}

function statementsOf(db: Database) {
  return {
    find: db.query<CursorRow, [string]>("SELECT * FROM cursors WHERE name = ?"),
    insert: db.query(
      "INSERT INTO cursors VALUES ($name, $generation, $position, $keyedCount, $movedAtMs, $renewedAtMs, $isBack)",
    ),
    // Without the columns of the index, which a move leaves as they are.
    move: db.query(
      "UPDATE cursors SET generation = ?, position = ?, keyedCount = ?, movedAtMs = ? WHERE name = ?",
    ),
    renew: db.query("UPDATE cursors SET renewedAtMs = ?, isBack = ? WHERE name = ?"),
    remove: db.query("DELETE FROM cursors WHERE name = ?"),
    removeKeys: db.query("DELETE FROM keyedMoves WHERE name = ?"),
    findKey: db.query<{ operation: number; position: number }, [string, Uint8Array]>(
      "SELECT operation, position FROM keyedMoves WHERE name = ? AND digest = ?",
    ),
    writeKey: db.query("INSERT OR REPLACE INTO keyedMoves VALUES (?, ?, ?, ?, ?)"),
    oldestClients: db.query<CursorRow, [number, number, number]>(
      `SELECT * FROM cursors WHERE isBack = ? AND renewedAtMs IS NOT NULL AND renewedAtMs <= ?
         ORDER BY renewedAtMs LIMIT ?`,
    ),
    counts: db.query<Counts, []>("SELECT * FROM counts"),
    writeCounts: db.query(
      "UPDATE counts SET generation = $generation, cursors = $cursors, clients = $clients",
    ),
    dataVersion: db.query("PRAGMA data_version"),
    list: db.query<Required<ListedCursor>, [string, string, string, number]>(
      `SELECT name, position AS "index", movedAtMs FROM cursors
         WHERE name > ? AND name >= ? AND name < ? ORDER BY name LIMIT ?`,
    ),
  };
}

/** A cursor file may be one that is only read. */
const OWNER_WRITES = 0o600;

/** Makes an empty file, which belongs to whom the cursor file belongs to. SQLite makes the log like it. */
function makeFile(path: string): void {
  runBlocking(
    inLockedFolder(path, function* (folderFd) {
      const cursorFile = cursorFileOf(path);
      const owner = look(cursorFile, statAt);
      if (owner?.isFile === false)
        throw refused(cursorFile, "it is no file but a link, a folder or the like");
      if (hasFile(path)) return;
      // SQLite would take what a file that was moved has left for its own, and who still has that open would share it.
      removeLeft(path);
      const kept = owner && { ...owner, mode: owner.mode | OWNER_WRITES };
      yield* createFile(path, new Uint8Array(), folderFd, kept && { owner: kept });
    }),
  );
}

function removeLeft(path: string): void {
  try {
    for (const end of ["-wal", "-shm"]) remove(path + end);
  } catch (error) {
    throw ioError(path, "create", error);
  }
}

/** The cursor file that named cursors are beside. */
function cursorFileOf(path: string): string {
  return path.replace(/\.cursors$/, "");
}
