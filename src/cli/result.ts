/**
 * How a long result is written: to standard output, or to a file that appears whole or not at all (result-place.ts).
 *
 * `fibserver fib N` to standard output is what is timed: what only a file or a display of progress needs is loaded
 * when one is wanted. node:fs, node:path, node:tty and node:crypto take 3 ms to load, as long as F(10^6) is computed.
 * @module
 */
import { FibError } from "../errors.ts";
import { isReaderGone, requireOutput, write } from "./output.ts";
import { openProgress, type Progress } from "./progress.ts";
import type { Place } from "./result-place.ts";

const STANDARD_OUTPUT: Place = {
  isFile: false,
  name: undefined,
  fd: 1,
  keep: () => {},
  discard: () => {},
};
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
export async function checkOutput(out: string | undefined): Promise<void> {
  if (isStandardOutput(out)) requireOutput();
  else (await import("./result-place.ts")).checkPlace(out);
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
  const place = isStandardOutput(out) ? STANDARD_OUTPUT : (await import("./result-place.ts")).openPlace(out);
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
  const isPipe = () => process.getBuiltinModule("node:fs").fstatSync(fd).isFIFO();
  const isTerminal = () => process.getBuiltinModule("node:tty").isatty(fd);
  let progress: Progress | undefined;
  let isPaged = false;
  let writtenBytes = 0;
  let addedMs = Number.POSITIVE_INFINITY;
  return {
    add: (bytes) => {
      // From the first byte on: what comes before it is no writing.
      progress ??= openProgress(what, isQuiet, () => !isTerminal());
      const nowMs = performance.now();
      // Somebody reads it page by page: the screen is the pager's.
      isPaged ||= nowMs - addedMs > PAGER_MS && isPipe();
      addedMs = nowMs;
      writtenBytes += bytes;
      if (!isPaged) progress.update(Math.min(1, writtenBytes / sizeBytes));
    },
    clear: () => {
      if (!isPaged) progress?.clear();
    },
  };
}

/** A lone `-` is no file's name, but what it is for other programs; `./-` is. A file behind `/dev/stdout` is not ours. */
function isStandardOutput(out: string | undefined): out is undefined | "-" | "/dev/stdout" {
  return out === undefined || out === "-" || out === "/dev/stdout";
}
