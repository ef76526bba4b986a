/** The cursor file as the system sees it: real files of every kind, in a folder of their own. */
import { describe, expect, onTestFinished, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import { CursorFile, openCursorFile, writeWholeFile } from "../../src/cursor/file.ts";
import { encodeGoFile } from "../../src/cursor/go.ts";
import { tryLock, unlock } from "../../src/cursor/lock.ts";
import { BLOCK_BYTES, encodeBlock, encodeFile, FILE_BYTES, initialRecord } from "../../src/cursor/record.ts";
import { rejected, thrown } from "../refusal.ts";
import { temporaryFolder } from "../temporary.ts";

const silent = () => {};

function open(filePath: string, notice: (message: string) => void = silent): CursorFile {
  const file = openCursorFile(filePath, notice);
  onTestFinished(() => file.close());
  return file;
}

/** Everything in a folder, with its bytes. */
function contents(folder: string): Record<string, string> {
  return Object.fromEntries(
    fs.readdirSync(folder).map((name) => [name, fs.readFileSync(path.join(folder, name), "hex")]),
  );
}

/** Runs as a user who owns nothing here: root may write to everything. */
function unprivileged<T>(call: () => T): T {
  if (process.geteuid!() !== 0) return call();
  process.seteuid!(65534);
  try {
    return call();
  } finally {
    process.seteuid!(0);
  }
}

describe("creation", () => {
  test("openCursorFile() creates 8,192 bytes at F(0), and leaves nothing beside them", () => {
    const folder = temporaryFolder();
    const file = open(path.join(folder, "cursor"));
    expect(fs.readdirSync(folder)).toEqual(["cursor"]);
    expect(fs.statSync(path.join(folder, "cursor")).size).toBe(8192);
    expect(file.read()).toMatchObject({ record: { index: 0, keyedCount: 0 }, otherFault: undefined });
    expect(file.readOnlyReason).toBeUndefined();
  });

  test("openCursorFile() opens what is there and changes none of it", () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    fs.writeFileSync(filePath, encodeFile(initialRecord(40)));
    const before = contents(folder);
    expect(open(filePath).read().record.index).toBe(40);
    expect(contents(folder)).toEqual(before);
  });

  test("openCursorFile() says how to make a folder that is missing, and makes none itself", () => {
    const folder = temporaryFolder();
    const error = thrown(() => openCursorFile(path.join(folder, "no", "cursor"), silent));
    expect(error.code).toBe("cursor_io");
    expect(error.message).toEndWith(`mkdir -p ${folder}/no`);
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  test("openCursorFile() refuses a path that leads through a file", () => {
    const folder = temporaryFolder();
    fs.writeFileSync(path.join(folder, "plain"), "x");
    const error = thrown(() => openCursorFile(path.join(folder, "plain", "cursor"), silent));
    expect(error.code).toBe("cursor_io");
    expect(error.message).toContain("ENOTDIR");
  });

  test("openCursorFile() creates one file for many processes that find none", async () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    const source = path.resolve(import.meta.dir, "../../src/cursor/file.ts");
    const script = `
      const { openCursorFile } = await import(${JSON.stringify(source)});
      await Bun.stdin.text();
      openCursorFile(${JSON.stringify(filePath)}, console.error);
      console.log(require("node:fs").statSync(${JSON.stringify(filePath)}).ino);`;
    const children = Array.from({ length: 4 }, () =>
      Bun.spawn([process.execPath, "-e", script], { stdio: ["pipe", "pipe", "pipe"] }),
    );
    // Each waits for the end of its input, so that all of them begin when all are up.
    for (const child of children) void child.stdin.end();
    const inodes = await Promise.all(children.map((child) => child.stdout.text()));
    expect(await Promise.all(children.map((child) => child.stderr.text()))).toEqual(["", "", "", ""]);
    expect(new Set(inodes).size).toBe(1);
    expect(fs.readdirSync(folder)).toEqual(["cursor"]);
  });

  test("openCursorFile() gives up on a folder that stays locked, and creates nothing", () => {
    const folder = temporaryFolder();
    const fd = fs.openSync(folder, "r");
    onTestFinished(() => fs.closeSync(fd));
    expect(tryLock(fd)).toBe(true);
    const error = thrown(() => openCursorFile(path.join(folder, "cursor"), silent));
    expect(error.code).toBe("cursor_locked");
    expect(fs.readdirSync(folder)).toEqual([]);
    unlock(fd);
    open(path.join(folder, "cursor"));
    expect(fs.readdirSync(folder)).toEqual(["cursor"]);
  });
});

describe("what is no cursor file", () => {
  test("openCursorFile() refuses a symbolic link, a folder and a FIFO at once, and changes nothing", () => {
    const folder = temporaryFolder();
    const target = path.join(folder, "target");
    fs.writeFileSync(target, encodeFile(initialRecord(3)));
    const kinds = {
      link: "a symbolic link",
      dangling: "a symbolic link",
      folder: "a folder",
      fifo: "not a regular file",
    };
    fs.symlinkSync(target, path.join(folder, "link"));
    fs.symlinkSync(path.join(folder, "nowhere"), path.join(folder, "dangling"));
    fs.mkdirSync(path.join(folder, "folder"));
    expect(Bun.spawnSync(["mkfifo", path.join(folder, "fifo")]).exitCode).toBe(0);
    const names = fs.readdirSync(folder);
    for (const [name, reason] of Object.entries(kinds)) {
      const error = thrown(() => openCursorFile(path.join(folder, name), silent));
      expect(error.code, name).toBe("cursor_damaged");
      expect(error.message).toContain(reason);
      expect(error.message).toContain("Nothing was changed");
    }
    expect(fs.readdirSync(folder)).toEqual(names);
    expect(fs.readFileSync(target)).toEqual(Buffer.from(encodeFile(initialRecord(3))));
  });

  test("openCursorFile() refuses a device", () => {
    expect(thrown(() => openCursorFile("/dev/null", silent)).code).toBe("cursor_damaged");
  });

  test("openCursorFile() refuses every other size, and changes nothing", () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    for (const size of [0, 1, 15, 17, BLOCK_BYTES, FILE_BYTES - 1, FILE_BYTES + 1, 2 * FILE_BYTES]) {
      fs.writeFileSync(filePath, new Uint8Array(size).fill(7));
      const before = contents(folder);
      const error = thrown(() => openCursorFile(filePath, silent));
      expect(error.code).toBe("cursor_damaged");
      expect(error.message).toContain(`it has ${size} bytes`);
      expect(contents(folder)).toEqual(before);
    }
  });

  test("read() refuses 8,192 bytes of something else, and says what to do", () => {
    const filePath = path.join(temporaryFolder(), "cursor");
    fs.writeFileSync(filePath, new Uint8Array(FILE_BYTES));
    const error = thrown(() => open(filePath).read());
    expect(error.code).toBe("cursor_damaged");
    expect(error.message).toContain("does not begin with FIBCURSR");
    expect(error.message).toContain(`fibserver cursor inspect -f ${filePath}`);
  });
});

