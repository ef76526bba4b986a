/**
 * What bodies look like. Literal, so that a test can compare their types with those of the server and of the client.
 * @module
 */
import { CODES, type ErrorCode } from "../../errors.ts";
import { TASK_ARGUMENTS, TASK_STATES, type TaskRequest } from "../../tasks/task.ts";
import { ENDS_DIGITS_MAX } from "../../numbers/ends.ts";
import { STATUS_SCHEMAS } from "./status-schemas.ts";
import type { Schema } from "./types.ts";

/** A whole number from 0 as text, in its one spelling: it may have more digits than a number of JSON can hold. */
const NATURAL = { type: "string", pattern: "^(0|[1-9][0-9]*)$" } as const;
/** The same from 1. */
const POSITIVE = { type: "string", pattern: "^[1-9][0-9]*$" } as const;
/** Digits from an end of a number. */
const END = { type: "string", pattern: `^[0-9]{1,${ENDS_DIGITS_MAX}}$` } as const;
const TIME = { type: "string", format: "date-time" } as const;
const COUNT = { type: "integer", minimum: 0 } as const;

/** What can be a task. */
const KINDS = Object.keys(TASK_ARGUMENTS) as readonly TaskRequest["kind"][];
const START = {
  type: "string",
  pattern: "^(0|[1-9][0-9]*),(0|[1-9][0-9]*)$",
  description: "The first two terms of another sequence with the same rule, such as `2,1`.",
} as const;

const CODE_NAMES = Object.keys(CODES) as readonly ErrorCode[];

/** The rule of `cursor-name.ts`. */
export const NAME_PATTERN = "^(?!client-)[a-z0-9][a-z0-9._-]{0,63}$";

/** What a task of a kind takes. */
function taskRequest(kind: TaskRequest["kind"]) {
  const names = TASK_ARGUMENTS[kind];
  const given = names.map((name) => [name, name === "mod" || kind === "pisano" ? POSITIVE : NATURAL]);
  return {
    type: "object",
    required: ["kind", ...names],
    properties: {
      kind: { type: "string", enum: [kind] },
      ...(Object.fromEntries(given) as Record<string, Schema>),
      ...(kind === "sequence" && { start: START }),
    },
    additionalProperties: false,
  } as const;
}

