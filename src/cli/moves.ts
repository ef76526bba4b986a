/**
 * The cursor from the shell: `fibserver n n p`.
 * @module
 */
import type { Config } from "../config.ts";
import type { CursorRequest, CursorService, Outcome, Position } from "../cursor/moves.ts";
import { FibError } from "../errors.ts";
import { goAnswer } from "../go-answer.ts";
import { fibonacci } from "../numbers/fibonacci.ts";
import { textOf } from "../numbers/decimal.ts";
import { openShellCursor } from "./open-cursor.ts";
import { print } from "./output.ts";

/** What the letters of the Go server's shell mean. */
export const LETTERS = { p: "previous", c: "current", n: "next" } as const;
type Letter = keyof typeof LETTERS;

/**
 * Reads the shortest command lines: letters, and perhaps a file.
 *
 * @returns undefined for anything else, which the full parser will understand or refuse.
 */
export function parseLetters(
  argv: readonly string[],
): { letters: readonly Letter[]; file: string | undefined } | undefined {
  const at = argv.indexOf("-f");
  const file = at < 0 ? undefined : argv[at + 1];
  const words = at < 0 ? argv : argv.toSpliced(at, 2);
  if (
    words.length === 0 ||
    !words.every(isLetter) ||
    (at >= 0 && (file === undefined || file.startsWith("-")))
  )
    return undefined;
  return { letters: words, file };
}

/** Says whether a word is one of {@link LETTERS}. */
export function isLetter(word: string): word is Letter {
  return Object.hasOwn(LETTERS, word);
}

/** One request, with an error thrown instead of returned. */
export async function ask(cursor: CursorService, request: CursorRequest): Promise<Position> {
  const outcome: Outcome = await cursor.submit(request, (result) => result);
  if (outcome instanceof FibError) throw outcome;
  return outcome;
}

/**
 * Prints the line for a position.
 *
 * @param did - What the cursor did, for the error.
 * @throws {@link FibError} `output_failed`, which says where the cursor is now.
 */
export function printPosition(index: number, line: string, did: "stays at" | "has moved to"): void {
  try {
    print(`${line}\n`);
  } catch (error) {
    const reason = (error as Error).message;
    throw new FibError("output_failed", `${reason}. The cursor ${did} index ${index}`, { cause: error });
  }
}

/**
 * Makes the moves one after the other, and prints each number once its move is on disk. The first that
 * cannot be made, or printed, ends it. A reader that has seen enough (`n n n | head -1`) ends it as well, and
 * without a word, but with the status of output that failed: the last number was not seen and further moves were
 * not made, which a script under `set -o pipefail` has to know.
 */
export async function runMoves(config: Config, letters: readonly Letter[], json: boolean): Promise<void> {
  const cursor = await openShellCursor(config);
  try {
    for (const letter of letters) await moveAndPrint(cursor, letter, json);
  } finally {
    await cursor.close();
  }
}

/**
 * Makes one move and prints the number once the move is on disk.
 *
 * @throws {@link FibError} `output_failed`, which says where the cursor is now; others as the cursor does.
 */
export async function moveAndPrint(cursor: CursorService, letter: Letter, json: boolean): Promise<void> {
  const { index } = await ask(cursor, { operation: LETTERS[letter] });
  const value = textOf(fibonacci(index));
  printPosition(index, json ? goAnswer(value) : value, letter === "c" ? "stays at" : "has moved to");
}
