/**
 * Entry: argv → command → exit status. The only place that ends the process.
 * @module
 */
import { parseLetters, runMoves } from "./cli/moves.ts";
import { warn } from "./cli/output.ts";
import { resolveConfig } from "./config.ts";
import { CODES, FibError } from "./errors.ts";
import { onNotice } from "./notices.ts";

process.exit(await main(process.argv.slice(2)));

async function main(argv: string[]): Promise<number> {
  onNotice(warn);
  try {
    await run(argv);
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

// `fibserver n` and `fibserver fib N` are what a script runs a thousand times: they do without citty and
// the node:util that citty needs, which take 4 of their 13 ms. Every other line goes through the full parser.
async function run(argv: string[]): Promise<void> {
  const moves = parseLetters(argv);
  if (moves) return runMoves(resolveConfig({ file: moves.file }, process.env), moves.letters, false);
  if (argv.length === 2 && argv[0] === "fib" && /^\d+$/.test(argv[1]!)) {
    return (await import("./cli/print-number.ts")).printFibonacci(argv[1]!, {});
  }
  return (await import("./cli/commands.ts")).runCommandLine(argv);
}
