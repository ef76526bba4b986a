/**
 * The help of a command, from its definition.
 *
 * citty's own is as wide as its longest line, ends lines with spaces, knows neither groups
 * nor examples, and leaves the program out of the usage of a subcommand.
 * @module
 */
import type { ArgDef } from "citty";
import { argumentsOf, type Command, type Found, type Named, resolved, synopsis } from "./arguments.ts";
import {
  CURSOR_FLAGS,
  CURSORS_FLAGS,
  LIMIT_FLAGS,
  NAME_FLAGS,
  PROCESS_FLAGS,
  REDIS_FLAGS,
  SERVER_FLAGS,
  TASK_FLAGS,
  METRICS_FLAGS,
} from "./flags.ts";

/** Names of arguments, and of those that none of them can stand beside. */
export type Apart = readonly [readonly string[], readonly string[]];

declare module "citty" {
  /** What a command's help needs besides its description. */
  interface CommandMeta {
    /** Lines to paste, each perhaps with a comment behind `  # `. An error suggests the first if that changes nothing. */
    examples?: readonly string[];
    /** How it is called, where that is not its name, its options and its words. */
    usage?: readonly (readonly [line: string, what: string])[];
    /** Its subcommands by title. */
    groups?: Readonly<Record<string, readonly string[]>>;
    /** Its subcommands by other names for them. */
    otherNames?: Readonly<Record<string, string>>;
    /** Arguments that it refuses beside those of the other list, in pairs: completion offers none of those. */
    apart?: readonly Apart[];
    /** Flags that it takes and that the help of another command lists. */
    unlisted?: readonly string[];
    /** Flags of other commands that are looked for here, and what to do instead. */
    misplaced?: Readonly<Record<string, string>>;
    /** What to do in the place of a word that it does not take. */
    wordsInstead?: string;
    /** What else there is to know, at the end. */
    notes?: string;
  }
}

/** Titles of flags; what is in none of them stands under Options. */
const FLAG_GROUPS: Readonly<Record<string, Readonly<Record<string, ArgDef>>>> = {
  Cursor: { ...CURSOR_FLAGS, ...NAME_FLAGS },
  Server: SERVER_FLAGS,
  Limits: LIMIT_FLAGS,
  "Cursors with names": CURSORS_FLAGS,
  Tasks: TASK_FLAGS,
  Sharing: REDIS_FLAGS,
  Watching: METRICS_FLAGS,
  Process: PROCESS_FLAGS,
};

const COLUMNS_MAX = 80;
/** Narrower than this nothing is readable, and the terminal may wrap as it likes. */
const COLUMNS_MIN = 40;
/** What is explained has this much room beside the explanation; what is longer has a line of its own. */
const TERM_COLUMNS_MAX = 30;

/** How something is printed. */
export interface Page {
  readonly columns: number;
  /** Titles may be bold. */
  readonly styled: boolean;
}

/** The page that standard output is: plain in a pipe, on a dumb terminal, and for those who want no colours. */
export function pageOf({ isTTY, columns }: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Page {
  return {
    columns: Math.max(COLUMNS_MIN, Math.min(COLUMNS_MAX, columns || COLUMNS_MAX)),
    styled: isTTY && !env["NO_COLOR"] && env["TERM"] !== "dumb",
  };
}

/** The help of a command, ending with a newline. */
export async function renderHelp({ command, name }: Omit<Found, "argv">, page: Page): Promise<string> {
  const meta = (await resolved(command.meta)) ?? {};
  const { flags, positionals } = await argumentsOf(command);
  const words = command.run === undefined ? "COMMAND" : synopsis(positionals);
  const usage = meta.usage ?? [[[name, words, "[OPTIONS]"].filter((part) => part !== "").join(" "), ""]];
  const described = positionals.filter(([, { description }]) => description !== undefined);
  const listed = flags.filter(([flag]) => !meta.unlisted?.includes(flag));
  const sections: [title: string, lines: string[]][] = [
    ["Usage", table(usage, page)],
    [
      "Arguments",
      table(
        described.map((each) => [synopsis([each]), each[1].description!]),
        page,
      ),
    ],
    ...(await commandSections(command, page)),
    ...flagSections(listed, page),
    ["Examples", (meta.examples ?? []).flatMap((line) => example(line, page))],
  ];
  const parts = sections
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => [page.styled ? `\u001B[1m${title}\u001B[22m` : title, ...lines].join("\n"));
  const notes = meta.notes === undefined ? [] : [wrap(meta.notes, page.columns).join("\n")];
  return `${[wrap(`${meta.description}.`, page.columns).join("\n"), ...parts, ...notes].join("\n\n")}\n`;
}

async function commandSections(command: Command, page: Page): Promise<[string, string[]][]> {
  const subCommands = await resolved(command.subCommands ?? {});
  const groups = (await resolved(command.meta))?.groups ?? { Commands: Object.keys(subCommands) };
  return Promise.all(
    Object.entries(groups).map(async ([title, names]): Promise<[string, string[]]> => {
      const rows = names.map(async (name): Promise<[string, string]> => {
        const each = await resolved(subCommands[name]!);
        const { positionals } = await argumentsOf(each);
        return [`${name} ${synopsis(positionals)}`.trimEnd(), (await resolved(each.meta))?.description ?? ""];
      });
      return [title, table(await Promise.all(rows), page)];
    }),
  );
}

function flagSections(flags: readonly Named[], page: Page): [string, string[]][] {
  const titles = [...Object.keys(FLAG_GROUPS), "Options"];
  const titleOf = (name: string) =>
    titles.find((title) => Object.hasOwn(FLAG_GROUPS[title] ?? {}, name)) ?? "Options";
  return titles.map((title) => {
    const rows = flags
      .filter(([name]) => titleOf(name) === title)
      .map(([name, definition]): [string, string] => [
        flagTerm(name, definition),
        definition.description ?? "",
      ]);
    return [title, table(rows, page)];
  });
}

function flagTerm(name: string, { valueHint, ...definition }: ArgDef): string {
  const short = "alias" in definition ? `-${String(definition.alias)}, ` : "    ";
  return `${short}--${name}${valueHint === undefined ? "" : ` ${valueHint}`}`;
}

function table(rows: readonly (readonly [term: string, description: string])[], { columns }: Page): string[] {
  const lengths = rows.map(([term]) => term.length).filter((length) => length <= TERM_COLUMNS_MAX);
  const indent = columns < 2 * TERM_COLUMNS_MAX ? 6 : Math.max(2, ...lengths) + 4;
  return rows.flatMap(([term, description]) => {
    const [first = "", ...rest] = wrap(description, columns - indent).map(
      (line) => " ".repeat(indent) + line,
    );
    const isBeside = term.length + 4 <= indent;
    const head = isBeside ? [`  ${term}`.padEnd(indent) + first.slice(indent)] : [`  ${term}`, first];
    return [...head, ...rest].map((line) => line.trimEnd()).filter((line) => line !== "");
  });
}

// A line stays whole, so that it can be pasted; where it leaves no room its comment goes below.
function example(text: string, { columns }: Page): string[] {
  const [line = "", comment] = text.split("  # ");
  if (comment === undefined) return [`  ${line}`];
  const whole = `  ${line}  # ${comment}`;
  return whole.length <= columns
    ? [whole]
    : [`  ${line}`, ...wrap(comment, columns - 6).map((part) => `    # ${part}`)];
}

/** A text in lines, between words. */
export function wrap(text: string, columns: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1)!;
    if (last !== "" && last.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}
