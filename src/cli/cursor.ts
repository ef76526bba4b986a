/**
 * `fibserver cursor`: what is done to cursors by their names (cursors.ts), and `inspect` and `export`, for the file itself.
 * @module
 */
import { defineCommand } from "citty";
import { LIMITS, resolveCursorConfig } from "../config/config.ts";
import { type Inspection, inspectDatabase } from "../cursor/inspect.ts";
import { decodeFileAt } from "../cursor/file.ts";
import { encodeGoFile } from "../cursor/go.ts";
import { writeNewFile } from "../cursor/put.ts";
import { ioError, look } from "../cursor/io-error.ts";
import { runBlocking } from "../cursor/procedure.ts";
import { decodeCopies } from "../cursor/record.ts";
import { type ErrorCode, FibError } from "../errors.ts";
import { jsonLine, visible } from "../shell-word.ts";
import {
  closeFile,
  O_NONBLOCK,
  O_RDONLY,
  openFile,
  readAt,
  type Stat,
  statAt,
  statBehind,
} from "../system-calls.ts";
import type { Command } from "./arguments.ts";
import { BY_NAME, byName } from "./cursors.ts";
import { usageError } from "./hints.ts";
import { CURSOR_FLAGS } from "./flags.ts";
import { print } from "./output.ts";

const { file } = CURSOR_FLAGS;
const json = { type: "boolean", description: "Print JSON" } as const;

const inspect = defineCommand({
  meta: {
    name: "inspect",
    description: "Show both copies in the file, and how the cursors with names are; changes nothing",
    examples: ["fibserver cursor inspect", "fibserver cursor inspect -f my-cursor --json"],
    misplaced: {
      redis: "it shows a file; fibserver c, which takes --redis, shows the cursor in Redis",
      cursor: "it shows a file; fibserver cursor show --cursor NAME shows one with a name",
    },
  },
  args: { file, json },
  async run({ args }) {
    const { file: filePath, redis } = resolveCursorConfig({ file: args.file }, process.env);
    if (redis !== undefined) {
      const { addressOf } = await import("../config/redis-url.ts");
      const reason = `the cursor is not in a file, but in Redis at ${addressOf(redis.storeUrl)}; fibserver c shows it`;
      throw usageError("fibserver cursor inspect", reason);
    }
    // Where this cannot be seen, nor can the other one, in the same folder.
    look(filePath, statBehind);
    const namedPath = `${filePath}.cursors`;
    const whole = lookAt(filePath, statBehind, lookAtCopies);
    const named = lookAt(namedPath, statAt, lookAtNamed);
    const looks = [whole, named].filter((found) => found !== undefined);
    if (looks.length === 0) {
      const reason = `ENOENT: there is no such file, and no ${namedPath}`;
      throw new FibError("cursor_io", `Cannot read ${filePath}: ${reason}`);
    }
    const failures = looks.flatMap(({ failure }) => failure ?? []);
    const [worst] = failures.toSorted((a, b) => WORST_FIRST.indexOf(a.code) - WORST_FIRST.indexOf(b.code));
    // Of one that cannot be read the error says all.
    if (looks.length > 1 || looks[0]!.isRead) {
      const wholeLines = whole?.lines ?? [`${visible(filePath)}: no file yet`];
      const told = named && { file: namedPath, ...named.json };
      if (args.json) print(`${jsonLine({ file: filePath, ...whole?.json, named: told })}\n`);
      else print(`${[...wholeLines, ...(named?.lines ?? [])].join("\n")}\n`);
    }
    if (worst !== undefined) throw worst;
  },
});

const exportCommand = defineCommand({
  meta: {
    name: "export",
    description: "Write the position as a file of the Go cursor server",
    examples: [
      "fibserver cursor export --go my-cursor go-cursor",
      "fibserver cursor export --go ~/.local/state/fibserver/cursor go-cursor",
    ],
  },
  args: {
    source: { type: "positional", required: true, valueHint: "FILE", description: "The cursor file" },
    out: {
      type: "positional",
      required: true,
      valueHint: "NEW-FILE",
      description: "The file to write; it must not exist",
    },
    go: { type: "boolean", description: "In the Go server's format, the only one there is" },
  },
  async run({ args }) {
    const { source, out } = args;
    if (!args.go) {
      throw usageError("fibserver cursor export", "it needs --go");
    }
    const { index } = decodeFileAt(source, readFile(source)).record;
    const bytes = encodeGoFile(index);
    runBlocking(writeNewFile(out, bytes));
    print(`index ${index} written to ${visible(out)}\n`);
  },
});

