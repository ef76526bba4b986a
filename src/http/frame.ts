/**
 * What is around the routes of every port: unknown paths, other methods, errors, HEAD.
 * @module
 */
import type { Hono } from "hono";
import { FibError, isFault, systemError } from "../errors.ts";
import { methodNotAllowed, problem } from "./problem.ts";

/** Who hears of errors. */
export interface ErrorEvents {
  /** Told of each error that is a bug. */
  readonly onBug: (error: unknown) => void;
  /** Told of each error whose message is not for clients. */
  readonly onFault: (error: FibError) => void;
}

const METHODS = ["GET", "PUT", "POST", "DELETE"];

/**
 * Puts it around an app that has its routes.
 *
 * @param changingGets - Paths whose GET changes something, so that there is no HEAD of them.
 */
export function frame(app: Hono, events: ErrorEvents, changingGets: ReadonlySet<string> = new Set()): void {
  app
    .notFound((c) => {
      const allowed = METHODS.filter((method) => app.router.match(method, c.req.path)[0].length > 0);
      if (allowed.includes("GET") && !changingGets.has(c.req.path)) allowed.push("HEAD");
      if (allowed.length > 0) return methodNotAllowed(c, allowed.join(", "));
      return problem(
        new FibError("not_found", `Cannot find ${c.req.path}: the README lists the routes`),
        c.req.path,
      );
    })
    .onError((error, c) => answerError(events, error, c.req.path));
  // HEAD is GET, of which the port does not send the body. Hono would drop it sooner, and its length with it.
  const { fetch } = app;
  app.fetch = (request, environment, ...rest) =>
    request.method === "HEAD"
      ? fetch(new Request(request, { method: "GET" }), { ...(environment as object), isHead: true }, ...rest)
      : fetch(request, environment, ...rest);
}

/** The answer for whatever a route threw, once who has to hear of it was told. */
export function answerError({ onBug, onFault }: ErrorEvents, error: unknown, path: string): Response {
  const expected = isCutBody(error) ? bodyTooLarge() : (systemError(error) ?? error);
  if (!(expected instanceof FibError)) onBug(error);
  else if (isFault(expected)) onFault(expected);
  return problem(expected, path);
}

// Bun ends the read of a body that grows past the limit, having answered 413, or whose sender has left.
function isCutBody(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === "AbortError" || error.message.includes("maxRequestBodySize");
}

function bodyTooLarge(): FibError {
  return new FibError("body_too_large", "Cannot read the body: it is larger than any that a route takes");
}
