/**
 * The tasks of one server, in one SQLite file; used by one process at a time.
 *
 * - WAL with synchronous=FULL: a commit appends to one file and syncs it once, and is on disk when it returns.
 * - locking_mode=EXCLUSIVE: the file stays locked while it is open, so a second server is told so at once, and no
 *   shared memory is needed. The kernel drops the lock with the process, however that ends.
 * - Opening moves the whole log into the database (a checkpoint): what an interrupted process wrote, or failed to
 *   sync, is written and synced again before anything builds on it.
 * - Short results are rows, committed together with the state that makes them visible; files.ts has the long ones.
 *
 * Everything here blocks, for as long as the disk takes: embedded.ts puts many writes into one commit.
 * @see https://sqlite.org/wal.html, https://sqlite.org/pragma.html#pragma_locking_mode
 * @module
 */
import { Database, SQLiteError } from "bun:sqlite";
import { FibError } from "../errors.ts";
import { requestKey, requestOfKey, type Task } from "./task.ts";
import type { TaskFilter } from "./queue.ts";

/** "FIBT": tells our files from other people's. */
const APPLICATION_ID = 0x46494254;

/** Each brings the file to the next `user_version`. What was released is never changed here. */
const MIGRATIONS = [
  `CREATE TABLE tasks (
     id TEXT PRIMARY KEY,
     request TEXT NOT NULL,
     sizeBytes INTEGER NOT NULL,
     state TEXT NOT NULL,
     attempts INTEGER NOT NULL,
     createdAtMs INTEGER NOT NULL,
     startedAtMs INTEGER,
     finishedAtMs INTEGER,
     expiresAtMs INTEGER,
     reason TEXT,
     keptBytes INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE UNIQUE INDEX reusable ON tasks (request) WHERE state IN ('queued', 'running', 'ready');
   CREATE INDEX states ON tasks (state, id);
   CREATE INDEX expiry ON tasks (expiresAtMs) WHERE expiresAtMs IS NOT NULL;
   CREATE TABLE results (id TEXT PRIMARY KEY, digits BLOB NOT NULL) STRICT;`,
  "ALTER TABLE tasks ADD COLUMN requestCount INTEGER NOT NULL DEFAULT 1",
] as const;

/** What a finished task takes at least, for its row and the room in the indices. */
const KEPT_BYTES_MIN = 4096;

/** How a task ends. */
export interface Ending {
  readonly state: "ready" | "failed" | "cancelled";
  readonly reason?: string;
  /** A short result; a long one is in a file by now. */
  readonly digits?: Uint8Array | undefined;
  readonly atMs: number;
  readonly ttlMs: number;
}

type Row = Omit<Task, "request" | "progress" | "startedAtMs" | "finishedAtMs" | "expiresAtMs" | "reason"> & {
  readonly request: string;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  readonly expiresAtMs: number | null;
  readonly reason: string | null;
  readonly keptBytes: number;
};

/** A task that was forgotten, and the room that it had taken. */
export interface Forgotten {
  readonly id: string;
  readonly keptBytes: number;
}

/** An open database of tasks. */
export class TaskDatabase {
  readonly #path: string;
  readonly #db: Database;

