/**
 * A copy of cursor file, named cursors, tasks and results, of what there is of them, made while servers and shells use
 * them, and put back; whole or not at all.
 *
 *   DIR/cursor                  the cursor file
 *   DIR/cursor.cursors          named cursors
 *   DIR/cursor.tasks            tasks and short results
 *   DIR/cursor.tasks.results/   long results
 *   DIR/SHA256SUMS              what of these there is; `sha256sum --check` reads it, too
 *
 * Each is copied at a moment of its own, behind the start of the command: what was answered before is in it. Results
 * are copied and not linked, or they would be lost with the blocks of the original.
 *
 * What is put back is made whole beside its place first, and gets its names at once, under the lock of the folder: a
 * server that starts meanwhile waits. The cursor file comes last, and nothing is replaced or joined. A restore that was
 * killed there is finished by the next one of the same copy, which knows it by what is there: part of what it would put
 * there, to the byte, and nothing else. Whoever has used that meanwhile, or has a part that the copy has not, is in the
 * way: what is there would never be of one moment again.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { countNamed, copyNamed, readCopy, readRecord, restoredFile, restoreNamed } from "../cursor/copy.ts";
import type { Counts } from "../cursor/database.ts";
import { runBlocking } from "../cursor/procedure.ts";
import { inLockedFolder, keepOwner } from "../cursor/put.ts";
import { type CursorRecord, encodeFile } from "../cursor/record.ts";
import { renameToFree } from "../cursor/rename.ts";
import { FibError } from "../errors.ts";
import { copyTasks, countTasks } from "../tasks/copy.ts";
import { digestOf, exists, type OnEnd, openWorkFolder, syncPath } from "./work-folder.ts";

const CURSOR = "cursor";
const NAMED = `${CURSOR}.cursors`;
const TASKS = `${CURSOR}.tasks`;
const RESULTS = `${TASKS}.results`;
const PARTS = [CURSOR, NAMED, TASKS, RESULTS];
const SUMS = "SHA256SUMS";

/** A line of `sha256sum`, for a file that a copy can have; no other name is followed. */
const SUM = /^([\da-f]{64}) {2}(cursor(?:\.cursors|\.tasks(?:\.results\/[\da-f-]{36}\.\d+)?)?)$/;

/**
 * What SQLite has left beside a database, and would take for the log of the one that is put there, unless it is empty.
 * A backup leaves an empty one, and its shared memory, which everybody who comes first begins anew.
 */
const LEFT_BESIDE = ["-wal", "-journal"];

/** What is copied. */
export interface Source {
  /** The cursor file; everything else is beside it. */
  readonly file: string;
  readonly lockTimeoutMs: number;
  readonly notice: (message: string) => void;
}

/** Whoever asks for a copy, or to have one put back. */
export interface Asker {
  /** Told the part that is done. */
  readonly onProgress: (fraction: number) => void;
  readonly onEnd: OnEnd;
}

/** What a copy has; undefined is what it has not. */
export interface Copied {
  /** The default cursor. */
  readonly record: CursorRecord | undefined;
  readonly named: Pick<Counts, "cursors" | "clients"> | undefined;
  readonly taskCount: number | undefined;
}

/**
 * Makes a copy.
 *
 * @param place - A new folder.
 * @throws {@link FibError}, and the system's errors.
 */
export async function backUp(
  { file, ...options }: Source,
  place: string,
  { onProgress, onEnd }: Asker,
): Promise<Copied> {
  if (isThere(place)) throw exists(place);
  if (PARTS.some((name) => place === path.resolve(file + name.slice(CURSOR.length))))
    throw new FibError(
      "bad_argument",
      `Cannot copy to ${place}: that is a name of what is copied; name another one`,
    );
  using folder = openWorkFolder(place, onEnd);
  const inside = (name: string) => path.join(folder.path, name);
  const hasDefault = isThere(file);
  if (hasDefault) {
    const record = runBlocking(readRecord({ path: file, indexMax: Number.MAX_SAFE_INTEGER, ...options }));
    fs.writeFileSync(inside(CURSOR), encodeFile(record));
  }
  await giveWay();
  const hasNamed = copyNamed(`${file}.cursors`, inside(NAMED));
  await giveWay();
  const hasTasks = await copyTasks(`${file}.tasks`, inside(TASKS), copyFile, onProgress);
  if (!hasDefault && !hasNamed && !hasTasks)
    throw new FibError(
      "cursor_io",
      `Cannot copy ${file}: there is no such file, nor named cursors or tasks of it`,
    );
  for (const name of PARTS) {
    if (fs.existsSync(inside(name))) giveOwner(file + name.slice(CURSOR.length), inside(name));
  }
  await giveWay();
  writeSums(folder.path);
  const copied = checkCopy(folder.path, readSums(folder.path), file);
  await giveWay();
  folder.keep();
  return copied;
}

