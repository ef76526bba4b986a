/** The cursor file as the system sees it: real files of every kind, in a folder of their own. */
import { describe, expect, onTestFinished, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import type { CursorFile } from "../../src/cursor/file.ts";
import { encodeGoFile } from "../../src/cursor/go.ts";
import { openCursorFile } from "../../src/cursor/open.ts";
import type { Procedure } from "../../src/cursor/procedure.ts";
import { writeNewFile } from "../../src/cursor/put.ts";
import { BLOCK_BYTES, encodeBlock, encodeFile, FILE_BYTES, initialRecord } from "../../src/cursor/record.ts";
import { runOnThreads } from "../../src/cursor/threads.ts";
import { tryLock, unlock } from "../../src/system-calls.ts";
import { rejected, thrown } from "../refusal.ts";
import { openFile, temporaryFolder } from "../temporary.ts";

async function open(filePath: string, notice?: (message: string) => void): Promise<CursorFile> {
  const file = await openFile(filePath, notice);
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
async function unprivileged<T>(call: () => Promise<T>): Promise<T> {
  if (process.geteuid!() !== 0) return await call();
  process.seteuid!(65534);
  try {
    return await call();
  } finally {
    process.seteuid!(0);
  }
}

describe("creation", () => {
  test("openCursorFile() creates 8,192 bytes at F(0), and leaves nothing beside them", async () => {
    const folder = temporaryFolder();
    const file = await open(path.join(folder, "cursor"));
    expect(fs.readdirSync(folder)).toEqual(["cursor"]);
    expect(fs.statSync(path.join(folder, "cursor")).size).toBe(8192);
    expect(file.read()).toMatchObject({ record: { index: 0, keyedCount: 0 }, otherFault: undefined });
    expect(file.readOnlyReason).toBeUndefined();
  });

  test("openCursorFile() opens what is there and changes none of it", async () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    fs.writeFileSync(filePath, encodeFile(initialRecord(40)));
    const before = contents(folder);
    expect((await open(filePath)).read().record.index).toBe(40);
    expect(contents(folder)).toEqual(before);
  });

  test("openCursorFile() says how to make a folder that is missing, and makes none itself", async () => {
    const folder = temporaryFolder();
    const error = await rejected(openFile(path.join(folder, "no", "cursor")));
    expect(error.code).toBe("cursor_io");
    expect(error.message).toEndWith(`mkdir -p ${folder}/no`);
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  test("openCursorFile() refuses a path that leads through a file", async () => {
    const folder = temporaryFolder();
    fs.writeFileSync(path.join(folder, "plain"), "x");
    const error = await rejected(openFile(path.join(folder, "plain", "cursor")));
    expect(error.code).toBe("cursor_io");
    expect(error.message).toContain("ENOTDIR");
  });

  test("openCursorFile() creates one file for many processes that find none", async () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    const [opener, procedure] = ["open", "procedure"].map((name) =>
      JSON.stringify(path.resolve(import.meta.dir, `../../src/cursor/${name}.ts`)),
    );
    const script = `
      const { openCursorFile } = await import(${opener});
      const { runBlocking } = await import(${procedure});
      await Bun.stdin.text();
      const open = () => runBlocking(openCursorFile(${JSON.stringify(filePath)}, { notice: console.error, mayCreate: true }));
      // The one that makes it may stand still for more than the second for which the others wait.
      for (let isOpen = false; !isOpen;)
        try {
          isOpen = Boolean(open());
        } catch (error) {
          if (error.code !== "cursor_locked") throw error;
        }
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

  test("openCursorFile() gives up on a folder that stays locked, and creates nothing", async () => {
    const folder = temporaryFolder();
    const fd = fs.openSync(folder, "r");
    onTestFinished(() => fs.closeSync(fd));
    expect(tryLock(fd)).toBe(true);
    const error = await rejected(openFile(path.join(folder, "cursor")));
    expect(error.code).toBe("cursor_locked");
    expect(fs.readdirSync(folder)).toEqual([]);
    unlock(fd);
    await open(path.join(folder, "cursor"));
    expect(fs.readdirSync(folder)).toEqual(["cursor"]);
  });
});

describe("what is no cursor file", () => {
  test("openCursorFile() refuses a symbolic link, a folder and a FIFO at once, and changes nothing", async () => {
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
      const error = await rejected(openFile(path.join(folder, name)));
      expect(error.code, name).toBe("cursor_damaged");
      expect(error.message).toContain(reason);
      expect(error.message).toContain("Nothing was changed");
    }
    expect(fs.readdirSync(folder)).toEqual(names);
    expect(fs.readFileSync(target)).toEqual(Buffer.from(encodeFile(initialRecord(3))));
  });

  test("openCursorFile() refuses a device", async () => {
    expect((await rejected(openFile("/dev/null"))).code).toBe("cursor_damaged");
  });

  test("openCursorFile() refuses every other size, and changes nothing", async () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    for (const size of [0, 1, 15, 17, BLOCK_BYTES, FILE_BYTES - 1, FILE_BYTES + 1, 2 * FILE_BYTES]) {
      fs.writeFileSync(filePath, new Uint8Array(size).fill(7));
      const before = contents(folder);
      const error = await rejected(openFile(filePath));
      expect(error.code).toBe("cursor_damaged");
      expect(error.message).toContain(`it has ${size} bytes`);
      expect(contents(folder)).toEqual(before);
    }
  });

  test("read() refuses 8,192 bytes of something else, and says what to do", async () => {
    const filePath = path.join(temporaryFolder(), "cursor");
    fs.writeFileSync(filePath, new Uint8Array(FILE_BYTES));
    const file = await open(filePath);
    const error = thrown(() => file.read());
    expect(error.code).toBe("cursor_damaged");
    expect(error.message).toContain("does not begin with FIBCURSR");
    expect(error.message).toContain(`fibserver cursor inspect -f ${filePath}`);
  });
});

describe("a Go server's file", () => {
  test("openCursorFile() takes each position over once, and keeps the old bytes beside it", async () => {
    const folder = temporaryFolder();
    for (const index of [0, 1, 2, 3, 41, 92]) {
      const filePath = path.join(folder, `cursor${index}`);
      fs.writeFileSync(filePath, encodeGoFile(index));
      const notices: string[] = [];
      expect((await open(filePath, (message) => notices.push(message))).read().record.index).toBe(index);
      expect(notices).toEqual([
        `${filePath} was a Go server's file: taken over at index ${index}, the old bytes are in ${filePath}.go16`,
      ]);
      expect(fs.readFileSync(`${filePath}.go16`)).toEqual(Buffer.from(encodeGoFile(index)));
      await open(filePath, (message) => notices.push(message));
      expect(notices.length).toBe(1);
    }
    expect(fs.readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("openCursorFile() refuses 16 bytes that are no neighbouring pair, and changes nothing", async () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    for (const text of ["0123456789abcdef", "\xff".repeat(16)]) {
      fs.writeFileSync(filePath, text, "latin1");
      const before = contents(folder);
      const error = await rejected(openFile(filePath));
      expect(error.code).toBe("cursor_damaged");
      expect(error.message).toContain("are not neighbours in the sequence");
      expect(contents(folder)).toEqual(before);
    }
  });
});

describe("permissions", () => {
  test("openCursorFile() opens what it may only read, and says why", async () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    fs.writeFileSync(filePath, encodeFile(initialRecord(12)));
    fs.chmodSync(filePath, 0o444);
    fs.chmodSync(folder, 0o755);
    const file = await unprivileged(() => open(filePath));
    expect(file.readOnlyReason).toContain("can only be read (EACCES): make it writable");
    expect(file.read().record.index).toBe(12);
    expect(file.tryLock()).toBe(true);
  });

  test("openCursorFile() says what is wrong with a file that it may not even read", async () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    fs.writeFileSync(filePath, encodeFile(initialRecord(12)));
    fs.chmodSync(filePath, 0);
    fs.chmodSync(folder, 0o755);
    const error = await unprivileged(() => rejected(openFile(filePath)));
    expect(error.code).toBe("cursor_io");
    expect(error.message).toContain("EACCES");
  });

  test("openCursorFile() leaves nothing in a folder where it may not create", async () => {
    const folder = temporaryFolder();
    fs.chmodSync(folder, 0o555);
    const error = await unprivileged(() => rejected(openFile(path.join(folder, "cursor"))));
    expect(error.code).toBe("cursor_io");
    expect(error.message).toContain("EACCES");
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  test("openCursorFile() creates below folders that it may not list: others have made those", async () => {
    const above = temporaryFolder();
    const folder = path.join(above, "a", "b");
    fs.mkdirSync(folder, { recursive: true });
    if (process.geteuid!() === 0) fs.chownSync(folder, 65534, 65534);
    // The lower one first: its owner, too, may go on and not look.
    for (const name of [path.dirname(folder), above]) fs.chmodSync(name, 0o311);
    const file = await unprivileged(() => open(path.join(folder, "cursor")));
    for (const name of [above, path.dirname(folder)]) fs.chmodSync(name, 0o755);
    expect(file.read().record.index).toBe(0);
    expect(fs.readdirSync(folder)).toEqual(["cursor"]);
  });

  test("openCursorFile() leaves a Go server's file alone that it may only read, or that is another user's", async () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    fs.writeFileSync(filePath, encodeGoFile(9));
    fs.chmodSync(folder, 0o777);
    const before = contents(folder);
    for (const [mode, reason] of [
      [0o444, "can only be read (EACCES)"],
      [0o666, "it belongs to another user (uid 0)"],
    ] as const) {
      fs.chmodSync(filePath, mode);
      if (process.geteuid!() !== 0 && mode === 0o666) continue;
      const error = await unprivileged(() => rejected(openFile(filePath)));
      expect(error.code).toBe("cursor_io");
      expect(error.message).toContain(reason);
      expect(contents(folder)).toEqual(before);
    }
  });

  test("openCursorFile() only reads a file whose folder cannot be synced", async () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    fs.writeFileSync(filePath, encodeFile(initialRecord(12)));
    fs.chmodSync(filePath, 0o666);
    fs.chmodSync(folder, 0o311);
    const notices: string[] = [];
    const file = await unprivileged(() => open(filePath, (message) => notices.push(message)));
    fs.chmodSync(folder, 0o755);
    if (process.geteuid!() === 0)
      expect(file.readOnlyReason).toContain("its folder cannot be synced (EACCES)");
    expect(notices.join()).toContain("was not synced here and may not be on disk");
  });

  test("openCursorFile() takes a Go server's file over with its owner and mode, and the kept bytes too", async () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    fs.writeFileSync(filePath, encodeGoFile(9));
    fs.chmodSync(filePath, 0o600);
    if (process.geteuid!() === 0) fs.chownSync(filePath, 1000, 1001);
    const { uid, gid, mode } = fs.statSync(filePath);
    await open(filePath);
    expect(fs.statSync(filePath).size).toBe(FILE_BYTES);
    for (const name of [filePath, `${filePath}.go16`])
      expect(fs.statSync(name)).toMatchObject({ uid, gid, mode });
  });

  test("openCursorFile() keeps the same bytes once, and other bytes apart", async () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    for (const index of [9, 9, 10, 10, 9]) {
      fs.writeFileSync(filePath, encodeGoFile(index));
      await open(filePath);
    }
    expect(fs.readdirSync(folder).toSorted()).toEqual(["cursor", "cursor.go16", "cursor.go16.2"]);
  });

  test("openCursorFile() makes no missing file where it may not, nor waits for the folder", async () => {
    const folder = temporaryFolder();
    const options = { notice: () => {}, mayCreate: false };
    const error = await rejected(runOnThreads(openCursorFile(path.join(folder, "cursor"), options)));
    expect(error.code).toBe("cursor_io");
    expect(error.message).toContain("it is gone");
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  test("openCursorFile() leaves a Go server's file as it was where it may not take it over", async () => {
    const folder = temporaryFolder();
    const filePath = path.join(folder, "cursor");
    fs.writeFileSync(filePath, encodeGoFile(9));
    fs.chmodSync(filePath, 0o444);
    fs.chmodSync(folder, 0o555);
    const before = contents(folder);
    expect((await unprivileged(() => rejected(openFile(filePath)))).code).toBe("cursor_io");
    expect(contents(folder)).toEqual(before);
  });
});