describe("a Go server's file", () => {
  test("openCursorFile() takes each position over once, and keeps the old bytes beside it", () => {
    const folder = temporaryFolder();
    for (const index of [0, 1, 2, 3, 41, 92]) {
      const filePath = path.join(folder, `cursor${index}`);
      fs.writeFileSync(filePath, encodeGoFile(index));
      const notices: string[] = [];
      expect(open(filePath, (message) => notices.push(message)).read().record.index).toBe(index);
      expect(notices).toEqual([
        `${filePath} was a Go server's file: taken over at index ${index}, the old bytes are in ${filePath}.go16`,
      ]);
      expect(fs.readFileSync(`${filePath}.go16`)).toEqual(Buffer.from(encodeGoFile(index)));
      open(filePath, (message) => notices.push(message));
      expect(notices.length).toBe(1);
    }
    expect(fs.readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("openCursorFile() refuses 16 bytes that are no neighbouring pair, and changes nothing", () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    for (const text of ["0123456789abcdef", "\xff".repeat(16)]) {
      fs.writeFileSync(filePath, text, "latin1");
      const before = contents(folder);
      const error = thrown(() => openCursorFile(filePath, silent));
      expect(error.code).toBe("cursor_damaged");
      expect(error.message).toContain("are not neighbours in the sequence");
      expect(contents(folder)).toEqual(before);
    }
  });
});

describe("permissions", () => {
  test("openCursorFile() opens what it may only read, and says why", () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    fs.writeFileSync(filePath, encodeFile(initialRecord(12)));
    fs.chmodSync(filePath, 0o444);
    fs.chmodSync(folder, 0o755);
    const file = unprivileged(() => open(filePath));
    expect(file.readOnlyReason).toContain("can only be read (EACCES): make it writable");
    expect(file.read().record.index).toBe(12);
    expect(file.tryLock()).toBe(true);
  });

  test("openCursorFile() says what is wrong with a file that it may not even read", () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    fs.writeFileSync(filePath, encodeFile(initialRecord(12)));
    fs.chmodSync(filePath, 0);
    fs.chmodSync(folder, 0o755);
    const error = unprivileged(() => thrown(() => openCursorFile(filePath, silent)));
    expect(error.code).toBe("cursor_io");
    expect(error.message).toContain("EACCES");
  });

  test("openCursorFile() leaves nothing in a folder where it may not create", () => {
    const folder = temporaryFolder();
    fs.chmodSync(folder, 0o555);
    const error = unprivileged(() => thrown(() => openCursorFile(path.join(folder, "cursor"), silent)));
    expect(error.code).toBe("cursor_io");
    expect(error.message).toContain("EACCES");
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  test("openCursorFile() leaves a Go server's file as it was where it may not take it over", () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    fs.writeFileSync(filePath, encodeGoFile(9));
    fs.chmodSync(filePath, 0o444);
    fs.chmodSync(folder, 0o555);
    const before = contents(folder);
    expect(unprivileged(() => thrown(() => openCursorFile(filePath, silent))).code).toBe("cursor_io");
    expect(contents(folder)).toEqual(before);
  });
});

describe("an open file", () => {
  test("tryLock() excludes every other descriptor until unlock() or close()", () => {
    const filePath = path.join(temporaryFolder(), "cursor");
    const [first, second] = [open(filePath), openCursorFile(filePath, silent)];
    expect([first.tryLock(), second.tryLock()]).toEqual([true, false]);
    first.unlock();
    expect([second.tryLock(), first.tryLock()]).toEqual([true, false]);
    second.close();
    expect(first.tryLock()).toBe(true);
  });

  test("write() overwrites one copy and not a byte of the other", async () => {
    const filePath = path.join(temporaryFolder(), "cursor");
    const file = open(filePath);
    const before = fs.readFileSync(filePath);
    const record = { ...initialRecord(77), generation: 9 };
    const block = encodeBlock(record, new Uint8Array(BLOCK_BYTES));
    file.write(1, block);
    file.syncBlocking();
    await file.sync();
    const after = fs.readFileSync(filePath);
    expect(after.subarray(0, BLOCK_BYTES)).toEqual(before.subarray(0, BLOCK_BYTES));
    expect(after.subarray(BLOCK_BYTES)).toEqual(Buffer.from(block));
    expect(file.read()).toEqual({ record, slot: 1, otherFault: undefined });
  });

  test("isUnchanged() notices a commit of another process without the lock", () => {
    const filePath = path.join(temporaryFolder(), "cursor");
    const [file, other] = [open(filePath), open(filePath)];
    const { record, slot } = file.read();
    expect(file.isUnchanged()).toBe(true);
    const moved = { ...record, generation: record.generation + 1, index: 1 };
    other.write(slot === 0 ? 1 : 0, encodeBlock(moved, new Uint8Array(BLOCK_BYTES)));
    expect(file.isUnchanged()).toBe(false);
    file.read();
    expect(file.isUnchanged()).toBe(true);
  });

  test("isUnchanged() stays true after a write of its own", () => {
    const file = open(path.join(temporaryFolder(), "cursor"));
    const { record, slot } = file.read();
    file.write(slot, encodeBlock({ ...record, index: 5 }, new Uint8Array(BLOCK_BYTES)));
    expect(file.isUnchanged()).toBe(true);
  });

  test("isUnchanged() notices any one byte that differs, and a file that was cut short", () => {
    const filePath = path.join(temporaryFolder(), "cursor");
    const file = open(filePath);
    file.read();
    const bytes = fs.readFileSync(filePath);
    for (let at = 0; at < FILE_BYTES; at += 61) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      fs.writeFileSync(filePath, changed);
      expect(file.isUnchanged()).toBe(false);
    }
    fs.writeFileSync(filePath, bytes);
    expect(file.isUnchanged()).toBe(true);
    fs.truncateSync(filePath, BLOCK_BYTES);
    expect(file.isUnchanged()).toBe(false);
  });

  test("isInPlace() tells its file from another one, and from none", () => {
    const filePath = path.join(temporaryFolder(), "cursor");
    const file = open(filePath);
    expect(file.isInPlace()).toBe(true);
    fs.renameSync(filePath, `${filePath}.away`);
    expect(file.isInPlace()).toBeUndefined();
    fs.copyFileSync(`${filePath}.away`, filePath);
    expect(file.isInPlace()).toBe(false);
    fs.renameSync(`${filePath}.away`, filePath);
    expect(file.isInPlace()).toBe(true);
  });

  test("every call on a descriptor that fails is cursor_io, with the file's name", async () => {
    const filePath = path.join(temporaryFolder(), "cursor");
    const file = openCursorFile(filePath, silent);
    file.close();
    const errors = [
      thrown(() => file.read()),
      thrown(() => file.isUnchanged()),
      thrown(() => file.write(0, new Uint8Array(BLOCK_BYTES))),
      thrown(() => file.syncBlocking()),
      await rejected(file.sync()),
    ];
    for (const error of errors) {
      expect(error.code).toBe("cursor_io");
      expect(error.message).toMatch(/^Cannot (read|write|sync) .*EBADF/);
      expect(error.message).toContain(filePath);
    }
  });
});

describe("writeWholeFile()", () => {
  test("writeWholeFile() puts the bytes there and leaves nothing beside them", () => {
    const folder = temporaryFolder();
    writeWholeFile(path.join(folder, "out"), encodeGoFile(10));
    expect(contents(folder)).toEqual({ out: Buffer.from(encodeGoFile(10)).toString("hex") });
  });

  test("writeWholeFile() leaves no temporary file when it cannot rename", () => {
    const folder = temporaryFolder();
    fs.mkdirSync(path.join(folder, "out"));
    const error = thrown(() => writeWholeFile(path.join(folder, "out"), encodeGoFile(10)));
    expect(error.code).toBe("cursor_io");
    expect(fs.readdirSync(folder)).toEqual(["out"]);
  });
});
