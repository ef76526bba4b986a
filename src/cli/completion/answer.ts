/**
 * `fibserver __complete SHELL …`: what the script of a shell asks when somebody presses TAB. No word is evaluated.
 *
 * The first line of the answer says what may stand there: `words`, `files` or `folders`, and for zsh what the word begins
 * with that is no part of them (`--format=`). Each other line is a candidate and, behind a tab, what it is.
 * @module
 */
import { shortened, visible } from "../../shell-word.ts";
import type { Command } from "../arguments.ts";
import { print } from "../output.ts";
import { splitLine } from "./bash-line.ts";
import { complete, type Completion } from "./candidates.ts";
import { askNames } from "./names.ts";

/** What no shell has to quote. Names of others may be anything: what is none of ours is not offered. */
const PLAIN = /^[\w.:,=@+/-]+$/;

/**
 * Answers a script. What goes wrong is nobody's business who only types: then there is no answer.
 *
 * @param argv - `bash BREAKS LINE`; `zsh`, `fish` or `kind` with the words, of which the last is being typed. `kind` asks
 * for the first line alone.
 */
export async function answer(root: Command, [shell, ...given]: readonly string[]): Promise<void> {
  try {
    print(shell === "bash" ? await forBash(root, given) : await forOthers(root, shell, given));
  } catch {}
}

async function forBash(root: Command, [breaks = "", line = ""]: readonly string[]): Promise<string> {
  const { words, current, kept, isRedirected } = splitLine(line, breaks);
  if (isRedirected) return "files\n";
  const { kind, head, candidates } = await complete(root, { words: words.slice(1), current }, askNames);
  // Readline finds files by what is behind the last break.
  if (kind !== "words") return kept.startsWith(head) ? `${kind}\n` : "words\n";
  const whole = candidates.map(({ word }) => head + word).filter((word) => word.startsWith(current));
  return linesOf(
    kind,
    whole.map((word) => ({ word: word.slice(kept.length), about: "" })),
  );
}

async function forOthers(root: Command, shell = "", given: readonly string[]): Promise<string> {
  const line = { words: given.slice(0, -1), current: given.at(-1) ?? "" };
  if (shell === "kind") return `${(await complete(root, line, async () => [])).kind}\n`;
  const { kind, head, candidates } = await complete(root, line, askNames);
  if (shell === "zsh") return linesOf(`${kind}\t${head}`, candidates);
  return linesOf(
    kind,
    candidates.map(({ word, about }) => ({ word: head + word, about })),
  );
}

function linesOf(first: string, candidates: Completion["candidates"]): string {
  const lines = candidates
    .filter(({ word }) => PLAIN.test(word))
    .map(({ word, about }) => `${word}\t${told(about)}`);
  return `${[first, ...lines].join("\n")}\n`;
}

// Of others as a whole, and on one line.
function told(about: string): string {
  return visible(about.length > 200 ? shortened(about) : about);
}