/**
 * Puts a copy in its place.
 *
 * @param target - The cursor file; neither it nor what belongs beside it may be there.
 * @throws {@link FibError}, and the system's errors.
 */
export async function putBack(dir: string, target: string, { onProgress, onEnd }: Asker): Promise<Copied> {
  const sums = readSums(dir);
  const copied = checkCopy(dir, sums);
  const { record } = copied;
  const bytes = record && restoredFile(record);
  const names = [RESULTS, TASKS, NAMED, CURSOR].filter((name) => hasPart(sums, name));
  requireFree(names, target, bytes);
  using folder = openWorkFolder(target, onEnd);
  let doneCount = 0;
  for (const [name, sum] of sums) {
    const staged = path.join(folder.path, name);
    if (name.startsWith(`${RESULTS}/`)) makeFolderLike(path.join(dir, RESULTS), path.dirname(staged));
    if (!copyFile(path.join(dir, name), staged) || digestOf(staged) !== sum)
      throw damaged(path.join(dir, name), "it is not what it was when the copy was made");
    if (bytes !== undefined && name === CURSOR) fs.writeFileSync(staged, bytes);
    if (name === NAMED) restoreNamed(staged);
    syncPath(staged);
    onProgress(++doneCount / sums.size);
    await giveWay();
  }
  if (names.includes(RESULTS)) syncPath(path.join(folder.path, RESULTS));
  runBlocking(
    // oxlint-disable-next-line require-yield -- what is synced here may block
    inLockedFolder(target, function* () {
      requireFree(names, target, bytes);
      placeAll(names, folder.path, target);
    }),
  );
  return copied;
}

/** Gives all their names, or none; the last one when those of the others are on disk. */
function placeAll(names: readonly string[], folder: string, target: string): void {
  const placed: (() => void)[] = [];
  try {
    for (const name of names) {
      const [from, to] = [path.join(folder, name), target + name.slice(CURSOR.length)];
      if (name === names.at(-1)) syncPath(path.dirname(target));
      if (renameToFree(from, to)) placed.push(() => fs.renameSync(to, from));
      else if (!isSame(from, to)) throw exists(to);
    }
    syncPath(path.dirname(target));
  } catch (error) {
    for (const takeBack of placed.toReversed()) takeBack();
    throw error;
  }
}

/**
 * Refuses what is in the way, or would be mixed with what is put back. Of the names that are to be given, all but the
 * cursor file's are looked at when they are.
 */
function requireFree(names: readonly string[], target: string, bytes: Uint8Array | undefined): void {
  if (bytes !== undefined && isThere(target) && !fs.readFileSync(target).equals(bytes)) throw exists(target);
  for (const name of PARTS) {
    const place = target + name.slice(CURSOR.length);
    if (!names.includes(name) && isThere(place)) throw exists(place);
  }
  for (const name of [NAMED, TASKS]) {
    const logs = LEFT_BESIDE.map((end) => target + name.slice(CURSOR.length) + end);
    const beside = logs.find((log) => (fs.statSync(log, { throwIfNoEntry: false })?.size ?? 0) > 0);
    if (beside !== undefined) throw exists(beside);
  }
}

/** Also a link that leads nowhere. */
function isThere(place: string): boolean {
  return fs.lstatSync(place, { throwIfNoEntry: false }) !== undefined;
}

/**
 * Checks all that a copy has.
 *
 * @param named - The cursor file whose neighbours are named in errors: of a copy that goes away, what it was made of.
 * @throws {@link FibError} as each of its parts does.
 */
