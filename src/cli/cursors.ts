/**
 * `fibserver cursor list|show|set|remove|watch`: cursors by their names, here or at a server.
 * @module
 */
import { defineCommand } from "citty";
import { type Flags, parseInteger, LIMITS } from "../config/config.ts";
import { DEFAULT_NAME, parseName } from "../cursor-name.ts";
import { cursorPermanent } from "../cursor/moves.ts";
import { FibError } from "../errors.ts";
import { jsonLine } from "../shell-word.ts";
import { printDone } from "./answer.ts";
import { resolvePlace, resolveStore, type ShellCursor, type Shown } from "./cursor-place.ts";
import { CLIENT_FLAGS, CURSOR_FLAGS, NAME_FLAGS, REDIS_FLAGS } from "./flags.ts";
import { listLocalCursors } from "./open-cursors.ts";
import { isReaderGone, print } from "./output.ts";
import { putArray } from "./put-array.ts";
import { openReaderProbe } from "./reader.ts";
import { writeResult } from "./result.ts";
import { withCursor } from "./shell-cursor.ts";

const { file, "lock-timeout": lockTimeout } = CURSOR_FLAGS;
const server = { ...CLIENT_FLAGS.server, description: "Ask this server, and no file" } as const;
const PLACE_FLAGS = { file, "lock-timeout": lockTimeout, ...REDIS_FLAGS, server };
const json = { type: "boolean", description: "Print JSON" } as const;

/** How soon a reader that has gone ends a watch that prints nothing. */
const READER_LOOK_MS = 200;

/** For those who name a cursor in another way. */
export const BY_NAME = {
  misplaced: { name: "a cursor is named by --cursor NAME" },
  wordsInstead: "a cursor is named by --cursor NAME",
};

const list = defineCommand({
  meta: {
    name: "list",
    description: "Print the cursors, one a line: name, index and when it was moved, with tabs between",
    examples: ["fibserver cursor list", "fibserver cursor list --prefix team- --json"],
    misplaced: { cursor: "it lists all of them; cursor show --cursor NAME shows one" },
    wordsInstead: "names that begin alike are asked for by --prefix",
  },
  args: {
    prefix: { type: "string", valueHint: "TEXT", description: "Only those whose names begin with it" },
    json,
    ...PLACE_FLAGS,
  },
  async run({ args }) {
    const place = resolveStore("fibserver cursor list", args as unknown as Flags);
    const { prefix = "" } = args;
    if (prefix !== "") parseName(prefix, "--prefix");
    const rows =
      place.server === undefined
        ? listLocalCursors(place.config, prefix)
        : (await import("./remote.ts")).listRemoteCursors(place.server, prefix, args.json ?? false);
    await writeResult(undefined, async (put) => {
      if (args.json) return putArray(put, rows, jsonLine);
      for await (const { name, index, movedAt = "-" } of rows)
        await put(Buffer.from(`${name}\t${index}\t${movedAt}\n`));
    });
  },
});

const show = defineCommand({
  meta: {
    name: "show",
    description: "Print the name of a cursor, its index and the number there; moves nothing",
    examples: ["fibserver cursor show --cursor alice"],
    ...BY_NAME,
  },
  args: { ...NAME_FLAGS, json, ...PLACE_FLAGS },
  async run({ args }) {
    const place = resolvePlace("fibserver cursor show", args as unknown as Flags);
    await withCursor(place, args.json ?? false, async (cursor) => {
      const shown = await cursor.current();
      if (args.json) print(asJson(cursor, shown));
      else print(`name: ${cursor.name}\nindex: ${shown.index}\nvalue: ${shown.value}\n`);
    });
  },
});

const set = defineCommand({
  meta: {
    name: "set",
    description: "Move a cursor to an index, and print the number there; makes it where there is none",
    examples: [
      "fibserver cursor set 0  # to the start",
      "fibserver cursor set 90 -f my-cursor",
      "fibserver cursor set 0 --cursor alice",
    ],
    wordsInstead: BY_NAME.wordsInstead,
  },
  args: {
    index: { type: "positional", required: true, description: "The index n of F(n), from 0 to --max-index" },
    json,
    ...NAME_FLAGS,
    ...CURSOR_FLAGS,
    ...REDIS_FLAGS,
    server,
  },
  async run({ args }) {
    const place = resolvePlace("fibserver cursor set", args as unknown as Flags);
    const target = parseInteger(args.index, "INDEX", 0, place.config?.indexMax ?? LIMITS.cursorIndexMax);
    await withCursor(place, args.json ?? false, async (cursor) => {
      const shown = await cursor.set(target);
      const text = args.json ? asJson(cursor, shown) : `${shown.value}\n`;
      printDone(text, `The cursor has moved to index ${target}`);
    });
  },
});

const remove = defineCommand({
  meta: {
    name: "remove",
    description: "Remove a cursor; the default one is always there",
    examples: ["fibserver cursor remove --cursor alice"],
    ...BY_NAME,
  },
  args: {
    cursor: { ...NAME_FLAGS.cursor, values: "removable cursors", description: "The cursor to remove" },
    json,
    ...PLACE_FLAGS,
  },
  async run({ args }) {
    const place = resolvePlace("fibserver cursor remove", args as unknown as Flags);
    const { name } = place;
    // Before it is opened, which makes it where there is none.
    if (name === DEFAULT_NAME) throw cursorPermanent();
    await withCursor(place, args.json ?? false, (cursor) => cursor.remove());
    const text = args.json ? JSON.stringify({ name, removed: true }) : `removed ${name}`;
    printDone(`${text}\n`, `Cursor ${name} is removed`);
  },
});

const watch = defineCommand({
  meta: {
    name: "watch",
    description: "Print the number where a cursor is, and each one it goes to, whoever moves it, until ^C",
    examples: ["fibserver cursor watch", "fibserver cursor watch --cursor alice --json"],
    notes: "What comes too quickly is left out, the last number never.",
    ...BY_NAME,
  },
  args: { ...NAME_FLAGS, json, ...PLACE_FLAGS },
  async run({ args }) {
    const place = resolvePlace("fibserver cursor watch", args as unknown as Flags);
    const isJson = args.json ?? false;
    await withCursor(place, isJson, (cursor) => watchCursor(cursor, isJson));
  },
});

/** The commands for cursors by their names. */
export const byName = { list, show, set, remove, watch };

function asJson({ name }: ShellCursor, { index, value }: Shown): string {
  return `${JSON.stringify({ name, index: String(index), value })}\n`;
}

/** A reader that has seen enough ends it without a word, also while nothing moves: there is no end to be missed. */
async function watchCursor(cursor: ShellCursor, isJson: boolean): Promise<void> {
  const end = new AbortController();
  const hasReader = openReaderProbe(1);
  // It keeps the process, too: what waits for a file does not.
  const looking = setInterval(() => {
    if (!hasReader()) end.abort();
  }, READER_LOOK_MS);
  try {
    for await (const { index, value } of cursor.watch(end.signal)) {
      print(isJson ? `${JSON.stringify({ index: String(index), value })}\n` : `${value}\n`);
    }
  } catch (error) {
    const isSeen = end.signal.aborted || (error instanceof FibError && isReaderGone(error));
    if (!isSeen) throw error;
  } finally {
    clearInterval(looking);
  }
}
