/**
 * `fibserver backup DIR` and `fibserver restore DIR`; copies/copies.ts makes and reads the copy.
 * @module
 */
import { type CursorConfig, resolveCursorConfig } from "../config/config.ts";
import { requireCursorPlace } from "../cursor/place.ts";
import { defineCommand } from "citty";
import fs from "node:fs";
import path from "node:path";
import { type Asker, backUp, type Copied, putBack } from "../copies/copies.ts";
import { codeOf } from "../cursor/io-error.ts";
import { FibError } from "../errors.ts";
import { jsonLine, visible } from "../shell-word.ts";
import { printDone } from "./answer.ts";
import { onEnd } from "../signals.ts";
import { CURSOR_FLAGS } from "./flags.ts";
import { usageError } from "./hints.ts";
import { requireOutput, warn } from "./output.ts";
import { openProgress } from "./progress.ts";

/** Errors that say that there is no room for what is written. */
const NO_ROOM = new Set(["ENOSPC", "EDQUOT", "EFBIG", "EROFS"]);

const IN_REDIS = "what is in Redis is saved by Redis itself, with its AOF or BGSAVE";

const args = {
  dir: { type: "positional", required: true, valueHint: "DIR", description: "The folder of the copy" },
  file: CURSOR_FLAGS.file,
  json: { type: "boolean", description: "Print JSON" },
} as const;

/** Copies while others go on. */
export const backup = defineCommand({
  meta: {
    name: "backup",
    description: "Copy cursors, tasks and results, while servers run",
    examples: ["fibserver backup /backups/monday", "fibserver backup -f my-cursor copy"],
    notes:
      "DIR must not exist, its folder must. It has everything that was answered before, or is not there.",
    misplaced: { redis: IN_REDIS },
  },
  args,
  async run({ args: { dir, file, json } }) {
    const config = configOf("fibserver backup", file);
    requireOutput();
    const copied = await showing("backup", `back up to ${dir}`, (asker) =>
      backUp(
        { file: config.file, lockTimeoutMs: config.lockTimeoutMs, notice: warn },
        path.resolve(dir),
        asker,
      ),
    );
    const text = json ? asJson({ dir }, copied) : `${inWords(copied)} copied to ${visible(dir)}`;
    printDone(`${text}\n`, "The copy is made");
  },
});

/** Puts a copy back. */
export const restore = defineCommand({
  meta: {
    name: "restore",
    description: "Put a copy back where nothing is",
    examples: ["fibserver restore /backups/monday", "fibserver restore -f my-cursor copy"],
    notes:
      "What was interrupted is finished by the same command. Nobody may use the files meanwhile. No ETag of before fits a position that follows.",
    misplaced: { redis: IN_REDIS },
  },
  args,
  async run({ args: { dir, file, json } }) {
    const config = configOf("fibserver restore", file);
    requireOutput();
    const copied = await showing("restore", `restore ${dir}`, (asker) => {
      requireCursorPlace(config.file);
      // The default folder is ours to make; one that the user named is not.
      if (config.fileIsDefault) fs.mkdirSync(path.dirname(config.file), { recursive: true });
      return putBack(path.resolve(dir), path.resolve(config.file), asker);
    });
    const text = json
      ? asJson({ file: config.file }, copied)
      : `${inWords(copied)} restored to ${visible(config.file)}`;
    printDone(`${text}\n`, "The copy is put back");
  },
});

/** What a copy has, as `index 7, 2 named cursors, 1 task`. */
function inWords({ record, named, taskCount }: Copied): string {
  const parts = [
    record && `index ${record.index}`,
    counted(named?.cursors, "named cursor"),
    // Nobody has any without --per-client.
    counted(named?.clients || undefined, "client cursor"),
    counted(taskCount, "task"),
  ];
  return parts.filter((part) => part !== undefined).join(", ");
}

function asJson(place: object, { record, named, taskCount }: Copied): string {
  return jsonLine({
    ...place,
    index: record && String(record.index),
    cursorCount: named?.cursors,
    clientCount: named?.clients,
    taskCount,
  });
}

function counted(count: number | undefined, noun: string): string | undefined {
  return count === undefined ? undefined : `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A file that is named is meant, also where a Redis is configured. */
function configOf(name: string, file: string | undefined): CursorConfig {
  const env = Object.entries(process.env);
  const kept = env.filter(([key]) => file === undefined || !/^FIBSERVER_(REDIS|SENTINEL)/.test(key));
  const config = resolveCursorConfig({ file }, Object.fromEntries(kept));
  if (config.redis === undefined) return config;
  throw usageError(name, `${IN_REDIS}; where a file is meant, name it with -f`);
}

/** Shows how far it is, and tells what the system refuses. */
async function showing<T>(name: string, action: string, work: (asker: Asker) => Promise<T>): Promise<T> {
  const progress = openProgress(name, false);
  try {
    return await work({ onProgress: progress.update, onEnd });
  } catch (error) {
    const code = codeOf(error);
    if (error instanceof FibError || code === undefined) throw error;
    const kind = NO_ROOM.has(code) ? "output_failed" : "cursor_io";
    throw new FibError(kind, `Cannot ${action}: ${(error as Error).message}`, { cause: error });
  } finally {
    progress.clear();
  }
}