function checkCopy(dir: string, sums: ReadonlyMap<string, string>, named = path.join(dir, CURSOR)): Copied {
  return {
    record: sums.has(CURSOR) ? readCopy(path.join(dir, CURSOR)) : undefined,
    named: sums.has(NAMED) ? countNamed(path.join(dir, NAMED), `${named}.cursors`) : undefined,
    taskCount: sums.has(TASKS) ? countTasks(path.join(dir, TASKS), `${named}.tasks`) : undefined,
  };
}

function hasPart(sums: ReadonlyMap<string, string>, name: string): boolean {
  return name === RESULTS ? sums.keys().some((file) => file.startsWith(`${RESULTS}/`)) : sums.has(name);
}

/** Writes down what is in a copy, and puts all of it on disk. */
function writeSums(dir: string): void {
  const lines = filesIn(dir).map((name) => {
    syncPath(path.join(dir, name));
    return `${digestOf(path.join(dir, name))}  ${name}\n`;
  });
  fs.writeFileSync(path.join(dir, SUMS), lines.join(""));
  syncPath(path.join(dir, SUMS));
  if (fs.existsSync(path.join(dir, RESULTS))) syncPath(path.join(dir, RESULTS));
}

/** What a copy has, and the digest of each. */
function readSums(dir: string): Map<string, string> {
  const file = path.join(dir, SUMS);
  if (!fs.existsSync(file)) throw damaged(dir, `it has no ${SUMS}, which every copy has`);
  const found = new Map<string, string>();
  for (const line of fs.readFileSync(file, "utf8").trimEnd().split("\n")) {
    const [, sum, name] = SUM.exec(line) ?? [];
    if (sum === undefined || name === undefined) throw damaged(file, "it is not what a copy has");
    found.set(name, sum);
  }
  // Also what is there and not named: of a list that was cut off the rest would be left out.
  const missing = filesIn(dir).find((name) => !found.has(name));
  if (missing !== undefined) throw damaged(file, `it does not name ${missing}`);
  const gone = [...found.keys()].find((name) => !fs.existsSync(path.join(dir, name)));
  if (gone !== undefined) throw damaged(path.join(dir, gone), "it is gone");
  return found;
}

/** The names of the files of a copy that are there. */
function filesIn(dir: string): string[] {
  const entries = fs.readdirSync(dir, { recursive: true, withFileTypes: true });
  const names = entries.map((entry) => path.relative(dir, path.join(entry.parentPath, entry.name)));
  return names.filter((name, i) => name.startsWith(CURSOR) && entries[i]!.isFile()).toSorted();
}

function damaged(place: string, reason: string): FibError {
  return new FibError("cursor_damaged", `Cannot use ${place}: ${reason}. Nothing was changed`);
}

/** Copies a file with its owner, without its blocks being written where the file system can share them. */
function copyFile(from: string, to: string): boolean {
  try {
    fs.copyFileSync(from, to, fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE);
    giveOwner(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

function makeFolderLike(from: string, to: string): void {
  if (fs.existsSync(to)) return;
  fs.mkdirSync(to);
  giveOwner(from, to);
}

function giveOwner(from: string, to: string): void {
  const fd = fs.openSync(to, "r");
  try {
    keepOwner(fd, fs.statSync(from));
  } finally {
    fs.closeSync(fd);
  }
}

/** Whether two files, or two folders of files, hold the same. */
function isSame(a: string, b: string): boolean {
  const [statA, statB] = [fs.lstatSync(a), fs.lstatSync(b)];
  if (statA.isFile() && statB.isFile()) return statA.size === statB.size && digestOf(a) === digestOf(b);
  if (!statA.isDirectory() || !statB.isDirectory()) return false;
  const [namesA, namesB] = [fs.readdirSync(a).toSorted(), fs.readdirSync(b).toSorted()];
  return (
    namesA.join("/") === namesB.join("/") &&
    namesA.every((name) => isSame(path.join(a, name), path.join(b, name)))
  );
}

/** A signal arrives only when this thread gives way; what ends a copy then takes it away. */
async function giveWay(): Promise<void> {
  await new Promise(setImmediate);
}
