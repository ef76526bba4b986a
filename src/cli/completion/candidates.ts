/**
 * What may stand where somebody presses TAB, by the definitions of the commands: the one place that decides it, for all
 * shells.
 * @module
 */
import type { ArgDef, CommandMeta } from "citty";
import {
  argumentsOf,
  type Asked,
  type Command,
  findCommand,
  type Named,
  resolved,
  tokenize,
  valuesOf,
} from "../arguments.ts";
import type { Flags } from "../../config/config.ts";
import { LOCAL_FLAGS } from "../cursor-place.ts";
import type { Apart } from "../help.ts";

/** A word that may stand there, and what it is. */
export interface Candidate {
  readonly word: string;
  readonly about: string;
}

/** What may stand there: words, or what the shell itself finds. */
export interface Completion {
  readonly kind: "words" | "files" | "folders";
  /** What stands before each candidate in the same word, such as `--format=`. */
  readonly head: string;
  readonly candidates: readonly Candidate[];
}

/** A line, taken apart. */
export interface Line {
  /** Behind the name of the program. */
  readonly words: readonly string[];
  /** What has been typed of the word that is looked for. */
  readonly current: string;
}

/**
 * Names that begin with a prefix.
 *
 * @param flags - Those of the line, which say where the names are.
 */
export type Ask = (what: Asked, prefix: string, flags: Flags) => Promise<readonly Candidate[]>;

const NOTHING: Completion = { kind: "words", head: "", candidates: [] };

/** Finds what may stand in the place of the last word of a line. It may be more than what begins as that one. */
export async function complete(root: Command, { words, current }: Line, ask: Ask): Promise<Completion> {
  const { command, argv } = await findCommand(root, words);
  const { flags, positionals } = await argumentsOf(command);
  const meta = (await resolved(command.meta)) ?? {};
  const definitions = new Map(flags);
  const tokens = tokenize(argv, flags);
  const given: Record<string, string | boolean> = {};
  let wordCount = 0;
  for (const token of tokens) {
    if (token.kind === "positional") wordCount++;
    else if (token.kind === "option") given[token.name] = token.value ?? true;
  }
  const excluded = excludedBy(
    [...Object.keys(given), ...positionals.slice(0, wordCount).map(([name]) => name)],
    [...(meta.apart ?? []), [["server"], Object.keys(LOCAL_FLAGS)]],
  );
  const offer = (typed: string) =>
    flagCandidates(
      offered(meta, flags, given, typed).filter(([name]) => !excluded.has(name)),
      given,
      typed,
    );
  const valueOf = (definition: ArgDef, head: string, text: string) =>
    completeValue(definition, { head, text }, (what) => ask(what, text, given));
  const last = tokens.at(-1);
  if (last?.kind === "option" && last.value === undefined) {
    const definition = definitions.get(last.name);
    if (definition !== undefined && definition.type !== "boolean") return valueOf(definition, "", current);
  }
  if (current.startsWith("-") && !tokens.some(({ kind }) => kind === "option-terminator")) {
    const [, head, name, text] = /^(--([^=]+)=)(.*)$/s.exec(current) ?? [];
    if (head === undefined) return offering(offer(current));
    const definition = definitions.get(name!);
    return definition === undefined || definition.type === "boolean"
      ? NOTHING
      : valueOf(definition, head, text!);
  }
  const commands = argv.length === 0 ? await commandCandidates(command) : [];
  const left = positionals.filter(([name]) => !excluded.has(name));
  const position = command.run === undefined ? undefined : positionAt(left, wordCount);
  if (position === undefined) return offering(commands.length > 0 ? commands : offer("--"));
  if (!position.isFirst) return fromHint(position.hint);
  if (valuesOf(position.definition) === "commands")
    return offering(await commandCandidates((await findCommand(root, argv)).command));
  const found = await valueOf(position.definition, "", current);
  return { ...found, candidates: [...commands, ...found.candidates] };
}

function offering(candidates: readonly Candidate[]): Completion {
  return { ...NOTHING, candidates };
}

/** The word that a command takes behind so many; the last of them perhaps again and again. */
function positionAt(positionals: readonly Named[], wordCount: number) {
  const hints = positionals.flatMap(([name, definition]) =>
    (definition.valueHint ?? name).split(" ").map((hint, i) => ({ definition, hint, isFirst: i === 0 })),
  );
  const last = hints.at(-1);
  return hints[wordCount] ?? (last?.hint.endsWith("...") ? last : undefined);
}

async function completeValue(
  definition: ArgDef,
  { head, text }: { readonly head: string; readonly text: string },
  ask: (what: Asked) => Promise<readonly Candidate[]>,
): Promise<Completion> {
  const values = valuesOf(definition);
  if (values === undefined) return { ...fromHint(definition.valueHint), head };
  if (typeof values === "string" && values !== "commands")
    return { kind: "words", head, candidates: await ask(values) };
  const entries = Array.isArray(values)
    ? values.map((word: string) => [word, ""] as const)
    : Object.entries(values as Readonly<Record<string, string>>);
  // What goes on behind a word, such as write:PREFIX, is offered when it is wanted.
  const candidates = entries.map(([word, about]) => ({ word, about }));
  return {
    kind: "words",
    head,
    candidates: candidates.filter(({ word }) => word !== text || !word.endsWith(":")),
  };
}

function fromHint(valueHint: string | undefined): Completion {
  if (valueHint === "FILE" || valueHint === "NEW-FILE") return { ...NOTHING, kind: "files" };
  return valueHint === "DIR" ? { ...NOTHING, kind: "folders" } : NOTHING;
}

async function commandCandidates(command: Command): Promise<Candidate[]> {
  const subCommands = Object.entries(await resolved(command.subCommands ?? {}));
  return Promise.all(
    subCommands.map(async ([word, each]) => {
      const { meta } = await resolved(each);
      return { word, about: (await resolved(meta))?.description ?? "" };
    }),
  );
}

/** What cannot stand beside what is given. */
function excludedBy(given: readonly string[], apart: readonly Apart[]): ReadonlySet<string> {
  const sides = apart.flatMap(([one, other]) => [
    { present: one, refused: other },
    { present: other, refused: one },
  ]);
  return new Set(
    sides.flatMap(({ present, refused }) => (given.some((name) => present.includes(name)) ? refused : [])),
  );
}

/** Flags that the help of another command lists are for those who begin to type their names, or have given one. */
function offered(
  { unlisted = [] }: CommandMeta,
  flags: readonly Named[],
  given: Readonly<Record<string, unknown>>,
  current: string,
): readonly Named[] {
  const isWanted = /^--?[^-]/.test(current) || unlisted.some((name) => Object.hasOwn(given, name));
  return isWanted ? flags : flags.filter(([name]) => !unlisted.includes(name));
}

function flagCandidates(
  flags: readonly Named[],
  given: Readonly<Record<string, unknown>>,
  current: string,
): Candidate[] {
  return flags.flatMap(([name, definition]) => {
    if (Object.hasOwn(given, name)) return [];
    const about = definition.description ?? "";
    const short = "alias" in definition && !current.startsWith("--") ? [`-${String(definition.alias)}`] : [];
    return [...short, `--${name}`].map((word) => ({ word, about }));
  });
}
