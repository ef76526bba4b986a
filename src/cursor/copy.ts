/**
 * Copies of cursors: the default one's record, and the database of those with names, while others move them; and what
 * is changed in a copy before it is used again.
 *
 * Behind a copy there may have been moves, whose ETags clients still have. So a copy goes on with generations that are
 * none of those: 2^32 later, some half a day of moves at 100,000 a second. Keyed moves stay, and so does the generation
 * of a named cursor that rests: it is where it was when it had that one.
 * @module
 */
import { Database } from "bun:sqlite";
import { closeFile, O_RDONLY, openFile, readAt } from "../system-calls.ts";
import { checkDatabase, copyDatabase, reading } from "../sqlite-copy.ts";
import { type Counts, CURSORS_KIND } from "./database.ts";
import { DurableRecord, type DurableOptions } from "./durable.ts";
import { decodeFileAt, wrongSize } from "./file.ts";
import { ioError } from "./io-error.ts";
import { openCursorFile } from "./open.ts";
import type { Procedure } from "./procedure.ts";
import { type CursorRecord, encodeFile, FILE_BYTES } from "./record.ts";

const GENERATIONS_AHEAD = 2 ** 32;

/**
 * Reads where the cursor is, with all that is known of its keyed moves; on disk, as everything that is shown.
 *
 * @throws {@link FibError} `cursor_io`, also when there is none; `cursor_locked`, `cursor_damaged`.
 */
export function* readRecord(options: DurableOptions): Procedure<CursorRecord> {
  const file = yield* openCursorFile(options.path, { notice: options.notice, mayCreate: false });
  const record = new DurableRecord(options, file);
  try {
    yield* record.lock();
    yield* record.apply([{ operation: "current" }]);
    // Nobody can move it while the lock is held.
    return record.position()!;
  } finally {
    record.close();
  }
}

/** Reads a copy of a cursor file. @throws {@link FibError} `cursor_io`, `cursor_damaged`. */
export function readCopy(path: string): CursorRecord {
  const bytes = new Uint8Array(FILE_BYTES + 1);
  let sizeBytes: number;
  try {
    const fd = openFile(path, O_RDONLY);
    try {
      sizeBytes = readAt(fd, bytes, 0);
    } finally {
      closeFile(fd);
    }
  } catch (error) {
    throw ioError(path, "read", error);
  }
  if (sizeBytes !== FILE_BYTES) throw wrongSize(path, sizeBytes);
  return decodeFileAt(path, bytes.subarray(0, FILE_BYTES)).record;
}

/** The bytes of a cursor file that goes on where a copy was made. */
export function restoredFile(record: CursorRecord): Uint8Array {
  return encodeFile({ ...record, generation: record.generation + GENERATIONS_AHEAD });
}

/** See `copyDatabase`. @throws {@link FibError} `cursor_io`, `cursor_locked`, `cursor_damaged`, `output_failed`. */
export function copyNamed(from: string, to: string): boolean {
  return copyDatabase(from, to, CURSORS_KIND);
}

/**
 * Checks a copy of named cursors, and says how many it has.
 *
 * @param named - What errors name.
 * @throws {@link FibError} `cursor_io`, `cursor_locked`, `cursor_damaged`.
 */
export function countNamed(path: string, named: string): Counts {
  checkDatabase(path, CURSORS_KIND, named);
  return reading(path, CURSORS_KIND, "read", (db) => db.query("SELECT * FROM counts").get() as Counts, named);
}

/** Lets a copy of named cursors go on. @throws SQLite's error. */
export function restoreNamed(path: string): void {
  using db = new Database(path, { readwrite: true });
  db.run("UPDATE counts SET generation = generation + ?", [GENERATIONS_AHEAD]);
}
