/**
 * The cursor from the shell: `fibserver n n p`.
 * @module
 */
import type { CursorConfig, Flags } from "../config.ts";
import type { DurableRecord } from "../cursor/durable.ts";
import type { CursorRequest, CursorService, Outcome, Position } from "../cursor/moves.ts";
import { runBlocking } from "../cursor/procedure.ts";
import { FibError } from "../errors.ts";
import { goAnswer } from "../go-answer.ts";
import { fibonacciByBigInt, FRESH_INDEX_MAX } from "../numbers/big-integers.ts";
import { openFileRecord, openShellCursor } from "./open-cursor.ts";
import { print } from "./output.ts";

/** What the letters of the Go server's shell mean. */
export const LETTERS = { p: "previous", c: "current", n: "next" } as const;
type Letter = keyof typeof LETTERS;

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

/** One request, with an error thrown instead of returned. */
export async function ask(cursor: CursorService, request: CursorRequest): Promise<Position> {
  const outcome: Outcome = await cursor.submit(request, (result) => result);
  if (outcome instanceof FibError) throw outcome;
  return outcome;
}

/**
 * Makes the moves one after the other, and prints each number once its move is on disk. The first that
 * cannot be made, or printed, ends it. A reader that has seen enough (`n n n | head -1`) ends it as well, and
 * without a word, but with the status of output that failed: the last number was not seen and further moves were
 * not made, which a script under `set -o pipefail` has to know.
 *
 * @returns undefined when all is done; a promise where something has to be loaded first, as for long values.
 * @throws {@link FibError} `output_failed`, which says where the cursor is now; others as the cursor does.
 */
export function runMoves(
  config: CursorConfig,
  letters: readonly Letter[],
  json: boolean,
): Promise<void> | undefined {
  if (config.oneCpu || config.redis !== undefined) return runMovesInTime(config, letters, json);
  // It is never closed: the process ends, and the lock is given back after each move.
  const record = openFileRecord(config);
  for (let at = 0; at < letters.length; at++) {
    const index = moveRecord(record, letters[at]!);
    if (index >= FRESH_INDEX_MAX) return goOnLong(record, index, letters.slice(at), json);
    printPosition(index, String(fibonacciByBigInt(index)), letters[at]!, json);
  }
  return undefined;
}

function moveRecord(record: DurableRecord, letter: Letter): number {
  const outcome = runBlocking(record.request({ operation: LETTERS[letter] }));
  if (outcome instanceof FibError) throw outcome;
  return outcome.index;
}

/** From the first long value on, whose move was made. */
async function goOnLong(
  record: DurableRecord,
  index: number,
  [made, ...letters]: readonly Letter[],
  json: boolean,
): Promise<void> {
  printPosition(index, await textAt(index), made!, json);
  for (const letter of letters) {
    const next = moveRecord(record, letter);
    printPosition(next, await textAt(next), letter, json);
  }
}

async function runMovesInTime(
  config: CursorConfig,
  letters: readonly Letter[],
  json: boolean,
): Promise<void> {
  if (config.oneCpu) (await import("./one-cpu.ts")).useOneCpu();
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
  printPosition(index, await textAt(index), letter, json);
}

/**
 * Prints the number at a position.
 *
 * @param did - What the cursor did, for the error; a letter, or `set`.
 * @throws {@link FibError} `output_failed`, which says where the cursor is now.
 */
export function printPosition(index: number, value: string, did: Letter | "set", json = false): void {
  try {
    print(`${json ? goAnswer(value) : value}\n`);
  } catch (error) {
    const where = `The cursor ${did === "c" ? "stays at" : "has moved to"} index ${index}`;
    throw new FibError("output_failed", `${(error as Error).message}. ${where}`, { cause: error });
  }
}

/** F(index) as text, by what is quickest for its length. */
async function textAt(index: number): Promise<string> {
  const [{ fibonacci }, { textOf }] = await Promise.all([
    import("../numbers/fibonacci.ts"),
    import("../numbers/decimal.ts"),
  ]);
  return textOf(fibonacci(index));
}
