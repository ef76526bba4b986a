/**
 * A copy of a SQLite file that others use meanwhile, and the check of one.
 *
 * `VACUUM INTO` reads all at one moment and writes a single file, without a log: 200 MB in 0.5 s, with 10 MB of memory.
 * Who writes meanwhile is not held up; only the log cannot begin anew before the copy is made. So a terminal must not
 * stop it in the middle (^Z). Rejected: `serialize()`, which needs memory for the whole; the bytes of database and log,
 * which must not change either while they are copied; bun:sqlite has no backup API.
 * @see https://sqlite.org/lang_vacuum.html
 * @module
 */
import { type Database, SQLiteError } from "bun:sqlite";
import fs from "node:fs";
import { FibError } from "./errors.ts";
import { openToRead, shareParts } from "./sqlite-read.ts";
import { type DatabaseKind, versionOf } from "./sqlite.ts";
import { READER_ADVICE, sqliteError } from "./sqlite-errors.ts";

/**
 * Copies a database with everything that was committed before; the copy is not synced.
 *
 * @param to - Must not exist.
 * @returns false when there is none, or one that nobody has ever written to.
 * @throws {@link FibError} as {@link reading} does; `output_failed`, when the copy has no room.
 */
export function copyDatabase(from: string, to: string, kind: DatabaseKind): boolean {
  if (!fs.existsSync(from)) return false;
  process.on("SIGTSTP", goOn);
  try {
    return reading(from, kind, "copy", (db) => {
      if (versionOf(db, { ...kind, path: from }) === 0) return false;
      db.run("VACUUM INTO ?", [to]);
      return true;
    });
  } finally {
    process.off("SIGTSTP", goOn);
  }
}

/**
 * Reads the whole of a database.
 *
 * @param named - What errors name: what was copied, where the copy goes away with them.
 * @throws {@link FibError} `cursor_damaged`, when it is not what it should be; as {@link reading} does.
 */
export function checkDatabase(path: string, kind: DatabaseKind, named = path): void {
  reading(
    path,
    kind,
    "check",
    (db) => {
      versionOf(db, { ...kind, path: named });
      const [[found]] = db.query("PRAGMA quick_check(1)").values() as [[string]];
      if (found !== "ok") throw new FibError("cursor_damaged", `Cannot use ${named}: ${found}`);
    },
    named,
  );
}

/**
 * Asks a database for something, and changes nothing.
 *
 * @param action - For the error, such as `read`.
 * @param named - As {@link checkDatabase} has it.
 * @throws {@link FibError} of its kind's codes, but `cursor_damaged` for each kind: whoever copies has to tell what is
 * lost from a disk that fails.
 */
export function reading<T>(
  path: string,
  kind: DatabaseKind,
  action: string,
  work: (db: Database) => T,
  named = path,
): T {
  try {
    using opened = openToRead({ path, codes: kind.codes }, true);
    // The first read makes log and index where there are none.
    opened.db.query("PRAGMA user_version").get();
    shareParts(path);
    const result = work(opened.db);
    opened.check();
    return result;
  } catch (error) {
    if (error instanceof SQLiteError && error.code === "SQLITE_FULL")
      throw new FibError("output_failed", `Cannot write a copy of ${named}: ${error.message}`, {
        cause: error,
      });
    const codes = { ...kind.codes, damaged: "cursor_damaged" } as const;
    throw sqliteError(error, { path: named, codes, advice: READER_ADVICE }, action);
  }
}

function goOn(): void {}
