/**
 * The description of all routes, as OpenAPI 3.1: `/openapi.json`.
 *
 * By hand, beside the routes, and on the way of no request: schema libraries that check or generate cost 2 to 5 µs of
 * the 8 that a request takes, and 5 to 130 ms at the start. That it is true is for tests: it has the routes that the app has,
 * and no others; every answer that any test gets is held against it; and requests that are made up from it get no
 * other answers than it says.
 * @module
 */
import { version } from "../../package.json";
import { CURSOR_PATHS } from "./openapi/cursors.ts";
import { EARLIER_PATHS } from "./openapi/earlier.ts";
import { INQUIRY_PATHS } from "./openapi/inquiries.ts";
import { NUMBER_PATHS } from "./openapi/numbers.ts";
import { OPERATIONS_PATHS } from "./openapi/operations.ts";
import { HEADERS, PARAMETERS } from "./openapi/parts.ts";
import { SCHEMAS } from "./openapi/schemas.ts";
import { TASK_PATHS } from "./openapi/tasks.ts";
import type { Document, PathItem, Paths, Security } from "./openapi/types.ts";
import { type Need, needOf, NEEDS, RULES } from "./rights.ts";

const DESCRIPTION = `A durable cursor through the Fibonacci sequence, exact numbers of any length, and tasks for those that take long.

**Errors** are problem documents (RFC 9457) with a stable \`code\`, except where an earlier service had words of its own.
A 503 or 429 carries \`Retry-After\`. A path that is not here is 404 \`not_found\`, another method 405
\`method_not_allowed\` with \`Allow\`. A request whose head is longer than 16 KiB is 431, one whose body is longer 413:
of any operation, also of those that take none, and without a document.

**HEAD** is there wherever GET is and changes nothing: the same headers, and nothing is computed but what has no length
before it is known (remainders, ends, digit counts, periods, Zeckendorf's indices).

**Numbers** that may be long are strings in JSON. What never changes has a strong \`ETag\`, is cached for ever, and any
range of its bytes can be had.

**Names of requests**: \`X-Request-Id\`, 1 to 64 of \`A-Za-z0-9._-\`, comes back with the answer and stands in logs.

**Tokens** are needed where the server was started with \`--tokens\`: \`Authorization: Bearer …\`. One with the scope
\`read\` reads, \`write\` does everything, \`write:PREFIX\` has the cursors whose names begin so.

**Headers for browsers**: all but \`/api0\` send \`X-Content-Type-Options\` and \`Cross-Origin-Resource-Policy\`; \`/docs\`,
the page at \`/\` and this description come compressed (\`Content-Encoding\`), both pages with a \`Content-Security-Policy\`.

**Streams of events** do not end, so "Try it out" shows nothing of them: take \`curl -N\`, or an \`EventSource\`.

**Pages of other origins** may change nothing, 403 \`forbidden\`, but for those that the server was started with
(\`--allow-origin\`): they may what a program may, by CORS.`;

/** Says which tokens do, by the table that decides it; without `--tokens` nobody needs one. */
function withSecurity(paths: Paths): Paths {
  const routes = new Map(Object.keys(NEEDS).map((route) => [templateOf(route), route]));
  const secured = Object.entries(paths).map(([path, item]) => {
    const operations = Object.entries(item).map(([method, operation]) => [
      method,
      { ...operation, security: securityOf(needOf(method.toUpperCase(), routes.get(path) ?? path)) },
    ]);
    return [path, Object.fromEntries(operations) as PathItem];
  });
  return Object.fromEntries(secured) as Paths;
}

/** Nothing, where there are no tokens; else one that has the scope. */
function securityOf(need: Need): Security {
  if (need === "nothing") return [{}];
  const { scope } = RULES[need];
  return [{}, { token: scope === undefined ? [] : [scope] }];
}

/** A route of Hono's, with parameters as `:name` or `:name{expression}`, as OpenAPI spells it: `{name}`. */
export function templateOf(route: string): string {
  return route.replaceAll(/:(\w+)(\{.*?\})?/g, "{$1}");
}

/** The description. */
export const DOCUMENT: Document = {
  openapi: "3.1.1",
  info: {
    title: "fibserver",
    version,
    summary: "A durable cursor through the Fibonacci sequence, and exact numbers",
    description: DESCRIPTION,
    license: { name: "MIT", identifier: "MIT" },
  },
  // By where this document lies, so that it is right behind a proxy that puts a path before it.
  servers: [{ url: ".", description: "This server" }],
  tags: [
    { name: "Cursors", description: "Positions that are on disk before they are answered." },
    { name: "Numbers", description: "Exact, in text, JSON, NDJSON or CSV, by `Accept` or `format`." },
    { name: "Tasks", description: "Numbers that are fetched later." },
    { name: "Operations", description: "For those who run it." },
    { name: "Earlier services", description: "Routes of the services that this one replaces, to the byte." },
  ],
  paths: withSecurity({
    ...CURSOR_PATHS,
    ...INQUIRY_PATHS,
    ...NUMBER_PATHS,
    ...TASK_PATHS,
    ...OPERATIONS_PATHS,
    ...EARLIER_PATHS,
  }),
  components: {
    schemas: SCHEMAS,
    parameters: PARAMETERS,
    headers: HEADERS,
    securitySchemes: {
      token: { type: "http", scheme: "bearer", description: "Made by `fibserver token NAME`." },
    },
  },
};
