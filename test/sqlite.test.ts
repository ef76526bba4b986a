/** What SQLite and a file of it say, told alike by whoever opens, copies or looks at one. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { CursorDatabase, CURSORS_KIND } from "../src/cursor/database.ts";
import { inspectDatabase } from "../src/cursor/inspect.ts";
import { checkDatabase, copyDatabase } from "../src/sqlite-copy.ts";
import { thrown } from "./refusal.ts";
import { temporaryFolder } from "./temporary.ts";

const PAGE_BYTES = 4096;

/** A closed file of named cursors, with something done to it as by another program. */
function makeFile(...changes: string[]): string {
  const file = path.join(temporaryFolder(), "c.cursors");
  new CursorDatabase(file, 0, false).close();
  using db = new Database(file);
  for (const sql of changes) db.run(sql);
  return file;
}

/** Everything that opens a file. */
const USES: Readonly<Record<string, (file: string) => unknown>> = {
  open: (file) => new CursorDatabase(file, 0, false),
  copy: (file) => copyDatabase(file, `${file}.copy`, CURSORS_KIND),
  check: (file) => checkDatabase(file, CURSORS_KIND),
  inspect: inspectDatabase,
};

test("a file of another program, or of a newer version, is refused alike by all who open it", () => {
  for (const [sql, reason] of [
    ["PRAGMA user_version = 99", "a newer fibserver wrote it"],
    ["PRAGMA application_id = 7", "it is another program's"],
    ["PRAGMA application_id = 0", "it is another program's"],
  ] as const) {
    const file = makeFile(sql);
    for (const [use, call] of Object.entries(USES)) {
      const { code, message } = thrown(() => call(file));
      expect({ use, code, message }).toMatchObject({ use, code: "cursor_io" });
      expect(message).toStartWith(`Cannot use ${file}: ${reason}. Nothing was changed`);
    }
  }
});

test("a file that nobody has written to yet is none to copy, and holds nothing", () => {
  const file = path.join(temporaryFolder(), "c.cursors");
  {
    using db = new Database(file);
    db.run("PRAGMA journal_mode = WAL");
  }
  expect(copyDatabase(file, `${file}.copy`, CURSORS_KIND)).toBe(false);
  expect(inspectDatabase(file)).toEqual({ cursors: [], clientCount: 0, faults: [] });
});

test("an index that does not fit its table is damage, with what can be done", () => {
  const file = makeFile();
  const rootPage = () => {
    using db = new Database(file);
    return db.query("SELECT rootpage FROM sqlite_schema WHERE name = 'clients'").values()[0]![0] as number;
  };
  const start = (rootPage() - 1) * PAGE_BYTES;
  const empty = fs.readFileSync(file).subarray(start, start + PAGE_BYTES);
  {
    using db = new Database(file);
    db.run("INSERT INTO cursors VALUES ('client-1', 1, 1, 0, 1, 1, 0)");
  }
  const bytes = fs.readFileSync(file);
  bytes.set(empty, start);
  fs.writeFileSync(file, bytes);
  const database = new CursorDatabase(file, 0, false);
  const { code, message, cause } = thrown(() => database.transaction(() => database.remove("client-1")));
  database.close();
  expect(cause).toMatchObject({ code: "SQLITE_CORRUPT_INDEX" });
  expect(code).toBe("cursor_damaged");
  expect(message).toContain("says what can be saved");
});
