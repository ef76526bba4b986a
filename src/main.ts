/**
 * Entry: argv → command → exit status. The only place that ends the process.
 * @module
 */
import { parseLetters, runMoves } from "./cli/moves.ts";
import { warn } from "./cli/output.ts";
import { resolveConfig } from "./config.ts";
import { CODES, FibError } from "./errors.ts";

process.exit(await main(process.argv.slice(2)));

async function main(argv: string[]): Promise<number> {
  try {
    // `fibserver n` is what a script runs a thousand times: it does without citty and the node:util that
    // citty needs, which take 4 of its 13 ms.
    const moves = parseLetters(argv);
    if (moves) await runMoves(resolveConfig({ file: moves.file }, process.env), moves.letters, false);
    else await (await import("./cli/commands.ts")).runCommandLine(argv);
    return 0;
  } catch (error) {
    if (error instanceof FibError) {
      warn(error.message);
      return CODES[error.code].exit;
    }
    warn(`${error instanceof Error ? error.stack : String(error)}\nThis is a bug in fibserver.`);
    return CODES.internal.exit;
  }
}
