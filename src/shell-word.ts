/**
 * A word that a message asks a person to paste into a shell.
 * @module
 */

/**
 * Quotes a word for a POSIX shell, if it needs it.
 *
 * @param text - A file name, or any other value that does not begin with a dash.
 * @returns One word in one line, whatever the text holds, and no flag; `$'…'` (POSIX 2024) where it holds control
 * characters.
 */
export function shellWord(text: string): string {
  if (text.startsWith("-")) return shellWord(`./${text}`);
  if (/^[\w%+,./:@=-]+$/.test(text)) return text;
  if (!CONTROLS.test(text)) return `'${text.replaceAll("'", String.raw`'\''`)}'`;
  return `$'${visible(text.replaceAll(/[\\']/g, String.raw`\$&`))}'`;
}

/** A text as one line, in which nothing moves a terminal's cursor or changes its colours. */
export function visible(text: string): string {
  return text.replaceAll(new RegExp(CONTROLS, "g"), (character) =>
    Array.from(Buffer.from(character), (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(""),
  );
}

/** Of ASCII, and those that some terminals read in Latin 1. */
const CONTROLS = /[\u0000-\u001F\u007F-\u009F]/;
