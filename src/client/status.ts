/**
 * What a task can be, as it goes to the server and comes back.
 * @module
 */
import { isCount, isTime } from "./checks.ts";
import { isDigits } from "./digits.ts";
import { FibClientError } from "./error.ts";
import type { SequenceStart } from "./forms.ts";
import { chosen, natural, shown, startOf } from "./limits.ts";
import type { Output } from "./routes.ts";

/** What a task can compute. */
export type Computation =
  | { readonly kind: "fibonacci" | "lucas" | "factorial" | "statistics"; readonly n: number | bigint }
  | { readonly kind: "remainder"; readonly n: number | bigint; readonly mod: number | bigint }
  | { readonly kind: "pisano"; readonly m: number | bigint }
  | { readonly kind: "ackermann"; readonly m: number | bigint; readonly n: number | bigint }
  | {
      readonly kind: "sequence";
      readonly from?: number | bigint;
      readonly count: number | bigint;
      /** The first two terms, in the place of 0 and 1. */
      readonly start?: SequenceStart | undefined;
    };

/** A task as the server shows it; times as RFC 3339, big integers as text. */
export interface TaskStatus {
  readonly id: string;
  readonly kind: Computation["kind"];
  readonly m?: string;
  readonly n?: string;
  readonly mod?: string;
  readonly from?: string;
  readonly count?: string;
  /** Of another sequence than Fibonacci's, such as `2,1`. */
  readonly start?: string;
  readonly state: "queued" | "running" | "ready" | "failed" | "cancelled";
  /** From 0 to 1. */
  readonly progress: number;
  /** Of a number. */
  readonly digits?: number;
  /** Of a sequence as text. */
  readonly bytes?: number;
  /** How often it was begun. */
  readonly attempts: number;
  /** How often it was asked for while it waited or ran; {@link Task.events} brings no news of that alone. */
  readonly requests: number;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  /** When it is forgotten. */
  readonly expiresAt?: string;
  /** Why it failed. */
  readonly reason?: string;
}

/** What each kind takes. */
const FIELDS: Readonly<Record<Computation["kind"], readonly string[]>> = {
  fibonacci: ["n"],
  lucas: ["n"],
  factorial: ["n"],
  statistics: ["n"],
  remainder: ["n", "mod"],
  pisano: ["m"],
  ackermann: ["m", "n"],
  sequence: ["from", "count"],
};

const ARGUMENT_DIGITS_MAX = 100_000;

/** What need not be given. */
const DEFAULTS: Readonly<Record<string, number>> = { from: 0 };

/** The start that is never named. */
const FIBONACCI = "0,1";

/** A computation as the server takes it. @throws TypeError, RangeError for what is none. */
export function bodyOf(computation: Computation): Readonly<Record<string, string>> {
  // Of what is no object it says what kind it takes.
  const { kind } = Object(computation) as Computation;
  const given: Readonly<Record<string, unknown>> = { ...computation };
  const fields = chosen(FIELDS, kind, "kind").map((name) => [
    name,
    natural((given[name] ?? DEFAULTS[name]) as number, name),
  ]);
  const start = kind === "sequence" ? (given["start"] as SequenceStart | undefined) : undefined;
  const begins = start === undefined ? FIBONACCI : startOf(start);
  return {
    kind,
    ...(Object.fromEntries(fields) as Record<string, string>),
    ...(begins !== FIBONACCI && { start: begins }),
  };
}

/** Each state, and whether nothing changes any more. */
export const IS_FINISHED: Readonly<Record<TaskStatus["state"], boolean>> = {
  queued: false,
  running: false,
  ready: true,
  failed: true,
  cancelled: true,
};

/** Nothing changes any more. */
export function isFinished({ state }: TaskStatus): boolean {
  return IS_FINISHED[state];
}

/** What the server's routes say of a task is what {@link TaskStatus} promises, or this does not compile. */
type Promised<Status extends { [Name in keyof TaskStatus]: TaskStatus[Name] | undefined }> = Status;

/** What {@link TaskStatus} promises of each field. */
const IS_RIGHT: { readonly [Name in keyof TaskStatus]-?: (value: unknown) => boolean } = {
  // As a part of a path, and as a word in a shell.
  id: (value) => typeof value === "string" && /^\w[\w-]{0,99}$/.test(value),
  kind: isKeyOf(FIELDS),
  m: isArgument,
  n: isArgument,
  mod: isArgument,
  from: isArgument,
  count: isArgument,
  start: (value) => typeof value === "string" && /^\d+,\d+$/.test(value),
  state: isKeyOf(IS_FINISHED),
  progress: (value) => typeof value === "number" && value >= 0 && value <= 1,
  digits: isCount,
  bytes: isCount,
  attempts: isCount,
  requests: isCount,
  createdAt: isTime,
  startedAt: isTime,
  finishedAt: isTime,
  expiresAt: isTime,
  reason: (value) => typeof value === "string",
};

/** What is known of a task before it is there. */
type Expected = { readonly [Name in keyof TaskStatus]?: TaskStatus[Name] | undefined };

/** What every task has, besides what its kind takes. */
const ALWAYS: ReadonlySet<string> = new Set([
  "id",
  "kind",
  "state",
  "progress",
  "attempts",
  "requests",
  "createdAt",
]);

/**
 * A task that the server has sent.
 *
 * @param expected - What is known of the one that was asked for: its id, or its computation. What is undefined here must
 * not be there.
 * @throws {@link FibClientError} `bad_answer` for another one, and for what does not keep {@link TaskStatus}'s promise.
 */
export function readStatus(body: unknown, expected: Expected = {}): TaskStatus {
  const status = Object(body) as Promised<Output<"/v1/tasks/:id", "$get">>;
  // The kind comes before what it takes.
  for (const name of Object.keys(IS_RIGHT) as (keyof TaskStatus)[]) {
    const value = status[name];
    const isNeeded = ALWAYS.has(name) || FIELDS[status.kind].includes(name);
    const isRight = value === undefined ? !isNeeded : IS_RIGHT[name](value);
    if (isRight && (!Object.hasOwn(expected, name) || value === expected[name])) continue;
    const instead = isRight ? ` in place of ${shown(expected[name])}` : "";
    throw new FibClientError(
      "bad_answer",
      `The server sent a task whose ${name} is ${shown(value)}${instead}`,
    );
  }
  return body as TaskStatus;
}

/** No request holds a longer one, and one of 20 million digits is a number after 41 s. */
function isArgument(value: unknown): boolean {
  return isDigits(value) && value.length <= ARGUMENT_DIGITS_MAX;
}

function isKeyOf(table: object): (value: unknown) => boolean {
  return (value) => typeof value === "string" && Object.hasOwn(table, value);
}
