/**
 * How one setting is looked up: what config.ts does, for those files that read a part of them.
 * @module
 */

import { FibError } from "../errors.ts";

/** What was set, and by which flag or variable; undefined when nothing was. */
export interface Setting {
  readonly text: string | undefined;
  readonly source: string;
}

/** Where settings come from. */
export interface Settings {
  readonly setting: (name: string) => Setting;
  /** A whole number. @throws {@link FibError} `bad_argument` for anything else. */
  readonly integer: (name: string, fallback: number, min: number, max: number) => number;
  /** The same for one beyond 2^53. */
  readonly natural: (name: string, fallback: bigint, min: bigint, max: bigint) => bigint;
  /** Whether a switch is on. @throws {@link FibError} `bad_argument`. */
  readonly on: (name: string) => boolean;
}

/** Says whether a flag has set it, which wins over variables. */
export function isFlag({ source }: Setting): boolean {
  return source.startsWith("--");
}

/** The name of a file. @throws {@link FibError} `bad_argument` for an empty one. */
export function fileOf({ text, source }: Setting): string | undefined {
  if (text !== "") return text;
  throw new FibError("bad_argument", `Cannot use an empty file name for ${source}`);
}
