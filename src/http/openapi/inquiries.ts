/**
 * The description of `/v1/fibonacci` with all that can be asked of F(n), `/v1/zeckendorf` and `/v1/pisano`.
 * @module
 */
import { LIMITS } from "../../config/config.ts";
import { ENDS_DIGITS_MAX, ENDS_INDEX_DIGITS_MAX } from "../../numbers/ends.ts";
import { ZECKENDORF_DIGITS_MAX } from "../../numbers/zeckendorf.ts";
import { natural, positive, preferred, SIZES } from "./numbers.ts";
import { FAULTS, parameters } from "./parts.ts";
import { numberContent, RESOURCE_PARAMETERS, resourceAnswers } from "./resources.ts";
import { schema } from "./schemas.ts";
import type { Content, Operation, Parameter, Paths, Schema } from "./types.ts";

const TAG = ["Numbers"] as const;

function inPath(name: string, description: string, shape: Schema, example: string): Parameter {
  return { name, in: "path", required: true, description, schema: shape, example };
}

/** How many digits of an end. */
function count(name: string, description: string): Parameter {
  return {
    name,
    in: "query",
    description,
    schema: { type: "integer", minimum: 1, maximum: ENDS_DIGITS_MAX },
  };
}

const F100 = "354224848179261915075";

const FIBONACCI: Operation = {
  operationId: "fibonacci",
  tags: TAG,
  summary: "F(n), its remainder, or its first and last digits",
  description: `Alone F(n) itself. ${SIZES} With \`mod\` F(n) modulo a number, and with \`first\` and \`last\` both ends and how many digits there are, of numbers that nobody could write down: these come at once, whatever \`Prefer\` says.`,
  parameters: [
    inPath(
      "n",
      `A whole number from 0, of up to ${LIMITS.parameterDigitsMax} digits; of up to ${ENDS_INDEX_DIGITS_MAX} with \`first\` or \`last\`, and of up to ${LIMITS.remainderDigitsMax} together with \`mod\`.`,
      natural(LIMITS.remainderDigitsMax),
      "100",
    ),
    {
      name: "mod",
      in: "query",
      description: "F(n) modulo this. Not together with `first` and `last`.",
      schema: positive(LIMITS.remainderDigitsMax),
    },
    count("first", "How many of the first digits."),
    count("last", "How many of the last digits."),
    ...parameters("format", "prefer", ...RESOURCE_PARAMETERS),
  ],
  responses: preferred("F(n), or what was asked of it, exactly.", {
    ...numberContent("NumberResult", { n: "100", digits: 21, value: F100 }, F100),
    "application/json": {
      schema: { oneOf: [schema("NumberResult"), schema("Remainder"), schema("Ends")] },
      examples: {
        number: { summary: "F(100)", value: { n: "100", digits: 21, value: F100 } },
        remainder: {
          summary: "F(1000) modulo 97",
          value: { n: "1000", mod: "97", digits: 2, value: "72" },
        },
        ends: {
          summary: "F(10^18), three digits of each end",
          value: { n: "1000000000000000000", digits: "208987640249978734", first: "262", last: "875" },
        },
      },
    },
    "text/plain": {
      schema: { type: "string" },
      examples: {
        number: { summary: "F(100)", value: F100 },
        remainder: { summary: "F(1000) modulo 97", value: "72" },
        ends: { summary: "F(10^18), three digits of each end, one a line", value: "262\n875" },
      },
    },
    "text/csv": {
      schema: { type: "string" },
      examples: {
        number: { summary: "F(100)", value: `n,value\n100,${F100}\n` },
        remainder: { summary: "F(1000) modulo 97", value: "n,mod,value\n1000,97,72\n" },
        ends: {
          summary: "F(10^18), three digits of each end",
          value: "n,digits,first,last\n1000000000000000000,208987640249978734,262,875\n",
        },
      },
    },
  }),
};

const DIGITS: Content = {
  "application/json": {
    schema: schema("DigitCounts"),
    example: { n: "100", digits: 21, sum: 93, counts: [1, 3, 3, 1, 3, 3, 1, 2, 2, 2] },
  },
  "text/plain": { schema: { type: "string" }, example: "digits 21\nsum 93\n0 1\n1 3" },
  "application/x-ndjson": { schema: { type: "string" } },
  "text/csv": { schema: { type: "string" }, example: "digit,count\n0,1\n1,3\n" },
};

const ZECKENDORF: Content = {
  "application/json": {
    schema: schema("Zeckendorf"),
    example: { value: "100", indices: ["11", "6", "4"] },
  },
  "text/plain": { schema: { type: "string" }, example: "11\n6\n4" },
  "application/x-ndjson": { schema: { type: "string" } },
  "text/csv": { schema: { type: "string" }, example: "index\n11\n6\n4\n" },
};

/** The paths. */
export const INQUIRY_PATHS: Paths = {
  "/v1/fibonacci/{n}": { get: FIBONACCI },
  "/v1/fibonacci/{n}/digits": {
    get: {
      operationId: "digitCounts",
      tags: TAG,
      summary: "How often each digit is in F(n)",
      description: SIZES,
      parameters: parameters("n", "format", "prefer", ...RESOURCE_PARAMETERS),
      responses: preferred("The counts, and the sum of all digits.", DIGITS),
    },
  },
  "/v1/zeckendorf/{value}": {
    get: {
      operationId: "zeckendorf",
      tags: TAG,
      summary: "A number as a sum of Fibonacci numbers of which no two are neighbours",
      parameters: [
        inPath("value", "A whole number from 0.", natural(ZECKENDORF_DIGITS_MAX), "100"),
        ...parameters("format", ...RESOURCE_PARAMETERS),
      ],
      responses: resourceAnswers("The indices, descending; none for 0.", ZECKENDORF, [
        "not_acceptable",
        ...FAULTS.numbers,
      ]),
    },
  },
  "/v1/pisano/{m}": {
    get: {
      operationId: "pisano",
      tags: TAG,
      summary: "The Pisano period of m: after how many terms F(n) mod m begins anew",
      description:
        "m is factored for it: a larger one than the server's `--max-pisano`, by default 10^18, gets 422.",
      parameters: [
        inPath("m", "A whole number from 1.", positive(LIMITS.parameterDigitsMax), "10"),
        ...parameters("format", "prefer", ...RESOURCE_PARAMETERS),
      ],
      responses: preferred("The period.", {
        "application/json": { schema: schema("Period"), example: { m: "10", period: "60" } },
        "text/plain": { schema: { type: "string" }, example: "60" },
        "application/x-ndjson": { schema: { type: "string" } },
        "text/csv": { schema: { type: "string" }, example: "m,period\n10,60\n" },
      }),
    },
  },
};
