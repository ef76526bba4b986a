/**
 * The tasks of one server, in one SQLite file (sqlite.ts says how that is opened and written); used by one process at a
 * time. Short results are rows, committed together with the state that makes them visible; result-folder.ts has the
 * long ones. Others may read the file meanwhile, as a backup does.
 *
 * Everything here blocks, for as long as the disk takes, and so has a thread of its own: see store.ts, which also puts
 * many writes into one commit.
 * @module
 */
import { type DatabaseKind, SqliteFile } from "../sqlite.ts";
import { PAGE_CHARS_MAX, type TaskFilter } from "./queue.ts";
import type { TaskRow } from "./row.ts";
import type { TaskState } from "./task.ts";

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
  `ALTER TABLE tasks ADD COLUMN requestCount INTEGER NOT NULL DEFAULT 1;
   ALTER TABLE tasks ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE tasks ADD COLUMN holder TEXT NOT NULL DEFAULT '';
   CREATE INDEX held ON tasks (holder, expiresAtMs) WHERE expiresAtMs IS NOT NULL;`,
  `ALTER TABLE tasks ADD COLUMN requestId TEXT;
   ALTER TABLE tasks ADD COLUMN traceparent TEXT;`,
  // Nothing is changed. There are requests now that an earlier version cannot read, and would try again and again.
  "SELECT 1",
] as const;

/** Which file it is. */
export const TASKS_KIND: DatabaseKind = {
  /** "FIBT". */
  applicationId: 0x46494254,
  migrations: MIGRATIONS,
  codes: { io: "tasks_io", locked: "tasks_locked", damaged: "tasks_io" },
};

/** Ready numbers whose digits must be in a file. */
export const IN_FILES = `SELECT * FROM tasks WHERE state = 'ready' AND request NOT LIKE 'sequence %'
  AND id NOT IN (SELECT id FROM results)`;

/** What a finished task takes at least, for its row and the room in the indices. */
const KEPT_BYTES_MIN = 4096;

/** So long a request is counted with that. Of a longer one each character is there twice, in the row and in an index. */
const REQUEST_CHARS_FREE = 1000;

/** What a finished task takes of the room for results. */
export function keptBytesOf(request: string, resultBytes: number): number {
  const longBytes = 2 * Math.max(request.length - REQUEST_CHARS_FREE, 0);
  return Math.max(resultBytes, KEPT_BYTES_MIN) + longBytes;
}

/** How a task ends. */
export interface Ending {
  readonly state: "ready" | "failed" | "cancelled";
  readonly reason?: string;
  /** A short result; a long one is in a file by now. */
  readonly digits?: string | undefined;
  readonly atMs: number;
  readonly ttlMs: number;
}

/** What a finished task takes of the room for results, and of whose part. */
export interface Kept {
  readonly holder: string;
  readonly keptBytes: number;
}

/** A task that was removed. */
export interface Removed extends Kept {
  readonly id: string;
  readonly attempts: number;
  /** Its result is in a file. */
  readonly hasFile: boolean;
}

/** What is known of a task that waits or runs before its request is read. */
export interface Unfinished extends Pick<TaskRow, "id" | "holder" | "state" | "deaths"> {
  readonly requestChars: number;
}

/** The kinds of the first release. */
const FIRST_KINDS = ["fibonacci", "factorial", "ackermann", "sequence"];

/** An open database of tasks. */
export class TaskDatabase extends SqliteFile {
  /**
   * Opens the file, creating it when there is none.
   *
   * @throws {@link FibError} `tasks_locked`, `tasks_io`.
   */
  constructor(file: string) {
    super({
      ...TASKS_KIND,
      path: file,
      advice: {
        locked: "another process has it; ask that one, or give this one another file with -f",
        damaged: ". Nothing was changed; move it away for a new one",
      },
    });
  }

