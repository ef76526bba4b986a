/**
 * `fibserver -i`: a conversation with the cursor. Apart from `moves.ts` because node:readline takes 2 ms to load.
 * @module
 */
import { createInterface } from "node:readline";
import { shortened } from "../shell-word.ts";
import { FibError } from "../errors.ts";
import { isLetter } from "./letters.ts";
import { print, tell } from "./output.ts";
import type { Place, ShellCursor } from "./cursor-place.ts";
import { moveAndPrint, openCursor } from "./shell-cursor.ts";

const HELP = "n next   p previous   c current   h this help   q quit\n";

/**
 * Reads p, c, n, h and q from standard input, and answers each with one line. The file is not locked
 * between two answers. What cannot be done is said on stderr; the conversation goes on.
 *
 * @throws {@link FibError} when the cursor or the output has failed for good.
 */
export async function runInteractive(place: Place, json: boolean): Promise<void> {
  if (place.config?.oneCpu) (await import("./one-cpu.ts")).useOneCpu();
  const cursor = await openCursor(place, json, true);
  const prompts = process.stdin.isTTY && process.stderr.isTTY;
  const lines = createInterface({
    input: process.stdin,
    output: prompts ? process.stderr : undefined,
    prompt: "fib> ",
    // The terminal edits the line and makes the signals, and so is never switched: what ends this leaves it as it was.
    terminal: false,
  });
  // ^D closes it at once, while lines that were read before are still to be answered.
  let isOpen = true;
  lines.once("close", () => (isOpen = false));
  const prompt = () => {
    if (prompts && isOpen) lines.prompt();
  };
  try {
    // Before anything is shown: who sees the first prompt may stop it at once.
    if (prompts) process.on("SIGCONT", prompt);
    prompt();
    for await (const line of lines) {
      for (const word of line.split(/\s+/).filter((part) => part !== "")) {
        if (word === "q") return;
        if (word === "h") print(HELP);
        else if (isLetter(word))
          await moveAndPrint(cursor, word, json).catch((error) => goOn(cursor, error, json));
        else tell(noLetter(word), json);
      }
      prompt();
    }
  } finally {
    lines.close();
    await cursor.close();
  }
}

function noLetter(word: string): FibError {
  return new FibError("bad_argument", `'${shortened(word)}' is none of the letters: ${HELP.trim()}`);
}

function goOn(cursor: ShellCursor, error: unknown, json: boolean): void {
  if (!(error instanceof FibError) || error.code === "output_failed" || cursor.failure !== undefined)
    throw error;
  tell(error, json);
}
