/**
 * The kinds of numbers that the page knows, for Numbers and for Tasks: what each takes, what it is called as a formula and as
 * a file, where the server has it, and whether that is known to be long before it is computed.
 * @module
 */
import type { Computation, TaskStatus } from "@fibserver/client";
import { digitsOf, type Field, named, readTyped } from "./typed.ts";

/** Each is called as in an address, and as the task that computes it. */
export type KindName = TaskStatus["kind"] | "zeckendorf";

interface Argument extends Field {
  /** In a task, where that calls it otherwise. */
  readonly key?: string;
}

interface Kind {
  /** In a list to choose from, as a formula. */
  readonly label: string;
  readonly fields: readonly Argument[];
  /** What one of them is called, as a formula. */
  readonly title: (...numbers: string[]) => string;
  /** What the inputs of Numbers hold at first; without, it is for Tasks alone. */
  readonly typed?: readonly string[];
  /** A HEAD tells how many digits it has. */
  readonly isSized?: true;
  /** What is known of it otherwise. */
  readonly note?: string;
  /** Where its digits are, unless its name leads there. */
  readonly path?: (...digits: string[]) => string;
  readonly isNoTask?: true;
}

/** The kinds, in their order. */
export const KINDS: Readonly<Record<KindName, Kind>> = {
  fibonacci: {
    label: "F(n)",
    fields: [natural("n", 1000)],
    title: (n) => `F(${n})`,
    typed: ["100 000"],
    isSized: true,
  },
  lucas: {
    label: "L(n)",
    fields: [natural("n")],
    title: (n) => `L(${n})`,
    typed: ["1 000"],
    isSized: true,
  },
  factorial: {
    label: "n!",
    fields: [natural("n")],
    title: (n) => (n.includes("^") ? `(${n})!` : `${n}!`),
    typed: ["1 000"],
    isSized: true,
  },
  ackermann: {
    label: "A(m, n)",
    fields: [natural("m"), natural("n")],
    title: (m, n) => `A(${m}, ${n})`,
    typed: ["4", "2"],
    isSized: true,
  },
  remainder: {
    label: "F(n) mod m",
    // Together as long as an address may be.
    fields: [natural("n", 14_000), { ...natural("m", 14_000), from: 1, key: "mod" }],
    title: (n, m) => `F(${n}) mod ${m}`,
    typed: ["10^100", "1 000 000 007"],
    note: "What is left of it; n may have thousands of digits",
    path: (n, m) => `fibonacci/${n}?mod=${m}&`,
  },
  zeckendorf: {
    label: "Zeckendorf",
    fields: [natural("n", 10_000)],
    title: (n) => n,
    typed: ["1 000 000"],
    note: "As a sum of Fibonacci numbers, no two of them neighbours",
    isNoTask: true,
  },
  pisano: {
    label: "Pisano",
    fields: [{ ...natural("m"), from: 1 }],
    title: (m) => `Period of F(n) mod ${m}`,
    typed: ["1 000"],
    note: "After how many terms F(n) mod m begins anew",
  },
  statistics: {
    label: "Digits of F(n)",
    fields: [natural("n")],
    title: (n) => `Digits of F(${n})`,
  },
  sequence: {
    label: "Terms of F",
    fields: [natural("from"), { ...natural("count"), from: 1 }],
    title: (first, last, start) =>
      start === undefined
        ? `F(${first}) to F(${last})`
        : `Terms ${first} to ${last} of ${start.replace(",", ", ")}, …`,
  },
};

const KIND_NAMES = Object.keys(KINDS) as readonly KindName[];

/** Those of Numbers. */
export const NUMBER_KINDS = KIND_NAMES.filter((name) => KINDS[name].typed !== undefined);

/** Those of Tasks. */
export const TASK_KINDS = KIND_NAMES.filter((name) => KINDS[name].isNoTask !== true);

/** A number that is asked for. */
export interface Asked {
  readonly kind: KindName;
  /** As {@link readTyped} reads them. */
  readonly numbers: readonly string[];
}

/** What was typed, if it is right; else what is wrong, for each input. */
export function readAsked(
  kind: KindName,
  typed: readonly string[],
): { readonly asked: Asked } | { readonly wrong: readonly (string | undefined)[] } {
  const read = KINDS[kind].fields.map((field, i) => readTyped(typed[i] ?? "", field));
  const numbers = read.flatMap((each) => ("number" in each ? [each.number] : []));
  if (numbers.length === read.length) return { asked: { kind, numbers } };
  return { wrong: read.map((each) => ("wrong" in each ? each.wrong : undefined)) };
}

/** What a task computes. */
export function askedOf(task: TaskStatus): Asked {
  const { kind } = task;
  const given = task as unknown as Readonly<Record<string, string>>;
  return { kind, numbers: KINDS[kind].fields.map(({ name, key = name }) => given[key] ?? "") };
}

/** What a task is asked to compute. */
export function computationOf({ kind, numbers }: Asked): Computation {
  const given = KINDS[kind].fields.map(({ name, key = name }, i) => [key, BigInt(digitsOf(numbers[i]!))]);
  return { kind, ...Object.fromEntries(given) } as Computation;
}

/** What it is called, long numbers folded; of terms the last is named in the place of their count. */
export function titleOf({ kind, numbers }: Asked, start?: string): string {
  const [from = "", count = ""] = numbers;
  const shown = kind === "sequence" ? [from, String(BigInt(from) + BigInt(count) - 1n)] : numbers;
  return KINDS[kind].title(...shown.map(named), ...(start === undefined ? [] : [start]));
}

/** What a task is called. */
export function taskTitle(task: TaskStatus): string {
  return titleOf(askedOf(task), task.start);
}

/** Where its digits are. */
export function pathOf({ kind, numbers }: Asked): string {
  const { path = (...digits) => `${[kind, ...digits].join("/")}?` } = KINDS[kind];
  return `v1/${path(...numbers.map(digitsOf))}format=text`;
}

/** More digits are folded in the name of a file. */
const FILE_DIGITS_MAX = 18;
const END_DIGITS = 6;

/** A name for a file of digits, without what a file system or a shell minds: `fibonacci-1000.txt`. */
export function fileOf({ kind, numbers }: Asked): string {
  const shortened = numbers
    .map(digitsOf)
    .map((text) =>
      text.length > FILE_DIGITS_MAX ? `${text.slice(0, END_DIGITS)}..${text.slice(-END_DIGITS)}` : text,
    );
  return `${[kind, ...shortened].join("-")}.txt`;
}

function natural(name: string, digitsMax = 128): Argument {
  return { name, digitsMax, from: 0 };
}
