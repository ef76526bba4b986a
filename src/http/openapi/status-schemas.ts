/**
 * What `/v1/status` looks like; see schemas.ts.
 * @module
 */
import type { Schema } from "./types.ts";

const AMOUNT = { type: "number", minimum: 0 } as const;
const COUNT = { type: "integer", minimum: 0 } as const;
const FLAG = { type: "boolean" } as const;
const NULL = { type: "null" } as const;
const BY_STATE = { oneOf: [{ type: "object", additionalProperties: AMOUNT }, NULL] } as const;
const QUANTILES = { $ref: "#/components/schemas/Quantiles" } as const;

/** The schemas by their names. */
export const STATUS_SCHEMAS = {
  Quantiles: {
    type: "object",
    description:
      "What half, nine in ten and 99 in 100 did not exceed, in seconds; null when nothing was measured.",
    required: ["p50", "p90", "p99"],
    properties: {
      p50: { oneOf: [AMOUNT, NULL] },
      p90: { oneOf: [AMOUNT, NULL] },
      p99: { oneOf: [AMOUNT, NULL] },
    },
    additionalProperties: false,
  },
  LastMinute: {
    type: "object",
    description: "Soon after the start, what there was of it.",
    required: [
      "seconds",
      "requestsPerSecond",
      "movesPerSecond",
      "errorsPerSecond",
      "requestSeconds",
      "syncSeconds",
    ],
    properties: {
      seconds: AMOUNT,
      requestsPerSecond: AMOUNT,
      movesPerSecond: AMOUNT,
      errorsPerSecond: { ...AMOUNT, description: "Answers with 5xx, but for 507." },
      requestSeconds: QUANTILES,
      syncSeconds: QUANTILES,
      groupSize: {
        oneOf: [AMOUNT, NULL],
        description:
          "How many moves were taken together, on average, and so shared a sync or a call of Redis; null when there were none.",
      },
    },
    additionalProperties: false,
  },
  StatusProblem: {
    type: "object",
    required: ["part", "code", "detail"],
    properties: {
      part: { type: "string", description: "`cursor`, `cursors` with names, or `tasks`." },
      code: { type: "string", description: "As that of a `Problem`." },
      detail: { type: "string" },
    },
    additionalProperties: false,
  },
  ServerStatus: {
    type: "object",
    description: "How a server is.",
    required: [
      "version",
      "uptimeSeconds",
      "ready",
      "problems",
      "storage",
      "access",
      "cursor",
      "lastMinute",
      "tasks",
      "computations",
      "memory",
    ],
    properties: {
      version: { type: "string" },
      uptimeSeconds: AMOUNT,
      ready: { ...FLAG, description: "As `/readyz` says it." },
      problems: {
        type: "array",
        description:
          "What is not well. It may be `ready` all the same: for all that needs none of these parts.",
        items: { $ref: "#/components/schemas/StatusProblem" },
      },
      storage: { type: "string", enum: ["files", "redis"] },
      access: {
        type: "object",
        description: "Who may use it.",
        required: ["from", "tokens", "tls"],
        properties: {
          from: { type: "string", enum: ["machine", "network"] },
          tokens: { ...FLAG, description: "Whether one is needed." },
          tls: FLAG,
        },
        additionalProperties: false,
      },
      limits: {
        type: "object",
        description: "The most that may be asked of it; versions before did not tell.",
        required: ["index", "digits", "terms"],
        properties: {
          index: { ...COUNT, description: "Where a cursor may stand: `--max-index`." },
          digits: { ...COUNT, description: "Of a result: `--max-digits`." },
          terms: { ...COUNT, description: "Of a sequence: `--max-sequence`." },
        },
        additionalProperties: false,
      },
      cursor: {
        oneOf: [
          {
            type: "object",
            required: ["index"],
            properties: { index: { type: "string", pattern: "^(0|[1-9][0-9]*)$" } },
            additionalProperties: false,
          },
          NULL,
        ],
      },
      lastMinute: { $ref: "#/components/schemas/LastMinute" },
      tasks: BY_STATE,
      computations: BY_STATE,
      memory: {
        type: "object",
        required: ["residentBytes", "heapBytes"],
        properties: { residentBytes: AMOUNT, heapBytes: AMOUNT },
        additionalProperties: false,
      },
    },
    additionalProperties: false,
  },
} as const satisfies Readonly<Record<string, Schema>>;
