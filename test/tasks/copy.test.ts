import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { copyTasks, countTasks } from "../../src/tasks/copy.ts";
import { resultName } from "../../src/tasks/result-folder.ts";
import type { StepCall } from "../../src/tasks/store.ts";
import { temporaryFolder } from "../temporary.ts";
import { codesOf, long, open, quick, rowOf } from "./open-store.ts";

/** A store with ready tasks, whose digits are in files. */
function openReady(count: number) {
  const opened = open();
  const names = Array.from({ length: count }, (_, i) => {
    const task = long(30_000 + i);
    const { id, sizeBytes } = task[1];
    opened.apply(task, ["begin", id], ["end", id, { state: "ready" }]);
    const name = resultName({ id, attempts: 1 });
    fs.mkdirSync(`${opened.file}.results`, { recursive: true });
    fs.writeFileSync(path.join(`${opened.file}.results`, name), "1".repeat(sizeBytes));
    return { id, name };
  });
  return { ...opened, names };
}

function copyFile(from: string, to: string): boolean {
  if (!fs.existsSync(from)) return false;
  fs.copyFileSync(from, to);
  return true;
}

test("copyTasks() leaves out who is forgotten meanwhile, and queues again who has lost its result", async () => {
  const { apply, file, names } = openReady(4);
  const [, forgotten, lost, cut] = names;
  const to = path.join(temporaryFolder(), "copy");
  const copied = await copyTasks(
    file,
    to,
    (from, result) => {
      if (from.endsWith(forgotten!.name)) {
        apply(["forget", forgotten!.id]);
        fs.rmSync(from);
      }
      if (from.endsWith(lost!.name)) fs.rmSync(from);
      if (from.endsWith(cut!.name)) fs.truncateSync(from, 7);
      return copyFile(from, result);
    },
    () => {},
  );
  expect(copied).toBe(true);
  expect(countTasks(to)).toBe(3);
  expect(fs.readdirSync(`${to}.results`)).toEqual([names[0]!.name]);
  // One file, that a folder which cannot be written has room for.
  expect(fs.readdirSync(path.dirname(to)).toSorted()).toEqual(["copy", "copy.results"]);
  const copy = open({}, to);
  expect(copy.pending.map(({ id }) => id)).toEqual([lost!.id, cut!.id]);
  expect(rowOf(copy.apply(["find", names[0]!.id]))).toMatchObject({ state: "ready" });
});

test("countTasks() refuses a result that is not whole or not there, and a database that is not whole", async () => {
  const { file, names } = openReady(1);
  const to = path.join(temporaryFolder(), "copy");
  await copyTasks(file, to, copyFile, () => {});
  expect(countTasks(to)).toBe(1);
  const result = path.join(`${to}.results`, names[0]!.name);
  const refused = `Cannot use ${result}: it is not a whole result`;
  fs.truncateSync(result, 7);
  expect(() => countTasks(to)).toThrow(refused);
  fs.rmSync(result);
  expect(() => countTasks(to)).toThrow(refused);
  // What is in the table is not what the schema says any more; it can be read all the same.
  const bytes = fs.readFileSync(to, "latin1").replace("createdAtMs INTEGER", "createdAtMs TEXT   ");
  fs.writeFileSync(to, bytes, "latin1");
  expect(() => countTasks(to)).toThrow(`Cannot use ${to}: non-TEXT value in tasks.createdAtMs`);
});

test("copyTasks() makes no folder for results when there are none in files", async () => {
  const { apply, file } = open();
  apply(quick(1));
  const to = path.join(temporaryFolder(), "copy");
  expect(await copyTasks(file, to, copyFile, () => {})).toBe(true);
  expect(fs.readdirSync(path.dirname(to))).toEqual(["copy"]);
});

test("copyTasks() copies nothing where there is nothing", async () => {
  const from = path.join(temporaryFolder(), "c.tasks");
  const copy = () => copyTasks(from, `${from}.copy`, copyFile, () => {});
  expect(await copy()).toBe(false);
  // What a server has made that died before it wrote.
  fs.writeFileSync(from, "");
  expect(await copy()).toBe(false);
  expect(fs.existsSync(`${from}.copy`)).toBe(false);
});

test("who owns the tasks goes on while they are read, and the log does not stay as long as it became", () => {
  const { apply, file } = open();
  apply(quick(1));
  const logBytes = () => fs.statSync(`${file}-wal`).size;
  {
    using reader = new Database(file, { readonly: true });
    reader.run("BEGIN");
    expect(reader.query("SELECT count(*) FROM tasks").values()).toEqual([[1]]);
    for (let n = 0; logBytes() < 20 * 2 ** 20; n += 100) {
      const steps = Array.from({ length: 100 }, (_, i): StepCall[] => {
        const task = long(30_000 + n + i);
        const ending = { state: "ready", digits: "1".repeat(16_000), atMs: 1, ttlMs: 1e6 } as const;
        return [task, ["begin", task[1].id], ["end", task[1].id, ending]];
      });
      expect(codesOf(apply(...steps.flat())).filter((code) => code !== undefined)).toEqual([]);
    }
    expect(reader.query("SELECT count(*) FROM tasks").values()).toEqual([[1]]);
  }
  // The first moves the log into the database, the second begins it anew.
  for (const count of [2, 3]) apply(quick(count));
  expect(logBytes()).toBeLessThanOrEqual(16 * 2 ** 20);
});
