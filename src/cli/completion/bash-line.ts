/**
 * A line of bash, taken apart as bash would, and nothing in it run: `$(…)`, backticks and `$NAME` are the characters that
 * they are.
 *
 * Bash hands its completions the words as they were typed, with their quotes, and cut at the characters of
 * COMP_WORDBREAKS, also where those belong to a word (`--format=json`, `write:team-`). Only the line itself tells.
 * @module
 */

/** A line up to the cursor. */
export interface BashLine {
  /** What is complete, without the redirections. */
  readonly words: readonly string[];
  /** What is being typed. */
  readonly current: string;
  /** What of it bash leaves alone: it replaces only what stands behind the last of its breaks. */
  readonly kept: string;
  /** Whether it names the file of a redirection. */
  readonly isRedirected: boolean;
}

/**
 * Takes a line apart.
 *
 * @param line - A simple command, up to the cursor.
 * @param breaks - COMP_WORDBREAKS.
 */
export function splitLine(line: string, breaks: string): BashLine {
  const words: string[] = [];
  let word: string | undefined;
  let keptLength = 0;
  let quote = "";
  let isRedirected = false;
  const end = () => {
    if (word !== undefined && !isRedirected) words.push(word);
    if (word !== undefined) isRedirected = false;
    word = undefined;
    keptLength = 0;
  };
  for (let i = 0; i < line.length; i++) {
    const character = line[i]!;
    if (quote === "'" || (quote === '"' && character !== '"' && character !== "\\")) {
      if (character === quote) quote = "";
      else word += character;
    } else if (character === "\\") {
      const next = line[++i] ?? "";
      // Between double quotes it quotes these alone.
      word = (word ?? "") + (quote === "" || /["\\$`]/.test(next) ? next : `\\${next}`);
    } else if (character === quote) {
      quote = "";
    } else if (character === "'" || character === '"') {
      word ??= "";
      quote = character;
    } else if (/\s/.test(character)) {
      end();
    } else if (character === "<" || character === ">") {
      // The number of a descriptor is no word.
      if (word !== undefined && /^\d+$/.test(word)) word = undefined;
      end();
      isRedirected = true;
      while (/[<>&|]/.test(line[i + 1] ?? "")) i++;
    } else {
      word = (word ?? "") + character;
      if (breaks.includes(character)) keptLength = word.length;
    }
  }
  const current = word ?? "";
  return { words, current, kept: current.slice(0, keptLength), isRedirected };
}
