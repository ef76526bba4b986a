/**
 * From argv to the command that it names, strictly.
 *
 * citty accepts unknown flags, lets the last of two equal flags win, takes `-5` for a
 * flag, and runs a root's `run` beside its subcommand. So the command is found here, its
 * arguments are checked by node:util's parser in its strict mode (the same parser that
 * citty uses), and citty gets one leaf command and arguments that it can only read right.
 * @module
 */
import type { ArgsDef, SubCommandsDef } from "citty";
import { parseArgs } from "node:util";
import { FibError } from "../errors.ts";

/** A command of whatever arguments, as citty types it. */
export type Command = Exclude<SubCommandsDef[string], Promise<unknown> | (() => unknown)>;

/** A command that was found, with what is left of argv for it. */
export interface Found {
  readonly command: Command;
  readonly parent: Command | undefined;
  /** What the user would type for it, such as `fibserver cursor set`. */
  readonly name: string;
  readonly argv: string[];
}

/**
 * Follows subcommand names from the front of argv.
 *
 * @throws {@link FibError} `bad_argument`, when a command needs a subcommand and gets none or another word.
 */
export async function findCommand(root: Command, argv: string[]): Promise<Found> {
  let found: Found = { command: root, parent: undefined, name: "fibserver", argv };
  for (;;) {
    const { command, name } = found;
    const [word = "", ...rest] = found.argv;
    const subCommands = (await resolved(command.subCommands)) ?? {};
    if (!Object.hasOwn(subCommands, word)) {
      if (command.run || found.argv.includes("--help") || word === "-h") return found;
      const names = Object.keys(subCommands);
      throw usageError(name, `it takes ${names.join(", ")}`, `${name} ${nearest(word, names) ?? names[0]}`);
    }
    found = {
      command: (await resolved(subCommands[word]))!,
      parent: command,
      name: `${name} ${word}`,
      argv: rest,
    };
  }
}

/**
 * Refuses what the parser would guess at: unknown and repeated flags, missing and unwanted values.
 *
 * @throws {@link FibError} `bad_argument`, with the line that would have been right.
 */
export async function checkArguments({ command, name, argv }: Found): Promise<void> {
  const definitions = Object.entries<ArgsDef[string]>((await resolved(command.args)) ?? {});
  const flags = definitions.filter(([, definition]) => definition.type !== "positional");
  const positionals = definitions.filter(([, definition]) => definition.type === "positional");
  const takesMany = positionals.some(([, definition]) => definition.valueHint?.endsWith("..."));
  let positionalCount = 0;
  const options = Object.fromEntries(
    flags.map(([flag, { type, ...definition }]) => {
      const short = "alias" in definition ? String(definition.alias) : undefined;
      return [flag, { type: type === "boolean" ? "boolean" : "string", ...(short && { short }) } as const];
    }),
  );
  const given = new Set<string>();
  for (const token of tokenize(name, argv, options)) {
    if (token.kind === "positional" && ++positionalCount > positionals.length && !takesMany) {
      const names = positionals.map(([positional]) => positional.toUpperCase());
      throw usageError(
        name,
        `'${token.value.slice(0, 40)}' is one word too many`,
        [name, ...names].join(" "),
      );
    }
    if (token.kind !== "option") continue;
    if (given.has(token.name)) throw usageError(name, `--${token.name} is given twice`, `${name} --help`);
    given.add(token.name);
  }
}

/** An error in how the command was called; the message ends with the line that would have been right. */
export function usageError(name: string, reason: string, rightLine: string): FibError {
  return new FibError("bad_argument", `Cannot run ${name}: ${reason}. Try: ${rightLine}`);
}

/**
 * The word that was probably meant.
 *
 * @returns undefined when none is within two edits.
 */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const distances = words.map((candidate) => ({ candidate, distance: editDistance(word, candidate) }));
  const best = distances.toSorted((a, b) => a.distance - b.distance)[0];
  return best && best.distance <= 2 ? best.candidate : undefined;
}

type Resolvable<T> = T | Promise<T> | (() => T) | (() => Promise<T>);

async function resolved<T>(value: Resolvable<T>): Promise<T> {
  return typeof value === "function" ? await (value as () => T | Promise<T>)() : await value;
}

type Options = Record<string, { type: "boolean" | "string"; short?: string }>;

function tokenize(name: string, argv: string[], options: Options) {
  try {
    return parseArgs({ args: argv, options, allowPositionals: true, strict: true, tokens: true }).tokens;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const unknown = /Unknown option '(-+[^']*)'/.exec(reason)?.[1];
    if (unknown === undefined)
      throw usageError(name, reason.split("\n")[0]!.replace(/\.$/, ""), `${name} --help`);
    const meant = nearest(unknown.replace(/^-+/, ""), Object.keys(options));
    throw usageError(name, `it knows no ${unknown}`, meant ? `${name} --${meant}` : `${name} --help`);
  }
}

/** @see Levenshtein distance, the two-row form of Wagner and Fischer (1974). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (from[i] === to[j] ? 0 : 1)));
    }
    row = next;
  }
  return row[to.length]!;
}
