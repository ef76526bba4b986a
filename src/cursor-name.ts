/**
 * Names of cursors. A client's own cursor has a name, too, which nobody can ask for.
 * @module
 */
import { FibError } from "./errors.ts";
import { shortened } from "./shell-word.ts";

/** The cursor that is always there. */
export const DEFAULT_NAME = "default";

/** What begins so is a client's own. */
export const CLIENT_PREFIX = "client-";

/** A name, or what one may begin with. Each character is looked at once. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/**
 * Checks a name that somebody has given.
 *
 * @param source - What the error calls it, such as `--cursor`.
 * @throws {@link FibError} `bad_argument`.
 */
export function parseName(text: string, source: string): string {
  const cannot = `Cannot use '${shortened(text)}' for ${source}`;
  if (!NAME.test(text)) {
    const rule = "1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit";
    throw new FibError("bad_argument", `${cannot}: a name has ${rule}, such as alice`);
  }
  if (text.startsWith(CLIENT_PREFIX)) {
    throw new FibError("bad_argument", `${cannot}: names that begin with ${CLIENT_PREFIX} are reserved`);
  }
  return text;
}

/** Says whether a text is a name that somebody may give, or what such names begin with. */
export function isName(text: string): boolean {
  return NAME.test(text) && !isClient(text);
}

/**
 * The name of a client's own cursor.
 *
 * @param secret - What its cookie holds; the name does not lead back to it.
 */
export function clientName(secret: string): string {
  return CLIENT_PREFIX + Bun.SHA256.hash(secret, "base64url");
}

/** Whether a name is a client's own. */
export function isClient(name: string): boolean {
  return name.startsWith(CLIENT_PREFIX);
}
