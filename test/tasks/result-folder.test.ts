/** The folder of long results: whole files of ours, each of its attempt, and nothing of anybody else's touched. */
import { expect, spyOn, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { openResultFile, ResultFolder, resultName } from "../../src/tasks/result-folder.ts";
import { rejected } from "../refusal.ts";
import { temporaryFolder } from "../temporary.ts";

const DIGITS = Buffer.from("1234567890");

function openIn(folder: string, owners: Parameters<ResultFolder["open"]>[1] = []) {
  const results = new ResultFolder();
  return { results, lost: results.open(folder, owners) };
}

/** A task with a result of the size of {@link DIGITS}. */
function owner(attempts = 1) {
  return { id: Bun.randomUUIDv7(), attempts, sizeBytes: DIGITS.length };
}

test("what an attempt has stored is not removed with what another one has", async () => {
  const folder = path.join(temporaryFolder(), "results");
  const { results } = openIn(folder);
  const { id } = owner();
  results.put(resultName({ id, attempts: 1 }), DIGITS);
  results.put(resultName({ id, attempts: 2 }), DIGITS);
  results.remove(resultName({ id, attempts: 1 }));
  const result = await openResultFile(path.join(folder, `${id}.2`));
  expect(await result.read(2, 5)).toEqual(Buffer.from("345"));
  result.close();
  result.close();
  expect((await rejected(openResultFile(path.join(folder, `${id}.1`)))).code).toBe("tasks_io");
});

test("open() removes what no task owns, and nothing that is not ours", () => {
  const folder = temporaryFolder();
  const [kept, cut, stray] = [owner(), owner(), owner()];
  for (const { id } of [kept, stray]) fs.writeFileSync(path.join(folder, `${id}.1`), DIGITS);
  fs.writeFileSync(path.join(folder, `${cut.id}.1`), "12");
  fs.writeFileSync(path.join(folder, `${stray.id}.2.tmp`), "12");
  // As mkfs leaves it, as a person may, and as an earlier release named a half-written result.
  const others = ["lost+found", "notes.txt", stray.id];
  fs.mkdirSync(path.join(folder, "lost+found"));
  fs.writeFileSync(path.join(folder, "notes.txt"), "");
  fs.mkdirSync(path.join(folder, stray.id));
  const { lost } = openIn(folder, [kept, cut]);
  expect(lost).toEqual([cut.id]);
  expect(fs.readdirSync(folder).toSorted()).toEqual([...others, `${kept.id}.1`].toSorted());
});

test("open() finds what the first release has stored under the task's name alone", async () => {
  const folder = temporaryFolder();
  const task = owner(3);
  fs.writeFileSync(path.join(folder, task.id), DIGITS);
  expect(openIn(folder, [task]).lost).toEqual([]);
  expect(fs.readdirSync(folder)).toEqual([`${task.id}.3`]);
});

test("a reader goes on when the result is removed", async () => {
  const folder = temporaryFolder();
  const { results } = openIn(folder);
  const name = resultName(owner());
  results.put(name, DIGITS);
  const result = await openResultFile(path.join(folder, name));
  results.remove(name);
  expect(await result.read(0, 10)).toEqual(DIGITS);
  expect((await rejected(result.read(5, 11))).message).toContain("it ends at 10");
  result.close();
});

/** The descriptors that this process has open for a file. */
function openCount(file: string): number {
  const targets = fs.readdirSync("/proc/self/fd").map((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return undefined;
    }
  });
  return targets.filter((target) => target === file).length;
}

test("a reader that is closed while it reads gets what it reads, and then lets go of the file", async () => {
  const folder = temporaryFolder();
  const { results } = openIn(folder);
  const name = resultName(owner());
  results.put(name, DIGITS);
  const file = path.join(folder, name);
  const result = await openResultFile(file);
  expect(openCount(file)).toBe(1);
  const reading = result.read(0, 10);
  result.close();
  result.close();
  expect(openCount(file)).toBe(1);
  expect(await reading).toEqual(DIGITS);
  expect(openCount(file)).toBe(0);
});

test("a disk that takes a part of a write is given the rest", () => {
  const folder = temporaryFolder();
  const { results } = openIn(folder);
  const name = resultName(owner());
  {
    using write = spyOn(fs, "writeSync");
    write.mockImplementationOnce((fd, bytes) => fs.writevSync(fd, [(bytes as Uint8Array).subarray(0, 3)]));
    results.put(name, DIGITS);
    expect(write).toHaveBeenCalledTimes(2);
  }
  expect(fs.readFileSync(path.join(folder, name))).toEqual(DIGITS);
});

test("a folder that somebody has removed is made again", () => {
  const folder = path.join(temporaryFolder(), "results");
  const { results } = openIn(folder);
  results.put(resultName(owner()), DIGITS);
  fs.rmSync(folder, { recursive: true });
  const name = resultName(owner());
  results.put(name, DIGITS);
  expect(fs.readdirSync(folder)).toEqual([name]);
});
