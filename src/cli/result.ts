/**
 * Where a long result goes: standard output, or a file that appears whole or not at all.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { isatty } from "node:tty";
import { FibError } from "../errors.ts";
import { type NewFile, openNewFile } from "./new-file.ts";
import { isReaderGone, requireOutput, write } from "./output.ts";
import { openProgress, type Progress } from "./progress.ts";

const STDOUT = 1;
/** What is written at once: about a millisecond of work. */
const STEP_BYTES = 2 ** 21;
const GIVE_WAY_MS = 50;
/** A pipe that takes nothing for so long has a person behind it. */
const PAGER_MS = 1000;

/** The flags of every command with a long result. */
export const RESULT_FLAGS = {
  out: {
    type: "string",
    alias: "o",
    valueHint: "FILE",
    description: "Write to a file, which appears when it is whole; - is standard output",
  },
  json: { type: "boolean", description: "Write JSON" },
  quiet: { type: "boolean", alias: "q", description: "Show no progress and no notices" },
} as const;

/** What they were set to. */
export interface ResultOptions {
  readonly out?: string | undefined;
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
}

/**
 * Looks whether a result can go where it is to go, before hours are spent on it.
 *
 * @throws {@link FibError} `bad_argument`; `output_failed`.
 */
export function checkOutput(out: string | undefined): void {
  if (isStandardOutput(out)) return requireOutput();
  if (out === "") throw new FibError("bad_argument", "Cannot use an empty file name: -o FILE");
  const place = filePlace(out);
  if (place !== undefined) attempt(out, () => fs.accessSync(path.dirname(place), fs.constants.W_OK));
}

/** What is shown while a result is written. */
export interface Shown {
  /** Names it. */
  readonly what: string;
  /** Of all that will be written. */
  readonly sizeBytes: number;
  readonly isQuiet: boolean;
}

/** Takes the next bytes, which are valid until it resolves; to be awaited. */
export type Put = (bytes: Uint8Array) => Promise<void> | undefined;

/**
 * Writes a result. A reader that has seen enough (`| head`) ends it without a word.
 *
 * @param out - The file; standard output without one. What is no file (a pipe, a device) is written into.
 * @param produce - Hands out one piece after the other. No iterator: generators cost a sequence a tenth of its speed.
 * @param shown - For what takes more than a moment.
 * @throws {@link FibError} `output_failed`, and as `produce` does; a file that was begun is removed.
 */
export async function writeResult(
  out: string | undefined,
  produce: (put: Put) => Promise<void>,
  shown?: Shown,
): Promise<void> {
  const place = openPlace(out);
  const progress = shown && openWriting(place, shown);
  let gaveWayMs = performance.now();
  const putStep: Put = (bytes) => {
    write(place.fd, bytes, place.name);
    progress?.add(bytes.length);
    return performance.now() - gaveWayMs < GIVE_WAY_MS ? undefined : giveWay();
  };
  // Now a signal's handler can run, where there is one.
  const giveWay = async () => {
    await new Promise(setImmediate);
    gaveWayMs = performance.now();
  };
  const putSteps = async (bytes: Uint8Array) => {
    for (let start = 0; start < bytes.length; start += STEP_BYTES) {
      await putStep(bytes.subarray(start, start + STEP_BYTES));
    }
  };
  try {
    await produce((bytes) => (bytes.length <= STEP_BYTES ? putStep(bytes) : putSteps(bytes)));
    place.keep();
  } catch (error) {
    place.discard();
    if (place.isFile || !(error instanceof FibError && isReaderGone(error))) throw error;
  } finally {
    progress?.clear();
  }
}

/** Shows how much is written; not when it is written to the terminal, or into a pager's pipe. */
function openWriting(
  { fd }: Place,
  { what, sizeBytes, isQuiet }: Shown,
): { readonly add: (bytes: number) => void; readonly clear: () => void } {
  const isPipe = fs.fstatSync(fd).isFIFO();
  let progress: Progress | undefined;
  let isPaged = false;
  let writtenBytes = 0;
  let addedMs = Number.POSITIVE_INFINITY;
  return {
    add: (bytes) => {
      // From the first byte on: what comes before it is no writing.
      progress ??= openProgress(what, isQuiet || isatty(fd));
      const nowMs = performance.now();
      // Somebody reads it page by page: the screen is the pager's.
      isPaged ||= isPipe && nowMs - addedMs > PAGER_MS;
      addedMs = nowMs;
      writtenBytes += bytes;
      if (!isPaged) progress.update(Math.min(1, writtenBytes / sizeBytes));
    },
    clear: () => {
      if (!isPaged) progress?.clear();
    },
  };
}

/** Somewhere to write to. */
interface Place extends NewFile {
  readonly isFile: boolean;
  /** As it was given, for errors. */
  readonly name: string | undefined;
}

function openPlace(out: string | undefined): Place {
  if (isStandardOutput(out))
    return { isFile: false, name: undefined, fd: STDOUT, keep: () => {}, discard: () => {} };
  const place = filePlace(out);
  if (place === undefined) {
    const fd = attempt(out, () => fs.openSync(out, "w"));
    return { isFile: false, name: out, fd, keep: () => {}, discard: () => {} };
  }
  const file = attempt(out, () => openNewFile(place));
  return { ...file, isFile: true, name: out, keep: () => attempt(out, file.keep) };
}

/** A lone `-` is no file's name, but what it is for other programs; `./-` is. A file behind `/dev/stdout` is not ours. */
function isStandardOutput(out: string | undefined): out is undefined | "-" | "/dev/stdout" {
  return out === undefined || out === "-" || out === "/dev/stdout";
}

/** Where a file is replaced or made: what a link leads to, and not the link. undefined for what is no file. */
function filePlace(out: string): string | undefined {
  return attempt(out, () => {
    const found = fs.statSync(out, { throwIfNoEntry: false });
    if (found?.isDirectory() || out.endsWith("/")) throw new Error("EISDIR: it is a folder");
    if (found !== undefined) return found.isFile() ? fs.realpathSync(out) : undefined;
    const link = fs.lstatSync(out, { throwIfNoEntry: false });
    return link === undefined ? out : filePlace(linkTarget(out));
  });
}

// Not normalized: `..` behind a linked folder leads elsewhere than in the text.
function linkTarget(link: string): string {
  const target = fs.readlinkSync(link);
  return path.isAbsolute(target) ? target : `${path.dirname(link)}/${target}`;
}

function attempt<Value>(out: string, act: () => Value): Value {
  try {
    return act();
  } catch (error) {
    if (error instanceof FibError) throw error;
    throw new FibError("output_failed", `Cannot write ${out}: ${(error as Error).message}`, { cause: error });
  }
}
