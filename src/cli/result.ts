/**
 * Where a long result goes: standard output, or a file that appears whole or not at all.
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { FibError } from "../errors.ts";
import { write } from "./output.ts";

const STDOUT = 1;

/** The flags of every command with a long result. */
export const RESULT_FLAGS = {
  out: {
    type: "string",
    alias: "o",
    valueHint: "FILE",
    description: "Write to a file instead of standard output",
  },
  json: { type: "boolean", description: "Write JSON" },
} as const;

/**
 * Looks whether a result can go where it is to go, before hours are spent on it.
 *
 * @throws {@link FibError} `bad_argument`; `output_failed`.
 */
export function checkOutput(out: string | undefined): void {
  if (out === undefined) return;
  if (out === "") throw new FibError("bad_argument", "Cannot use an empty file name: -o FILE");
  const place = filePlace(out);
  if (place !== undefined) attempt(out, () => fs.accessSync(path.dirname(place), fs.constants.W_OK));
}

/**
 * Writes a result. A reader that has seen enough (`| head`) ends it without a word.
 *
 * @param out - The file; standard output without one. What is no file (a pipe, a device) is written into.
 * @param produce - Calls its argument with one piece after the other, each valid for that call.
 * @throws {@link FibError} `output_failed`; a file that was begun is removed.
 */
export function writeResult(
  out: string | undefined,
  produce: (emit: (bytes: Uint8Array) => void) => void,
): void {
  const place = out === undefined ? undefined : filePlace(out);
  if (out === undefined || place === undefined) {
    const fd = out === undefined ? STDOUT : attempt(out, () => fs.openSync(out, "w"));
    try {
      produce((bytes) => write(fd, bytes));
    } catch (error) {
      if (!isClosedPipe(error)) throw error;
    }
    return;
  }
  const temporary = `${place}.${process.pid}.tmp`;
  const fd = attempt(out, () => fs.openSync(temporary, "wx"));
  try {
    produce((bytes) => write(fd, bytes));
    attempt(out, () => {
      fs.closeSync(fd);
      fs.renameSync(temporary, place);
    });
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

/** Where a file is replaced: what a link leads to, and not the link. undefined for what is no file. */
function filePlace(out: string): string | undefined {
  return attempt(out, () => {
    const found = fs.statSync(out, { throwIfNoEntry: false });
    if (found === undefined) return out;
    return found.isFile() ? fs.realpathSync(out) : undefined;
  });
}

function attempt<Value>(out: string, act: () => Value): Value {
  try {
    return act();
  } catch (error) {
    throw new FibError("output_failed", `Cannot write ${out}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Refuses a computation that does not fit into the memory, before it begins.
 *
 * @param what - Names it in the error.
 * @param memoryBytes - Its peak.
 * @throws {@link FibError} `result_too_large`, with both figures.
 */
export function checkMemory(what: string, memoryBytes: number): void {
  const availableBytes = process.availableMemory();
  if (memoryBytes <= availableBytes) return;
  throw new FibError(
    "result_too_large",
    `Cannot compute ${what}: it needs ${megabytes(memoryBytes)} of memory, and ${megabytes(availableBytes)} are available`,
  );
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6).toLocaleString("en-US")} MB`;
}

function isClosedPipe(error: unknown): boolean {
  const cause = error instanceof FibError ? error.cause : undefined;
  return cause instanceof Error && "code" in cause && cause.code === "EPIPE";
}
