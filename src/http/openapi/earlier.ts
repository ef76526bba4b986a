/**
 * The description of the routes of the five earlier services, which keep their own words for errors.
 * @module
 */
import { FAULTS, headers, optionalHeaders, parameters, problems, withContent } from "./parts.ts";
import { RESOURCE_PARAMETERS, resourceAnswers } from "./resources.ts";
import { schema } from "./schemas.ts";
import type { Answer, Answers, Content, Operation, Parameter, Paths } from "./types.ts";

const TAG = ["Earlier services"] as const;

const TEXT: Content = { "text/plain": { schema: { type: "string" } } };

function goAnswers(value: string, status: number): Content {
  return { "application/json": { schema: schema("GoAnswer"), example: { value, status: String(status) } } };
}

function goRefusal(description: string, value: string, status: number): Answer {
  return { description, headers: headers("Cache-Control"), content: goAnswers(value, status) };
}

function go(operationId: string, summary: string, ends: Answers, description?: string): Operation {
  const faults = withContent(problems("overloaded"), 503, goAnswers("-3", 503));
  return {
    operationId,
    tags: TAG,
    summary,
    ...(description !== undefined && { description }),
    responses: {
      200: {
        description: "F(index).",
        headers: headers("Cache-Control", "Set-Cookie"),
        content: goAnswers("13", 200),
      },
      ...ends,
      ...faults,
    },
  };
}

const MOVES =
  "A GET that changes something: a page of another site may not ask for it, and there is no HEAD of it.";

const GO_PATHS: Paths = {
  "/api0/next": {
    get: go(
      "goNext",
      "Move the cursor on by one",
      { 507: goRefusal("The cursor is at the server's `--max-index`, and stays there.", "-2", 507) },
      MOVES,
    ),
  },
  "/api0/previous": {
    get: go(
      "goPrevious",
      "Move the cursor back by one",
      { 409: goRefusal("The cursor is at index 0, and stays there.", "-1", 409) },
      MOVES,
    ),
  },
  "/api0/current": { get: go("goCurrent", "Where the cursor stands", {}) },
};

/** A count of terms. */
function count(name: string, where: "path" | "query", example: string): Parameter {
  return {
    name,
    in: where,
    required: where === "path",
    description: "How many terms: up to the server's `--max-terms`, by default 100,000.",
    schema: { type: "string", pattern: "^[0-9]{1,15}$" },
    example,
  };
}

const HELLO: Operation = {
  operationId: "hello",
  tags: TAG,
  summary: "A greeting",
  responses: {
    200: { description: "`Hello, World!`", headers: headers(), content: TEXT },
    ...problems(),
  },
};

const PONG: Content = { "application/json": { schema: schema("Pong"), example: { message: "pong" } } };

/** What a text that never changes has, on a path that has other answers as well. */
const RESOURCE_HEADERS = ["ETag", "Cache-Control", "Vary", "Accept-Ranges", "Server-Timing"] as const;

function math(
  algo: "fibonacci" | "factorial" | "ackermann",
  given: Readonly<Record<string, string>>,
  result: number,
): Operation {
  const content: Content = {
    "application/json": { schema: schema("MathAnswer"), example: { algo, result, status: "success" } },
  };
  const refusal: Content = {
    "application/json": {
      schema: schema("MathAnswer"),
      example: { algo, result: "Negative Integer", status: "failed" },
    },
  };
  return {
    operationId: `math${algo[0]!.toUpperCase()}${algo.slice(1)}`,
    tags: TAG,
    summary: `The math service: ${algo}`,
    parameters: [
      ...Object.entries(given).map(([name, example]): Parameter => ({
        name,
        in: "query",
        required: true,
        description: "A whole number from 0.",
        schema: { type: "string", pattern: "^[+]?[0-9]{1,128}$" },
        example,
      })),
      ...parameters(...RESOURCE_PARAMETERS),
    ],
    responses: withContent(
      resourceAnswers("The number, as a number of JSON of any length.", content, FAULTS.numbers),
      400,
      refusal,
    ),
  };
}

