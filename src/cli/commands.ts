/**
 * Every command line but the shortest: finds the command, checks its arguments, runs it.
 * @module
 */
import { runCommand } from "citty";
import { checkArguments, findCommand, type Found, isGiven, resolved } from "./arguments.ts";
import { pageOf, renderHelp } from "./help.ts";
import { lineToTry, withLine } from "./hints.ts";
import { print } from "./output.ts";
import { fibserver, printVersion } from "./root.ts";

/** What the scripts of the shells ask; no command, so that no help lists it. */
const COMPLETE = "__complete";

/**
 * Runs what argv says.
 *
 * @param argv - Without the program.
 * @throws {@link FibError} `bad_argument` for what cannot be run, and whatever the command throws.
 */
export async function runCommandLine(argv: readonly string[]): Promise<void> {
  if (argv[0] === COMPLETE) return (await import("./completion/answer.ts")).answer(fibserver, argv.slice(1));
  const found = await findCommand(fibserver, argv);
  if (await isGiven("help", found))
    return print(await renderHelp(found, pageOf(process.stdout, process.env)));
  if (await isGiven("version", found)) return printVersion();
  await checkArguments(found);
  try {
    await runCommand({ ...found.command, subCommands: {} }, { rawArgs: [...found.argv] });
  } catch (error) {
    throw withLine(error, await lineFor(found, error));
  }
}

// An example of the command says more than its help, and is shorter; but where a variable is wrong it would fail, too.
async function lineFor({ command, name }: Found, error: unknown): Promise<string> {
  if (error instanceof Error && /\b(FIBSERVER_[A-Z]|HOME\b)/.test(error.message)) return lineToTry(name);
  const { examples } = (await resolved(command.meta)) ?? {};
  return lineToTry(name, examples?.[0]?.split("  # ")[0]);
}
