/** The folder in which a copy becomes whole: whose it is, what is left of it, and when it has its name. */
import { expect, jest, onTestFinished, spyOn, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { openWorkFolder } from "../src/copies/work-folder.ts";
import { temporaryFolder } from "./temporary.ts";

function openPlace() {
  const parent = temporaryFolder();
  const place = path.join(parent, "copy");
  const cleanups: (() => void)[] = [];
  const forget = jest.fn();
  const open = () => openWorkFolder(place, (cleanup) => (cleanups.push(cleanup), forget));
  return { parent, place, cleanups, forget, open };
}

test("what a killed process has left in it is not kept, and a second one has to wait", () => {
  const { parent, place, forget, open } = openPlace();
  const { path: left } = open();
  fs.mkdirSync(path.join(left, "results"));
  fs.writeFileSync(path.join(left, "cursor"), "half");
  expect(open).toThrow(`Cannot write ${place}: another process has ${left}`);
  // As if it had been killed: its lock goes with it.
  fs.renameSync(left, `${left}.old`);
  fs.cpSync(`${left}.old`, left, { recursive: true });
  {
    using folder = open();
    expect([folder.path, fs.readdirSync(left)]).toEqual([left, []]);
    folder.keep();
    expect(forget).not.toHaveBeenCalled();
  }
  expect(forget).toHaveBeenCalledTimes(1);
  expect(fs.readdirSync(parent)).toContain("copy");
  expect(fs.existsSync(left)).toBe(false);
});

test("a signal clears it away, and what has its name is not cleared away", () => {
  const { parent, place, cleanups, open } = openPlace();
  using folder = open();
  cleanups[0]!();
  expect(fs.readdirSync(parent)).toEqual([]);
  fs.mkdirSync(folder.path);
  folder.keep();
  cleanups[0]!();
  expect(fs.readdirSync(parent)).toEqual([path.basename(place)]);
});

test("one that another user has made, who could change what is in it, is not used", () => {
  const { place, open } = openPlace();
  const { path: folder } = open();
  const { uid } = fs.statSync(folder);
  fs.renameSync(folder, `${folder}.old`);
  fs.mkdirSync(folder);
  using euid = spyOn(process as Required<typeof process>, "geteuid").mockReturnValue(uid + 1);
  expect(open).toThrow(`Cannot write ${place}: another process has ${folder}`);
  expect(euid).toHaveBeenCalled();
});

test("one that is given its name while somebody waits to lock it is not used any more", () => {
  const { parent, open } = openPlace();
  const real = process.geteuid!();
  using _ = spyOn(process as Required<typeof process>, "geteuid").mockImplementationOnce(() => {
    const [name] = fs.readdirSync(parent);
    fs.renameSync(path.join(parent, name!), path.join(parent, "named"));
    return real;
  });
  using folder = open();
  expect(fs.existsSync(folder.path)).toBe(true);
  folder.keep();
  expect(fs.readdirSync(parent).toSorted()).toEqual(["copy", "named"]);
});

test("it is synced before it has its name, and has it no more when that cannot be synced", () => {
  const { parent, place, open } = openPlace();
  using folder = open();
  const synced: string[] = [];
  const fsync = spyOn(fs, "fsyncSync").mockImplementation((fd) => {
    synced.push(fs.readlinkSync(`/proc/self/fd/${fd}`));
    if (fs.existsSync(place)) throw new Error("the disk has failed");
  });
  onTestFinished(() => fsync.mockRestore());
  expect(() => folder.keep()).toThrow("the disk has failed");
  expect(synced).toEqual([folder.path, parent]);
  expect(fs.readdirSync(parent)).toEqual([path.basename(folder.path)]);
});
