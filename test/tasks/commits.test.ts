/** Group commit: one sync for a turn, and nothing is said to be written that was not. */
import { Database, SQLiteError } from "bun:sqlite";
import { expect, test } from "bun:test";
import { FibError } from "../../src/errors.ts";
import { Commits } from "../../src/tasks/commits.ts";
import { rejected } from "../refusal.ts";

function refuse(): never {
  throw new FibError("too_many_tasks", "no");
}

/** Commits on a database in memory, which counts its transactions. */
function open() {
  const db = new Database(":memory:");
  db.run("CREATE TABLE t (n INTEGER, pad BLOB)");
  const seen = { transactions: 0, failures: 0, full: 0 };
  const transaction = <T>(work: () => T): T => {
    seen.transactions++;
    try {
      return db.transaction(work)();
    } catch (error) {
      if (!(error instanceof SQLiteError)) throw error;
      throw new FibError("tasks_io", error.message, { cause: error });
    }
  };
  const commits = new Commits(
    { transaction },
    { onFailure: () => seen.failures++, onFullDisk: () => seen.full++ },
  );
  const insert = (n: number, padBytes = 0) =>
    commits.write(() => {
      db.query("INSERT INTO t VALUES (?, zeroblob(?))").run(n, padBytes);
      return n;
    });
  const rows = () => db.query("SELECT n FROM t ORDER BY n").values().flat();
  return { db, commits, insert, rows, seen };
}

test("write() commits a turn's writes together, and sees what came before in the same group", async () => {
  const { db, commits, insert, rows, seen } = open();
  const values = Promise.all(Array.from({ length: 100 }, (_, n) => insert(n)));
  const counted = commits.write(() => db.query("SELECT count(*) FROM t").values()[0]![0]);
  expect(await values).toEqual(rows() as number[]);
  expect(await counted).toBe(100);
  expect(seen).toEqual({ transactions: 1, failures: 0, full: 0 });
  await insert(100);
  expect(seen.transactions).toBe(2);
});

test("write() refuses a write that throws a FibError alone", async () => {
  const { commits, insert, rows } = open();
  const [first, refused, last] = [insert(1), commits.write(refuse), insert(2)];
  expect((await rejected(refused)).code).toBe("too_many_tasks");
  expect(await Promise.all([first, last])).toEqual([1, 2]);
  expect(rows()).toEqual([1, 2]);
});

test("write() refuses the whole group when its commit fails, and everything after it", async () => {
  const { db, commits, insert, rows, seen } = open();
  await insert(1);
  const group = [insert(2), commits.write(() => db.run("INSERT INTO missing VALUES (1)")), insert(3)];
  for (const write of group) expect((await rejected(write)).code).toBe("tasks_io");
  expect((await rejected(insert(4))).code).toBe("tasks_io");
  expect(rows()).toEqual([1]);
  expect(seen.failures).toBe(1);
});

test("write() refuses a group for which there is no room, and goes on when there is", async () => {
  const { db, insert, rows, seen } = open();
  db.run("PRAGMA max_page_count = 20");
  const group = [insert(1), insert(2, 1_000_000)];
  for (const write of group) expect((await rejected(write)).code).toBe("tasks_io");
  expect(rows()).toEqual([]);
  expect(await insert(3)).toBe(3);
  expect(seen).toMatchObject({ failures: 0, full: 1 });
});

test("end() commits what waits, and refuses what comes after", async () => {
  const { commits, insert, rows } = open();
  const waiting = insert(1);
  commits.end();
  expect(rows()).toEqual([1]);
  expect(await waiting).toBe(1);
  expect((await rejected(insert(2))).message).toContain("closed");
});
