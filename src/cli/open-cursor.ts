/**
 * The cursor that was configured: in a file, or in Redis.
 * @module
 */
import type { CursorConfig } from "../config/config.ts";
import { fileOptions, openFileCursor } from "../cursor/configured.ts";
import { DurableRecord } from "../cursor/durable.ts";
import type { OpenCursor } from "../cursor/moves.ts";
import { openCursorFile } from "../cursor/open.ts";
import { runBlocking } from "../cursor/procedure.ts";
import type { FibError } from "../errors.ts";
import { requireOutput, warn } from "./output.ts";

/** A cursor that a command moves, on this machine or in Redis. */
export type LocalCursor = OpenCursor & {
  /** What has ended it for good; one in Redis comes back. */
  readonly failure?: FibError | undefined;
};

/**
 * Opens the default cursor for a shell command, which has nothing else to do while it waits for the disk.
 *
 * @throws {@link FibError} as `Cursor.open` and `openRedisCursor` do; `output_failed`, before anything has moved.
 */
export async function openShellCursor(config: CursorConfig): Promise<LocalCursor> {
  requireOutput();
  // Loaded here, so that those who have no Redis do not pay for it.
  if (config.redis) return (await import("./redis-cursor.ts")).openRedisCursor(config, config.redis);
  return openFileCursor(config, { run: runBlocking, notice: warn });
}

/**
 * Opens the record in the file, for letters, which are made one by one and wait for nothing but the disk.
 *
 * @throws {@link FibError} as `openCursorFile` does; `output_failed`, before anything has moved.
 */
export function openFileRecord(config: CursorConfig): DurableRecord {
  requireOutput();
  const options = fileOptions(config, warn);
  return new DurableRecord(
    options,
    runBlocking(openCursorFile(config.file, { notice: warn, mayCreate: true })),
  );
}
