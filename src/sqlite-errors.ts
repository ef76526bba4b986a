/**
 * What goes wrong with a SQLite file of ours, as one of our errors.
 * @module
 */
import { SQLiteError } from "bun:sqlite";
import { type ErrorCode, FibError } from "./errors.ts";

/** A file, and the codes of its errors. */
interface Place {
  readonly path: string;
  readonly codes: { readonly io: ErrorCode; readonly locked: ErrorCode; readonly damaged: ErrorCode };
}

/** For who only looks at a file. */
export const READER_ADVICE = { locked: "another process has it; try again", damaged: "" } as const;

/** Thrown where SQLite only returns that another process is in the way. */
export const BUSY = Object.assign(new Error("a checkpoint is under way"), { code: "SQLITE_BUSY" });

/**
 * An error of SQLite as one of ours, and any other as it is.
 *
 * @param action - What was tried, such as `write`.
 */
export function sqliteError(
  error: unknown,
  { path, codes, advice }: Place & { readonly advice: { readonly locked: string; readonly damaged: string } },
  action: string,
): unknown {
  if (isBusy(error))
    return new FibError(codes.locked, `Cannot use ${path}: ${advice.locked}`, { cause: error });
  if (!(error instanceof SQLiteError)) return error;
  const { code = "", message } = error;
  // Some have a reason at their end: SQLITE_CORRUPT_INDEX.
  // What we write breaks no constraint unless something that was read was damaged.
  return /^SQLITE_(CORRUPT|NOTADB|CONSTRAINT)/.test(code)
    ? new FibError(codes.damaged, `Cannot use ${path}: ${message}${advice.damaged}`, { cause: error })
    : new FibError(codes.io, `Cannot ${action} ${path}: ${message} (${code})`, { cause: error });
}

/** Whether another process is in the way; SQLite calls it PROTOCOL when that one recovers the log for 10 s. */
export function isBusy(error: unknown): boolean {
  return error === BUSY || (error instanceof SQLiteError && /^SQLITE_(BUSY|PROTOCOL)/.test(error.code ?? ""));
}

/** The error for a file that is left alone. */
export function refused({ path, codes }: Place, reason: string): FibError {
  return new FibError(
    codes.io,
    `Cannot use ${path}: ${reason}. Nothing was changed; move it away for a new one`,
  );
}

/** Whether there is no room: nothing was written, and the connection is sound. */
export function isFull(error: unknown): boolean {
  return error instanceof SQLiteError && error.code === "SQLITE_FULL";
}
