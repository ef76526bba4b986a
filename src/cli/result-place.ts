/**
 * The file that a result is written to, which appears whole or not at all; or what is no file (a pipe, a device).
 * @module
 */
import fs from "node:fs";
import path from "node:path";
import { FibError } from "../errors.ts";
import { type NewFile, openNewFile } from "./new-file.ts";

/** Somewhere to write to. */
export interface Place extends NewFile {
  readonly isFile: boolean;
  /** As it was given, for errors. */
  readonly name: string | undefined;
}

/**
 * Looks whether a result can go where it is to go.
 *
 * @throws {@link FibError} `bad_argument`; `output_failed`.
 */
export function checkPlace(out: string): void {
  if (out === "") throw new FibError("bad_argument", "Cannot use an empty file name: -o FILE");
  const place = filePlace(out);
  if (place !== undefined) attempt(out, () => fs.accessSync(path.dirname(place), fs.constants.W_OK));
}

/**
 * Opens it.
 *
 * @throws {@link FibError} `output_failed`.
 */
export function openPlace(out: string): Place {
  const place = filePlace(out);
  if (place === undefined) {
    const fd = attempt(out, () => fs.openSync(out, "w"));
    return { isFile: false, name: out, fd, keep: () => {}, discard: () => {} };
  }
  const file = attempt(out, () => openNewFile(place));
  return { ...file, isFile: true, name: out, keep: () => attempt(out, file.keep) };
}

/** Where a file is replaced or made: what a link leads to, and not the link. undefined for what is no file. */
function filePlace(out: string): string | undefined {
  return attempt(out, () => {
    const found = fs.statSync(out, { throwIfNoEntry: false });
    if (found?.isDirectory() || out.endsWith("/")) throw new Error("EISDIR: it is a folder");
    if (found !== undefined) return found.isFile() ? fs.realpathSync(out) : undefined;
    const link = fs.lstatSync(out, { throwIfNoEntry: false });
    return link === undefined ? out : filePlace(linkTarget(out));
  });
}

// Not normalized: `..` behind a linked folder leads elsewhere than in the text.
function linkTarget(link: string): string {
  const target = fs.readlinkSync(link);
  return path.isAbsolute(target) ? target : `${path.dirname(link)}/${target}`;
}

function attempt<Value>(out: string, act: () => Value): Value {
  try {
    return act();
  } catch (error) {
    if (error instanceof FibError) throw error;
    throw new FibError("output_failed", `Cannot write ${out}: ${(error as Error).message}`, { cause: error });
  }
}