/** The paths. */
export const EARLIER_PATHS: Paths = {
  ...GO_PATHS,
  "/": {
    get: {
      operationId: "firstTerms",
      tags: TAG,
      summary: "The streaming service: the first terms; or the page",
      description:
        "Without `sn` it answers as `/ping` does, or, where `Accept` names HTML and wants it no less than JSON, with the page, which needs no token.",
      parameters: [count("sn", "query", "5"), ...parameters(...RESOURCE_PARAMETERS)],
      responses: withContent(
        {
          ...resourceAnswers("The terms, each followed by a space.", { "text/plain": {} }, FAULTS.numbers),
          200: {
            description: "The terms, each followed by a space; or, without `sn`, the page or `pong`.",
            headers: { ...optionalHeaders(...RESOURCE_HEADERS), ...headers("Vary") },
            content: {
              "text/plain": { schema: { type: "string" }, example: "0 1 1 2 3 " },
              ...PONG,
              "text/html": { schema: { type: "string" } },
            },
          },
          304: {
            description: "It is what `If-None-Match` names.",
            headers: {
              ...headers("ETag", "Cache-Control", "Vary"),
              ...optionalHeaders("Accept-Ranges"),
            },
          },
          308: {
            description:
              "Of a server with `--base-path`, for who asks without the slash behind it: there it is.",
            headers: headers("Location", "Cache-Control"),
          },
        },
        400,
        TEXT,
      ),
    },
  },
  "/ping": {
    get: {
      operationId: "ping",
      tags: TAG,
      summary: "The math service: is it there",
      responses: { 200: { description: "It is.", headers: headers(), content: PONG }, ...problems() },
    },
  },
  "/fib": { get: HELLO },
  "/fib/": { get: { ...HELLO, operationId: "helloSlash" } },
  "/fib/{n}": {
    get: {
      operationId: "restTerms",
      tags: TAG,
      summary: "The REST front: the first terms",
      parameters: [
        { ...count("n", "path", "5"), schema: { type: "string", pattern: "^-?[0-9]+$" } },
        ...parameters(...RESOURCE_PARAMETERS),
      ],
      responses: withContent(
        resourceAnswers(
          "The terms, with a space between two of them.",
          {
            "application/json": {
              schema: schema("FirstTerms"),
              example: { N: 5, result: "0 1 1 2 3" },
            },
          },
          ["not_found", ...FAULTS.numbers],
        ),
        400,
        TEXT,
      ),
    },
  },
  "/fibonacci": { get: math("fibonacci", { n: "4" }, 3) },
  "/factorial": { get: math("factorial", { n: "3" }, 6) },
  "/ackermann": { get: math("ackermann", { m: "1", n: "1" }, 3) },
  "/fibo": {
    get: {
      operationId: "startTerms",
      tags: TAG,
      summary: "The task system: have the first terms computed",
      description: MOVES,
      parameters: [count("sn", "query", "1000")],
      responses: withContent(
        {
          200: {
            description: "The task, which is one of `/v1/tasks` as well.",
            headers: headers("Cache-Control"),
            content: { "application/json": { schema: schema("EarlierTask") } },
          },
          ...problems("result_too_large", "too_many_tasks", ...FAULTS.tasks),
        },
        400,
        TEXT,
      ),
    },
  },
  "/fibotask": {
    get: {
      operationId: "fetchTerms",
      tags: TAG,
      summary: "The task system: fetch the terms",
      description:
        "The byte 0x00, then the terms, each followed by a space; or 0x01, then the id, while it is not ready.",
      parameters: [
        {
          name: "id",
          in: "query",
          required: true,
          description: "The `id` that `/fibo` gave.",
          schema: { type: "string" },
        },
        ...parameters(...RESOURCE_PARAMETERS),
      ],
      responses: {
        ...resourceAnswers("The terms.", { "application/octet-stream": {} }, [
          "task_unknown",
          ...FAULTS.numbers,
          ...FAULTS.tasks,
        ]),
        200: {
          description: "The terms, or that they are not ready.",
          headers: {
            ...headers("Cache-Control"),
            ...optionalHeaders("ETag", "Vary", "Accept-Ranges", "Server-Timing"),
          },
          content: { "application/octet-stream": {} },
        },
      },
    },
  },
};
