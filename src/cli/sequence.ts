/**
 * `fibserver seq`: terms, one a line.
 * @module
 */
import { defineCommand } from "citty";
import { parseInteger } from "../config.ts";
import { LAYOUTS } from "../numbers/layouts.ts";
import { openSequence, planSequence, sequenceMemoryBytes } from "../numbers/sequence.ts";
import { usageError } from "./arguments.ts";
import { checkMemory, checkOutput, RESULT_FLAGS, writeResult } from "./result.ts";

const INDEX_MAX = 10_000_000_000;

export const seq = defineCommand({
  meta: {
    name: "seq",
    description: "Print the first terms of the sequence, or those from one index to another",
  },
  args: {
    terms: { type: "positional", required: true, description: "COUNT, or FROM..TO with both ends" },
    ...RESULT_FLAGS,
  },
  run({ args }) {
    const layout = args.json ? LAYOUTS.json : LAYOUTS.text;
    const plan = planSequence({ ...parseTerms(args.terms), layout });
    checkOutput(args.out);
    checkMemory(`the terms ${args.terms}`, sequenceMemoryBytes(plan));
    writeResult(args.out, (emit) => {
      const reader = openSequence(plan);
      for (let view = reader.next(); view !== undefined; view = reader.next()) emit(view);
      if (args.json) emit(Buffer.from("\n"));
    });
  },
});

function parseTerms(text: string): { from: number; count: number } {
  const ends = text.split("..");
  if (ends.length === 1) return { from: 0, count: parseInteger(text, "COUNT", 0, INDEX_MAX) };
  if (ends.length !== 2)
    throw usageError("fibserver seq", `'${text.slice(0, 40)}' is no range`, "fibserver seq 10..20");
  const from = parseInteger(ends[0]!, "FROM", 0, INDEX_MAX);
  const to = parseInteger(ends[1]!, "TO", 0, INDEX_MAX);
  if (to < from)
    throw usageError("fibserver seq", `${from} comes after ${to}`, `fibserver seq ${to}..${from}`);
  return { from, count: to - from + 1 };
}
