/**
 * The description of what those ask who run a server: is it alive, is it ready, what does it use, what can it do.
 * @module
 */
import { FAULTS, headers, openProblems, problems } from "./parts.ts";
import { schema } from "./schemas.ts";
import type { Answer, Answers, Content, Operation, Paths } from "./types.ts";

const TAG = ["Operations"] as const;

function text(description: string, example: string): Answer {
  return {
    description,
    headers: headers("Cache-Control"),
    content: { "text/plain": { schema: { type: "string" }, example } },
  };
}

/** What is the same until another version runs, and is asked for each time. */
function file(description: string, content: Content): Answers {
  const sent = headers("ETag", "Cache-Control", "EncodingVary");
  return {
    200: { description, headers: sent, content },
    304: { description: "It is what `If-None-Match` names.", headers: sent },
  };
}

const DOCS: Operation = {
  operationId: "docs",
  tags: TAG,
  summary: "This description as a page",
  description: "Whole within the program: it loads nothing from elsewhere.",
  responses: { ...file("The page.", { "text/html": { schema: { type: "string" } } }), ...openProblems() },
};

/** A file of a page. */
function part(operationId: string, summary: string, content: Content): Operation {
  return {
    operationId,
    tags: TAG,
    summary,
    parameters: [
      {
        name: "file",
        in: "path",
        required: true,
        description: "Its name has the digest of what it holds in it, and so it is kept for ever.",
        schema: { type: "string" },
      },
    ],
    responses: { ...file("The file.", content), ...openProblems("not_found") },
  };
}

/** The paths. */
export const OPERATIONS_PATHS: Paths = {
  "/livez": {
    get: {
      operationId: "livez",
      tags: TAG,
      summary: "Whether it is alive",
      responses: { 200: text("It is.", "ok\n"), ...openProblems() },
    },
  },
  "/readyz": {
    get: {
      operationId: "readyz",
      tags: TAG,
      summary: "Whether it can take requests",
      description:
        "Not while it stops, nor while a move has waited for the disk for over five seconds, nor while the cursor's file or Redis cannot be used. Answers within two seconds, whatever hangs. Named cursors and tasks of one machine are left to `/v1/status`.",
      responses: {
        200: text("It can.", "ok\n"),
        ...openProblems(...FAULTS.cursor, ...FAULTS.tasks),
      },
    },
  },
  "/v1/status": {
    get: {
      operationId: "status",
      tags: TAG,
      summary: "How it is, what it does, and who may use it",
      description: "Answers also while a disk or Redis hangs: what is not known within 1.5 s is null.",
      responses: {
        200: {
          description: "Of the last minute.",
          headers: headers("Cache-Control"),
          content: { "application/json": { schema: schema("ServerStatus") } },
        },
        ...problems(),
      },
    },
  },
  "/metrics": {
    get: {
      operationId: "metrics",
      tags: TAG,
      summary: "What Prometheus reads",
      description: "By `Accept` in Prometheus's own format or as OpenMetrics.",
      responses: {
        200: {
          description: "All metrics.",
          headers: headers("Cache-Control", "Vary"),
          content: {
            "text/plain": { schema: { type: "string" } },
            "application/openmetrics-text": { schema: { type: "string" } },
          },
        },
        ...problems(),
      },
    },
  },
  "/test/stats": {
    get: {
      operationId: "stats",
      tags: TAG,
      summary: "The memory that it uses, as the Go server said it",
      responses: {
        200: {
          description: "In bytes.",
          headers: headers(),
          content: {
            "text/plain": {
              schema: { type: "string" },
              example: "Total system memory used:  81264640 bytes. Allocated on heap:  3145728 bytes.",
            },
          },
        },
        ...problems(),
      },
    },
  },
  "/openapi.json": {
    get: {
      operationId: "openapi",
      tags: TAG,
      summary: "This description",
      responses: {
        ...file("OpenAPI 3.1.", { "application/json": { schema: { type: "object" } } }),
        ...openProblems(),
      },
    },
  },
  "/docs": { get: DOCS },
  "/docs/{file}": {
    get: part("docsFile", "A file of that page", { "text/javascript": {}, "text/css": {}, "text/plain": {} }),
  },
  "/page/{file}": {
    get: part("pageFile", "A file of the page at `/`", {
      "text/javascript": {},
      "text/css": {},
      "image/svg+xml": {},
    }),
  },
};
