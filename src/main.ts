/**
 * Entry: argv → command → exit status. The only place that ends the process.
 * @module
 */
import { renderUsage, runCommand } from "citty";
import { version } from "../package.json";
import { checkArguments, findCommand } from "./cli/arguments.ts";
import { print, warn } from "./cli/output.ts";
import { fibserver } from "./cli/root.ts";
import { CODES, FibError } from "./errors.ts";

process.exit(await main(process.argv.slice(2)));

async function main(argv: string[]): Promise<number> {
  try {
    const found = await findCommand(fibserver, argv);
    const end = found.argv.indexOf("--");
    const flags = new Set(end < 0 ? found.argv : found.argv.slice(0, end));
    if (flags.has("--help") || flags.has("-h")) {
      print(`${plain(await renderUsage(found.command, found.parent))}\n`);
    } else if (found.command === fibserver && flags.has("--version")) {
      print(`${version}\n`);
    } else {
      await checkArguments(found);
      await runCommand({ ...found.command, subCommands: {} }, { rawArgs: found.argv });
    }
    return 0;
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): number {
  if (error instanceof FibError) {
    warn(error.message);
    return CODES[error.code].exit;
  }
  // citty's own errors: a positional that is missing.
  if (error instanceof Error && error.name === "CLIError") {
    warn(`${error.message}. See --help`);
    return CODES.bad_argument.exit;
  }
  warn(`${error instanceof Error ? error.stack : String(error)}\nThis is a bug in fibserver.`);
  return CODES.internal.exit;
}

// citty colours its usage whatever it is printed to.
function plain(usage: string): string {
  return process.stdout.isTTY && !process.env["NO_COLOR"] ? usage : Bun.stripANSI(usage);
}