/** The schemas by their names. */
export const SCHEMAS = {
  Problem: {
    type: "object",
    description: "What went wrong (RFC 9457). Programs compare `code`, people read `detail`.",
    required: ["type", "title", "status", "detail", "instance", "code"],
    properties: {
      type: { type: "string", pattern: "^urn:fibserver:error:[a-z_]+$" },
      title: { type: "string", description: "The kind of error: the same for each with this `code`." },
      status: { type: "integer", minimum: 400, maximum: 599 },
      detail: { type: "string", description: "What happened here, and what to do." },
      instance: { type: "string", description: "The path that was asked for." },
      code: {
        type: "string",
        enum: CODE_NAMES,
        description: "Names the error. Never changes.",
      },
      requestId: { type: "string", description: "Names the request, as `X-Request-Id` does." },
      below: { ...NATURAL, description: "Of `not_fibonacci`: the index of the next smaller term." },
      above: { ...NATURAL, description: "Of `not_fibonacci`: the index of the next larger term." },
      state: {
        type: "string",
        enum: TASK_STATES,
        description: "Of `task_not_ready` and `task_failed`: how the task stands.",
      },
      part: { type: "string", description: "Of `/readyz`: what does not work, `cursor` or `tasks`." },
    },
    additionalProperties: false,
  },
  Position: {
    type: "object",
    description: "Where a cursor stands.",
    required: ["index"],
    properties: {
      name: { type: "string", pattern: NAME_PATTERN, description: "Only under `/v1/cursors`." },
      index: NATURAL,
      value: { ...NATURAL, description: "F(index)." },
      digits: { ...COUNT, description: "How many digits F(index) has, where no `value` is wanted." },
    },
    additionalProperties: false,
  },
  Target: {
    type: "object",
    description: "Where a cursor is to stand.",
    required: ["index"],
    properties: { index: { ...NATURAL, description: "Up to the server's `--max-index`, by default 92." } },
  },
  ListedCursor: {
    type: "object",
    required: ["name", "index"],
    properties: {
      name: { type: "string", pattern: NAME_PATTERN },
      index: NATURAL,
      movedAt: { ...TIME, description: "When it was moved last; not known of the default cursor." },
    },
    additionalProperties: false,
  },
  CursorPage: {
    type: "object",
    required: ["cursors"],
    properties: {
      cursors: { type: "array", items: { $ref: "#/components/schemas/ListedCursor" } },
      next: { type: "string", description: "There may be more: give this as `after`." },
    },
    additionalProperties: false,
  },
  WatchedPosition: {
    type: "object",
    description:
      "The data of an event `position`; its `id` is the generation, which is the `ETag` without quotes.",
    required: ["index"],
    properties: {
      index: NATURAL,
      value: { ...NATURAL, description: "F(index), up to 1,000 digits." },
      digits: { ...COUNT, description: "How many digits F(index) has, in the place of a longer `value`." },
    },
    additionalProperties: false,
  },
  NumberResult: {
    type: "object",
    description: "A number with what was asked for.",
    required: ["n", "digits", "value"],
    properties: {
      m: NATURAL,
      n: NATURAL,
      digits: { type: "integer", minimum: 1, description: "How many digits `value` has." },
      value: NATURAL,
    },
    additionalProperties: false,
  },
  Remainder: {
    type: "object",
    description: "F(n) modulo `mod`.",
    required: ["n", "mod", "digits", "value"],
    properties: {
      n: NATURAL,
      mod: POSITIVE,
      digits: { type: "integer", minimum: 1, description: "How many digits `value` has." },
      value: NATURAL,
    },
    additionalProperties: false,
  },
  Ends: {
    type: "object",
    description: "The first and the last digits of F(n): those that were asked for, or all that there are.",
    required: ["n", "digits"],
    properties: {
      n: NATURAL,
      digits: { ...POSITIVE, description: "How many digits F(n) has." },
      first: END,
      last: { ...END, description: "With its leading zeros." },
    },
    additionalProperties: false,
  },
  DigitCounts: {
    type: "object",
    description: "How often each digit is in F(n).",
    required: ["n", "digits", "sum", "counts"],
    properties: {
      n: NATURAL,
      digits: { type: "integer", minimum: 1 },
      sum: { ...COUNT, description: "Of all digits." },
      counts: { type: "array", description: "Of 0, 1, … 9.", items: COUNT },
    },
    additionalProperties: false,
  },
  Zeckendorf: {
    type: "object",
    description: "The one sum of Fibonacci numbers of which no two are neighbours.",
    required: ["value", "indices"],
    properties: {
      value: NATURAL,
      indices: { type: "array", description: "Descending; F(2) = 1 is the least.", items: NATURAL },
    },
    additionalProperties: false,
  },
  Period: {
    type: "object",
    description: "After how many terms F(n) mod m begins anew.",
    required: ["m", "period"],
    properties: { m: POSITIVE, period: POSITIVE },
    additionalProperties: false,
  },
  IndexResult: {
    type: "object",
    required: ["value", "index"],
    properties: { value: NATURAL, index: { ...NATURAL, description: "F(index) is `value`; of 1 it is 1." } },
    additionalProperties: false,
  },
  Place: {
    type: "object",
    description:
      "Where a term's record is in the text of a sequence: what stands before the first term belongs to it, what stands behind the last to that, and a separator to the term before it.",
    required: ["index", "firstByte", "lastByte", "offset", "sizeBytes"],
    properties: {
      index: NATURAL,
      firstByte: COUNT,
      lastByte: COUNT,
      offset: { ...COUNT, description: "How many bytes into the record `byte` is; 0 for `index`." },
      sizeBytes: { ...COUNT, description: "Of the whole text." },
    },
    additionalProperties: false,
  },
  Terms: { type: "array", description: "Terms in their order.", items: NATURAL },
  TaskRequest: {
    description: "What is to be computed.",
    oneOf: KINDS.map(taskRequest),
  },
  Task: {
    type: "object",
    description: "A computation that is fetched later: `queued → running → ready | failed | cancelled`.",
    required: ["id", "kind", "state", "progress", "attempts", "requests", "createdAt"],
    properties: {
      id: { type: "string", format: "uuid", description: "In the order of creation, and not to be guessed." },
      kind: { type: "string", enum: KINDS },
      m: NATURAL,
      n: NATURAL,
      mod: POSITIVE,
      from: NATURAL,
      count: NATURAL,
      start: START,
      state: { type: "string", enum: TASK_STATES },
      progress: { type: "number", minimum: 0, maximum: 1 },
      digits: { ...COUNT, description: "Of a number whose length is known before it is computed." },
      bytes: { ...COUNT, description: "Of a sequence as text." },
      attempts: { ...COUNT, description: "How often it was begun: more than once when a process died." },
      requests: { ...COUNT, description: "How often it was asked for while it waited or ran." },
      createdAt: TIME,
      startedAt: { ...TIME, description: "Of the last attempt." },
      finishedAt: TIME,
      expiresAt: { ...TIME, description: "When it is forgotten." },
      reason: { type: "string", description: "Why it failed." },
    },
    additionalProperties: false,
  },
  TaskPage: {
    type: "object",
    required: ["tasks"],
    properties: {
      tasks: { type: "array", items: { $ref: "#/components/schemas/Task" } },
      next: { type: "string", description: "There may be more: give this as `after`." },
    },
    additionalProperties: false,
  },
  GoAnswer: {
    type: "object",
    description: "As the Go server wrote it: both are strings, in this order and without spaces.",
    required: ["value", "status"],
    properties: {
      value: { type: "string", pattern: "^(0|[1-9][0-9]*|-[123])$" },
      status: { type: "string", enum: ["200", "409", "503", "507"] },
    },
    additionalProperties: false,
  },
  MathAnswer: {
    type: "object",
    required: ["algo", "result", "status"],
    properties: {
      algo: { type: "string", enum: ["fibonacci", "factorial", "ackermann"] },
      result: {
        oneOf: [
          { type: "integer", description: "Of any length: more than most readers of JSON can hold." },
          {
            type: "string",
            description: "`Bad input`, `Negative Integer`, `Not an Integer`, `Too large: …`",
          },
        ],
      },
      status: { type: "string", enum: ["success", "failed"] },
    },
    additionalProperties: false,
  },
  FirstTerms: {
    type: "object",
    required: ["N", "result"],
    properties: { N: COUNT, result: { type: "string", pattern: "^([0-9]+( [0-9]+)*)?$" } },
    additionalProperties: false,
  },
  EarlierTask: {
    type: "object",
    required: ["id", "sn", "state", "createTime"],
    properties: {
      id: { type: "string", format: "uuid" },
      sn: COUNT,
      state: { type: "integer", minimum: 0, maximum: 1, description: "1 in progress, 0 ready." },
      createTime: { ...COUNT, description: "Milliseconds since 1970." },
    },
    additionalProperties: false,
  },
  Pong: {
    type: "object",
    required: ["message"],
    properties: { message: { type: "string", const: "pong" } },
    additionalProperties: false,
  },
  ...STATUS_SCHEMAS,
} as const satisfies Readonly<Record<string, Schema>>;

/** A schema by its name. */
export function schema(name: keyof typeof SCHEMAS): Schema {
  return { $ref: `#/components/schemas/${name}` };
}
