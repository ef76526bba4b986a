/**
 * The cursor's promises, on real files: an answered move is on disk, each move is applied
 * once, in an order that everyone who shares the file agrees on.
 */
import { describe, expect, onTestFinished, test } from "bun:test";
import * as fc from "fast-check";
import fs from "node:fs";
import path from "node:path";
import type { CursorOptions } from "../../src/cursor/cursor.ts";
import type { CursorFile } from "../../src/cursor/file.ts";
import { applyToRecord, type CursorRequest, type Outcome } from "../../src/cursor/moves.ts";
import type { Run } from "../../src/cursor/procedure.ts";
import { writeNewFile } from "../../src/cursor/put.ts";
import { runOnThreads } from "../../src/cursor/threads.ts";
import {
  BLOCK_BYTES,
  type CursorRecord,
  decodeCopies,
  decodeFile,
  encodeBlock,
  encodeFile,
  FILE_BYTES,
  initialRecord,
} from "../../src/cursor/record.ts";
import { FibError } from "../../src/errors.ts";
import { tryLock } from "../../src/system-calls.ts";
import { rejected } from "../refusal.ts";
import { openCursor, type OpenedCursor, openFile, temporaryFolder } from "../temporary.ts";

/** Where a cursor file is, or will be. */
function newPath(): string {
  return path.join(temporaryFolder(), "cursor");
}

/** What the disk holds, read apart from any cursor. */
function onDisk(file: string): CursorRecord {
  return decodeFile(fs.readFileSync(file)).record;
}

/** The generations of the two copies, the older one first. */
function generations(file: string): number[] {
  return decodeCopies(fs.readFileSync(file))
    .map(({ record }) => record?.generation ?? Number.NaN)
    .toSorted((a, b) => a - b);
}

/** Another process, as far as the lock can tell: flock belongs to the open descriptor. */
async function stranger(file: string): Promise<CursorFile> {
  const opened = await openFile(file);
  onTestFinished(() => opened.close());
  return opened;
}

function codeOf(outcome: Outcome): string {
  return outcome instanceof FibError ? outcome.code : "answered";
}

