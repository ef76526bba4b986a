/**
 * What the system refuses, told as an error of the cursor.
 * @module
 */
import { FibError } from "../errors.ts";

/**
 * Says what could not be done with a file.
 *
 * @param action - Such as `sync`.
 * @returns `cursor_io`; what is a {@link FibError} already, as it is.
 */
export function ioError(filePath: string, action: string, error: unknown): FibError {
  if (error instanceof FibError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new FibError("cursor_io", `Cannot ${action} ${filePath}: ${reason}`, { cause: error });
}

/**
 * Looks at a path.
 *
 * @param stat - Such as `statAt`.
 * @throws {@link FibError} `cursor_io`, when it cannot be seen whether something is there.
 */
export function look<Found>(path: string, stat: (path: string) => Found): Found {
  try {
    return stat(path);
  } catch (error) {
    throw ioError(path, "find", error);
  }
}

/** The system's name of an error, such as `ENOENT`; undefined for an error that has none. */
export function codeOf(error: unknown): string | undefined {
  if (error instanceof FibError) return codeOf(error.cause);
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