describe("an open file", () => {
  test("tryLock() excludes every other descriptor until unlock() or close()", async () => {
    const filePath = path.join(temporaryFolder(), "cursor");
    const [first, second] = [await open(filePath), await openFile(filePath)];
    expect([first.tryLock(), second.tryLock()]).toEqual([true, false]);
    first.unlock();
    expect([second.tryLock(), first.tryLock()]).toEqual([true, false]);
    second.close();
    expect(first.tryLock()).toBe(true);
  });

  test("write() overwrites one copy and not a byte of the other", async () => {
    const filePath = path.join(temporaryFolder(), "cursor");
    const file = await open(filePath);
    const before = fs.readFileSync(filePath);
    const record = { ...initialRecord(77), generation: 9 };
    const block = encodeBlock(record, new Uint8Array(BLOCK_BYTES));
    file.write(1, block);
    const after = fs.readFileSync(filePath);
    expect(after.subarray(0, BLOCK_BYTES)).toEqual(before.subarray(0, BLOCK_BYTES));
    expect(after.subarray(BLOCK_BYTES)).toEqual(Buffer.from(block));
    expect(file.read()).toEqual({ record, slot: 1, otherFault: undefined });
  });

  test("isUnchanged() notices a commit of another process without the lock", async () => {
    const filePath = path.join(temporaryFolder(), "cursor");
    const [file, other] = [await open(filePath), await open(filePath)];
    const { record, slot } = file.read();
    expect(file.isUnchanged()).toBe(true);
    const moved = { ...record, generation: record.generation + 1, index: 1 };
    other.write(slot === 0 ? 1 : 0, encodeBlock(moved, new Uint8Array(BLOCK_BYTES)));
    expect(file.isUnchanged()).toBe(false);
    file.read();
    expect(file.isUnchanged()).toBe(true);
  });

  test("isUnchanged() stays true after a write of its own", async () => {
    const file = await open(path.join(temporaryFolder(), "cursor"));
    const { record, slot } = file.read();
    file.write(slot, encodeBlock({ ...record, index: 5 }, new Uint8Array(BLOCK_BYTES)));
    expect(file.isUnchanged()).toBe(true);
  });

  test("isUnchanged() notices any one byte that differs, and a file that was cut short", async () => {
    const filePath = path.join(temporaryFolder(), "cursor");
    const file = await open(filePath);
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

  test("isInPlace() tells its file from another one, and from none", async () => {
    const filePath = path.join(temporaryFolder(), "cursor");
    const file = await open(filePath);
    expect(file.isInPlace()).toBe(true);
    fs.renameSync(filePath, `${filePath}.away`);
    expect(file.isInPlace()).toBeUndefined();
    fs.copyFileSync(`${filePath}.away`, filePath);
    expect(file.isInPlace()).toBe(false);
    fs.renameSync(`${filePath}.away`, filePath);
    expect(file.isInPlace()).toBe(true);
  });

  test("syncName() syncs again when a name has changed while it synced, and not otherwise", async () => {
    const filePath = path.join(temporaryFolder(), "cursor");
    const file = await open(filePath);
    const folder = path.dirname(filePath);
    // Long before the next change, whatever the kernel's tick.
    fs.utimesSync(folder, 1, 1);
    const sync = file.syncName();
    expect(sync.next()).toMatchObject({ done: false, value: { sync: "all", path: folder } });
    fs.writeFileSync(`${filePath}.other`, "");
    expect(sync.next().done).toBe(true);
    const again = file.syncName();
    expect(again.next().done).toBe(false);
    expect(again.next().done).toBe(true);
    expect(file.syncName().next().done).toBe(true);
  });

  test("every call on a descriptor that fails is cursor_io, with the file's name", async () => {
    const filePath = path.join(temporaryFolder(), "cursor");
    const file = await openFile(filePath);
    file.close();
    const sync = function* (): Procedure<void> {
      yield file.dataSync;
    };
    const errors = [
      thrown(() => file.read()),
      thrown(() => file.isUnchanged()),
      thrown(() => file.write(0, new Uint8Array(BLOCK_BYTES))),
      await rejected(runOnThreads(sync())),
    ];
    for (const error of errors) {
      expect(error.code).toBe("cursor_io");
      expect(error.message).toMatch(/^Cannot (read|write|sync) .*EBADF/);
      expect(error.message).toContain(filePath);
    }
  });
});

describe("writeNewFile()", () => {
  test("writeNewFile() puts the bytes there and leaves nothing beside them", async () => {
    const folder = temporaryFolder();
    await runOnThreads(writeNewFile(path.join(folder, "out"), encodeGoFile(10)));
    expect(contents(folder)).toEqual({ out: Buffer.from(encodeGoFile(10)).toString("hex") });
  });

  test("writeNewFile() replaces nothing, and leaves no temporary file then", async () => {
    const folder = temporaryFolder();
    fs.mkdirSync(path.join(folder, "out"));
    const error = await rejected(runOnThreads(writeNewFile(path.join(folder, "out"), encodeGoFile(10))));
    expect(error.code).toBe("bad_argument");
    expect(fs.readdirSync(folder)).toEqual(["out"]);
  });
});
