/** Copies of cursors while others have them: under the lock, whole, and checked. */
import { Database } from "bun:sqlite";
import { expect, spyOn, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { copyNamed, countNamed, readCopy, readRecord } from "../../src/cursor/copy.ts";
import { runBlocking, type Wait } from "../../src/cursor/procedure.ts";
import { openFile, temporaryFolder, openCursor } from "../temporary.ts";
import { must } from "./contract.ts";
import { openCursors } from "./named-file.ts";

test("readRecord() reads under the lock, and says when it cannot have it", async () => {
  const file = path.join(temporaryFolder(), "cursor");
  const { cursor, must: move } = await openCursor(file);
  await move("next");
  await cursor.close();
  const options = { path: file, indexMax: 92, lockTimeoutMs: 5, notice: () => {} };
  expect(runBlocking(readRecord(options)).index).toBe(1);
  const other = await openFile(file);
  expect(other.tryLock()).toBe(true);
  const waits: Wait[] = [];
  const read = () => {
    for (const wait of readRecord(options)) waits.push(wait);
  };
  expect(read).toThrow(`Cannot lock ${file}: `);
  // Whoever has read what another is about to change would write it back, to have it on disk.
  expect(waits.every((wait) => "pauseMs" in wait)).toBe(true);
  other.close();
  expect(runBlocking(readRecord(options)).index).toBe(1);
});

test("readCopy() takes a file of the right size only", async () => {
  const file = path.join(temporaryFolder(), "cursor");
  const { cursor } = await openCursor(file);
  await cursor.close();
  const sizeBytes = fs.statSync(file).size;
  expect(readCopy(file).index).toBe(0);
  for (const wrong of [sizeBytes - 1, sizeBytes + 1]) {
    fs.truncateSync(file, wrong);
    expect(() => readCopy(file)).toThrow(`Cannot use ${file}: `);
  }
});

test("copyNamed() is not stopped in the middle by a terminal, and countNamed() sees what is wrong inside", async () => {
  const { file, cursors } = await openCursors();
  for (const name of ["alice", "bob"]) await must(cursors, name, { operation: "next" });
  const listening: number[] = [];
  // oxlint-disable-next-line unbound-method -- it is called with its own below
  const { run } = Database.prototype;
  using _ = spyOn(Database.prototype, "run").mockImplementation(function (this: Database, ...args) {
    if (args[0].startsWith("VACUUM")) listening.push(process.listenerCount("SIGTSTP"));
    return run.apply(this, args);
  });
  const before = process.listenerCount("SIGTSTP");
  const copy = `${file}.copy`;
  expect(copyNamed(file, copy)).toBe(true);
  expect([listening, process.listenerCount("SIGTSTP")]).toEqual([[before + 1], before]);
  expect(countNamed(copy, file)).toMatchObject({ cursors: 2 });
  // What is in the table is not what the schema says any more; it can be read all the same.
  const bytes = fs.readFileSync(copy, "latin1").replace("movedAtMs INTEGER", "movedAtMs TEXT   ");
  fs.writeFileSync(copy, bytes, "latin1");
  expect(() => countNamed(copy, file)).toThrow(`Cannot use ${file}: non-TEXT value in cursors.movedAtMs`);
});
