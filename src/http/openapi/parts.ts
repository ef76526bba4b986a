/**
 * What the operations have in common: headers, parameters, and the answers for errors, which follow from the codes.
 * @module
 */
import { LIMITS } from "../../config/config.ts";
import { CODES, type ErrorCode } from "../../errors.ts";
import { NAME_PATTERN, schema } from "./schemas.ts";
import type { Answer, Answers, Content, Header, Parameter, Reference, Schema } from "./types.ts";

const TAG: Schema = { type: "string", pattern: '^"[^"]+"$' };

/** Headers of answers. */
export const HEADERS = {
  "Accept-Ranges": {
    description: "Any range of its bytes can be had.",
    required: true,
    schema: { type: "string", const: "bytes" },
  },
  Allow: { description: "The methods that there are.", required: true, schema: { type: "string" } },
  "Cache-Control": {
    description:
      "`no-store` for what is true only now; a number, which never changes, is `public, max-age=31536000, immutable`, and `private` in place of `public` where it took a token; what another version changes, as the page, is `public, no-cache`.",
    required: true,
    schema: { type: "string" },
  },
  "Content-Range": {
    description: "Which bytes of how many these are.",
    required: true,
    schema: { type: "string", pattern: "^bytes ([0-9]+-[0-9]+|\\*)/[0-9]+$" },
  },
  ETag: {
    description: "Names this content: for `If-Match`, `If-None-Match` and `If-Range`.",
    required: true,
    schema: TAG,
  },
  "Fibserver-Term": {
    description:
      "Of a range of a sequence: the index of the term that its first byte belongs to, and how many bytes into that term's record it is. What stands before the first term belongs to it, a separator to the term before it.",
    schema: { type: "string", pattern: "^(0|[1-9][0-9]*)\\+(0|[1-9][0-9]*)$" },
  },
  PositionTag: {
    description: "Names this position, for `If-Match`; not on an answer that is given again.",
    schema: { type: "string", pattern: '^"[0-9]+"$' },
  },
  "Idempotency-Replayed": {
    description: "The move had been made already under this key: this is its first answer.",
    schema: { type: "string", const: "true" },
  },
  Location: {
    description: "Where it is.",
    required: true,
    schema: { type: "string", format: "uri-reference" },
  },
  "Preference-Applied": { description: "Which preferences were met.", schema: { type: "string" } },
  "Retry-After": {
    description: "Seconds after which another try is worth it.",
    required: true,
    schema: { type: "string", pattern: "^[0-9]+$" },
  },
  MayRetryAfter: {
    description: "Seconds after which to look again; not when it has ended already.",
    schema: { type: "string", pattern: "^[0-9]+$" },
  },
  "Server-Timing": {
    description: "How long computing took, in milliseconds.",
    schema: { type: "string", pattern: "^compute;dur=" },
  },
  "Set-Cookie": {
    description: "Of a server with `--per-client`: which cursor is this client's.",
    schema: { type: "string" },
  },
  Vary: {
    description:
      "`Accept` chooses between representations; where it says so, `Accept-Encoding` how one is compressed.",
    required: true,
    schema: { type: "string" },
  },
  EncodingVary: {
    description: "`Accept-Encoding` chooses how it is compressed.",
    schema: { type: "string", const: "Accept-Encoding" },
  },
  "WWW-Authenticate": {
    description: "That a token is needed, and whether one was sent that is not known.",
    required: true,
    schema: { type: "string", pattern: "^Bearer " },
  },
  ScopeChallenge: {
    description: "The scope that the token of the request lacks.",
    schema: { type: "string", pattern: '^Bearer .*error="insufficient_scope"' },
  },
  "X-Accel-Buffering": {
    description: "Tells nginx to hold nothing back.",
    required: true,
    schema: { type: "string", const: "no" },
  },
  "X-Request-Id": {
    description: "Names the request: what it sent itself in this header, or a new one.",
    schema: { type: "string", pattern: "^[A-Za-z0-9._-]{1,64}$" },
  },
} as const satisfies Readonly<Record<string, Header>>;

/** Headers of an answer, by their names or `Name: key` where the description differs. */
export function headers(...names: readonly (keyof typeof HEADERS)[]): Readonly<Record<string, Reference>> {
  const entries = [...names, "X-Request-Id"].map((key) => [
    {
      PositionTag: "ETag",
      MayRetryAfter: "Retry-After",
      EncodingVary: "Vary",
      ScopeChallenge: "WWW-Authenticate",
    }[key] ?? key,
    { $ref: `#/components/headers/${key}` },
  ]);
  return Object.fromEntries(entries) as Record<string, Reference>;
}

const NATURAL: Schema = {
  type: "string",
  pattern: "^(0|[1-9][0-9]*)$",
  maxLength: LIMITS.parameterDigitsMax,
};

function inPath(name: string, description: string, example: string, shape: Schema = NATURAL): Parameter {
  return { name, in: "path", required: true, description, schema: shape, example };
}

/** Headers of an answer that comes in more than one form, so that none of them is there each time. */
export function optionalHeaders(
  ...names: readonly (keyof typeof HEADERS)[]
): Readonly<Record<string, Header>> {
  return Object.fromEntries(names.map((name) => [name, { ...HEADERS[name], required: false }]));
}

