/**
 * The cursor file that was configured.
 * @module
 */
import type { CursorConfig } from "../config/config.ts";
import { FibError } from "../errors.ts";
import { makeFolder } from "../naming-calls.ts";
import { statBehind } from "../system-calls.ts";
import { Cursor, type CursorOptions } from "./cursor.ts";
import type { DurableOptions } from "./durable.ts";
import { folderOf } from "./file.ts";
import { ioError } from "./io-error.ts";

/**
 * Opens the cursor in the file.
 *
 * @throws {@link FibError} as `Cursor.open` does.
 */
export async function openFileCursor(
  config: CursorConfig,
  { notice, ...options }: Pick<CursorOptions, "run" | "notice" | "onFailure" | "groups">,
): Promise<Cursor> {
  return await Cursor.open({ ...fileOptions(config, notice), ...options });
}

/**
 * How its record is opened; its folder is made, where that is ours to make.
 *
 * @throws {@link FibError} `cursor_io`.
 */
export function fileOptions(
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
