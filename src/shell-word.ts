/**
 * Text of others in a message: as a word that a person pastes into a shell, and as a line on a terminal.
 * @module
 */

import { withoutTokens } from "./token.ts";

/** Control characters: of ASCII, and those that some terminals read in Latin 1. */
const CONTROLS = /\p{Cc}/gu;

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
  const line = visible(text);
  if (line === text) return `'${text.replaceAll("'", String.raw`'\''`)}'`;
  return `$'${visible(text.replaceAll(/[\\']/g, String.raw`\$&`))}'`;
}

/** A text as one line, in which nothing moves a terminal's cursor or changes its colours. */
export function visible(text: string): string {
  return text.replaceAll(CONTROLS, (character) =>
    Array.from(Buffer.from(character), (byte) => `\\${byte.toString(8).padStart(3, "0")}`).join(""),
  );
}

/** JSON as one line, of which the same is true: what JSON leaves of the control characters is escaped as the others. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    CONTROLS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The start of a value that may be as long as it likes, and without a token that somebody has put into the wrong place. */
export function shortened(text: string): string {
  const told = withoutTokens(text);
  return told.length > 40 ? `${told.slice(0, 40)}…` : told;
}
