/**
 * All routes in one app. It opens no port and no file, so a test can call `app.request()`.
 * @module
 */
import { Hono } from "hono";
import { FibError, isFault, systemError } from "../errors.ts";
import { type CursorServices, cursorRoutes, goCursorRoutes } from "./cursor.ts";
import { earlierTaskRoutes, type EarlierTaskServices } from "./earlier-tasks.ts";
import { earlierRoutes, type EarlierServices } from "./earlier.ts";
import { numberRoutes } from "./numbers.ts";
import { methodNotAllowed, problem } from "./problem.ts";
import { sequenceRoutes } from "./sequence.ts";
import { type SystemServices, systemRoutes } from "./system.ts";
import { taskRoutes } from "./tasks.ts";

/** What the routes need. */
export interface Services extends CursorServices, EarlierServices, EarlierTaskServices, SystemServices {
  /** Told of each error that is a bug. */
  readonly onBug: (error: unknown) => void;
  /** Told of each error whose message is not for clients. */
  readonly onFault: (error: FibError) => void;
}

const METHODS = ["GET", "PUT", "POST", "DELETE", "PATCH"];

/**
 * Builds the app.
 *
 * @param services - What the routes call.
 */
export function createApp(services: Services) {
  const app = new Hono();
  const routes = app
    .route("/api0", goCursorRoutes(services))
    .route("/v1/cursor", cursorRoutes(services))
    .route("/v1", numberRoutes(services))
    .route("/v1", sequenceRoutes(services))
    .route("/v1/tasks", taskRoutes(services))
    .route("/", earlierRoutes(services))
    .route("/", earlierTaskRoutes(services))
    .route("/", systemRoutes(services))
    .notFound((c) => {
      const allowed = METHODS.filter((method) => app.router.match(method, c.req.path)[0].length > 0);
      if (allowed.includes("GET") && !CHANGING_GETS.has(c.req.path)) allowed.push("HEAD");
      if (allowed.length > 0) return methodNotAllowed(c, allowed.join(", "));
      return problem(
        new FibError("not_found", `Cannot find ${c.req.path}: the README lists the routes`),
        c.req.path,
      );
    })
    .onError((error, c) => {
      const expected = isCutBody(error) ? bodyTooLarge() : (systemError(error) ?? error);
      if (!(expected instanceof FibError)) services.onBug(error);
      else if (isFault(expected)) services.onFault(expected);
      return problem(expected, c.req.path);
    });
  // HEAD is GET, of which the port does not send the body. Hono would drop it sooner, and its length with it.
  const { fetch } = app;
  app.fetch = (request, environment, ...rest) =>
    request.method === "HEAD"
      ? fetch(new Request(request, { method: "GET" }), { ...(environment as object), isHead: true }, ...rest)
      : fetch(request, environment, ...rest);
  return routes;
}

/** Earlier routes whose GET changes something, so that there is no HEAD of them. */
const CHANGING_GETS = new Set(["/api0/next", "/api0/previous", "/fibo"]);

// Bun ends the read of a body that grows past the limit, having answered 413, or whose sender has left.
function isCutBody(error: Error): boolean {
  return error.name === "AbortError" || error.message.includes("maxRequestBodySize");
}

function bodyTooLarge(): FibError {
  return new FibError("body_too_large", "Cannot read the body: it is larger than any that a route takes");
}
