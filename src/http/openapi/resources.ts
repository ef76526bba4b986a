/**
 * Answers with a text that never changes, as resource.ts sends it: whole, in ranges, or not again.
 * @module
 */
import type { ErrorCode } from "../../errors.ts";
import { headers, problems } from "./parts.ts";
import { schema } from "./schemas.ts";
import type { Answers, Content } from "./types.ts";

/** Parameters of each such operation. */
export const RESOURCE_PARAMETERS = ["ifMatch", "ifNoneMatch", "range", "ifRange"] as const;

/**
 * All answers of an operation that sends such a text.
 *
 * @param description - What is sent.
 * @param codes - Errors besides those of conditions and ranges.
 */
export function resourceAnswers(description: string, content: Content, codes: readonly ErrorCode[]): Answers {
  const always = headers("ETag", "Cache-Control", "Vary", "Accept-Ranges");
  const sent = { ...always, ...headers("Server-Timing") };
  const parts = Object.keys(content).map((type) => [type, {}] as const);
  return {
    200: {
      description: `${description} What is longer than 32 KiB is sent in chunks, without a \`Content-Length\`; HEAD has it.`,
      headers: sent,
      content,
    },
    206: {
      description: "The range of bytes that was asked for.",
      headers: { ...sent, ...headers("Content-Range") },
      content: Object.fromEntries(parts),
    },
    304: { description: "It is what `If-None-Match` names.", headers: always },
    ...problems("precondition_failed", "range_not_satisfiable", ...codes),
  };
}

/** The same where the text is a sequence: a range says where in it it begins. */
export function withTerm(answers: Answers): Answers {
  const { 206: part, ...others } = answers;
  return { ...others, 206: { ...part!, headers: { ...part!.headers, ...headers("Fibserver-Term") } } };
}

/** The four representations of a number, with what each looks like. */
export function numberContent(
  name: "NumberResult" | "IndexResult",
  result: Readonly<Record<string, string | number>>,
  text: string,
): Content {
  const { digits: _, ...columns } = result;
  return {
    "application/json": { schema: schema(name), example: result },
    "text/plain": { schema: { type: "string" }, example: text },
    "application/x-ndjson": { schema: { type: "string" }, example: `${JSON.stringify(result)}\n` },
    "text/csv": {
      schema: { type: "string" },
      example: `${Object.keys(columns).join(",")}\n${Object.values(columns).join(",")}\n`,
    },
  };
}
