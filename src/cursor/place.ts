/**
 * What a path of the default cursor can never be, for those who use only the cursors with names beside it: there need be
 * no file, but beside a folder or a link that of the others would have a name that nobody looks for.
 * @module
 */
import { statAt } from "../system-calls.ts";
import { refused } from "./file.ts";
import { look } from "./io-error.ts";

/** `S_IFMT`, and what it tells of that is no regular file. */
const TYPE_MASK = 0o170000;
const FOLDER = 0o040000;
const REASONS: Readonly<Record<number, string>> = {
  [FOLDER]: "it is a folder",
  0o120000: "it is a symbolic link",
};

/**
 * Refuses what can be no cursor file, in the words of `openCursorFile`. Makes and opens nothing.
 *
 * @throws {@link FibError} `cursor_damaged`, for what is no regular file; `cursor_io`, where that cannot be seen.
 */
export function requireCursorPlace(file: string): void {
  if (/(?:^|\/)\.{0,2}$/.test(file)) throw refused(file, REASONS[FOLDER]!);
  const found = look(file, statAt);
  if (found === undefined || found.isFile) return;
  throw refused(file, REASONS[found.mode & TYPE_MASK] ?? "it is not a regular file");
}