  /**
   * Opens the file, creating it when there is none.
   *
   * @throws {@link FibError} `tasks_locked`, `tasks_io`.
   */
  constructor(path: string) {
    this.#path = path;
    this.#db = this.#io("open", () => new Database(path, { create: true, readwrite: true, strict: true }));
    try {
      this.#io("open", () => this.#prepare());
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #prepare(): void {
    this.#db.run("PRAGMA busy_timeout = 0");
    this.#db.run("PRAGMA locking_mode = EXCLUSIVE");
    const { application_id: owner } = this.#db.query("PRAGMA application_id").get() as {
      application_id: number;
    };
    const { tables } = this.#db.query("SELECT count(*) AS tables FROM sqlite_schema").get() as {
      tables: number;
    };
    if (owner !== APPLICATION_ID && (owner !== 0 || tables > 0))
      throw this.#refused("it is another program's");
    if (this.#version() > MIGRATIONS.length) throw this.#refused("a newer fibserver wrote it");
    const { journal_mode: mode } = this.#db.query("PRAGMA journal_mode = WAL").get() as {
      journal_mode: string;
    };
    if (mode !== "wal")
      throw this.#refused(`SQLite offers ${mode} instead of a log; use a local file system`);
    this.#db.run("PRAGMA synchronous = FULL");
    this.transaction(() => this.#migrate());
    this.#db.run("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  #migrate(): void {
    for (const migration of MIGRATIONS.slice(this.#version())) this.#db.run(migration);
    // Also without a migration: the transaction has to write something to take the lock now, and not at the first task.
    this.#db.run(`PRAGMA application_id = ${APPLICATION_ID}`);
    this.#db.run(`PRAGMA user_version = ${MIGRATIONS.length}`);
  }

  /** Commits everything that `work` writes, or nothing. @throws {@link FibError} `tasks_io`. */
  transaction<T>(work: () => T): T {
    return this.#io("write", () => this.#db.transaction(work).immediate());
  }

  insert(task: Task): void {
    this.#db
      .query(
        `INSERT INTO tasks (id, request, sizeBytes, state, attempts, createdAtMs, keptBytes)
         VALUES (?, ?, ?, ?, ?, ?, 0)`,
      )
      .run(task.id, requestKey(task.request), task.sizeBytes, task.state, task.attempts, task.createdAtMs);
  }

  /** Counts a further request for a task. */
  join(id: string): void {
    this.#db.query("UPDATE tasks SET requestCount = requestCount + 1 WHERE id = ?").run(id);
  }

  find(id: string): Task | undefined {
    return this.#one(this.#db.query("SELECT * FROM tasks WHERE id = ?").get(id));
  }

  /** The task that answers a further request for the same. */
  findReusable(key: string): Task | undefined {
    return this.#one(
      this.#db
        .query("SELECT * FROM tasks WHERE request = ? AND state IN ('queued', 'running', 'ready')")
        .get(key),
    );
  }

  list({ state, limit, after = "" }: TaskFilter, nowMs: number): Task[] {
    const isLive = "id > ? AND (expiresAtMs IS NULL OR expiresAtMs > ?)";
    const rows =
      state === undefined
        ? this.#all(`SELECT * FROM tasks WHERE ${isLive} ORDER BY id LIMIT ?`, after, nowMs, limit)
        : this.#all(
            `SELECT * FROM tasks WHERE state = ? AND ${isLive} ORDER BY id LIMIT ?`,
            state,
            after,
            nowMs,
            limit,
          );
    return rows.map(taskOf);
  }

  /** Says that a task is running; false when it has ended meanwhile. */
  begin(id: string, nowMs: number): boolean {
    const sql = `UPDATE tasks SET state = 'running', startedAtMs = ?, attempts = attempts + 1
                 WHERE id = ? AND state IN ('queued', 'running')`;
    return this.#db.query(sql).run(nowMs, id).changes > 0;
  }

  /**
   * Ends a task, and makes its result visible.
   *
   * @returns The room that it takes from now on; undefined when it had ended otherwise before.
   */
  end(task: Task, { state, reason, digits, atMs, ttlMs }: Ending): number | undefined {
    const sizeBytes = state === "ready" && task.request.kind !== "sequence" ? task.sizeBytes : 0;
    const keptBytes = Math.max(sizeBytes, KEPT_BYTES_MIN);
    const sql = `UPDATE tasks SET state = ?, reason = ?, finishedAtMs = ?, expiresAtMs = ?, keptBytes = ?,
                   startedAtMs = coalesce(startedAtMs, ?), attempts = max(attempts, ?)
                 WHERE id = ? AND state IN ('queued', 'running')`;
    // A short task is never running on disk: it is queued, and then it is ready.
    const ran = state === "cancelled" ? 0 : 1;
    const startedAtMs = ran === 1 ? atMs : null;
    const { changes } = this.#db
      .query(sql)
      .run(state, reason ?? null, atMs, atMs + ttlMs, keptBytes, startedAtMs, ran, task.id);
    if (changes === 0) return undefined;
    if (digits !== undefined)
      this.#db.query("INSERT INTO results (id, digits) VALUES (?, ?)").run(task.id, digits);
    return keptBytes;
  }

  /** Queues again what was running when its process died, and what has lost its result. */
  requeue(id: string): void {
    const sql = `UPDATE tasks SET state = 'queued', finishedAtMs = NULL, expiresAtMs = NULL, keptBytes = 0
                 WHERE id = ?`;
    this.#db.query(sql).run(id);
  }

