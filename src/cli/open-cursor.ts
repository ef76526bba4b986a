/**
 * The cursor that was configured: in a file, or in Redis.
 * @module
 */
import { mkdirSync } from "node:fs";
import path from "node:path";
import type { Config } from "../config.ts";
import { Cursor, type CursorOptions } from "../cursor/cursor.ts";
import { ioError } from "../cursor/file.ts";
import type { CursorService } from "../cursor/moves.ts";
import { blockingSyncs } from "../cursor/syncs.ts";
import { FibError } from "../errors.ts";
import { requireOutput, warn } from "./output.ts";

/** A cursor that a command moves. */
export type ShellCursor = CursorService & {
  /** What has ended it for good; one in Redis comes back. */
  readonly failure?: FibError | undefined;
};

/**
 * Opens the cursor for a shell command, which has nothing else to do while it waits for the disk.
 *
 * @throws {@link FibError} as `Cursor.open` and `openRedisCursor` do; `output_failed`, before anything has moved.
 */
export async function openShellCursor(config: Config): Promise<ShellCursor> {
  requireOutput();
  // Loaded here, so that those who have no Redis do not pay for it.
  if (config.redis) return (await import("./redis-cursor.ts")).openRedisCursor(config, config.redis);
  return openFileCursor(config, { syncs: blockingSyncs, notice: warn });
}

/**
 * Opens the cursor in the file.
 *
 * @throws {@link FibError} as `Cursor.open` does.
 */
export function openFileCursor(
  { file, fileIsDefault, indexMax, lockTimeoutMs }: Config,
  options: Pick<CursorOptions, "syncs" | "notice" | "onFailure">,
): Promise<Cursor> {
  // The default folder is ours to make; one that the user named is not.
  if (fileIsDefault) makeFolder(path.dirname(file));
  return Cursor.open({ path: file, indexMax, lockTimeoutMs, ...options });
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    const { code, message } = ioError(folder, "make the folder", error);
    throw new FibError(code, `${message}; name a file in another one with -f FILE`, { cause: error });
  }
}