  /** @param digits - Of a short result, which is there from the beginning. */
  insert(row: TaskRow, digits?: string): void {
    this.db
      .query(
        `INSERT INTO tasks (id, request, sizeBytes, state, attempts, createdAtMs, startedAtMs, finishedAtMs,
           expiresAtMs, reason, keptBytes, requestCount, deaths, holder, requestId, traceparent)
         VALUES ($id, $request, $sizeBytes, $state, $attempts, $createdAtMs, $startedAtMs, $finishedAtMs,
           $expiresAtMs, $reason, $keptBytes, $requestCount, $deaths, $holder, $requestId, $traceparent)`,
      )
      .run({ ...row });
    if (digits !== undefined) this.#insertDigits(row.id, digits);
  }

  /** Counts one more who has asked for a task. */
  countRequest(id: string): TaskRow | undefined {
    return this.#one("UPDATE tasks SET requestCount = requestCount + 1 WHERE id = ? RETURNING *", id);
  }

  find(id: string): TaskRow | undefined {
    return this.#one("SELECT * FROM tasks WHERE id = ?", id);
  }

  /** The task that answers a further request for the same. */
  findReusable(key: string): TaskRow | undefined {
    return this.#one(
      "SELECT * FROM tasks WHERE request = ? AND state IN ('queued', 'running', 'ready')",
      key,
    );
  }

  list({ state, limit, order, after }: TaskFilter, nowMs: number): TaskRow[] {
    const isState = state === undefined ? "" : "state = ?4 AND";
    const [isBehind, direction] = order === "newest" ? ["id < ?1", "DESC"] : ["id > ?1", "ASC"];
    const sql = `SELECT * FROM tasks WHERE ${isState} ${isBehind} AND (expiresAtMs IS NULL OR expiresAtMs > ?2)
                 ORDER BY id ${direction} LIMIT ?3`;
    const found: TaskRow[] = [];
    let chars = 0;
    // No id is less than "", and none is more than "g": they are hexadecimal.
    const values = [
      after ?? (order === "newest" ? "g" : ""),
      nowMs,
      limit,
      ...(state === undefined ? [] : [state]),
    ];
    // One by one: a thousand of the longest are 15 MB.
    for (const row of this.db.query<TaskRow, (string | number)[]>(sql).iterate(...values)) {
      found.push(row);
      if ((chars += row.request.length) >= PAGE_CHARS_MAX) break;
    }
    return found;
  }

  /** Says that a task is running; undefined when it has ended meanwhile. */
  begin(id: string, nowMs: number): TaskRow | undefined {
    const sql = `UPDATE tasks SET state = 'running', startedAtMs = ?, attempts = attempts + 1
                 WHERE id = ? AND state IN ('queued', 'running') RETURNING *`;
    return this.#one(sql, nowMs, id);
  }

  /** Ends a task, and makes its result visible; undefined when it had ended otherwise before. */
  end(id: string, { state, reason, digits, atMs, ttlMs }: Ending): TaskRow | undefined {
    // One that ends without being running on disk is an attempt as well: its begin could not be written. A sequence
    // keeps no digits.
    const ran = state === "cancelled" ? 0 : 1;
    const sql = `UPDATE tasks SET state = ?1, reason = ?2, finishedAtMs = ?3, expiresAtMs = ?4,
                   keptBytes = iif(?1 = 'ready' AND request NOT LIKE 'sequence %',
                     max(coalesce(?8, sizeBytes), ?5), ?5) + 2 * max(length(request) - ?9, 0),
                   startedAtMs = coalesce(startedAtMs, iif(?6, ?3, NULL)), attempts = max(attempts, ?6)
                 WHERE id = ?7 AND state IN ('queued', 'running') RETURNING *`;
    const values = [state, reason ?? null, atMs, atMs + ttlMs, KEPT_BYTES_MIN, ran, id];
    const row = this.#one(sql, ...values, digits?.length ?? null, REQUEST_CHARS_FREE);
    if (row !== undefined && digits !== undefined) this.#insertDigits(id, digits);
    return row;
  }

  /** Queues again what was running, and what has lost its result; undefined when there is no such task. */
  requeue(id: string, deaths = 0): TaskRow | undefined {
    const sql = `UPDATE tasks SET state = 'queued', finishedAtMs = NULL, expiresAtMs = NULL, keptBytes = 0,
                   deaths = deaths + ? WHERE id = ? RETURNING *`;
    return this.#one(sql, deaths, id);
  }

  /** Gives a running task back as if it had never been begun. */
  giveBack(id: string): void {
    const sql = `UPDATE tasks SET state = 'queued', startedAtMs = NULL, attempts = attempts - 1
                 WHERE id = ? AND state = 'running'`;
    this.db.query(sql).run(id);
  }

  remove(id: string): Removed | undefined {
    const row = this.db
      .query(
        `DELETE FROM tasks WHERE id = ? RETURNING id, attempts, holder, keptBytes,
           state = 'ready' AND request NOT LIKE 'sequence %' AS isStored`,
      )
      .get(id) as (Omit<Removed, "hasFile"> & { readonly isStored: number }) | null;
    if (row === null) return undefined;
    const { isStored, ...removed } = row;
    const isRow = this.db.query("DELETE FROM results WHERE id = ?").run(id).changes > 0;
    return { ...removed, hasFile: isStored === 1 && !isRow };
  }

  /** Finished tasks, the oldest first; those of one holder, or all. */
  finished(limit: number, holder?: string): TaskRow[] {
    const order = "expiresAtMs IS NOT NULL ORDER BY expiresAtMs LIMIT ?";
    return holder === undefined
      ? this.#all(`SELECT * FROM tasks WHERE ${order}`, limit)
      : this.#all(`SELECT * FROM tasks WHERE holder = ? AND ${order}`, holder, limit);
  }

  /** How many there are in each state: 0.4 ms for 10,000, all in an index. */
  states(): { readonly state: TaskState; readonly count: number }[] {
    return this.db.query("SELECT state, count(*) AS count FROM tasks GROUP BY state").all() as never;
  }

  /** When the oldest that is queued was made. */
  oldestQueuedAtMs(): number | undefined {
    return this.#all("SELECT * FROM tasks WHERE state = 'queued' ORDER BY id LIMIT 1")[0]?.createdAtMs;
  }

  /** All that are to be computed, in the order of their creation; without their requests, which may be long. */
  unfinished(): Unfinished[] {
    const sql = `SELECT id, holder, state, deaths, length(request) AS requestChars FROM tasks WHERE state IN ('queued', 'running') ORDER BY id`;
    return this.db.query(sql).all() as Unfinished[];
  }

  /** What is queued of the kinds of the first release. */
  queuedOfFirst(): TaskRow[] {
    const isFirst = FIRST_KINDS.map((kind) => `request LIKE '${kind} %'`).join(" OR ");
    return this.#all(`SELECT * FROM tasks WHERE state = 'queued' AND (${isFirst}) ORDER BY id`);
  }

  /** Ready numbers whose digits must be in a file. */
  inFiles(): TaskRow[] {
    return this.#all(IN_FILES);
  }

  /** The room that the finished tasks of each holder take. */
  keptBytes(): Kept[] {
    return this.db
      .query(
        "SELECT holder, sum(keptBytes) AS keptBytes FROM tasks GROUP BY holder HAVING sum(keptBytes) > 0",
      )
      .all() as Kept[];
  }

  /** A short result. */
  digits(id: string): string | undefined {
    const row = this.db.query("SELECT digits FROM results WHERE id = ?").get(id);
    const digits = (row as { digits: Uint8Array } | null)?.digits;
    return digits && Buffer.from(digits).toString("latin1");
  }

  #insertDigits(id: string, digits: string): void {
    this.db.query("INSERT INTO results (id, digits) VALUES (?, ?)").run(id, Buffer.from(digits, "latin1"));
  }

  #one(sql: string, ...values: (string | number | null)[]): TaskRow | undefined {
    return (this.db.query(sql).get(...values) ?? undefined) as TaskRow | undefined;
  }

  #all(sql: string, ...values: (string | number)[]): TaskRow[] {
    return this.db.query(sql).all(...values) as TaskRow[];
  }
}
