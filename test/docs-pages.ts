/**
 * The pages that tell of the program, and what in them can be run: fenced blocks, and the commands in those.
 * @module
 */
import fs from "node:fs";
import path from "node:path";

const ROOT = path.resolve(import.meta.dir, "..");

/** Pages at the root, the client's, and all of `docs/`, by their paths in the repository. */
export const PAGES: readonly string[] = [
  "README.md",
  "CHANGELOG.md",
  "ARCHITECTURE.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  ...Array.from(new Bun.Glob("docs/**/*.md").scanSync(ROOT)).toSorted(),
  "packages/client/README.md",
];

/** A fenced block of a page. */
export interface Block {
  /** The number of its first line in the page, from 1 on. */
  readonly line: number;
  /** The word behind the fence. */
  readonly kind: string;
  readonly text: string;
}

/** Something to type, as a page shows it. */
export interface Command {
  /** Where it is, such as `docs/http.md:12`. */
  readonly at: string;
  readonly text: string;
  /** What it prints, and says on stderr; undefined where the page does not show it. */
  readonly expected: string | undefined;
}

/** The text of a page. */
export function textOf(page: string): string {
  return fs.readFileSync(path.join(ROOT, page), "utf8");
}

/** The lines of a page. */
export function linesOf(page: string): string[] {
  return textOf(page).split("\n");
}

/** The fenced blocks of a page. @throws {@link Error} for a fence that nothing closes. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; kind: string; lines: string[] } | undefined;
  for (const [number, line] of linesOf(page).entries()) {
    const fence = /^ *```(.*)$/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === undefined) open = { line: number + 2, kind: fence[1]!, lines: [] };
    else {
      blocks.push({ line: open.line, kind: open.kind, text: open.lines.join("\n") });
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`${page}:${open.line}: nothing closes this block`);
  return blocks;
}

/**
 * The commands in the blocks of a page, in their order: of `sh` each line, of `console` each line behind `$ `, with
 * what follows as its output. A line that ends with a backslash goes on.
 */
export function commandsOf(page: string): Command[] {
  return blocksOf(page).flatMap(({ line, kind, text }) => {
    if (kind !== "sh" && kind !== "console") return [];
    const commands: { at: string; text: string; output: string[] | undefined }[] = [];
    let goesOn = false;
    for (const [number, content] of text.split("\n").entries()) {
      const last = commands.at(-1);
      const typed = kind === "sh" ? content : /^\$ (.*)$/.exec(content)?.[1];
      if (goesOn && last !== undefined) last.text += `\n${content}`;
      else if (typed === undefined) last?.output?.push(content);
      else if (/^ *(#|$)/.test(typed)) continue;
      else {
        const output = kind === "sh" ? undefined : [];
        commands.push({ at: `${page}:${line + number}`, text: typed, output });
      }
      goesOn = (typed !== undefined || goesOn) && content.endsWith("\\");
    }
    return commands.map(({ at, text: typed, output }) => ({ at, text: typed, expected: output?.join("\n") }));
  });
}

/** Whether an output is what a page shows: `…` stands for anything in a line, and alone in one for any lines. */
export function isShown(output: string, shown: string): boolean {
  const pattern = shown.split("\n").map((line) =>
    line === "…"
      ? "(?:.*\n)*"
      : `${line
          .split("…")
          .map((words) => RegExp.escape(words))
          .join(".*")}\n`,
  );
  return new RegExp(`^${pattern.join("")}$`).test(`${output}\n`);
}