function messageOf(outcome: Outcome | undefined): string {
  return outcome instanceof FibError ? outcome.message : "answered";
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("moves", () => {
  test("submit() answers what the file holds from then on, also to who opens it next", async () => {
    const file = newPath();
    const { must, ask, cursor } = await openCursor(file);
    expect(await must("current")).toMatchObject({ index: 0 });
    expect(codeOf(await ask("previous"))).toBe("sequence_start");
    for (const index of [1, 2, 3]) {
      expect((await must("next")).index).toBe(index);
      expect(onDisk(file).index).toBe(index);
    }
    expect((await must({ operation: "set", target: 92 })).index).toBe(92);
    expect(codeOf(await ask("next"))).toBe("sequence_end");
    expect((await must("previous")).index).toBe(91);
    await cursor.close();
    expect((await (await openCursor(file)).must("current")).index).toBe(91);
  });

  test("submit() counts every move in the generation, whatever the groups were", async () => {
    const { must } = await openCursor(newPath());
    const { generation } = await must("current");
    expect((await must("next")).generation).toBe(generation + 1);
    const moves = await Promise.all(Array.from({ length: 10 }, () => must("next")));
    expect(moves.map((move) => move.generation - generation)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test("submit() commits all requests of a turn with one write", async () => {
    const file = newPath();
    const { must } = await openCursor(file);
    const { generation } = await must("next");
    const moves = await Promise.all(Array.from({ length: 64 }, () => must("next")));
    expect(moves.map((move) => move.index)).toEqual(Array.from({ length: 64 }, (_, i) => i + 2));
    // A second write would have gone to the copy that still holds the position before the group.
    expect(generations(file)).toEqual([generation, generation + 64]);
  });

  test("submit() writes nothing for a group that moves nothing", async () => {
    const file = newPath();
    const { ask } = await openCursor(file);
    const before = fs.readFileSync(file);
    const outcomes = await Promise.all([ask("current"), ask("previous"), ask("current")]);
    expect(outcomes.map(codeOf)).toEqual(["answered", "sequence_start", "answered"]);
    expect(fs.readFileSync(file)).toEqual(before);
  });

  test("submit() refuses one request of a group without harm to the others", async () => {
    const file = newPath();
    const { ask } = await openCursor(file, { indexMax: 2 });
    const outcomes = await Promise.all([
      ask("next"),
      ask("previous"),
      ask("previous"),
      ask("next"),
      ask({ operation: "set", target: 3 }),
      ask("next"),
      ask("next"),
    ]);
    expect(outcomes.map((o) => (o instanceof FibError ? o.code : o.index))).toEqual([
      1,
      0,
      "sequence_start",
      1,
      "bad_argument",
      2,
      "sequence_end",
    ]);
    expect(onDisk(file).index).toBe(2);
  });

  test("submit() rejects only the request whose answer cannot be made", async () => {
    const { cursor, must } = await openCursor(newPath());
    const broken = cursor.submit({ operation: "next" }, () => {
      throw new RangeError("no such value");
    });
    const whole = must("next");
    expect(broken).rejects.toThrow("no such value");
    expect((await whole).index).toBe(2);
    expect(cursor.failure).toBeUndefined();
  });

  test("submit() refuses what is beyond 100,000 waiting requests at once, and answers those", async () => {
    const { cursor, must } = await openCursor(newPath(), { indexMax: 1_000_000 });
    const asked = Array.from({ length: 100_010 }, () => cursor.submit({ operation: "next" }, codeOf));
    const codes = await Promise.all(asked);
    expect(codes.indexOf("overloaded")).toBe(100_000);
    expect(codes.lastIndexOf("answered")).toBe(99_999);
    expect((await must("current")).index).toBe(100_000);
  });

  test("submit() applies a request that comes from an answer to the next group", async () => {
    const { cursor, must } = await openCursor(newPath());
    const inner = await cursor.submit({ operation: "next" }, () => must("next"));
    expect(inner.index).toBe(2);
  });
});

describe("keys", () => {
  const keyDigest = new Uint8Array(16).fill(9);

  test("submit() makes a keyed move once, also in one group, later, and after reopening", async () => {
    const file = newPath();
    const request: CursorRequest = { operation: "next", keyDigest };
    const first = await openCursor(file);
    const group = await Promise.all([first.must(request), first.must(request), first.must("next")]);
    expect(group.map((move) => [move.index, move.replayed ?? false])).toEqual([
      [1, false],
      [1, true],
      [2, false],
    ]);
    expect(await first.must(request)).toMatchObject({ index: 1, replayed: true });
    await first.cursor.close();
    const second = await openCursor(file);
    expect(await second.must(request)).toMatchObject({ index: 1, replayed: true });
    expect(onDisk(file)).toMatchObject({ index: 2, keyedCount: 1 });
  });

  test("submit() knows a key that was used through another process", async () => {
    const file = newPath();
    const [first, second] = [await openCursor(file), await openCursor(file)];
    await second.must("current");
    await first.must({ operation: "next", keyDigest });
    expect(await second.must({ operation: "next", keyDigest })).toMatchObject({ index: 1, replayed: true });
    expect(codeOf(await second.ask({ operation: "previous", keyDigest }))).toBe("key_reused");
  });
});

describe("sharing", () => {
  interface Done {
    readonly request: CursorRequest;
    readonly outcome: Outcome;
    /** Both in the order in which things happened here. */
    readonly askedAt: number;
    readonly answeredAt: number;
  }

  const indexMax = 6;
  const operations = fc.record({
    who: fc.constantFrom(0, 1),
    request: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom<CursorRequest>({ operation: "next" }) },
      { weight: 3, arbitrary: fc.constantFrom<CursorRequest>({ operation: "previous" }) },
      { weight: 2, arbitrary: fc.constantFrom<CursorRequest>({ operation: "current" }) },
      {
        weight: 1,
        arbitrary: fc.nat(indexMax).map((target): CursorRequest => ({ operation: "set", target })),
      },
    ),
    /** Lets what was asked so far go on before the next. */
    pause: fc.constantFrom("none", "none", "turn", "answer"),
  });

  test("submit() puts the moves of two cursors on one file into one order that explains every answer", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operations, { maxLength: 60, size: "max" }), async (list) => {
        const file = newPath();
        const cursors = [await openCursor(file, { indexMax }), await openCursor(file, { indexMax })];
        const start = onDisk(file);
        let clock = 0;
        const running: Promise<Done>[] = [];
        for (const { who, request, pause } of list) {
          const askedAt = ++clock;
          running.push(
            cursors[who]!.cursor.submit(request, (outcome) => ({
              request,
              outcome,
              askedAt,
              answeredAt: ++clock,
            })),
          );
          if (pause === "turn") await nextTurn();
          if (pause === "answer") await running.at(-1);
        }
        const done = await Promise.all(running);
        await Promise.all(cursors.map(({ cursor }) => cursor.close()));

        const moves = done.filter(
          ({ request, outcome }) => request.operation !== "current" && !(outcome instanceof FibError),
        );
        const generationOf = ({ outcome }: Done) =>
          outcome instanceof FibError ? Number.NaN : outcome.generation;
        // One order of all moves, by generation; each answer follows from the one before.
        const ordered = moves.toSorted((a, b) => generationOf(a) - generationOf(b));
        const positions = [start];
        for (const { request, outcome } of ordered) {
          const { record } = applyToRecord(positions.at(-1)!, request, indexMax);
          expect(outcome).toMatchObject({ index: record.index, generation: record.generation });
          positions.push(record);
        }
        expect(onDisk(file).index).toBe(positions.at(-1)!.index);
        // A refusal and a read show a position of that order too.
        for (const { request, outcome } of done) {
          if (request.operation !== "current") continue;
          const { index, generation } = outcome as CursorRecord;
          expect(positions[generation - start.generation]?.index).toBe(index);
        }
        // What was asked after an answer comes after it in the order.
        const answers = done.filter(({ outcome }) => !(outcome instanceof FibError));
        for (const earlier of answers) {
          for (const later of answers) {
            if (earlier.answeredAt > later.askedAt) continue;
            expect(generationOf(later)).toBeGreaterThanOrEqual(generationOf(earlier));
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test("current() shows a move of another process as soon as that one was answered", async () => {
    const file = newPath();
    const [reader, writer] = [await openCursor(file), await openCursor(file)];
    await reader.must("current");
    for (let index = 1; index <= 20; index++) {
      await writer.must("next");
      // At once it may only say that it cannot tell; a group then can.
      const shown = reader.cursor.current() ?? (await reader.must("current"));
      expect(shown.index).toBe(index);
      expect(reader.cursor.current()?.index).toBe(index);
    }
  });

  test("current() answers at once while nobody else moves", async () => {
    const { cursor, must } = await openCursor(newPath());
    expect(cursor.current()?.index).toBe(0);
    await must("next");
    expect(cursor.current()?.index).toBe(1);
    await nextTurn();
    expect(cursor.current()?.index).toBe(1);
  });

  test("current() shows a move to whoever was answered with it, also who has looked while it was synced", async () => {
    let look: (() => void) | undefined;
    const { cursor } = await openCursor(newPath(), { run: runWith(() => look?.()) });
    look = () => expect(cursor.current()?.index).toBe(0);
    expect(await cursor.submit({ operation: "next" }, () => cursor.current()?.index)).toBe(1);
    expect.assertions(2);
  });

  test("current() shows no move that waits for the lock", async () => {
    const file = newPath();
    const { cursor, must } = await openCursor(file);
    const other = await stranger(file);
    expect(other.tryLock()).toBe(true);
    const move = must("next");
    for (let turn = 0; turn < 5; turn++) {
      expect(cursor.current()?.index).toBe(0);
      await nextTurn();
    }
    other.unlock();
    expect((await move).index).toBe(1);
    expect(cursor.current()?.index).toBe(1);
  });

  test("current() never shows what another process has written and not yet let go", async () => {
    const file = newPath();
    const { cursor, must } = await openCursor(file);
    const other = await stranger(file);
    expect(other.tryLock()).toBe(true);
    const { record, slot } = other.read();
    const moved = { ...record, generation: record.generation + 1, index: 50 };
    other.write(slot === 0 ? 1 : 0, encodeBlock(moved, new Uint8Array(BLOCK_BYTES)));
    expect(cursor.current()).toBeUndefined();
    const later = must("current");
    await nextTurn();
    expect(cursor.current()).toBeUndefined();
    other.unlock();
    expect((await later).index).toBe(50);
  });

  test("submit() says cursor_locked when the lock is not to be had in time, and goes on afterwards", async () => {
    const file = newPath();
    const answered: (readonly [string, string])[] = [];
    const lockedMs: number[] = [];
    const groups: CursorOptions["groups"] = {
      answered: (requests, outcomes) =>
        answered.push(...requests.map(({ operation }, at) => [operation, codeOf(outcomes[at]!)] as const)),
      locked: (ms) => lockedMs.push(ms),
    };
    const { ask, must, failures } = await openCursor(file, { lockTimeoutMs: 20, groups });
    // What the opening has asked for.
    answered.length = lockedMs.length = 0;
    const other = await stranger(file);
    expect(other.tryLock()).toBe(true);
    const outcomes = await Promise.all([ask("next"), ask("current"), ask("previous")]);
    // Who counts hears of those that are refused, too, and of the lock that was not to be had.
    expect(answered).toEqual(
      ["next", "current", "previous"].map((operation) => [operation, "cursor_locked"] as const),
    );
    expect(lockedMs).toHaveLength(1);
    expect(lockedMs[0]).toBeGreaterThanOrEqual(19);
    expect(outcomes.map(codeOf)).toEqual(["cursor_locked", "cursor_locked", "cursor_locked"]);
    expect(messageOf(outcomes[0])).toContain("another process has held it for 20 ms");
    other.unlock();
    expect((await must("next")).index).toBe(1);
    expect(lockedMs.slice(1)).toEqual([0]);
    expect(failures).toEqual([]);
  });

  test("open() says cursor_locked too, and keeps no descriptor", async () => {
    const file = newPath();
    const other = await stranger(file);
    expect(other.tryLock()).toBe(true);
    const before = descriptorsOf(file).length;
    const error = await rejected(openCursor(file, { lockTimeoutMs: 0 }));
    expect(error.code).toBe("cursor_locked");
    expect(descriptorsOf(file).length).toBe(before);
  });

  test("submit() gives the lock back between groups", async () => {
    const file = newPath();
    const { must, ask } = await openCursor(file);
    const other = await stranger(file);
    for (const operation of ["next", "current", "previous", "previous"] as const) {
      await ask(operation);
      expect(other.tryLock()).toBe(true);
      other.unlock();
    }
    expect((await must("current")).index).toBe(0);
  });
});

describe("descriptors", () => {
  test("submit() keeps one of the folder, however often names change in it, and close() none", async () => {
    const file = newPath();
    const { cursor, must } = await openCursor(file);
    const folder = path.dirname(file);
    for (let at = 1; at <= 20; at++) {
      // Each time another one, whatever the kernel's tick.
      fs.utimesSync(folder, at, at);
      expect((await must("next")).index).toBe(at);
    }
    expect(descriptorsOf(folder).length).toBe(1);
    await cursor.close();
    expect(descriptorsOf(folder)).toEqual([]);
  });
});

describe("damage", () => {
  const record = { ...initialRecord(30), generation: 5 };

  for (const hurt of [0, 1] as const) {
    test(`open() uses the good copy when copy ${hurt} is bad, repairs the file and says so`, async () => {
      const file = newPath();
      const bytes = encodeFile(record);
      const survivor = decodeCopies(bytes)[hurt === 0 ? 1 : 0].record!;
      bytes[hurt * BLOCK_BYTES + 100]! ^= 1;
      fs.writeFileSync(file, bytes);
      const { must, notices, cursor } = await openCursor(file);
      expect((await must("current")).index).toBe(30);
      expect(notices).toEqual([
        `${file} was half damaged and is repaired; what was wrong: its checksum does not match. ` +
          "If that was the newer copy, the last moves are undone, answered ones too: check the position",
      ]);
      expect(decodeFile(fs.readFileSync(file)).otherFault).toBeUndefined();
      expect(onDisk(file).generation).toBeGreaterThan(survivor.generation);
      await cursor.close();
      expect((await openCursor(file)).notices).toEqual([]);
    });
  }

  test("open() refuses a file with both copies bad, and changes no byte of it", async () => {
    const file = newPath();
    const bytes = encodeFile(record);
    bytes[100]! ^= 1;
    bytes[BLOCK_BYTES] = 0;
    fs.writeFileSync(file, bytes);
    const error = await rejected(openCursor(file));
    expect(error.code).toBe("cursor_damaged");
    expect(error.message).toContain("both copies are bad");
    expect(error.message).toContain("Nothing was changed");
    expect(fs.readFileSync(file)).toEqual(Buffer.from(bytes));
    expect(descriptorsOf(file)).toEqual([]);
  });

  test("submit() repairs a copy that rots while the cursor is open", async () => {
    const file = newPath();
    const { must, notices } = await openCursor(file);
    await must("next");
    const { slot } = decodeFile(fs.readFileSync(file));
    overwrite(file, (slot === 0 ? BLOCK_BYTES : 0) + 2000, "rot");
    expect((await must("next")).index).toBe(2);
    expect(notices).toHaveLength(1);
    expect(decodeFile(fs.readFileSync(file)).otherFault).toBeUndefined();
  });

  test("submit() refuses while both copies are bad, touches nothing, and goes on once the file is restored", async () => {
    const file = newPath();
    const { ask, must, failures, cursor } = await openCursor(file);
    await must("next");
    const good = fs.readFileSync(file);
    overwrite(file, 0, new Uint8Array(FILE_BYTES));
    expect(codeOf(await ask("next"))).toBe("cursor_damaged");
    expect(cursor.current()).toBeUndefined();
    expect(fs.readFileSync(file).every((byte) => byte === 0)).toBe(true);
    overwrite(file, 0, good);
    expect((await must("next")).index).toBe(2);
    expect(failures).toEqual([]);
  });

  test("open() takes a Go server's file over and moves on from there", async () => {
    const file = newPath();
    fs.writeFileSync(file, Buffer.from("00000000000000030000000000000005", "hex"));
    const { must, notices } = await openCursor(file);
    expect((await must("next")).index).toBe(6);
    expect(notices).toHaveLength(1);
    expect(fs.readdirSync(path.dirname(file)).toSorted()).toEqual(["cursor", "cursor.go16"]);
  });
});

describe("a file that changes under an open cursor", () => {
  test("submit() follows another file that is put in its place, and never writes into the old one", async () => {
    const file = newPath();
    const { cursor, must, notices } = await openCursor(file);
    await must("next");
    fs.linkSync(file, `${file}.old`);
    const old = fs.readFileSync(file);
    await runOnThreads(writeNewFile(`${file}.new`, encodeFile(initialRecord(40))));
    fs.renameSync(`${file}.new`, file);
    expect(cursor.current()).toBeUndefined();
    expect((await must("next")).index).toBe(41);
    expect(cursor.current()?.index).toBe(41);
    expect(notices).toEqual([`${file} was replaced by another file: using that one from now on`]);
    expect(onDisk(file).index).toBe(41);
    expect(fs.readFileSync(`${file}.old`)).toEqual(old);
  });

  test("submit() takes over a Go server's file that is put in its place", async () => {
    const file = newPath();
    const { must } = await openCursor(file);
    fs.rmSync(file);
    fs.writeFileSync(file, Buffer.from("00000000000000030000000000000005", "hex"));
    expect((await must("current")).index).toBe(5);
  });

  test("submit() does not answer from a file put there that cannot be used, and returns to a good one", async () => {
    const file = newPath();
    const { ask, must, cursor } = await openCursor(file);
    await must("next");
    fs.renameSync(file, `${file}.good`);
    fs.writeFileSync(file, "something else");
    expect(codeOf(await ask("next"))).toBe("cursor_damaged");
    expect(cursor.current()).toBeUndefined();
    expect(fs.readFileSync(file, "utf8")).toBe("something else");
    fs.renameSync(`${file}.good`, file);
    expect((await must("next")).index).toBe(2);
  });

  test("submit() says cursor_io when the file is gone, creates none, and goes on when it is back", async () => {
    const file = newPath();
    const { ask, must, cursor } = await openCursor(file);
    await must("next");
    fs.renameSync(file, `${file}.away`);
    const outcome = await ask("next");
    expect(codeOf(outcome)).toBe("cursor_io");
    expect(messageOf(outcome)).toContain("it is gone");
    expect(cursor.current()).toBeUndefined();
    expect(fs.existsSync(file)).toBe(false);
    fs.renameSync(`${file}.away`, file);
    expect((await must("next")).index).toBe(2);
  });

  test("submit() shows a backup that was copied over the file, even when moves have caught up with it", async () => {
    const file = newPath();
    const { must } = await openCursor(file);
    const backup = fs.readFileSync(file);
    for (let move = 0; move < 4; move++) await must("next");
    const { generation } = await must("current");
    overwrite(file, 0, backup);
    // Another process goes elsewhere from the backup, as far as the generation that is known here.
    const other = await openCursor(file);
    while (onDisk(file).generation < generation) await other.must({ operation: "set", target: 70 });
    expect((await must("current")).index).toBe(70);
    expect((await must("next")).index).toBe(71);
  });
});

describe("failure", () => {
  test("submit() refuses everybody and everything after a write that failed, and tells its owner once", async () => {
    const file = newPath();
    const { cursor, ask, must, failures } = await openCursor(file);
    await must("next");
    const before = fs.readFileSync(file);
    replaceDescriptor(file, file, "r");
    const outcomes = await Promise.all([ask("current"), ask("next"), ask("previous")]);
    expect(outcomes.map(codeOf)).toEqual(["cursor_io", "cursor_io", "cursor_io"]);
    expect(messageOf(outcomes[0])).toContain(`Cannot write ${file}`);
    expect(codeOf(await ask("current"))).toBe("cursor_io");
    expect(cursor.current()).toBeUndefined();
    expect(cursor.failure?.code).toBe("cursor_io");
    expect(failures).toEqual([cursor.failure!]);
    expect(fs.readFileSync(file)).toEqual(before);
    await cursor.close();
    expect(failures).toHaveLength(1);
  });

  test("submit() that has failed leaves alone what was opened after its file was closed", async () => {
    const file = newPath();
    let wait: (() => void) | undefined;
    const { cursor, ask } = await openCursor(file, { run: runWith(() => wait?.()) });
    const [fd] = descriptorsOf(file);
    let late: Promise<void> | undefined;
    wait = () => {
      // This one waits for the next group, and hears of the failure as soon as the file is closed.
      late = cursor.submit({ operation: "current" }, () => {
        // Lower numbers may be free, too.
        const opened: number[] = [];
        do opened.push(fs.openSync(`${file}.other`, "w"));
        while (opened.at(-1) !== fd);
        onTestFinished(() => opened.forEach((each) => fs.closeSync(each)));
        expect(tryLock(fd!)).toBe(true);
      });
      throw new FibError("cursor_io", "made up");
    };
    expect(codeOf(await ask("next"))).toBe("cursor_io");
    await late!;
    const rival = fs.openSync(`${file}.other`, "r");
    onTestFinished(() => fs.closeSync(rival));
    expect(tryLock(rival)).toBe(false);
  });

  test("submit() says cursor_io, not that this is a bug, when the way to the file is broken, and recovers", async () => {
    const folder = path.join(temporaryFolder(), "folder");
    fs.mkdirSync(folder);
    const { cursor, ask, must } = await openCursor(path.join(folder, "cursor"));
    fs.renameSync(folder, `${folder}.away`);
    fs.symlinkSync(folder, folder);
    expect(cursor.current()).toBeUndefined();
    const outcome = await ask("next");
    expect(codeOf(outcome)).toBe("cursor_io");
    expect(messageOf(outcome)).toContain("ELOOP");
    fs.unlinkSync(folder);
    fs.renameSync(`${folder}.away`, folder);
    expect((await must("next")).index).toBe(1);
  });

  test("current() leaves it to a group to refuse when the file cannot be read", async () => {
    const file = newPath();
    const { cursor, ask } = await openCursor(file);
    replaceDescriptor(file, path.dirname(file), "r");
    expect(cursor.current()).toBeUndefined();
    expect(codeOf(await ask("current"))).toBe("cursor_io");
  });

  test("open() refuses a file that it can only read to move, and shows where it stands", async () => {
    const file = newPath();
    fs.writeFileSync(file, encodeFile(initialRecord(12)));
    fs.chmodSync(file, 0o444);
    fs.chmodSync(path.dirname(file), 0o755);
    const before = fs.readFileSync(file);
    const { must, ask, cursor, failures } = await openedBySomebodyElse(file);
    expect((await must("current")).index).toBe(12);
    expect(cursor.current()?.index).toBe(12);
    const refusals = await Promise.all([
      ask("next"),
      ask("current"),
      ask({ operation: "set", target: 1, keyDigest: new Uint8Array(16) }),
    ]);
    expect(refusals.map(codeOf)).toEqual(["cursor_io", "answered", "cursor_io"]);
    expect(messageOf(refusals[0])).toContain("Cannot move the cursor");
    expect(messageOf(refusals[0])).toContain("can only be read");
    expect(failures).toEqual([]);
    expect(fs.readFileSync(file)).toEqual(before);
  });
});

describe("close()", () => {
  test("close() waits for what is queued and refuses what comes later", async () => {
    const file = newPath();
    const { cursor, ask, must } = await openCursor(file);
    const queued = must("next");
    await cursor.close();
    expect((await queued).index).toBe(1);
    expect(codeOf(await ask("next"))).toBe("cursor_io");
    expect(cursor.current()).toBeUndefined();
    expect(onDisk(file).index).toBe(1);
    expect(descriptorsOf(file)).toEqual([]);
  });

  test("close() leaves descriptors alone that were opened after it, whatever was asked meanwhile", async () => {
    const file = newPath();
    const { cursor, ask } = await openCursor(file);
    const closing = cursor.close();
    const late = ask("next");
    await closing;
    // It gets the number of the descriptor that was closed.
    const reused = await stranger(path.join(temporaryFolder(), "cursor"));
    const rival = await stranger(reused.path);
    await late;
    await nextTurn();
    await nextTurn();
    expect(rival.tryLock()).toBe(true);
    expect(["answered", "cursor_io"]).toContain(codeOf(await late));
  });

  test("close() may be called twice", async () => {
    const { cursor } = await openCursor(newPath());
    await Promise.all([cursor.close(), cursor.close()]);
    await cursor.close();
    expect(cursor.failure?.message).toEndWith("it is closed");
  });
});

/** Opens as a user who may only read: root may write to everything. */
async function openedBySomebodyElse(file: string): Promise<OpenedCursor> {
  if (process.geteuid!() !== 0) return await openCursor(file);
  process.seteuid!(65534);
  try {
    return await openCursor(file);
  } finally {
    process.seteuid!(0);
  }
}

/** Runs procedures on a disk that needs no time; what is thrown at a wait has gone wrong with it. */
function runWith(atWait: () => void): Run {
  return (procedure) => {
    let step = procedure.next();
    while (step.done !== true) {
      try {
        atWait();
      } catch (error) {
        step = procedure.throw(error);
        continue;
      }
      step = procedure.next();
    }
    return step.value;
  };
}

/** The descriptors of this process that lead to a file. */
function descriptorsOf(file: string): number[] {
  return fs.readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`) === file ? [Number(fd)] : [];
    } catch {
      return [];
    }
  });
}

/** Overwrites bytes in place, past every lock. */
function overwrite(file: string, at: number, bytes: Uint8Array | string): void {
  const fd = fs.openSync(file, "r+");
  fs.writeSync(fd, Buffer.from(bytes as string), 0, Buffer.from(bytes as string).length, at);
  fs.closeSync(fd);
}

/** Puts something else under the cursor's descriptor, as a failing disk would look to it. */
function replaceDescriptor(file: string, by: string, flags: number | string): void {
  const [fd] = descriptorsOf(file);
  fs.closeSync(fd!);
  // The lowest number that is free is the one just given back.
  expect(fs.openSync(by, flags)).toBe(fd!);
}
