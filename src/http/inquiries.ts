/**
 * What is found out about numbers: a remainder, both ends, how often each digit is there, a period, a sum of Fibonacci
 * numbers. As something that can be sent, from a computation or from a task, and as it is asked for in a query.
 *
 * None of it is long, but some of it takes long, and its length is not known before: see resource.ts.
 * @module
 */
import type { Context } from "hono";
import { FibError } from "../errors.ts";
import { answerText } from "../numbers/inquiries.ts";
import { textOf } from "../numbers/decimal.ts";
import { ENDS_DIGITS_MAX, ENDS_INDEX_DIGITS_MAX } from "../numbers/ends.ts";
import { isInline } from "../numbers/cost.ts";
import { argumentsOf, type Inquiry } from "../numbers/job.ts";
import type { Results } from "../numbers/results.ts";
import { ZECKENDORF_DIGITS_MAX } from "../numbers/zeckendorf.ts";
import type { TaskQueue } from "../tasks/queue.ts";
import type { Task } from "../tasks/task.ts";
import { checkNatural, parseNatural, queryAll, queryOnce } from "./parameters.ts";
import { contentName, type Format, MEDIA_TYPES } from "./representation.ts";
import { contentOf, type Resource } from "./resource.ts";
import { taskUnknown } from "./stored.ts";

const NUMBER_PLACE = "/v1/fibonacci/N";

/** What changes which number is meant, and where it does. */
const QUERY_PLACES = {
  mod: NUMBER_PLACE,
  first: NUMBER_PLACE,
  last: NUMBER_PLACE,
  start: "/v1/sequence",
} as const;

type Query = keyof typeof QUERY_PLACES;

/**
 * Reads which ends of F(n) are wanted.
 *
 * @returns undefined when none is.
 * @throws {@link FibError} `bad_argument`.
 */
export function readEnds(c: Context): Extract<Inquiry, { kind: "ends" }> | undefined {
  const [mod, first, last] = ["mod", "first", "last"].map((name) => queryOnce(c, name));
  if (first === undefined && last === undefined) return undefined;
  if (mod !== undefined) {
    throw new FibError(
      "bad_argument",
      "Cannot use mod together with first or last: the one asks for a remainder, the others for digits of F(n)",
    );
  }
  const n = parseNatural(c.req.param("n") ?? "", "n", ENDS_INDEX_DIGITS_MAX);
  return { kind: "ends", n, first: readCount(first, "first"), last: readCount(last, "last") };
}

/** Reads a value to be written as a sum of Fibonacci numbers. @throws {@link FibError} `bad_argument`. */
export function readZeckendorf(c: Context): Extract<Inquiry, { kind: "zeckendorf" }> {
  const value = checkNatural(c.req.param("value") ?? "", "value", ZECKENDORF_DIGITS_MAX);
  return { kind: "zeckendorf", value };
}

/**
 * Refuses what is asked for in the wrong place: nobody is to take an answer for another.
 *
 * @param taken - What this place takes.
 * @throws {@link FibError} `bad_argument`.
 */
export function refuseQueries(c: Context, ...taken: readonly Query[]): void {
  const names = Object.keys(QUERY_PLACES) as Query[];
  const name = names.find((query) => !taken.includes(query) && queryAll(c, query).length > 0);
  if (name === undefined) return;
  throw new FibError("bad_argument", `Cannot use ${name} here: it is for ${QUERY_PLACES[name]} alone`);
}

/**
 * Something to be found out.
 *
 * @param sizeBytes - The most that it can have.
 */
export function inquiryResource(
  results: Results,
  asked: Inquiry,
  format: Format,
  sizeBytes: number,
): Resource {
  return {
    ...named(asked, format),
    isLong: !isInline(asked, sizeBytes),
    compute: async ({ signal, holder, span }) => {
      const result = await results.take(asked, sizeBytes, signal, holder, span);
      try {
        return contentOf(written(result.digits, asked, format, sizeBytes));
      } finally {
        result.release();
      }
    },
  };
}

/** What a ready task has found out. */
export function storedInquiry(
  tasks: Pick<TaskQueue, "openResult">,
  { id, sizeBytes }: Pick<Task, "id" | "sizeBytes">,
  asked: Inquiry,
  format: Format,
): Resource {
  return {
    ...named(asked, format),
    isLong: false,
    compute: async () => {
      const result = await tasks.openResult(id);
      if (result === undefined) throw taskUnknown(id);
      try {
        return contentOf(written(await result.read(0, result.sizeBytes), asked, format, sizeBytes));
      } finally {
        result.close();
      }
    },
  };
}

function written(found: Uint8Array, asked: Inquiry, format: Format, sizeBytes: number): string {
  if (found.length <= sizeBytes) return answerText(asked, textOf(found), format);
  throw new Error(`A ${asked.kind} has ${found.length} bytes, and ${sizeBytes} at most were predicted`);
}

function named(asked: Inquiry, format: Format) {
  const name = contentName([asked.kind, ...Object.values(argumentsOf(asked))], format);
  return { name, contentType: MEDIA_TYPES[format] };
}

function readCount(text: string | undefined, name: string): number {
  if (text === undefined) return 0;
  const count = Number(parseNatural(text, name));
  if (count >= 1 && count <= ENDS_DIGITS_MAX) return count;
  throw new FibError(
    "bad_argument",
    `Cannot use ${text.slice(0, 40)} for ${name}: it takes 1 to ${ENDS_DIGITS_MAX} digits`,
  );
}
