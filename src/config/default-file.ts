/**
 * Where the cursor is when nobody says so.
 * @see https://specifications.freedesktop.org/basedir-spec/latest/
 * @module
 */
import { FibError } from "../errors.ts";

/**
 * The file of those who name none.
 *
 * @throws {@link FibError} `bad_argument`, when there is no place for it.
 */
export function defaultFile(env: Readonly<Record<string, string | undefined>>): string {
  const home = absolute(env["HOME"]);
  const stateFolder = absolute(env["XDG_STATE_HOME"]) ?? (home && within(home, ".local/state"));
  if (stateFolder) return within(stateFolder, "fibserver/cursor");
  throw new FibError(
    "bad_argument",
    "Cannot find a place for the cursor: HOME is no absolute path; set it, or name a file with -f FILE",
  );
}

function within(folder: string, name: string): string {
  return folder.endsWith("/") ? `${folder}${name}` : `${folder}/${name}`;
}

// The XDG specification says that a relative path is to be ignored: the cursor would depend on the current folder.
function absolute(folder = ""): string | undefined {
  if (!folder.startsWith("/")) return undefined;
  // node:path takes 0.3 ms to load.
  const isPlain = !folder.includes("/.") && !folder.includes("//");
  return isPlain ? folder : process.getBuiltinModule("node:path").normalize(folder);
}
