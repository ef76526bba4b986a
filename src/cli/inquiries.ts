/**
 * What is asked about a number that need not be written down: the flags of `fibserver fib`, `fibserver zeck` and
 * `fibserver pisano`. On the main thread, as print-number.ts, and loaded only for these: `fibserver fib N` is what is
 * timed.
 * @module
 */
import { defineCommand } from "citty";
import { LIMITS, parseInteger } from "../config/config.ts";
import { FibError } from "../errors.ts";
import { answerText, findOut } from "../numbers/inquiries.ts";
import type { Inquiry } from "../numbers/job.ts";
import { textOf } from "../numbers/decimal.ts";
import { ENDS_DIGITS_MAX, ENDS_INDEX_DIGITS_MAX } from "../numbers/ends.ts";
import { fibonacciMemoryBytes } from "../numbers/fibonacci.ts";
import { checkMemory } from "../numbers/memory.ts";
import { zeckendorfMemoryBytes } from "../numbers/zeckendorf.ts";
import { shortened } from "../shell-word.ts";
import { withLine } from "./hints.ts";
import { INDEX_MAX, withEnds } from "./print-number.ts";
import { showing } from "./progress.ts";
import { readDigits } from "./read-digits.ts";
import { checkOutput, RESULT_FLAGS, type ResultOptions, writeResult } from "./result.ts";

/** What `fibserver fib` is given. */
interface FibonacciQuestion extends ResultOptions {
  readonly n: string;
  readonly mod?: string | undefined;
  readonly first?: string | undefined;
  readonly last?: string | undefined;
  readonly digits?: boolean | undefined;
  readonly stats?: boolean | undefined;
}

const ENDS_INDEX_MAX = {
  value: 10n ** BigInt(ENDS_INDEX_DIGITS_MAX) - 1n,
  // No toLocaleString: to load a locale takes 1.6 ms.
  words: `of at most ${ENDS_INDEX_DIGITS_MAX} digits`,
};

/** JavaScriptCore's big integers end at 323 million digits; memory ends earlier. */
const VALUE_DIGITS_MAX = 100_000_000;

/**
 * `fibserver fib N` with a flag that asks about F(N).
 *
 * @throws {@link FibError} `bad_argument` for flags that ask for two things at once, and as `fibserver fib N` does.
 */
export async function askAboutFibonacci(question: FibonacciQuestion): Promise<void> {
  const { n, mod, stats = false } = question;
  const line = `fibserver fib 1000 ${mod !== undefined ? "--mod 97" : stats ? "--stats" : "--first 10 --last 10"}`;
  const name = mod === undefined ? `F(${brief(n)})` : `F(${brief(n)}) mod ${brief(mod)}`;
  try {
    await printAnswer(questionOf(question), name, question);
  } catch (error) {
    throw withLine(stats ? withEnds(error, n) : error, line);
  }
}

function questionOf({ n, mod, first, last, digits = false, stats = false }: FibonacciQuestion): Inquiry {
  const asksEnds = first !== undefined || last !== undefined || digits;
  if ([mod !== undefined, asksEnds, stats].filter(Boolean).length > 1) {
    throw new FibError(
      "bad_argument",
      "Cannot run fibserver fib: --mod, --stats and the ends (--first, --last, --digits) are answers of their own: ask for one",
    );
  }
  if (mod !== undefined)
    return { kind: "remainder", n: naturalText(n, "N"), mod: naturalText(mod, "--mod", 1n) };
  if (stats) return { kind: "statistics", n: parseInteger(n, "N", 0, INDEX_MAX) };
  return {
    kind: "ends",
    n: parseNatural(n, "N", 0n, ENDS_INDEX_MAX),
    first: parseCount(first, "--first"),
    last: parseCount(last, "--last"),
  };
}

