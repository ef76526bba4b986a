/**
 * Entry: argv → command → exit status. The only place that ends the process.
 * @module
 */
import { withLine } from "./cli/hints.ts";
import { parseLetters } from "./cli/letters.ts";
import { runMoves } from "./cli/moves.ts";
import { isReaderGone, tell, warn } from "./cli/output.ts";
import { resolveCursorConfig } from "./config/config.ts";
import { CODES, FibError, systemError } from "./errors.ts";
import { onNotice } from "./notices.ts";

const status = main(process.argv.slice(2));
process.exit(typeof status === "number" ? status : await status);

function main(argv: readonly string[]): number | Promise<number> {
  onNotice(warn);
  const fail = (thrown: unknown) => {
    const told = thrown instanceof FibError ? thrown : (systemError(thrown) ?? bug(thrown));
    const error = withLine(told, "fibserver help");
    if (!isReaderGone(error)) tell(error, isJsonWanted(argv));
    return CODES[error.code].exit;
  };
  try {
    return run(argv)?.then(() => Number(process.exitCode ?? 0), fail) ?? 0;
  } catch (thrown) {
    return fail(thrown);
  }
}

// What a script runs a thousand times: letters with flags of the cursor, and `fibserver fib N`. They do without citty
// and the node:util that citty needs, 4 ms, and letters without a promise or a turn of the event loop. A cursor with a
// name goes the long way: to open what keeps it takes longer.
function run(argv: readonly string[]): Promise<void> | undefined {
  const line = process.env["FIBSERVER_CURSOR"] === undefined ? parseLetters(argv) : undefined;
  if (line) return runMoves(resolveCursorConfig(line.flags, process.env), line.letters, line.json);
  return runCommand(argv);
}

async function runCommand(argv: readonly string[]): Promise<void> {
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
