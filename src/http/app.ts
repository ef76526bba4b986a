/**
 * All routes in one app. It opens no port and no file, so a test can call `app.request()`.
 * @module
 */
import { Hono } from "hono";
import { cursorRoutes } from "./cursor.ts";
import { earlierTaskRoutes, type EarlierTaskServices } from "./earlier-tasks.ts";
import { earlierRoutes, type EarlierServices } from "./earlier.ts";
import { type ErrorEvents, frame } from "./frame.ts";
import { CHANGING_PATHS, type CursorServices, goCursorHandlers, goCursorRoutes } from "./go-cursor.ts";
import { numberRoutes } from "./numbers.ts";
import { sequenceRoutes } from "./sequence.ts";
import { type SystemServices, systemRoutes } from "./system.ts";
import { taskRoutes } from "./tasks.ts";

/** What the routes need. */
export interface Services
  extends CursorServices, EarlierServices, EarlierTaskServices, SystemServices, ErrorEvents {}

/**
 * Builds the app.
 *
 * @param services - What the routes call.
 * @param hot - What answers `/api0`; a port that has the same table answers these paths before they come here.
 */
export function createApp(services: Services, hot = goCursorHandlers(services)) {
  const app = new Hono();
  const routes = app
    .route("/", goCursorRoutes(hot))
    .route("/v1/cursor", cursorRoutes(services))
    .route("/v1", numberRoutes(services))
    .route("/v1", sequenceRoutes(services))
    .route("/v1/tasks", taskRoutes(services))
    .route("/", earlierRoutes(services))
    .route("/", earlierTaskRoutes(services))
    .route("/", systemRoutes(services));
  frame(app, services, CHANGING_GETS);
  return routes;
}

/** Earlier routes whose GET changes something, so that there is no HEAD of them. */
const CHANGING_GETS = new Set([...CHANGING_PATHS, "/fibo"]);
