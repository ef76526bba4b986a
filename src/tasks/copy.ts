/**
 * A copy of all tasks with their results, while a server has them.
 *
 * The database is copied first, then the files that the copy names: those never change, but may go away meanwhile. A
 * task that was forgotten then goes out of the copy as well; one that has lost its result is queued in it, as the
 * server would.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { FibError } from "../errors.ts";
import { checkDatabase, copyDatabase, reading } from "../sqlite-copy.ts";
import { IN_FILES, TASKS_KIND, TaskDatabase } from "./database.ts";
import { resultName } from "./result-folder.ts";
import type { TaskRow } from "./row.ts";

/**
 * Copies tasks and results; nothing is synced.
 *
 * @param from - The database; the results are in the folder beside it.
 * @param to - The database of the copy, which must not exist.
 * @param copyFile - Copies one file; false when there is none.
 * @param onProgress - Told the part of the results that is copied.
 * @returns false when there are none.
 * @throws {@link FibError} `tasks_io`, `tasks_locked`, `cursor_damaged`, `output_failed`.
 */
export async function copyTasks(
  from: string,
  to: string,
  copyFile: (from: string, to: string) => boolean,
  onProgress: (fraction: number) => void,
): Promise<boolean> {
  if (!copyDatabase(from, to, TASKS_KIND)) return false;
  const copy = new TaskDatabase(to);
  try {
    const owners = copy.inFiles();
    if (owners.length > 0) fs.mkdirSync(`${to}.results`);
    for (const [i, owner] of owners.entries()) {
      const name = resultName(owner);
      const file = path.join(`${to}.results`, name);
      onProgress(i / owners.length);
      // A signal arrives only when this thread gives way.
      await new Promise(setImmediate);
      const isWhole =
        copyFile(path.join(`${from}.results`, name), file) && fs.statSync(file).size === owner.sizeBytes;
      if (isWhole) continue;
      fs.rmSync(file, { force: true });
      copy.transaction(() => {
        if (isKnown(from, owner.id)) copy.requeue(owner.id);
        else copy.remove(owner.id);
      });
    }
    // One file, which can be read where nothing can be written; the next server gives it a log again.
    copy.db.run("PRAGMA journal_mode = DELETE");
    return true;
  } finally {
    copy.close();
  }
}

/**
 * Checks a copy of tasks, and says how many it has.
 *
 * @param named - What errors of the database name.
 * @throws {@link FibError} `cursor_damaged`, when the database is not whole, or a result is missing; `tasks_io`,
 * `tasks_locked`.
 */
export function countTasks(file: string, named = file): number {
  checkDatabase(file, TASKS_KIND, named);
  const { owners, taskCount } = reading(file, TASKS_KIND, "read", (db) => ({
    owners: db.query(IN_FILES).all() as TaskRow[],
    taskCount: db.query("SELECT count(*) FROM tasks").values()[0]![0] as number,
  }));
  for (const owner of owners) {
    const result = path.join(`${file}.results`, resultName(owner));
    const sizeBytes = fs.statSync(result, { throwIfNoEntry: false })?.size;
    if (sizeBytes !== owner.sizeBytes)
      throw new FibError("cursor_damaged", `Cannot use ${result}: it is not a whole result`);
  }
  return taskCount;
}

function isKnown(file: string, id: string): boolean {
  return reading(
    file,
    TASKS_KIND,
    "copy",
    (db) => db.query("SELECT 1 FROM tasks WHERE id = ?").get(id) !== null,
  );
}
