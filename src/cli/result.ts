/**
 * Where a long result goes: standard output, or a file that appears whole or not at all.
 * @module
 */
import fs from "node:fs";
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
 * Writes a result. A reader that has seen enough (`| head`) ends it without a word.
 *
 * @param out - The file; standard output without one.
 * @param produce - Calls its argument with one piece after the other, each valid for that call.
 * @throws {@link FibError} `output_failed`; a file that was begun is removed.
 */
export function writeResult(
  out: string | undefined,
  produce: (emit: (bytes: Uint8Array) => void) => void,
): void {
  if (out === undefined) {
    try {
      produce((bytes) => write(STDOUT, bytes));
    } catch (error) {
      if (!isClosedPipe(error)) throw error;
    }
    return;
  }
  const temporary = `${out}.${process.pid}.tmp`;
  let fd: number;
  try {
    fd = fs.openSync(temporary, "wx");
  } catch (error) {
    throw new FibError("output_failed", `Cannot write ${out}: ${(error as Error).message}`, { cause: error });
  }
  try {
    produce((bytes) => write(fd, bytes));
    fs.closeSync(fd);
    fs.renameSync(temporary, out);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
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
