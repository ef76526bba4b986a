/**
 * Every command line but the shortest: finds the command, checks its arguments, runs it.
 * @module
 */
import { renderUsage, runCommand } from "citty";
import { version } from "../../package.json";
import { FibError } from "../errors.ts";
import { checkArguments, findCommand } from "./arguments.ts";
import { print } from "./output.ts";
import { fibserver } from "./root.ts";

/**
 * Runs what argv says.
 *
 * @param argv - Without the program.
 * @throws {@link FibError} `bad_argument` for what cannot be run, and whatever the command throws.
 */
export async function runCommandLine(argv: string[]): Promise<void> {
  const found = await findCommand(fibserver, argv);
  const end = found.argv.indexOf("--");
  const flags = new Set(end < 0 ? found.argv : found.argv.slice(0, end));
  if (flags.has("--help") || flags.has("-h")) {
    return print(`${plain(await renderUsage(found.command, found.parent))}\n`);
  }
  if (found.command === fibserver && flags.has("--version")) return print(`${version}\n`);
  await checkArguments(found);
  try {
    await runCommand({ ...found.command, subCommands: {} }, { rawArgs: found.argv });
  } catch (error) {
    // citty's own: a positional that is missing.
    if (!(error instanceof Error) || error.name !== "CLIError") throw error;
    throw new FibError("bad_argument", `${error.message}. Try: ${found.name} --help`, { cause: error });
  }
}

// citty colours its usage whatever it is printed to.
function plain(usage: string): string {
  return process.stdout.isTTY && !process.env["NO_COLOR"] ? usage : Bun.stripANSI(usage);
}
