/**
 * Which request needs what, where there are tokens: the whole rule, in one table.
 *
 * A route that is missing in it needs `write`, so that a new one is never open by accident, and a test finds it missing.
 * What matches no route needs some token: nobody finds out without one what there is.
 * @module
 */
import type { Grant } from "../grant.ts";
import type { Method } from "./methods.ts";
import { asksForPage } from "./page-request.ts";
import { queryAll } from "./parameters.ts";

/**
 * - `nothing`: everybody may;
 * - `token unless page`: everybody may have the page, which asks for a token itself; else as `token`;
 * - `token`: whoever has one, such as for numbers;
 * - `read`, `write`: this scope, of everything;
 * - `read cursor`, `move cursor`, `list cursors`: the same, or `write:PREFIX` where the names begin so.
 */
export type Need =
  | "nothing"
  | "token unless page"
  | "token"
  | "read"
  | "write"
  | "read cursor"
  | "move cursor"
  | "list cursors";

/** A GET that changes something needs what changing needs. */
export const NEEDS: Readonly<Record<string, Readonly<Partial<Record<Method, Need>>>>> = {
  "/livez": { GET: "nothing" },
  "/readyz": { GET: "nothing" },
  "/openapi.json": { GET: "nothing" },
  "/docs": { GET: "nothing" },
  "/docs/:file": { GET: "nothing" },
  "/page/:file": { GET: "nothing" },

  "/api0/next": { GET: "write" },
  "/api0/previous": { GET: "write" },
  "/api0/current": { GET: "read" },

  "/v1/cursor": { GET: "read", PUT: "write", DELETE: "write" },
  "/v1/cursor/next": { POST: "write" },
  "/v1/cursor/previous": { POST: "write" },
  "/v1/cursor/events": { GET: "read" },
  "/v1/cursors": { GET: "list cursors" },
  "/v1/cursors/:name": { GET: "read cursor", PUT: "move cursor", DELETE: "move cursor" },
  "/v1/cursors/:name/next": { POST: "move cursor" },
  "/v1/cursors/:name/previous": { POST: "move cursor" },
  "/v1/cursors/:name/events": { GET: "read cursor" },

  "/v1/fibonacci/:n": { GET: "token" },
  "/v1/fibonacci/:n/digits": { GET: "token" },
  "/v1/lucas/:n": { GET: "token" },
  "/v1/factorial/:n": { GET: "token" },
  "/v1/ackermann/:m/:n": { GET: "token" },
  "/v1/index/:value": { GET: "token" },
  "/v1/zeckendorf/:value": { GET: "token" },
  "/v1/pisano/:m": { GET: "token" },
  "/v1/sequence": { GET: "token" },
  "/v1/sequence/locate": { GET: "token" },

  "/v1/tasks": { GET: "read", POST: "write" },
  "/v1/tasks/:id": { GET: "read", DELETE: "write" },
  "/v1/tasks/:id/result": { GET: "read" },
  "/v1/tasks/:id/events": { GET: "read" },
  "/v1/tasks/:id/cancel": { POST: "write" },

  "/": { GET: "token unless page" },
  "/ping": { GET: "token" },
  "/fib": { GET: "token" },
  "/fib/": { GET: "token" },
  "/fib/:n{-?[0-9]+}": { GET: "token" },
  "/fibonacci": { GET: "token" },
  "/factorial": { GET: "token" },
  "/ackermann": { GET: "token" },
  "/fibo": { GET: "write" },
  "/fibotask": { GET: "read" },

  "/v1/status": { GET: "read" },
  "/metrics": { GET: "read" },
  "/test/stats": { GET: "read" },
};

/** Who may, and what to tell who may not. */
interface Rule {
  /** The least that a token needs for it; undefined where any does. */
  readonly scope: Grant["scope"] | undefined;
  /** What a token would have to have, in words. */
  readonly wanted: string;
  readonly allows: (grant: Grant, request: Request, path: string) => boolean;
  /** Whether nobody needs a token for it; never, if left out. */
  readonly isOpen?: (request: Request) => boolean;
}

const ANYBODY: Rule = { scope: undefined, wanted: "none", allows: () => true };

/** Who may what. Whoever has `write:PREFIX` has `write` for those names, and nothing but numbers besides. */
export const RULES: Readonly<Record<Need, Rule>> = {
  nothing: { ...ANYBODY, isOpen: () => true },
  "token unless page": { ...ANYBODY, isOpen: (raw) => asksForPage({ env: undefined, req: { raw } }) },
  token: ANYBODY,
  read: {
    scope: "read",
    wanted: "read or write of everything",
    allows: ({ prefix }) => prefix === undefined,
  },
  write: {
    scope: "write",
    wanted: "write of everything",
    allows: ({ scope, prefix }) => scope === "write" && prefix === undefined,
  },
  "read cursor": {
    scope: "read",
    wanted: "read or write of everything or of this cursor",
    allows: ({ prefix = "" }, _, path) => nameIn(path).startsWith(prefix),
  },
  "move cursor": {
    scope: "write",
    wanted: "write of everything or of this cursor",
    allows: ({ scope, prefix = "" }, _, path) => scope === "write" && nameIn(path).startsWith(prefix),
  },
  "list cursors": {
    scope: "read",
    wanted: "read or write of everything",
    allows: ({ prefix }, request) => prefix === undefined || listsWithin(prefix, request),
  },
};

/** Routes whose GET changes something: there is no HEAD of them, and no page of another origin may ask for them. */
export const CHANGING_GETS: ReadonlySet<string> = new Set(
  Object.keys(NEEDS).filter((route) => {
    const { GET: need } = NEEDS[route]!;
    return need !== undefined && RULES[need].scope === "write";
  }),
);

/**
 * What a request needs.
 *
 * @param route - The pattern that it matches, "none" for no route.
 */
export function needOf(method: string, route: string): Need {
  if (route === "none") return "token";
  return NEEDS[route]?.[method === "HEAD" ? "GET" : (method as Method)] ?? "write";
}

const TASKS = "/v1/tasks";

/**
 * Whether somebody may make a task: who may not gets none for a preference either.
 *
 * @param grant - undefined where nobody needs a token.
 */
export function mayMakeTasks(grant: Grant | undefined, request: Request): boolean {
  return grant === undefined || RULES[needOf("POST", TASKS)].allows(grant, request, TASKS);
}

function listsWithin(prefix: string, raw: Request): boolean {
  const asked = queryAll({ env: undefined, req: { raw } }, "prefix");
  return asked.length > 0 && asked.every((each) => each.startsWith(prefix));
}

/**
 * The name in `/v1/cursors/:name…`. What is still encoded in it begins with no prefix that it would not begin with when
 * it is decoded: no prefix has a `%`.
 */
function nameIn(path: string): string {
  return path.split("/", 4)[3] ?? "";
}
