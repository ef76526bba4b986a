/**
 * Entry: argv → command → exit status. The only place that ends the process.
 * @module
 */
import { withLine } from "./cli/hints.ts";
import { parseLetters, runMoves } from "./cli/moves.ts";
import { isReaderGone, tell, warn } from "./cli/output.ts";
import { resolveConfig } from "./config.ts";
import { CODES, FibError, systemError } from "./errors.ts";
import { onNotice } from "./notices.ts";

process.exit(await main(process.argv.slice(2)));

async function main(argv: readonly string[]): Promise<number> {
  onNotice(warn);
  try {
    await run(argv);
    return 0;
  } catch (thrown) {
    const told = thrown instanceof FibError ? thrown : (systemError(thrown) ?? bug(thrown));
    const error = withLine(told, "fibserver help");
    if (!isReaderGone(error)) tell(error, isJsonWanted(argv));
    return CODES[error.code].exit;
  }
}

// `fibserver n` and `fibserver fib N` are what a script runs a thousand times: they do without citty and
// the node:util that citty needs, which take 4 of their 13 ms. Every other line goes through the full parser.
async function run(argv: readonly string[]): Promise<void> {
  const moves = parseLetters(argv);
  if (moves) return runMoves(resolveConfig({ file: moves.file }, process.env), moves.letters, false);
  if (argv.length === 2 && argv[0] === "fib" && /^\d{1,10}$/.test(argv[1]!)) {
    return (await import("./cli/print-number.ts")).printFibonacci(argv[1]!, {});
  }
  return (await import("./cli/commands.ts")).runCommandLine(argv);
}

// Before anything is parsed, because that it cannot be parsed is one of the errors.
function isJsonWanted(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return argv.slice(0, end < 0 ? argv.length : end).includes("--json");
}

function bug(thrown: unknown): FibError {
  const stack = thrown instanceof Error ? thrown.stack : String(thrown);
  return new FibError("internal", `${stack}\n${CODES.internal.title}.`, { cause: thrown });
}