/** Parameters of requests. Examples stand only where a call that is tried out needs a value. */
export const PARAMETERS = {
  m: inPath("m", "A whole number from 0.", "2"),
  n: inPath("n", "A whole number from 0.", "100"),
  value: inPath("value", "A whole number from 0, of any length that an address has room for.", "6765", {
    type: "string",
    pattern: "^(0|[1-9][0-9]*)$",
    maxLength: 15_000,
  }),
  name: inPath(
    "name",
    "1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`, the first a letter or a digit; none begins with `client-`.",
    "alice",
    { type: "string", pattern: NAME_PATTERN },
  ),
  id: inPath("id", "The id of a task.", "01a1fd64-51f4-7678-af12-2ee8e6058112", { type: "string" }),
  format: {
    name: "format",
    in: "query",
    description: "The representation; it goes before `Accept`.",
    schema: { type: "string", enum: ["text", "json", "ndjson", "csv"] },
  },
  sequenceFormat: {
    name: "format",
    in: "query",
    description:
      "The representation; it goes before `Accept`. `bfile` is for sequences alone: `n F(n)` a line, as the OEIS has it.",
    schema: { type: "string", enum: ["text", "json", "ndjson", "csv", "bfile"] },
  },
  limit: {
    name: "limit",
    in: "query",
    description: "How many at most.",
    schema: { type: "integer", minimum: 1, maximum: 1000, default: 100 },
  },
  ifMatch: {
    name: "If-Match",
    in: "header",
    description: "Do this only if one of these tags names what there is, or `*` for anything; else 412.",
    schema: { type: "string" },
  },
  ifNoneMatch: {
    name: "If-None-Match",
    in: "header",
    description: "Answer with 304 if one of these tags names what there is.",
    schema: { type: "string" },
  },
  ifNone: {
    name: "If-None-Match",
    in: "header",
    description: "`*`: only if there is no such cursor; else 412.",
    schema: { type: "string" },
  },
  idempotencyKey: {
    name: "Idempotency-Key",
    in: "header",
    description:
      "1 to 255 characters. A retry with the same key moves once and gets the first answer; the last 100 keys of a cursor are kept, across restarts.",
    schema: { type: "string", minLength: 1, maxLength: 255 },
  },
  range: {
    name: "Range",
    in: "header",
    description: "One range of bytes, such as `bytes=0-99`. Several get everything.",
    schema: { type: "string" },
  },
  ifRange: {
    name: "If-Range",
    in: "header",
    description: "The tag that `Range` is meant for: everything is sent if it is another one.",
    schema: { type: "string" },
  },
  prefer: {
    name: "Prefer",
    in: "header",
    description:
      "`respond-async`: a task, and 202. `wait=5`: the answer if it is there within five seconds (60 at most), else the task.",
    schema: { type: "string" },
  },
  preferMinimal: {
    name: "Prefer",
    in: "header",
    description: "`return=minimal`: `digits` in the place of `value`.",
    schema: { type: "string" },
  },
  lastEventId: {
    name: "Last-Event-ID",
    in: "header",
    description: "The `id` of the last event that was seen: only what has changed since is sent.",
    schema: { type: "string" },
  },
} as const satisfies Readonly<Record<string, Parameter>>;

/** Parameters of an operation. */
export function parameters(...names: readonly (keyof typeof PARAMETERS)[]): readonly Reference[] {
  return names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
}

/** What Redis may have against it, where a server shares one. */
const REDIS = ["redis_unavailable", "redis_full", "redis_unusable", "not_replicated"] as const;

/**
 * Answers where an earlier service has words of its own for an error that is also a problem document.
 *
 * @param own - What those words look like; only the document says how long it may be kept.
 */
export function withContent(answers: Answers, status: number, own: Content): Answers {
  const { description, headers: known, content } = answers[status]!;
  const all = { ...known, ...optionalHeaders("Cache-Control") };
  return { ...answers, [status]: { description, headers: all, content: { ...own, ...content } } };
}

/** Which errors a part of the server has, whatever is asked of it. */
export const FAULTS = {
  cursor: ["cursor_damaged", "cursor_io", "cursor_locked", "overloaded", ...REDIS],
  tasks: ["tasks_io", "tasks_locked", "overloaded", ...REDIS],
  numbers: ["overloaded", "machine_unreliable", "result_too_large"],
} as const satisfies Readonly<Record<string, readonly ErrorCode[]>>;

/** What any request may get: for its Host, for the page it comes from, for a bug, for a machine in need. */
const ALWAYS = ["bad_argument", "forbidden", "internal", "system_failed"] as const;

/**
 * The answers for errors, one for each status that the codes have.
 *
 * @param codes - Besides those that any request may get.
 */
export function problems(...codes: readonly ErrorCode[]): Answers {
  return problemsOf(...codes, ...ALWAYS, "unauthorized");
}

/** The same for what needs no token. */
export function openProblems(...codes: readonly ErrorCode[]): Answers {
  return problemsOf(...codes, ...ALWAYS);
}

function problemsOf(...codes: readonly ErrorCode[]): Answers {
  const byStatus = Map.groupBy(new Set(codes), (code) => CODES[code].http);
  return Object.fromEntries([...byStatus].map(([status, group]) => [status, problemOf(status, group)]));
}

function problemOf(status: number, codes: readonly ErrorCode[]): Answer {
  const extra =
    status === 401 ? ["WWW-Authenticate"] : status === 503 || status === 429 ? ["Retry-After"] : [];
  return {
    description: codes.map((code) => `\`${code}\`: ${CODES[code].title}.`).join("\n\n"),
    headers: {
      ...headers("Cache-Control", ...(extra as (keyof typeof HEADERS)[])),
      // Not of a task that has ended without a result.
      ...(codes.includes("task_not_ready") && headers("MayRetryAfter")),
      ...(status === 403 && headers("ScopeChallenge")),
      // A range that is refused says how many bytes there are.
      ...(status === 416 && headers("Content-Range")),
    },
    content: {
      "application/problem+json": {
        schema: { allOf: [schema("Problem"), { properties: { code: { enum: codes } } }] },
      },
    },
  };
}
