/**
 * The line to try with which an error in the arguments ends. People paste it, so it never moves the cursor and changes
 * nothing: what is not known to be harmless becomes the help.
 * @module
 */
import { FibError } from "../errors.ts";
import { shellWord } from "../shell-word.ts";

/**
 * Lines that nobody regrets to have pasted: none that moves, and none that writes a file, as `c` does where there is no
 * cursor yet. A server has one.
 */
const HARMLESS =
  /^fibserver (?!.* ([np]+|-o|--out)( |=|$))(c --server|help|version|status|fib|lucas|fact|ack|index|zeck|pisano|seq|completion|cursor (inspect|list)|task (list|show|result))( |$)/;

/** Between what is wrong and the line. */
const BEFORE_LINE = ". Try: ";

/**
 * An error in how a command was called.
 *
 * @param name - The command, such as `fibserver cursor set`.
 * @param line - What would have been right; where that would change something, the command's help is tried instead.
 */
export function usageError(name: string, reason: string, line?: string): FibError {
  return withLine(new FibError("bad_argument", `Cannot run ${name}: ${reason}`), lineToTry(name, line));
}

/** A line that would have been right if it changes nothing, else the one that shows the help of the command. */
export function lineToTry(name: string, line = ""): string {
  return HARMLESS.test(line) ? line : name.replace("fibserver", "fibserver help");
}

/**
 * Ends an error in the arguments with a line, unless it has one.
 *
 * @param line - As {@link lineToTry} makes it.
 */
export function withLine<Thrown>(error: Thrown, line: string): Thrown | FibError {
  if (!(error instanceof FibError) || error.code !== "bad_argument") return error;
  if (error.message.includes(BEFORE_LINE)) return error;
  return new FibError("bad_argument", `${error.message}${BEFORE_LINE}${line}`, { cause: error });
}

/** The flag that names a server once more, for a line to paste; without the password that may be in its URL. */
export function serverFlag(server: string | undefined): string {
  if (server === undefined) return "";
  const url = URL.parse(server);
  if (url === null || (url.username === "" && url.password === "")) return ` --server ${shellWord(server)}`;
  url.username = url.password = "";
  return ` --server ${shellWord(url.href)}`;
}
