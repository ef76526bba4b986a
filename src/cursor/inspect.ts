/**
 * What `fibserver cursor inspect` tells of a file of named cursors.
 * @module
 */
import { versionOf } from "../sqlite.ts";
import { isBusy, READER_ADVICE, sqliteError } from "../sqlite-errors.ts";
import { openToRead, type Reading } from "../sqlite-read.ts";
import { CURSORS_KIND, type CursorRow, hasFile, NAME_END } from "./database.ts";

/** How long a list of names waits for who has the file alone: somebody looks at a prompt. */
const NAMES_WAIT_MS = 200;

/** What can be told of a file. */
export interface Inspection {
  /** Those that can be read. */
  readonly cursors: readonly { readonly name: string; readonly index: number; readonly generation: number }[];
  readonly clientCount: number;
  /** What SQLite finds wrong; empty when all is well. */
  readonly faults: readonly string[];
}

/**
 * Looks at a file and changes nothing; what is damaged is read as far as that goes.
 *
 * @throws {@link FibError} `cursor_damaged`, `cursor_io`, `cursor_locked`, when it cannot be read at all; `cursor_io`, when
 * it is none of ours, or a newer version's.
 */
export function inspectDatabase(path: string): Inspection {
  const cursors: { name: string; index: number; generation: number }[] = [];
  const faults: string[] = [];
  let clientCount = 0;
  const attempt = (work: () => void) => {
    try {
      work();
    } catch (error) {
      // That it is in use is no damage.
      if (isBusy(error)) throw error;
      faults.push((error as Error).message);
    }
  };
  hasFile(path);
  let opened: Reading | undefined;
  try {
    opened = openToRead({ ...CURSORS_KIND, path });
    const { db } = opened;
    if (versionOf(db, { ...CURSORS_KIND, path }) === 0) return { cursors, clientCount, faults };
    attempt(() => {
      const found = db.query("PRAGMA integrity_check(10)").values().flat().map(String);
      faults.push(...found.filter((line) => line !== "ok"));
    });
    attempt(() => {
      for (const row of db.query<CursorRow, []>("SELECT * FROM cursors ORDER BY name").iterate()) {
        const { name, position: index, generation, renewedAtMs } = row;
        if (renewedAtMs === null) cursors.push({ name, index, generation });
        else clientCount++;
      }
    });
    return { cursors, clientCount, faults };
  } catch (error) {
    throw sqliteError(error, { ...CURSORS_KIND, path, advice: READER_ADVICE }, "read");
  } finally {
    opened?.[Symbol.dispose]();
  }
}

/**
 * Names in a file and where they are, in their order, without those of clients; changes nothing.
 *
 * @param prefix - What they begin with.
 * @throws SQLite's error; {@link FibError} `cursor_io`. There are none where there is no file.
 */
export function namesIn(path: string, prefix: string, limit: number): { name: string; index: number }[] {
  if (!hasFile(path)) return [];
  using reading = openToRead({ ...CURSORS_KIND, path }, false, NAMES_WAIT_MS);
  const { db } = reading;
  if (versionOf(db, { ...CURSORS_KIND, path }) === 0) return [];
  const names = "SELECT name, position FROM cursors WHERE renewedAtMs IS NULL AND name >= ?1 AND name < ?2";
  const rows = db
    .query<Pick<CursorRow, "name" | "position">, [string, string, number]>(`${names} ORDER BY name LIMIT ?3`)
    .all(prefix, prefix + NAME_END, limit);
  return rows.map(({ name, position: index }) => ({ name, index }));
}
