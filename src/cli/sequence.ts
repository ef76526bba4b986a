/**
 * `fibserver seq`: terms, one a line.
 * @module
 */
import { defineCommand } from "citty";
import { parseInteger } from "../config/config.ts";
import { shortened } from "../shell-word.ts";
import { LAYOUTS } from "../numbers/layouts.ts";
import { fibonacciPair } from "../numbers/fibonacci.ts";
import { checkMemory } from "../numbers/memory.ts";
import { openSequence, planSequence, type SequencePlan, sequenceMemoryBytes } from "../numbers/sequence.ts";
import { usageError } from "./hints.ts";
import { INDEX_MAX } from "./print-number.ts";
import { showing } from "./progress.ts";
import { checkOutput, type Put, RESULT_FLAGS, writeResult } from "./result.ts";

export const seq = defineCommand({
  meta: {
    name: "seq",
    description: "Print the first terms, or those from one index to another",
    examples: ["fibserver seq 10", "fibserver seq 1000000..1000010", "fibserver seq 100 --json"],
  },
  args: {
    terms: {
      type: "positional",
      required: true,
      valueHint: "COUNT|FROM..TO",
      description: "How many from the start, or from one index to another with both ends",
    },
    ...RESULT_FLAGS,
  },
  async run({ args }) {
    const { terms, out, json = false, quiet: isQuiet = false } = args;
    const layout = json ? LAYOUTS.json : LAYOUTS.text;
    const plan = planSequence({ ...parseTerms(terms, "fibserver seq"), layout });
    await checkOutput(out);
    checkMemory(`the terms ${terms}`, sequenceMemoryBytes(plan));
    const shown = { what: `terms ${terms}`, sizeBytes: plan.sizeBytes, isQuiet };
    await writeResult(out, (put) => putTerms(put, plan, json, isQuiet), shown);
  },
});

async function putTerms(put: Put, plan: SequencePlan, json: boolean, isQuiet: boolean): Promise<void> {
  const { firstIndex } = plan;
  // What begins deep in the sequence computes for seconds before there is anything to write.
  const pair = showing(`F(${firstIndex})`, isQuiet, (onProgress) =>
    fibonacciPair(firstIndex, { onProgress }),
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
