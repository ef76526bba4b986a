/**
 * `fibserver seq`: terms, one a line.
 * @module
 */
import { defineCommand } from "citty";
import { LIMITS, parseInteger } from "../config/config.ts";
import { shortened } from "../shell-word.ts";
import { LAYOUTS } from "../numbers/layouts.ts";
import { checkMemory } from "../numbers/memory.ts";
import { openSequence, planSequence, type SequencePlan, sequenceMemoryBytes } from "../numbers/sequence.ts";
import { isFibonacciStart, type Start } from "../numbers/start.ts";
import { termPair } from "../numbers/term-pair.ts";
import { usageError } from "./hints.ts";
import { INDEX_MAX } from "./print-number.ts";
import { showing } from "./progress.ts";
import { checkOutput, type Put, RESULT_FLAGS, writeResult } from "./result.ts";

/** Those that a sequence may be printed in. */
const FORMATS = ["text", "json", "ndjson", "csv", "bfile"] as const;

/** Of every command that takes a sequence. */
export const START_FLAG = {
  type: "string",
  valueHint: "A,B",
  description: "Begin the sequence with A, B in the place of 0, 1",
} as const;

export const seq = defineCommand({
  meta: {
    name: "seq",
    description: "Print the first terms, or those from one index to another",
    examples: [
      "fibserver seq 10",
      "fibserver seq 1000000..1000010",
      "fibserver seq 100 --json",
      "fibserver seq 10 --start 2,1  # the Lucas numbers",
      "fibserver seq 0..1000 --format bfile  # as the OEIS has it",
    ],
  },
  args: {
    terms: {
      type: "positional",
      required: true,
      valueHint: "COUNT|FROM..TO",
      description: "How many from the start, or from one index to another with both ends",
    },
    start: START_FLAG,
    format: {
      type: "string",
      valueHint: "FORMAT",
      values: FORMATS,
      description: `${FORMATS.join(", ")}; text without it`,
    },
    ...RESULT_FLAGS,
  },
  async run({ args }) {
    const { terms, out, quiet: isQuiet = false } = args;
    const format = parseFormat(args);
    const start = parseStart(args.start, "fibserver seq");
    const plan = planSequence({ ...parseTerms(terms, "fibserver seq"), start, layout: LAYOUTS[format] });
    await checkOutput(out);
    checkMemory(`the terms ${terms}`, sequenceMemoryBytes(plan));
    const shown = { what: `terms ${terms}`, sizeBytes: plan.sizeBytes, isQuiet };
    await writeResult(out, (put) => putTerms(put, plan, format === "json", isQuiet), shown);
  },
});

async function putTerms(put: Put, plan: SequencePlan, json: boolean, isQuiet: boolean): Promise<void> {
  const { firstIndex, start } = plan;
  // What begins deep in the sequence computes for seconds before there is anything to write.
  const pair = showing(`term ${firstIndex}`, isQuiet, (onProgress) =>
    termPair(firstIndex, start, { onProgress }),
  );
  const reader = openSequence(plan, pair);
  for (let view = reader.next(); view !== undefined; view = reader.next()) {
    // Most of the time there is nothing to wait for, and to wait for nothing 60,000 times costs 4%.
    const taken = put(view);
    if (taken) await taken;
  }
  if (json) await put(Buffer.from("\n"));
}

/**
 * Reads which terms are meant: COUNT, or FROM..TO with both ends.
 *
 * @param name - Of the command, for the error.
 * @throws {@link FibError} `bad_argument`.
 */
export function parseTerms(text: string, name: string): { from: number; count: number } {
  const ends = text.split("..");
  if (ends.length === 1) return { from: 0, count: parseInteger(text, "COUNT", 0, INDEX_MAX) };
  if (ends.length !== 2) throw usageError(name, `'${shortened(text)}' is no range`, `${name} 10..20`);
  const from = parseInteger(ends[0]!, "FROM", 0, INDEX_MAX);
  const to = parseInteger(ends[1]!, "TO", 0, INDEX_MAX);
  if (to < from) throw usageError(name, `${from} comes after ${to}`, `${name} ${to}..${from}`);
  return { from, count: to - from + 1 };
}

/**
 * Reads the first two terms.
 *
 * @param name - Of the command, for the error.
 * @returns undefined for those of F.
 * @throws {@link FibError} `bad_argument`.
 */
export function parseStart(text: string | undefined, name: string): Start | undefined {
  if (text === undefined) return undefined;
  const [, first, second] = /^(\d+),(\d+)$/.exec(text) ?? [];
  // As over HTTP.
  const digitsMax = LIMITS.parameterDigitsMax;
  if (first === undefined || second === undefined || Math.max(first.length, second.length) > digitsMax) {
    const reason = `'${shortened(text)}' is no start: it takes two whole numbers from 0 of at most ${digitsMax} digits, as 2,1`;
    throw usageError(name, reason, `${name} 10 --start 2,1`);
  }
  const start: Start = [BigInt(first), BigInt(second)];
  return isFibonacciStart(start) ? undefined : start;
}

function parseFormat({
  format,
  json = false,
}: {
  format?: string | undefined;
  json?: boolean | undefined;
}): (typeof FORMATS)[number] {
  const known = FORMATS.find((each) => each === format);
  const line = "fibserver seq 10 --format json";
  if (format !== undefined && known === undefined) {
    throw usageError("fibserver seq", `'${shortened(format)}' is none of ${FORMATS.join(", ")}`, line);
  }
  if (json && known !== undefined && known !== "json")
    throw usageError("fibserver seq", `--json and --format ${known} are two formats`, line);
  return json ? "json" : (known ?? "text");
}
