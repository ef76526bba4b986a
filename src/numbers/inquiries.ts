/**
 * What is found out about a number, kind by kind: how, and how it is written.
 *
 * None of it is a plain number of a length that is known before. Threads and stores keep it as words with spaces between
 * them, ASCII as the digits of a number are; here these become each of the formats, the same over HTTP and in the shell.
 * @module
 */
import type { ComputeOptions } from "./decimal.ts";
import { fibonacciEnds } from "./ends.ts";
import { fibonacci } from "./fibonacci.ts";
import type { Inquiry, OfKind } from "./job.ts";
import { pisanoPeriod } from "./pisano.ts";
import { fibonacciRemainder } from "./remainder.ts";
import { digitCounts } from "./statistics.ts";
import { zeckendorf } from "./zeckendorf.ts";

type AnswerFormat = "text" | "json" | "ndjson" | "csv";

interface Answer {
  readonly json: object;
  /** One thing a line. */
  readonly lines: readonly string[];
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

interface Way<Asked> {
  /** Finds it out. */
  readonly find: (asked: Asked, options: ComputeOptions) => readonly (string | number | bigint)[];
  /** What to write, from the words that were found. */
  readonly tell: (asked: Asked, words: readonly string[]) => Answer;
}

const WAYS: { readonly [Kind in Inquiry["kind"]]: Way<OfKind<Kind>> } = {
  remainder: {
    find: ({ n, mod }, options) => [fibonacciRemainder(BigInt(n), BigInt(mod), options)],
    tell: ({ n, mod }, [value = ""]) =>
      tellOne({ n, mod, digits: value.length, value }, ["n", "mod", "value"]),
  },
  pisano: {
    find: ({ m }, options) => [pisanoPeriod(m, options)],
    tell: ({ m }, [period = ""]) => tellOne({ m: String(m), period }, ["m", "period"]),
  },
  ends: {
    find: (asked) => {
      const { digits, first, last } = fibonacciEnds(asked.n, asked.first, asked.last);
      return [digits, first, last];
    },
    tell: tellEnds,
  },
  zeckendorf: {
    find: ({ value }, options) => zeckendorf(BigInt(value), options),
    tell: ({ value }, indices) => ({
      json: { value, indices },
      lines: indices,
      columns: ["index"],
      // Only for those who want them: an array for each index is a third of the memory of a long answer.
      get rows() {
        return indices.map((index) => [index]);
      },
    }),
  },
  statistics: {
    find: ({ n }, options) => digitCounts(fibonacci(n, { ...options, borrow: true })),
    tell: tellCounts,
  },
};

export const INQUIRY_KINDS = Object.keys(WAYS);

/** Whether there is something to find out, and not a number to compute. */
export function isInquiry(asked: { readonly kind: string }): asked is Inquiry {
  return Object.hasOwn(WAYS, asked.kind);
}

/**
 * Finds something out.
 *
 * @returns The words that {@link answerText} takes.
 * @throws `FibError` `result_too_large`.
 */
export function findOut(asked: Inquiry, options: ComputeOptions): string {
  return WAYS[asked.kind].find(asked as never, options).join(" ");
}

/**
 * Writes an answer.
 *
 * @param found - By {@link findOut}.
 */
export function answerText(asked: Inquiry, found: string, format: AnswerFormat): string {
  const words = found === "" ? [] : found.split(" ");
  const answer = WAYS[asked.kind].tell(asked as never, words);
  switch (format) {
    case "text":
      return answer.lines.join("\n");
    case "csv":
      return [answer.columns, ...answer.rows].map((row) => `${row.join(",")}\n`).join("");
    default:
      return format === "json" ? JSON.stringify(answer.json) : `${JSON.stringify(answer.json)}\n`;
  }
}

/** One row, whose last column is the text. */
function tellOne(json: Readonly<Record<string, string | number>>, columns: readonly string[]): Answer {
  const row = columns.map((name) => String(json[name]));
  return { json, lines: row.slice(-1), columns, rows: [row] };
}

function tellEnds(asked: OfKind<"ends">, [digits = "", first = "", last = ""]: readonly string[]): Answer {
  const found = { ...(asked.first > 0 && { first }), ...(asked.last > 0 && { last }) };
  const ends = Object.values(found);
  const json = { n: String(asked.n), digits, ...found };
  return {
    json,
    // The number of digits where nothing else is asked for.
    lines: ends.length === 0 ? [digits] : ends,
    columns: Object.keys(json),
    rows: [Object.values(json)],
  };
}

function tellCounts({ n }: OfKind<"statistics">, words: readonly string[]): Answer {
  const counts = words.map(Number);
  const digits = counts.reduce((total, count) => total + count, 0);
  const sum = counts.reduce((total, count, digit) => total + digit * count, 0);
  const rows = counts.map((count, digit) => [String(digit), String(count)]);
  return {
    json: { n: String(n), digits, sum, counts },
    lines: [`digits ${digits}`, `sum ${sum}`, ...rows.map((row) => row.join(" "))],
    columns: ["digit", "count"],
    rows,
  };
}
