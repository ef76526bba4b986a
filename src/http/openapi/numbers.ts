/**
 * The description of `/v1/lucas`, `/v1/factorial`, `/v1/ackermann`, `/v1/index` and `/v1/sequence`.
 * @module
 */
import { LIMITS } from "../../config/config.ts";
import { FAULTS, headers, parameters } from "./parts.ts";
import { numberContent, RESOURCE_PARAMETERS, resourceAnswers, withTerm } from "./resources.ts";
import { schema } from "./schemas.ts";
import type { Answer, Answers, Content, Operation, Parameter, Paths, Schema } from "./types.ts";

const TAG = ["Numbers"] as const;

const NATURAL = "^(0|[1-9][0-9]*)$";
const POSITIVE = "^[1-9][0-9]*$";

/** What is true of all that may be long. */
export const SIZES =
  "The size is known before anything is computed: what is larger than a limit of the server gets 422 at once, with the number of digits. A client that leaves ends its computation.";

/** Where the client prefers a task. */
const ACCEPTED: Answer = {
  description: "Preferred by `Prefer`: a task that computes it. `Location` says where it is.",
  headers: headers("Location", "Cache-Control", "MayRetryAfter", "Preference-Applied"),
  content: { "application/json": { schema: schema("Task") } },
};

/** What a number that may become a task is refused with. */
const CODES = [
  "not_acceptable",
  "result_too_large",
  "too_many_tasks",
  "task_not_ready",
  "task_failed",
] as const;

/** The answers of an operation that may become a task. */
export function preferred(description: string, content: Content): Answers {
  const codes = [...CODES, ...FAULTS.numbers, ...FAULTS.tasks];
  const answers = { ...resourceAnswers(description, content, codes), 202: ACCEPTED };
  // Also one that is refused may be what was preferred.
  const withPreference = Object.entries(answers).map(([status, answer]) => [
    status,
    { ...answer, headers: { ...answer.headers, ...headers("Preference-Applied") } },
  ]);
  return Object.fromEntries(withPreference) as Answers;
}

function number(
  operationId: string,
  symbol: string,
  names: readonly ("m" | "n")[],
  example: Readonly<Record<string, string | number>>,
): Operation {
  return {
    operationId,
    tags: TAG,
    summary: symbol,
    description: SIZES,
    parameters: parameters(...names, "format", "prefer", ...RESOURCE_PARAMETERS),
    responses: preferred(
      `${symbol}, exactly.`,
      numberContent("NumberResult", example, String(example["value"])),
    ),
  };
}

/** A whole number from 0 in a query. */
function inQuery(name: string, description: string): Parameter {
  return { name, in: "query", description, schema: natural(LIMITS.parameterDigitsMax) };
}

/** A whole number from 0, of so many digits at most. */
export function natural(maxLength: number): Schema {
  return { type: "string", pattern: NATURAL, maxLength };
}

/** One from 1. */
export function positive(maxLength: number): Schema {
  return { type: "string", pattern: POSITIVE, maxLength };
}

const TERMS: readonly Parameter[] = [
  {
    name: "from",
    in: "query",
    description: "The index of the first term.",
    schema: { ...natural(LIMITS.parameterDigitsMax), default: "0" },
  },
  inQuery("count", "How many terms; 100 unless `to` is given."),
  inQuery("to", "The index of the last term, in the place of `count`."),
  {
    name: "start",
    in: "query",
    description: `The first two terms, of up to ${LIMITS.parameterDigitsMax} digits each, of another sequence that follows the same rule: \`2,1\` for the Lucas numbers.`,
    schema: { type: "string", pattern: "^(0|[1-9][0-9]*),(0|[1-9][0-9]*)$", default: "0,1" },
  },
];

const SEQUENCE: Content = {
  "text/plain": {
    schema: { type: "string" },
    examples: {
      text: { summary: "One a line", value: "0\n1\n1\n2\n3\n" },
      bfile: { summary: "As a b-file, by `format=bfile`", value: "0 0\n1 1\n2 1\n3 2\n4 3\n" },
    },
  },
  "application/json": { schema: schema("Terms"), example: ["0", "1", "1", "2", "3"] },
  "application/x-ndjson": { schema: { type: "string" } },
  "text/csv": { schema: { type: "string" }, example: "n,value\n0,0\n1,1\n2,1\n" },
};

/** The paths. */
export const NUMBER_PATHS: Paths = {
  "/v1/lucas/{n}": {
    get: number("lucas", "L(n)", ["n"], { n: "100", digits: 21, value: "792070839848372253127" }),
  },
  "/v1/factorial/{n}": {
    get: number("factorial", "n!", ["n"], { n: "20", digits: 19, value: "2432902008176640000" }),
  },
  "/v1/ackermann/{m}/{n}": {
    get: number("ackermann", "A(m, n)", ["m", "n"], { m: "2", n: "100", digits: 3, value: "203" }),
  },
  "/v1/index/{value}": {
    get: {
      operationId: "index",
      tags: TAG,
      summary: "At which index a value stands",
      description:
        "404 for a value that is no Fibonacci number, with the indices of its neighbours, `below` and `above`.",
      parameters: parameters("value", "format", ...RESOURCE_PARAMETERS),
      responses: resourceAnswers(
        "The index.",
        numberContent("IndexResult", { value: "6765", index: "20" }, "20"),
        ["not_fibonacci", "not_acceptable", ...FAULTS.numbers],
      ),
    },
  },
  "/v1/sequence": {
    get: {
      operationId: "sequence",
      tags: TAG,
      summary: "Terms F(from), F(from + 1), …, or those of a sequence with another start",
      description: `As text, one a line, unless another representation is asked for. ${SIZES}`,
      parameters: [...TERMS, ...parameters("sequenceFormat", "prefer", ...RESOURCE_PARAMETERS)],
      responses: withTerm(preferred("The terms.", SEQUENCE)),
    },
  },
  "/v1/sequence/locate": {
    get: {
      operationId: "locate",
      tags: TAG,
      summary: "Where in the text of a sequence a term is, or which term is at a byte",
      description:
        "`from`, `count`, `to`, `start` and `format` say which text, as for `/v1/sequence`; one of `index` and `byte` says what in it. Nothing is computed.",
      parameters: [
        ...TERMS,
        inQuery("index", "Where the term of this index is."),
        inQuery("byte", "Which term is at this byte; the first is 0."),
        ...parameters("sequenceFormat", ...RESOURCE_PARAMETERS),
      ],
      responses: resourceAnswers(
        "The term, and the first and the last byte of its record.",
        {
          "application/json": {
            schema: schema("Place"),
            example: {
              index: "705000",
              firstByte: 51936778396,
              lastByte: 51936925732,
              offset: 0,
              sizeBytes: 104494866149,
            },
          },
        },
        ["not_acceptable", "result_too_large"],
      ),
    },
  },
};
