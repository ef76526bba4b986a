/** System calls without node:fs, which stands beside each: the same results, and errors in the same words. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import fs from "node:fs";
import path from "node:path";
import { folderOf } from "../src/cursor/file.ts";
import { SystemError } from "../src/libc.ts";
import * as namingCalls from "../src/naming-calls.ts";
import * as systemCalls from "../src/system-calls.ts";
import { thrown } from "./refusal.ts";
import { temporaryFolder } from "./temporary.ts";

const calls = { ...systemCalls, ...namingCalls };

/** What ours says, by node:fs. */
const shown = ({ ino, uid, gid, mode, size, mtimeNs }: fs.BigIntStats) => ({
  ino,
  uid: Number(uid),
  gid: Number(gid),
  mode: Number(mode),
  isFile: (mode & 0o170000n) === 0o100000n,
  sizeBytes: Number(size),
  mtimeNs,
});

/** What a call throws, without its stack. */
function failure(call: () => unknown): Record<string, unknown> {
  try {
    call();
  } catch (error) {
    const { message, code, syscall } = error as NodeJS.ErrnoException;
    return { message, code, syscall };
  }
  return {};
}

describe("errors", () => {
  const missing = "/proc/none/file";
  test.each<[name: string, ours: () => unknown, node: () => unknown]>([
    ["open()", () => calls.openFile(missing, calls.O_RDONLY), () => fs.openSync(missing, "r")],
    ["openFile() of a folder", () => calls.openFile("/", calls.O_RDWR), () => fs.openSync("/", "r+")],
    [
      "openFile() that makes what is there",
      () => calls.openFile("/", calls.O_RDWR | calls.O_CREAT | calls.O_EXCL),
      () => fs.openSync("/", "wx"),
    ],
    ["readAt()", () => calls.readAt(99, new Uint8Array(1), 0), () => fs.readSync(99, new Uint8Array(1))],
    ["writeAt()", () => calls.writeAt(99, new Uint8Array(1), 0), () => fs.writeSync(99, new Uint8Array(1))],
    ["writeTo()", () => calls.writeTo(99, new Uint8Array(1)), () => fs.writeSync(99, new Uint8Array(1))],
    ["syncAll()", () => calls.syncAll(99), () => fs.fsyncSync(99)],
    ["syncData()", () => calls.syncData(99), () => fs.fdatasyncSync(99)],
    ["statOf()", () => calls.statOf(99), () => fs.fstatSync(99)],
    ["statAt()", () => calls.statAt("/dev/null/x"), () => fs.lstatSync("/dev/null/x")],
    ["statBehind()", () => calls.statBehind("/dev/null/x"), () => fs.statSync("/dev/null/x")],
    ["makeFolder()", () => calls.makeFolder(missing), () => fs.mkdirSync(missing)],
    ["remove()", () => calls.remove("/dev/null/x"), () => fs.unlinkSync("/dev/null/x")],
    ["rename()", () => calls.rename("/proc/none/a", "/tmp/b"), () => fs.renameSync("/proc/none/a", "/tmp/b")],
    ["changeMode()", () => calls.changeMode(99, 0o600), () => fs.fchmodSync(99, 0o600)],
    ["changeOwner()", () => calls.changeOwner(99, 0, 0), () => fs.fchownSync(99, 0, 0)],
    ["realPath()", () => calls.realPath(missing), () => fs.realpathSync.native(missing)],
  ])("%s fails as node:fs does", (_name, ours, node) => {
    const expected = failure(node);
    expect(expected).not.toEqual({});
    expect(failure(ours)).toEqual(expected);
  });

  test("a path with a NUL in it is refused: it would lead to another file", () => {
    expect(thrown(() => calls.openFile("/tmp\0x", calls.O_RDONLY)).code).toBe("bad_argument");
  });

  test("an errno that nobody knows is told by its number", () => {
    expect(new SystemError(4000, "open", "/x").message).toBe("errno 4000: unknown error, open '/x'");
  });
});

