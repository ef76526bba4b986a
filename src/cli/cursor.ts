/**
 * `fibserver cursor inspect|set|export`: the file itself.
 * @module
 */
import { defineCommand } from "citty";
import { type Flags, LIMITS, parseInteger, resolveCursorConfig } from "../config.ts";
import { decodeFileAt } from "../cursor/file.ts";
import { encodeGoFile } from "../cursor/go.ts";
import { writeNewFile } from "../cursor/put.ts";
import { ioError } from "../cursor/io-error.ts";
import { runBlocking } from "../cursor/procedure.ts";
import { decodeCopies } from "../cursor/record.ts";
import { fibonacci } from "../numbers/fibonacci.ts";
import { textOf } from "../numbers/decimal.ts";
import { closeFile, O_NONBLOCK, O_RDONLY, openFile, readAt } from "../system-calls.ts";
import type { Command } from "./arguments.ts";
import { usageError } from "./hints.ts";
import { CURSOR_FLAGS, REDIS_FLAGS } from "./flags.ts";
import { ask, printPosition } from "./moves.ts";
import { openShellCursor } from "./open-cursor.ts";
import { print } from "./output.ts";

const { file } = CURSOR_FLAGS;
const json = { type: "boolean", description: "Print JSON" } as const;

const inspect = defineCommand({
  meta: {
    name: "inspect",
    description: "Show both copies in the file; changes nothing",
    examples: ["fibserver cursor inspect", "fibserver cursor inspect -f my-cursor --json"],
    misplaced: { redis: "it shows a file; fibserver c --redis URL shows the cursor in Redis" },
  },
  args: { file, json },
  async run({ args }) {
    const { file: filePath, redis } = resolveCursorConfig({ file: args.file }, process.env);
    if (redis !== undefined) {
      const { addressOf } = await import("../redis-url.ts");
      const reason = `the cursor is not in a file, but in Redis at ${addressOf(redis.storeUrl)}; fibserver c shows it`;
      throw usageError("fibserver cursor inspect", reason);
    }
    const bytes = readFile(filePath);
    const copies = decodeCopies(bytes).map(({ record, fault }) =>
      record === undefined
        ? { valid: false, fault }
        : { valid: true, generation: record.generation, index: record.index, keyedMoves: record.keyedCount },
    );
    if (args.json) print(`${JSON.stringify({ file: filePath, sizeBytes: bytes.length, copies })}\n`);
    else print(`${[`${filePath}: ${bytes.length} bytes`, ...copies.map(describeCopy)].join("\n")}\n`);
    decodeFileAt(filePath, bytes);
  },
});

const set = defineCommand({
  meta: {
    name: "set",
    description: "Move the cursor to an index, and print the number there",
    examples: ["fibserver cursor set 0  # to the start", "fibserver cursor set 90 -f my-cursor"],
  },
  args: {
    index: { type: "positional", required: true, description: "The index n of F(n), from 0 to --max-index" },
    ...CURSOR_FLAGS,
    ...REDIS_FLAGS,
  },
  async run({ args }) {
    const config = resolveCursorConfig(args as unknown as Flags, process.env);
    const target = parseInteger(args.index, "INDEX", 0, config.indexMax);
    const cursor = await openShellCursor(config);
    try {
      const { index } = await ask(cursor, { operation: "set", target });
      printPosition(index, textOf(fibonacci(index)), "set");
    } finally {
      await cursor.close();
    }
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
    print(`index ${index} written to ${out}\n`);
  },
});

/** The commands for the file. */
export const cursor: Command = {
  meta: {
    name: "cursor",
    description: "Look at the cursor file, set its position, or export it",
    examples: ["fibserver cursor inspect", "fibserver help cursor set"],
  },
  subCommands: {
    inspect,
    set,
    export: exportCommand,
  },
};

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