/** The indices of Zeckendorf's sum, one a line. */
export const zeck = defineCommand({
  meta: {
    name: "zeck",
    description: "Print the Zeckendorf representation, index by index",
    examples: ["fibserver zeck 100  # 11, 6, 4: 89 + 8 + 3", "fibserver fact 1000 | fibserver zeck -"],
    notes:
      "The indices of the Fibonacci numbers whose sum VALUE is, descending, none beside another: there is one such sum. F(2) = 1 is the least; 0 has none.",
  },
  args: {
    value: { type: "positional", required: true, description: "The number; - reads it from standard input" },
    ...RESULT_FLAGS,
  },
  async run({ args }) {
    const text =
      args.value === "-" ? textOf(readDigits(VALUE_DIGITS_MAX, "zeck takes no longer one")) : args.value;
    const name = "the representation";
    checkMemory(name, zeckendorfMemoryBytes(text.length));
    await printAnswer({ kind: "zeckendorf", value: naturalText(text, "VALUE") }, name, args);
  },
});

/** The length after which F modulo M begins anew. */
export const pisano = defineCommand({
  meta: {
    name: "pisano",
    description: "Print the Pisano period of M",
    examples: ["fibserver pisano 1000  # 1500", "fibserver pisano 1000000007 --json"],
    notes: "After so many terms the sequence modulo M begins anew.",
  },
  args: {
    m: { type: "positional", required: true, description: "From 1 to 10^30" },
    ...RESULT_FLAGS,
  },
  async run({ args }) {
    const m = parseNatural(args.m, "M", 1n, { value: LIMITS.pisanoMax, words: `to ${LIMITS.pisanoMax}` });
    await printAnswer({ kind: "pisano", m }, "the period", args);
  },
});

/** @throws {@link FibError} `result_too_large`, before anything is computed; `output_failed`. */
async function printAnswer(
  asked: Inquiry,
  name: string,
  {
    out,
    json = false,
    quiet = false,
    digits = false,
  }: ResultOptions & { readonly digits?: boolean | undefined },
): Promise<void> {
  await checkOutput(out);
  if (asked.kind === "statistics") checkMemory(name, fibonacciMemoryBytes(asked.n));
  const found = showing(name, quiet, (onProgress) => findOut(asked, { onProgress }));
  const text = json ? answerText(asked, found, "json") : shellText(asked, found, digits);
  await writeResult(out, async (put) => {
    if (text !== "") await put(Buffer.from(`${text}\n`));
  });
}

/** As HTTP has it; before the ends how many digits there are, if that was asked for, too. */
function shellText(asked: Inquiry, found: string, digits: boolean): string {
  const text = answerText(asked, found, "text");
  if (asked.kind !== "ends" || !digits || asked.first + asked.last === 0) return text;
  return `${answerText({ ...asked, first: 0, last: 0 }, found, "text")}\n${text}`;
}

/** So short that both numbers of a remainder stand before the bar, in 60 columns too; an index of F stays whole. */
const brief = (digits: string): string => (digits.length > 16 ? `${digits.slice(0, 8)}…` : digits);

/** How many digits of an end are wanted; none without its flag. */
function parseCount(text: string | undefined, source: string): number {
  return text === undefined ? 0 : parseInteger(text, source, 1, ENDS_DIGITS_MAX);
}

/** A whole number of any length, left as text: to read a million digits and to write them takes 0.2 s. */
function naturalText(text: string, source: string, min: 0n | 1n = 0n): string {
  const digits = /^\d+$/.test(text) ? text.replace(/^0+(?=\d)/, "") : undefined;
  if (digits !== undefined && (min === 0n || digits !== "0")) return digits;
  throw refusal(text, source, `from ${min}`);
}

/** A whole number up to a largest one, with words for it. */
function parseNatural(
  text: string,
  source: string,
  min: bigint,
  max: { readonly value: bigint; readonly words: string },
): bigint {
  const value = /^\d+$/.test(text) ? BigInt(text) : -1n;
  if (value >= min && value <= max.value) return value;
  throw refusal(text, source, `from ${min} ${max.words}`);
}

function refusal(text: string, source: string, range: string): FibError {
  const reason = `it takes a whole number ${range}`;
  return new FibError("bad_argument", `Cannot use '${shortened(text)}' for ${source}: ${reason}`);
}