test("statOf(), statAt() and statBehind() say what node:fs does, of files of every kind", () => {
  const folder = temporaryFolder();
  const file = path.join(folder, "file");
  fs.writeFileSync(file, "abc", { mode: 0o640 });
  fs.utimesSync(file, 1, 1_234_567_890.123);
  fs.symlinkSync(file, path.join(folder, "link"));
  for (const name of [file, path.join(folder, "link"), folder, "/dev/null", "/proc/self/exe"]) {
    expect(calls.statAt(name)).toMatchObject(shown(fs.lstatSync(name, { bigint: true })));
    expect(calls.statBehind(name)).toMatchObject(shown(fs.statSync(name, { bigint: true })));
  }
  expect(calls.statAt(file)!.dev).toBe(calls.statAt(folder)!.dev);
  expect(calls.statAt(file)!.dev).not.toBe(calls.statAt("/proc")!.dev);
  const fd = fs.openSync(file, "r");
  expect(calls.statOf(fd)).toMatchObject(shown(fs.fstatSync(fd, { bigint: true })));
  fs.closeSync(fd);
  expect(calls.statAt(path.join(folder, "none"))).toBeUndefined();
  expect(calls.statBehind(path.join(folder, "none"))).toBeUndefined();
});

test("what openFile() opens is closed on exec, and what came through one is not", () => {
  const fd = calls.openFile("/dev/null", calls.O_RDONLY);
  expect(calls.isClosedOnExec(fd)).toBe(true);
  expect(calls.isClosedOnExec(2)).toBe(false);
  calls.closeFile(fd);
});

test("readAt() and writeAt() keep to their offset, also beyond 4 GB", () => {
  const fd = calls.openFile(path.join(temporaryFolder(), "sparse"), calls.O_RDWR | calls.O_CREAT, 0o600);
  const offset = 2 ** 33 + 5;
  expect(calls.writeAt(fd, new TextEncoder().encode("here"), offset)).toBe(4);
  const found = new Uint8Array(8);
  expect(calls.readAt(fd, found, offset - 1)).toBe(5);
  expect([...found]).toEqual([0, ...Buffer.from("here"), 0, 0, 0]);
  expect(calls.statOf(fd).sizeBytes).toBe(offset + 4);
  calls.closeFile(fd);
});

test("tryLock() takes a lock that nobody has, and unlock() gives it back", () => {
  const file = path.join(temporaryFolder(), "file");
  const [first, second] = [1, 2].map(() => calls.openFile(file, calls.O_RDWR | calls.O_CREAT, 0o600));
  expect(calls.tryLock(first!)).toBe(true);
  expect(calls.tryLock(second!)).toBe(false);
  calls.unlock(first!);
  expect(calls.tryLock(second!)).toBe(true);
  calls.closeFile(second!);
  expect(calls.tryLock(first!)).toBe(true);
  calls.closeFile(first!);
});

test("renameWith() tells a name that is taken from flags that are not known", () => {
  const [from, to] = ["from", "to"].map((name) => path.join(temporaryFolder(), name)) as [string, string];
  fs.writeFileSync(from, "a");
  fs.writeFileSync(to, "b");
  const [noReplace, exchange] = [1, 2];
  expect(calls.renameWith(from, to, noReplace)).toBe(false);
  // Both together make no sense.
  expect(calls.renameWith(from, to, noReplace | exchange)).toBeUndefined();
  expect(calls.renameWith(from, to, exchange)).toBe(true);
  expect(fs.readFileSync(from, "utf8")).toBe("b");
  expect(failure(() => calls.renameWith("/proc/none/a", to, noReplace))).toMatchObject({ code: "ENOENT" });
});

test("makeFolder() makes a folder once, and leaves one that is there", () => {
  const folder = path.join(temporaryFolder(), "folder");
  calls.makeFolder(folder);
  fs.writeFileSync(path.join(folder, "file"), "");
  calls.makeFolder(folder);
  expect(fs.readdirSync(folder)).toEqual(["file"]);
});

test("folderOf() is path.dirname(), but for two slashes in a row", () => {
  const part = fc.constantFrom("/", "a", "bc", ".", "..", "é", "\n", " ");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const name = parts.join("").replaceAll(/\/+/g, "/");
      expect(folderOf(name)).toBe(path.dirname(name));
    }),
  );
  expect(["a//b", "//a", "/a//"].map(folderOf)).toEqual(["a", "/", "/"]);
});

test("realPath() follows links", () => {
  const folder = fs.realpathSync(temporaryFolder());
  fs.mkdirSync(path.join(folder, "päth"));
  fs.symlinkSync("päth", path.join(folder, "link"));
  expect(calls.realPath(path.join(folder, "link/."))).toBe(path.join(folder, "päth"));
});

test("areEqual() sees each byte", () => {
  const bytes = Uint8Array.from({ length: 8192 }, (_, at) => at % 251);
  expect(calls.areEqual(bytes, bytes.slice())).toBe(true);
  for (const at of [0, 1, 4095, 4096, 8191]) {
    const other = bytes.slice();
    other[at]! ^= 0x80;
    expect(calls.areEqual(bytes, other)).toBe(false);
  }
});
