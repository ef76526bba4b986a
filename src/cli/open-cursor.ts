/**
 * The cursor that was configured: in a file, or in Redis.
 * @module
 */
import type { CursorConfig } from "../config.ts";
import { Cursor, type CursorOptions } from "../cursor/cursor.ts";
import { type DurableOptions, DurableRecord } from "../cursor/durable.ts";
import { folderOf } from "../cursor/file.ts";
import { ioError } from "../cursor/io-error.ts";
import type { OpenCursor } from "../cursor/moves.ts";
import { openCursorFile } from "../cursor/open.ts";
import { runBlocking } from "../cursor/procedure.ts";
import { FibError } from "../errors.ts";
import { makeFolder } from "../naming-calls.ts";
import { statBehind } from "../system-calls.ts";
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

/**
 * Opens the cursor in the file.
 *
 * @throws {@link FibError} as `Cursor.open` does.
 */
export async function openFileCursor(
  config: CursorConfig,
  { notice, ...options }: Pick<CursorOptions, "run" | "notice" | "onFailure">,
): Promise<Cursor> {
  return await Cursor.open({ ...fileOptions(config, notice), ...options });
}

function fileOptions(
  { file, fileIsDefault, indexMax, lockTimeoutMs }: CursorConfig,
  notice: DurableOptions["notice"],
): DurableOptions {
  makeStateFolder({ file, fileIsDefault });
  return { path: file, indexMax, lockTimeoutMs, notice };
}

/**
 * Makes the folder of the cursor file, where that is ours to make: the default one, and none that the user named.
 *
 * @throws {@link FibError} `cursor_io`.
 */
export function makeStateFolder({ file, fileIsDefault }: Pick<CursorConfig, "file" | "fileIsDefault">): void {
  if (!fileIsDefault) return;
  const folder = folderOf(file);
  try {
    makeFolders(folder);
  } catch (error) {
    const { code, message } = ioError(folder, "make the folder", error);
    throw new FibError(code, `${message}; name a file in another one with -f FILE`, { cause: error });
  }
}

function makeFolders(folder: string): void {
  if (statBehind(folder) !== undefined) return;
  makeFolders(folderOf(folder));
  makeFolder(folder);
}
