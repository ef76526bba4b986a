/**
 * From argv to the command that it names, strictly.
 *
 * citty accepts unknown flags, lets the last of two equal flags win, takes `-5` for a
 * flag, and runs a root's `run` beside its subcommand. So the command is found here, its
 * arguments are checked with the tokens of node:util's parser (the same parser that
 * citty uses), and citty gets one leaf command and arguments that it can only read right.
 * @module
 */
import type { ArgDef, ArgsDef, SubCommandsDef } from "citty";
import { parseArgs } from "node:util";
import { shortened } from "../shell-word.ts";
import type { FibError } from "../errors.ts";
import { lineToTry, usageError } from "./hints.ts";

/** A command of whatever arguments, as citty types it. */
export type Command = Exclude<SubCommandsDef[string], Promise<unknown> | (() => unknown)>;

/**
 * What completion offers for an argument, besides what citty knows of it: `values` of its definition. Files and folders
 * follow from its `valueHint`.
 */
export type Values =
  | readonly string[]
  /** Each with what it means. */
  | Readonly<Record<string, string>>
  | Asked
  /** Names of commands, one below the other. */
  | "commands";

/** Names that a file, a Redis or a server has. */
export type Asked = "cursors" | "removable cursors" | "tasks";

/** A command that was found, with what is left of argv for it. */
export interface Found {
  readonly command: Command;
  /** What the user would type for it, such as `fibserver cursor set`. */
  readonly name: string;
  readonly argv: readonly string[];
}

/** The flags that every command takes. */
export const COMMON_FLAGS = {
  help: { type: "boolean", alias: "h", description: "Show this help" },
  version: { type: "boolean", alias: "V", description: "Show the version" },
} as const;

/** Follows the names of commands from the front of argv, as far as they lead. */
export async function findCommand(root: Command, argv: readonly string[]): Promise<Found> {
  let found: Found = { command: root, name: "fibserver", argv };
  for (;;) {
    const [word = "", ...rest] = found.argv;
    const subCommands = await resolved(found.command.subCommands ?? {});
    if (!Object.hasOwn(subCommands, word)) return found;
    found = { command: await resolved(subCommands[word]!), name: `${found.name} ${word}`, argv: rest };
  }
}

/** Says whether one of {@link COMMON_FLAGS} is among the arguments, whatever else is. */
export async function isGiven(flag: keyof typeof COMMON_FLAGS, { command, argv }: Found): Promise<boolean> {
  const { flags } = await argumentsOf(command);
  return tokenize(argv, flags).some((token) => token.kind === "option" && token.name === flag);
}

/**
 * Refuses what the parser would guess at: unknown and repeated flags, missing and unwanted values and words.
 *
 * @throws {@link FibError} `bad_argument`, with a line to try.
 */