/** The commands for the file. */
export const cursor: Command = {
  meta: {
    name: "cursor",
    description: "List, show, set, watch, remove cursors; inspect the file",
    examples: ["fibserver cursor list", "fibserver help cursor watch"],
    otherNames: { rm: "remove", delete: "remove", create: "set", ls: "list" },
    wordsInstead: BY_NAME.wordsInstead,
    groups: {
      "Cursors by their names": Object.keys(byName),
      "The cursor file": ["inspect", "export"],
    },
  },
  subCommands: { ...byName, inspect, export: exportCommand },
};

/** What is found in a file. */
interface Look {
  readonly isRead: boolean;
  readonly lines: readonly string[];
  readonly json: object;
  readonly failure?: FibError | undefined;
}

/** What may be wrong with a file. One that is damaged has lost something, and a lock passes by itself. */
const WORST_FIRST: readonly ErrorCode[] = ["cursor_damaged", "cursor_io", "cursor_locked"];

/** What is in a file, or why that cannot be told; undefined where there is none. */
function lookAt(
  filePath: string,
  stat: (path: string) => Stat | undefined,
  read: (filePath: string) => Look,
): Look | undefined {
  try {
    if (look(filePath, stat) === undefined) return undefined;
    return read(filePath);
  } catch (error) {
    if (!(error instanceof FibError)) throw error;
    const lines = [`${visible(filePath)}: nothing can be read`, `bad: ${visible(error.message)}`];
    return { isRead: false, lines, json: { faults: [error.message] }, failure: error };
  }
}

function lookAtCopies(filePath: string): Look {
  const bytes = readFile(filePath);
  const copies = decodeCopies(bytes).map(({ record, fault }) =>
    record === undefined
      ? { valid: false, fault }
      : { valid: true, generation: record.generation, index: record.index, keyedMoves: record.keyedCount },
  );
  const lines = [`${visible(filePath)}: ${bytes.length} bytes`, ...copies.map(describeCopy)];
  const failure = failureIn(filePath, bytes);
  return { isRead: true, lines, json: { sizeBytes: bytes.length, copies }, failure };
}

function failureIn(filePath: string, bytes: Uint8Array): FibError | undefined {
  try {
    decodeFileAt(filePath, bytes);
    return undefined;
  } catch (error) {
    if (error instanceof FibError) return error;
    throw error;
  }
}

function lookAtNamed(filePath: string): Look {
  const found = inspectDatabase(filePath);
  const failure = found.faults.length === 0 ? undefined : damaged(filePath);
  return { isRead: true, lines: describeNamed(visible(filePath), found), json: summaryOf(found), failure };
}

/** What can be saved is worth its lines only where something is lost. */
function summaryOf({ cursors, clientCount, faults }: Inspection) {
  return { cursorCount: cursors.length, clientCount, faults, ...(faults.length > 0 && { cursors }) };
}

function describeNamed(filePath: string, { cursors, clientCount, faults }: Inspection): string[] {
  const counts = `${cursors.length} with names, and ${clientCount} of clients`;
  if (faults.length === 0) return [`${filePath}: ${counts}`];
  return [
    `${filePath}: ${counts} can be read`,
    ...Array.from(new Set(faults), (fault) => `bad: ${visible(fault)}`),
    ...cursors.map(({ name, index }) => `${visible(name)}: index ${index}`),
  ];
}

function damaged(filePath: string): FibError {
  const again = "make those that are listed again, by fibserver cursor set INDEX --cursor NAME";
  return new FibError(
    "cursor_damaged",
    `Cannot use ${filePath} as it is: move it away, with ${filePath}-wal and ${filePath}-shm, and ${again}`,
  );
}

function describeCopy(
  copy: { valid: boolean; fault?: string; generation?: number; index?: number },
  slot: number,
): string {
  const name = slot === 0 ? "first copy: " : "second copy:";
  return copy.valid
    ? `${name} generation ${copy.generation}, index ${copy.index}`
    : `${name} bad: ${copy.fault}`;
}

// Twice the size is enough to tell what is no cursor file; a disk image need not be read whole.
function readFile(filePath: string): Uint8Array {
  try {
    // A FIFO has no beginning, and a device no end.
    if (statBehind(filePath)?.isFile === false)
      throw new FibError("cursor_io", `Cannot read ${filePath}: it is not a regular file`);
    const fd = openFile(filePath, O_RDONLY | O_NONBLOCK);
    try {
      const bytes = new Uint8Array(2 * LIMITS.bodyBytesMax);
      return bytes.subarray(0, readAt(fd, bytes, 0));
    } finally {
      closeFile(fd);
    }
  } catch (error) {
    throw ioError(filePath, "read", error);
  }
}
