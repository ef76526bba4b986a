/**
 * One computation as data: what crosses to a worker thread, a queue, another machine.
 * @module
 */
import { type Start, startText } from "./start.ts";

/**
 * A natural number in decimal, without leading zeros: what may have 15,000 digits is read by whoever computes, and
 * nowhere else. To read so many and to write them takes the event loop 0.7 ms.
 */
export type Natural = string;

interface OfIndex<Kind extends string> {
  readonly kind: Kind;
  readonly n: number;
}

/** A number whose digits are counted before it is computed. */
export type NumberJob =
  | OfIndex<"fibonacci">
  | OfIndex<"lucas">
  | OfIndex<"factorial">
  | { readonly kind: "ackermann"; readonly m: bigint; readonly n: bigint };

/** What can be asked for, now or as a task. */
export type Job =
  | NumberJob
  /** How often each digit is in F(n). */
  | OfIndex<"statistics">
  /** F(n) modulo a number. */
  | { readonly kind: "remainder"; readonly n: Natural; readonly mod: Natural }
  /** The Pisano period of m. */
  | { readonly kind: "pisano"; readonly m: bigint };

/** What never takes so long that it would be a task. */
export type ShortInquiry =
  | { readonly kind: "ends"; readonly n: bigint; readonly first: number; readonly last: number }
  | { readonly kind: "zeckendorf"; readonly value: Natural };

/** What is found out about a number, of which the length is not known before. */
export type Inquiry = Exclude<Job, NumberJob> | ShortInquiry;

/**
 * What a thread computes: a number, an inquiry, or where a sequence begins, G(n) and G(n+1) as one text behind the
 * other, which is had in two thirds of the time of two numbers.
 */
export type Computation =
  | NumberJob
  | Inquiry
  | { readonly kind: "pair"; readonly n: number; readonly start?: Start | undefined };

/** A computation of one kind. */
export type OfKind<Kind> = Extract<Computation, { readonly kind: Kind }>;

/** What each job is given, by name, in the order in which it is asked for and written. */
export const JOB_ARGUMENTS = {
  fibonacci: ["n"],
  lucas: ["n"],
  factorial: ["n"],
  ackermann: ["m", "n"],
  remainder: ["n", "mod"],
  statistics: ["n"],
  pisano: ["m"],
} as const satisfies Readonly<Record<Job["kind"], readonly string[]>>;

/** The job of a kind with these arguments, each a {@link Natural}, in the order of {@link JOB_ARGUMENTS}. */
export function jobOf(kind: Job["kind"], [first = "0", second = "0"]: readonly Natural[]): Job {
  switch (kind) {
    case "ackermann":
      return { kind, m: BigInt(first), n: BigInt(second) };
    case "remainder":
      return { kind, n: first, mod: second };
    case "pisano":
      return { kind, m: BigInt(first) };
    default:
      return { kind, n: Number(first) };
  }
}

/** What a computation is given, by name, as text; of a job in the order of {@link JOB_ARGUMENTS}. */
export function argumentsOf(computation: Computation): Record<string, string> {
  const given: Readonly<Record<string, unknown>> = { ...computation };
  const names = isJob(computation) ? JOB_ARGUMENTS[computation.kind] : OTHER_ARGUMENTS[computation.kind];
  return Object.fromEntries(
    names.filter((name) => given[name] !== undefined).map((name) => [name, argumentText(given[name])]),
  );
}

/** The same for what is no job. */
const OTHER_ARGUMENTS: Readonly<Record<Exclude<Computation, Job>["kind"], readonly string[]>> = {
  ends: ["n", "first", "last"],
  zeckendorf: ["value"],
  pair: ["n", "start"],
};

const argumentText = (value: unknown): string =>
  Array.isArray(value) ? startText(value as never) : String(value);

function isJob(computation: Computation): computation is Job {
  return Object.hasOwn(JOB_ARGUMENTS, computation.kind);
}

const NUMBER_KINDS: Readonly<Record<NumberJob["kind"], true>> = {
  fibonacci: true,
  lucas: true,
  factorial: true,
  ackermann: true,
};

/** Whether it is a number, whose length is known to the digit before it is there. */
export function isNumberJob(computation: Computation): computation is NumberJob {
  return Object.hasOwn(NUMBER_KINDS, computation.kind);
}
