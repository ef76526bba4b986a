/**
 * What is around the routes of every port: unknown paths, other methods, errors, HEAD.
 * @module
 */
import type { Hono } from "hono";
import { getPath } from "hono/utils/url";
import { FibError, isFault, systemError } from "../errors.ts";
import { type Asked, type PortEnvironment, requestIdOf } from "./asker.ts";
import { OUTSIDE } from "./base-path.ts";
import { METHODS } from "./methods.ts";
import { methodNotAllowed, problem } from "./problem.ts";
import { CHANGING_GETS } from "./rights.ts";

/** Who hears of errors. */
export interface ErrorEvents {
  /** Told of each error that is a bug, and by which request it came up. */
  readonly onBug: (error: unknown, requestId?: string) => void;
  /** Told of each error whose message is not for clients. */
  readonly onFault: (error: FibError, requestId?: string) => void;
}

/**
 * Puts it around an app that has its routes.
 *
 * @param basePath - Below which they are.
 */
export function frame(app: Hono, events: ErrorEvents, basePath = ""): void {
  app
    .notFound((c) => {
      const allowed: string[] = METHODS.filter(
        (method) => app.router.match(method, c.req.path)[0].length > 0,
      );
      if (allowed.includes("GET") && !CHANGING_GETS.has(c.req.path)) allowed.push("HEAD");
      if (allowed.length > 0) return methodNotAllowed(c, allowed.join(", "));
      const instead =
        c.req.path === OUTSIDE
          ? `this server is at ${basePath}/ (--base-path)`
          : `${basePath}/docs lists the routes`;
      return problem(new FibError("not_found", `Cannot find ${getPath(c.req.raw)}: ${instead}`), c);
    })
    .onError((error, c) => answerError(events, error, c));
  // HEAD is GET, of which the port does not send the body. Hono would drop it sooner, and its length with it.
  const { fetch } = app;
  app.fetch = (request, environment, ...rest) => {
    if (request.method !== "HEAD") return fetch(request, environment, ...rest);
    if (CHANGING_GETS.has(app.getPath(request)))
      return methodNotAllowed({ env: environment, req: { raw: request } }, "GET");
    const get = new Request(request, { method: "GET" });
    return fetch(get, { ...ofRequest(environment, request), isHead: true }, ...rest);
  };
}

/** What the port tells of the request that it has: it knows nothing of a copy. */
function ofRequest(environment: unknown, request: Request): object {
  const port = Object(environment) as Partial<PortEnvironment>;
  return {
    ...port,
    keepOpen: (_: Request, idleSeconds: number) => port.keepOpen?.(request, idleSeconds) ?? (() => {}),
    holderOf: () => port.holderOf?.(request) ?? "",
    isSecure: () => port.isSecure?.(request) ?? false,
  };
}

/** The answer for whatever a route threw, once who has to hear of it was told. */
export function answerError({ onBug, onFault }: ErrorEvents, error: unknown, asked: Asked): Response {
  const expected = isCutBody(error) ? bodyTooLarge() : (systemError(error) ?? error);
  if (!(expected instanceof FibError)) onBug(error, requestIdOf(asked));
  else if (isFault(expected)) onFault(expected, requestIdOf(asked));
  return problem(expected, asked);
}

// Bun ends the read of a body that grows past the limit, having answered 413, or whose sender has left.
function isCutBody(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === "AbortError" || error.message.includes("maxRequestBodySize");
}

function bodyTooLarge(): FibError {
  return new FibError("body_too_large", "Cannot read the body: it is larger than any that a route takes");
}
