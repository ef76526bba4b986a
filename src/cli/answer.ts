/**
 * A position as the shell shows it.
 * @module
 */
import { FibError } from "../errors.ts";
import { goAnswer } from "../go-answer.ts";
import type { Letter } from "./letters.ts";
import { print } from "./output.ts";

/**
 * Prints the number at a position.
 *
 * @param letter - What the cursor did, for the error.
 * @throws {@link FibError} `output_failed`, which says where the cursor is now.
 */
export function printPosition(index: number, value: string, letter: Letter, json = false): void {
  const where = `The cursor ${letter === "c" ? "stays at" : "has moved to"} index ${index}`;
  printDone(`${json ? goAnswer(value) : value}\n`, where);
}

/**
 * Prints what has come of something.
 *
 * @param done - What was done, for the error: that it cannot be told does not undo it.
 * @throws {@link FibError} `output_failed`.
 */
export function printDone(text: string, done: string): void {
  try {
    print(text);
  } catch (error) {
    throw new FibError("output_failed", `${(error as Error).message}. ${done}`, { cause: error });
  }
}

/** F(index) as text, by what is quickest for its length. */
export async function textAt(index: number): Promise<string> {
  const [{ fibonacci }, { textOf }] = await Promise.all([
    import("../numbers/fibonacci.ts"),
    import("../numbers/decimal.ts"),
  ]);
  return textOf(fibonacci(index));
}