export async function checkArguments({ command, name, argv }: Found): Promise<void> {
  if (command.run === undefined) throw await subCommandMissing(command, name, argv);
  const { flags, positionals } = await argumentsOf(command);
  const names = new Map(flags);
  const refuse = (reason: string) => usageError(name, reason);
  const takesMany = positionals.some(([, { valueHint }]) => valueHint?.endsWith("..."));
  const given = new Set<string>();
  let wordCount = 0;
  for (const token of tokenize(argv, flags)) {
    if (token.kind === "positional") {
      if (++wordCount <= positionals.length || takesMany) continue;
      const instead = (await resolved(command.meta))?.wordsInstead;
      const reason = `'${shortened(token.value)}' is one word too many; it takes ${synopsis(positionals) || "none"}`;
      throw refuse(instead === undefined ? reason : `${reason}: ${instead}`);
    }
    if (token.kind !== "option") continue;
    const flag = names.get(token.name);
    const { rawName, value } = token;
    if (flag === undefined) {
      const instead = (await resolved(command.meta))?.misplaced?.[token.name];
      throw refuse(
        instead === undefined
          ? unknownFlag(rawName, argv[token.index]!, flags, positionals)
          : `it knows no ${rawName}: ${instead}`,
      );
    }
    if (given.has(token.name)) throw refuse(`--${token.name} is given twice`);
    given.add(token.name);
    if (flag.type === "boolean" && value !== undefined) throw refuse(`${rawName} takes no value`);
    if (flag.type !== "boolean" && rawName.length === 2 && token.inlineValue && value?.startsWith("="))
      throw refuse(`${rawName} takes a value: ${rawName} ${shortened(value.slice(1))}`);
    if (flag.type !== "boolean" && (value === undefined || (!token.inlineValue && /^-./.test(value)))) {
      const takes = `${rawName} takes a value, ${flag.valueHint ?? "TEXT"}`;
      if (value === undefined) throw refuse(takes);
      // Files alone have such names.
      if (flag.valueHint !== "FILE" && /^-\d/.test(value)) throw refuse(`${takes}, and ${noNumber(value)}`);
      throw refuse(`${takes}; one that begins with a dash: --${token.name}=${shortened(value)}`);
    }
  }
  const missing = positionals.filter(([, { required }]) => required).slice(wordCount);
  if (missing.length > 0) throw refuse(`${synopsis(missing)} is missing`);
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

/** An argument with its name. */
export type Named = readonly [name: string, definition: ArgDef];

/** What a command takes, apart: flags, with those that all take, and words in their order. */
export async function argumentsOf(command: Command): Promise<{ flags: Named[]; positionals: Named[] }> {
  const all = Object.entries({ ...(await resolved<ArgsDef>(command.args ?? {})), ...COMMON_FLAGS });
  const isWord = ([, { type }]: Named) => type === "positional";
  return { flags: all.filter((each) => !isWord(each)), positionals: all.filter(isWord) };
}

/** The `values` of a definition. */
export function valuesOf(definition: ArgDef): Values | undefined {
  return "values" in definition ? (definition.values as Values) : undefined;
}

/** The words that a command takes, as its usage names them: `M N`. One that it misses itself has `isNeeded`. */
export function synopsis(positionals: readonly Named[]): string {
  return positionals
    .map(([name, { valueHint = name.toUpperCase(), required, ...more }]) =>
      required || "isNeeded" in more ? valueHint : `[${valueHint}]`,
    )
    .join(" ");
}

type Resolvable<T> = T | Promise<T> | (() => T | Promise<T>);

/** What citty allows to be given later. */
export async function resolved<T>(value: Resolvable<T>): Promise<T> {
  return typeof value === "function" ? await (value as () => T | Promise<T>)() : await value;
}

async function subCommandMissing(command: Command, name: string, argv: readonly string[]): Promise<FibError> {
  const names = Object.keys(await resolved(command.subCommands ?? {}));
  const { otherNames = {}, wordsInstead } = (await resolved(command.meta)) ?? {};
  const [word] = argv;
  const meant = word === undefined ? undefined : meantBy(word, names, otherNames);
  if (meant !== undefined)
    return usageError(
      name,
      `it knows no '${shortened(word!)}' (did you mean ${meant}?)`,
      `${lineToTry(name)} ${meant}`,
    );
  const instead = wordsInstead === undefined || word?.startsWith("-") !== false ? "" : `; ${wordsInstead}`;
  return usageError(name, `it takes ${names.join(", ")}${instead}`);
}

function meantBy(word: string, names: string[], otherNames: Readonly<Record<string, string>>) {
  return Object.hasOwn(otherNames, word) ? otherNames[word] : nearest(word, names);
}

function unknownFlag(
  rawName: string,
  word: string,
  flags: readonly Named[],
  positionals: readonly Named[],
): string {
  if (/^-\d/.test(word) && positionals.length > 0) return noNumber(word);
  const names = flags.map(([name]) => name);
  const meant = rawName.startsWith("--") ? nearest(rawName.slice(2), names) : undefined;
  return `it knows no ${shortened(rawName)}${meant === undefined ? "" : ` (did you mean --${meant}?)`}`;
}

function noNumber(word: string): string {
  return `'${shortened(word)}' begins with a dash, as flags do; a number is a whole number from 0`;
}

/** The tokens of node:util's parser. Not in its strict mode, whose errors are about node:util: what is wrong is found in them. */
export function tokenize(argv: readonly string[], flags: readonly Named[]) {
  const options = Object.fromEntries(
    flags.map(([name, { type, ...definition }]) => {
      const short = "alias" in definition ? String(definition.alias) : undefined;
      return [name, { type: type === "boolean" ? "boolean" : "string", ...(short && { short }) } as const];
    }),
  );
  return parseArgs({ args: [...argv], options, allowPositionals: true, strict: false, tokens: true }).tokens;
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
