/**
 * The letters that move the cursor, and the shortest command lines, which are read without a parser.
 * @module
 */
import type { Flags } from "../config/config.ts";

/** What the letters of the Go server's shell mean. */
export const LETTERS = { p: "previous", c: "current", n: "next" } as const;
/** One of them. */
export type Letter = keyof typeof LETTERS;

/** What the shortest command lines may set, by its spellings. */
const FLAGS: Readonly<Record<string, string>> = {
  "-f": "file",
  "--file": "file",
  "--max-index": "max-index",
  "--lock-timeout": "lock-timeout",
};

/** A line of letters. */
export interface LetterLine {
  readonly letters: readonly Letter[];
  readonly flags: Flags;
  readonly json: boolean;
}

/**
 * Reads the shortest command lines: letters, and perhaps flags of the cursor.
 *
 * @returns undefined for anything else, which the full parser will understand or refuse.
 */
export function parseLetters(argv: readonly string[]): LetterLine | undefined {
  const letters: Letter[] = [];
  const flags: Record<string, string> = {};
  let json = false;
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!;
    if (isLetter(word)) {
      letters.push(word);
    } else if (word === "--json" && !json) {
      json = true;
    } else {
      const end = word.startsWith("--") ? word.indexOf("=") : -1;
      const name = end === -1 ? word : word.slice(0, end);
      const flag = Object.hasOwn(FLAGS, name) ? FLAGS[name]! : undefined;
      const value = end === -1 ? argv[++at] : word.slice(end + 1);
      if (flag === undefined || flag in flags || value === undefined || (end === -1 && value.startsWith("-")))
        return undefined;
      flags[flag] = value;
    }
  }
  return letters.length === 0 ? undefined : { letters, flags, json };
}

/** Says whether a word is one of {@link LETTERS}. */
export function isLetter(word: string): word is Letter {
  return Object.hasOwn(LETTERS, word);
}
