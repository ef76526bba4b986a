/**
 * The cursor from the shell: `fibserver n n p`.
 * @module
 */
import type { CursorConfig } from "../config/config.ts";
import { DEFAULT_NAME } from "../cursor-name.ts";
import type { DurableRecord } from "../cursor/durable.ts";
import { runBlocking } from "../cursor/procedure.ts";
import { FibError } from "../errors.ts";
import { fibonacciByBigInt, FRESH_INDEX_MAX } from "../numbers/big-integers.ts";
import { printPosition, textAt } from "./answer.ts";
import { type Letter, LETTERS } from "./letters.ts";
import { openFileRecord } from "./open-cursor.ts";

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
  if (config.oneCpu || config.redis !== undefined) return runMovesWithPromises(config, letters, json);
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

async function runMovesWithPromises(
  config: CursorConfig,
  letters: readonly Letter[],
  json: boolean,
): Promise<void> {
  const { runLetters } = await import("./shell-cursor.ts");
  await runLetters({ name: DEFAULT_NAME, at: "", config }, letters, json);
}
