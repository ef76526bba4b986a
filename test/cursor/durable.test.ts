/** The record of one file, step by step: what holds at each wait for the disk. */
import { expect, onTestFinished, spyOn, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { DurableRecord } from "../../src/cursor/durable.ts";
import { runBlocking } from "../../src/cursor/procedure.ts";
import { encodeFile, initialRecord } from "../../src/cursor/record.ts";
import { thrown } from "../refusal.ts";
import { openFile, temporaryFolder } from "../temporary.ts";

/** Where a cursor file stands at an index. */
function newFile(index: number): string {
  const file = path.join(temporaryFolder(), "cursor");
  fs.writeFileSync(file, encodeFile(initialRecord(index)));
  return file;
}

async function openRecord(filePath: string) {
  const notices: string[] = [];
  const notice = (message: string) => void notices.push(message);
  const file = await openFile(filePath, notice);
  const record = new DurableRecord({ path: filePath, indexMax: 92, lockTimeoutMs: 0, notice }, file);
  onTestFinished(() => record.close());
  return { record, file, notices };
}

test("request() gives the lock back: two records on one file move in turn", async () => {
  const filePath = newFile(10);
  const [{ record: first }, { record: second }] = [await openRecord(filePath), await openRecord(filePath)];
  for (const index of [11, 13]) {
    expect(runBlocking(first.request({ operation: "next" }))).toMatchObject({ index });
    expect(second.tryLock()).toBe(true);
    second.unlock();
    expect(runBlocking(second.request({ operation: "next" }))).toMatchObject({ index: index + 1 });
  }
});

test("position() is the one before while a move is synced, and takes no look at the file that is locked", async () => {
  const { record, file } = await openRecord(newFile(10));
  runBlocking(record.request({ operation: "current" }));
  expect(record.tryLock()).toBe(true);
  const move = record.apply([{ operation: "next" }]);
  expect(move.next()).toMatchObject({ done: false, value: { sync: "data" } });
  const looks = [spyOn(file, "isInPlace"), spyOn(file, "isUnchanged")];
  expect(record.position()?.index).toBe(10);
  for (const look of looks) expect(look).not.toHaveBeenCalled();
  expect(move.next().done).toBe(true);
  record.unlock();
  expect(record.position()?.index).toBe(11);
  for (const look of looks) expect(look).toHaveBeenCalledTimes(1);
});

test("apply() says that a file is repaired when that is on disk, and nothing when it cannot be", async () => {
  const filePath = newFile(10);
  const bytes = fs.readFileSync(filePath).fill(0xff, 0, 20);
  for (const isFailing of [true, false]) {
    fs.writeFileSync(filePath, bytes);
    const { record, notices } = await openRecord(filePath);
    expect(record.tryLock()).toBe(true);
    const repair = record.apply([{ operation: "current" }]);
    expect(repair.next()).toMatchObject({ value: { sync: "all" } });
    expect(repair.next()).toMatchObject({ value: { sync: "data" } });
    expect(notices).toEqual([]);
    if (isFailing) expect(() => repair.throw(new Error("EIO"))).toThrow("EIO");
    else expect(repair.next().done).toBe(true);
    expect(notices.join()).toInclude(isFailing ? "" : "was half damaged and is repaired");
    expect(notices.length).toBe(isFailing ? 0 : 1);
    record.unlock();
  }
});

test("apply() follows a file that is replaced while it waits, and gives up on one that is replaced each time", async () => {
  for (const [times, refusal] of [
    [3, undefined],
    [4, "another program keeps replacing it"],
  ] as const) {
    const filePath = newFile(10);
    const { record } = await openRecord(filePath);
    expect(record.tryLock()).toBe(true);
    const move = record.apply([{ operation: "next" }]);
    let replacedCount = 0;
    const drive = (): unknown => {
      for (;;) {
        const step = move.next();
        if (step.done === true) return step.value;
        // The adoption's sync is the first of the data.
        if ("sync" in step.value && step.value.sync === "data" && replacedCount < times) {
          replacedCount++;
          fs.renameSync(newFile(10 * (1 + replacedCount)), filePath);
        }
      }
    };
    if (refusal === undefined) {
      expect(drive()).toMatchObject([{ index: 10 * (1 + times) + 1 }]);
    } else {
      expect(thrown(drive).message).toContain(refusal);
      expect(record.isInDoubt).toBe(false);
    }
    record.unlock();
  }
});
