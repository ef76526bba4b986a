/**
 * Text in mdoc, the language of manual pages.
 * @see mdoc(7), mandoc_char(7)
 * @module
 */
import { wrap } from "../../src/cli/help.ts";

const COLUMNS = 78;

/** What mdoc and roff would read as something else. */
const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\e",
  "-": "\\-",
  "^": "\\(ha",
  "~": "\\(ti",
  "`": "\\(ga",
  "'": "\\(aq",
  '"': "\\(dq",
  "…": "...",
};

/** Text that is shown to the letter. */
export function literal(text: string): string {
  return text
    .replaceAll(/[\\^~`'"…-]/g, (character) => ESCAPES[character]!)
    .replaceAll(
      /[^ -~]/gu,
      (character) => `\\[u${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`,
    );
}

/** An argument of a macro, which is none itself, whatever it looks like. */
export function argument(text: string): string {
  return text
    .split(" ")
    .map((word) => `\\&${literal(word)}`)
    .join(" ");
}

/** Sentences, each on a line of its own, as mdoc wants it; none is a macro. */
export function prose(text: string): string[] {
  return text
    .split(/(?<=[.!?]) (?=[A-Z])/)
    .flatMap((sentence) => wrap(literal(sentence), COLUMNS))
    .map((line) => line.replace(/^(?=\.)/, "\\&"));
}

/** A list of terms, each a line of macros, with what they mean. */
export function tagged(rows: readonly (readonly [term: string, lines: readonly string[]])[]): string[] {
  if (rows.length === 0) return [];
  return [".Bl -tag -width Ds", ...rows.flatMap(([term, lines]) => [`.It ${term}`, ...lines]), ".El"];
}

/** Lines to paste, each below what it does. */
export function examples(lines: readonly string[]): string[] {
  return lines.flatMap((text) => {
    const [line = "", comment] = text.split("  # ");
    const above =
      comment === undefined ? [".Pp"] : [".Pp", ...prose(`${comment[0]!.toUpperCase()}${comment.slice(1)}:`)];
    return [...above, `.Dl ${argument(line)}`];
  });
}
