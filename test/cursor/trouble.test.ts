/**
 * The file of named cursors is damaged, foreign, gone, or on a disk that takes nothing: that is said, nothing is lost, the
 * default cursor goes on, and so do the others by themselves when the cause is gone.
 */
import { Database } from "bun:sqlite";
import { expect, setDefaultTimeout, test } from "bun:test";
import fs from "node:fs";
import path from "node:path";
import type { Outcome } from "../../src/cursor/moves.ts";
import { Cursors } from "../../src/cursor/named.ts";
import { FibError } from "../../src/errors.ts";
import { isWorking, requires, until } from "../binary.ts";
import { ask, must } from "./contract.ts";
import { ALL, damagePages, openCursors } from "./named-file.ts";

setDefaultTimeout(300_000);

const NEXT = { operation: "next" } as const;

const withTmpfs = requires(
  isWorking(["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]),
  "it takes root, with the right to mount",
);

/** Does something to the database as another program. */
function change(file: string, sql: string): void {
  using db = new Database(file);
  db.run(sql);
}

interface Trouble {
  /** What is there before: cursors that are closed again, cursors that stay open, or nothing. */
  readonly before: "closed" | "open" | "nothing";
  readonly begin: (file: string) => void;
  readonly end: (file: string) => void;
  readonly code: string;
  readonly message: RegExp;
  /** Where alice is at the first move behind it. */
  readonly index: number;
}

const aside = (from: string) => `${from}.aside`;
const move = (from: string, to: string) => fs.renameSync(from, to);

const TROUBLES: Record<string, Trouble> = {
  "is no database": {
    before: "nothing",
    begin: (file) => fs.writeFileSync(file, Buffer.alloc(8192, "no database ")),
    end: (file) => fs.rmSync(file),
    code: "cursor_damaged",
    message: /not a database; fibserver cursor inspect -f .* says/,
    index: 1,
  },
  "has damaged pages": {
    before: "closed",
    begin(file) {
      fs.copyFileSync(file, aside(file));
      damagePages(file);
    },
    end: (file) => move(aside(file), file),
    code: "cursor_damaged",
    message: /malformed; fibserver cursor inspect -f .* says/,
    index: 3,
  },
  "is a newer version's": {
    before: "closed",
    begin: (file) => change(file, "PRAGMA user_version = 99"),
    end: (file) => change(file, "PRAGMA user_version = 1"),
    code: "cursor_io",
    message: /a newer fibserver wrote it\. Nothing was changed/,
    index: 3,
  },
  "is another program's": {
    before: "nothing",
    begin: (file) => change(file, "CREATE TABLE theirs (x)"),
    end: (file) => fs.rmSync(file),
    code: "cursor_io",
    message: /it is another program's\. Nothing was changed/,
    index: 1,
  },
  "is a folder": {
    before: "nothing",
    begin: (file) => fs.mkdirSync(file),
    end: (file) => fs.rmdirSync(file),
    code: "cursor_io",
    message: /it is no file but a link, a folder/,
    index: 1,
  },
  "is a link": {
    before: "nothing",
    begin(file) {
      fs.writeFileSync(aside(file), "");
      fs.symlinkSync(aside(file), file);
    },
    end: (file) => fs.rmSync(file),
    code: "cursor_io",
    message: /it is no file but a link, a folder/,
    index: 1,
  },
  "was moved away while it was open": {
    before: "open",
    begin: (file) => move(file, aside(file)),
    end: (file) => move(aside(file), file),
    code: "cursor_io",
    message: /it was moved or replaced|it is gone; put it back/,
    index: 3,
  },
  "is in a folder that has vanished": {
    before: "open",
    begin: (file) => move(path.dirname(file), aside(path.dirname(file))),
    end: (file) => move(aside(path.dirname(file)), path.dirname(file)),
    code: "cursor_io",
    message: /it was moved or replaced|it is gone; put it back/,
    index: 3,
  },
};

/** The trouble begins, is told of, and ends. */
async function meet([what, { before, begin, end, code, message, index }]: [string, Trouble]) {
  const { file, notices, open, cursors, named } = await openCursors();
  const first = before === "open" ? named : open();
  if (before !== "nothing")
    for (let i = 0; i < 2; i++) await must(new Cursors(cursors.default, first), "alice", NEXT);
  if (before === "closed") await first.close();
  begin(file);
  for (let round = 1; round < 3; round++) {
    const outcome = await ask(cursors, "alice", NEXT);
    expect({ what, outcome }).toMatchObject({ what, outcome: { code } });
    expect((outcome as FibError).message).toMatch(message);
    expect((outcome as FibError).message).toContain(file);
    const list = await named.list(ALL).catch((error: FibError): string => error.code);
    expect({ what, list }).toEqual({ what, list: code });
    expect(await must(cursors, "default", NEXT)).toMatchObject({ index: round });
  }
  expect({ what, notices: notices.length }).toEqual({ what, notices: 1 });
  end(file);
  let outcome: Outcome;
  const goesOn = async () => !((outcome = await ask(cursors, "alice", NEXT)) instanceof FibError);
  await until(`one that ${what} goes on`, goesOn);
  expect({ what, outcome: outcome! }).toMatchObject({ what, outcome: { index } });
}

// Together: each waits two seconds until the file is tried again.
test("a file that cannot be used is refused with why, until that is over; the default cursor goes on", async () => {
  await Promise.all(Object.entries(TROUBLES).map(meet));
});

withTmpfs(
  "on a full disk those that are there move on, more cannot be made, and room is enough to go on",
  async () => {
    const { folder, file, cursors } = await openCursors();
    using _ = mounted(folder, "-o", "size=160k");
    expect(await must(cursors, "alice", NEXT)).toMatchObject({ index: 1 });
    const filler = path.join(folder, "filler");
    expect(() => fs.writeFileSync(filler, Buffer.alloc(1_000_000))).toThrow("ENOSPC");
    // Many times what the log has room for.
    for (let index = 2; index <= 92; index++)
      expect(await must(cursors, "alice", NEXT)).toMatchObject({ index });
    let count = 0;
    let outcome: Outcome;
    while (!((outcome = await ask(cursors, `name${count}`, NEXT)) instanceof FibError)) count++;
    expect(outcome.code).toBe("cursor_io");
    expect(outcome.message).toContain(`Cannot write ${file}: database or disk is full`);
    // The database is sound: it can be read at once, and a move is tried each time.
    expect(await must(cursors, "alice", { operation: "current" })).toMatchObject({ index: 92 });
    fs.rmSync(filler);
    expect(await must(cursors, `name${count}`, NEXT)).toMatchObject({ index: 1 });
  },
);

withTmpfs("a disk that becomes read-only is told of, and writable again it goes on", async () => {
  const { folder, cursors } = await openCursors();
  using _ = mounted(folder);
  mount(folder, "-o", "remount,ro");
  const outcome = await ask(cursors, "alice", NEXT);
  expect(outcome).toMatchObject({ code: "cursor_io" });
  expect((outcome as FibError).message).toContain("Cannot create");
  mount(folder, "-o", "remount,rw");
  await until("it goes on", async () => !((await ask(cursors, "alice", NEXT)) instanceof FibError));
});

/** Mounts a tmpfs over a folder, until the end of the scope. */
function mounted(folder: string, ...options: string[]): Disposable {
  mount(folder, "-t", "tmpfs", ...options, "none");
  // Lazily: the cursors are closed later.
  return { [Symbol.dispose]: () => void Bun.spawnSync(["umount", "--lazy", folder]) };
}

function mount(folder: string, ...options: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["mount", ...options, folder]);
  if (exitCode !== 0) throw new Error(stderr.toString());
}