  /** Gives a running task back as if it had never been begun. */
  giveBack(id: string): void {
    const sql = `UPDATE tasks SET state = 'queued', startedAtMs = NULL, attempts = attempts - 1
                 WHERE id = ? AND state = 'running'`;
    this.#db.query(sql).run(id);
  }

  forget(id: string): Forgotten | undefined {
    const row = this.#db.query("DELETE FROM tasks WHERE id = ? RETURNING id, keptBytes").get(id);
    this.#db.query("DELETE FROM results WHERE id = ?").run(id);
    return (row ?? undefined) as Forgotten | undefined;
  }

  /** Finished tasks, the oldest first. */
  finished(limit: number): Task[] {
    return this.#all(
      "SELECT * FROM tasks WHERE expiresAtMs IS NOT NULL ORDER BY expiresAtMs LIMIT ?",
      limit,
    ).map(taskOf);
  }

  /** All that are to be computed, in the order of their creation. */
  unfinished(): Task[] {
    return this.#all("SELECT * FROM tasks WHERE state IN ('queued', 'running') ORDER BY id").map(taskOf);
  }

  /** Ready numbers whose digits must be in a file. */
  inFiles(): Task[] {
    return this.#all(
      `SELECT * FROM tasks WHERE state = 'ready' AND request NOT LIKE 'sequence %'
         AND id NOT IN (SELECT id FROM results)`,
    ).map(taskOf);
  }

  unfinishedCount(): number {
    const row = this.#db
      .query("SELECT count(*) AS count FROM tasks WHERE state IN ('queued', 'running')")
      .get();
    return (row as { count: number }).count;
  }

  /** The room that all finished tasks take. */
  keptBytes(): number {
    const row = this.#db.query("SELECT coalesce(sum(keptBytes), 0) AS bytes FROM tasks").get();
    return (row as { bytes: number }).bytes;
  }

  /** A short result. */
  digits(id: string): Uint8Array | undefined {
    const row = this.#db.query("SELECT digits FROM results WHERE id = ?").get(id);
    return (row as { digits: Uint8Array } | null)?.digits;
  }

  /** Reads something; an error of the disk becomes one that a caller can tell. @throws {@link FibError} `tasks_io`. */
  read<T>(work: () => T): T {
    return this.#io("read", work);
  }

  close(): void {
    try {
      this.#db.close();
    } catch {
      // Its last checkpoint failed: the next opening makes it.
    }
  }

  #version(): number {
    return (this.#db.query("PRAGMA user_version").get() as { user_version: number }).user_version;
  }

  #one(row: unknown): Task | undefined {
    return row === null ? undefined : taskOf(row as Row);
  }

  #all(sql: string, ...values: (string | number)[]): Row[] {
    return this.#db.query(sql).all(...values) as Row[];
  }

  #refused(reason: string): FibError {
    return new FibError(
      "tasks_io",
      `Cannot use ${this.#path}: ${reason}. Nothing was changed; move it away for a new one`,
    );
  }

  #io<T>(action: string, call: () => T): T {
    try {
      return call();
    } catch (error) {
      if (!(error instanceof SQLiteError)) throw error;
      if (error.code?.startsWith("SQLITE_BUSY")) {
        throw new FibError(
          "tasks_locked",
          `Cannot use ${this.#path}: another process has it; ask that one, or give this one another file with -f`,
          { cause: error },
        );
      }
      throw new FibError("tasks_io", `Cannot ${action} ${this.#path}: ${error.message} (${error.code})`, {
        cause: error,
      });
    }
  }
}

function taskOf(row: Row): Task {
  return {
    id: row.id,
    request: requestOfKey(row.request),
    sizeBytes: row.sizeBytes,
    state: row.state,
    progress: row.state === "ready" ? 1 : 0,
    attempts: row.attempts,
    requestCount: row.requestCount,
    createdAtMs: row.createdAtMs,
    startedAtMs: row.startedAtMs ?? undefined,
    finishedAtMs: row.finishedAtMs ?? undefined,
    expiresAtMs: row.expiresAtMs ?? undefined,
    reason: row.reason ?? undefined,
  };
}
