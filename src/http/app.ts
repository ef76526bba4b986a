/**
 * All routes in one app. It opens no port and no file, so a test can call `app.request()`.
 * @module
 */
import { Hono } from "hono";
import type { Registry } from "../metrics.ts";
import { pathWithin } from "./base-path.ts";
import { clientHandlers, type ClientOptions } from "./clients.ts";
import { cursorRoutes, type CursorServices } from "./cursor.ts";
import { docsRoutes } from "./docs.ts";
import { earlierTaskRoutes, type EarlierTaskServices } from "./earlier-tasks.ts";
import { earlierRoutes, type EarlierServices } from "./earlier.ts";
import { type ErrorEvents, frame } from "./frame.ts";
import { goCursorHandlers, goCursorRoutes, type HotRoutes } from "./go-cursor.ts";
import { metricsRoutes } from "./metrics.ts";
import { numberRoutes } from "./numbers.ts";
import { pageRoutes } from "./page.ts";
import { sequenceRoutes } from "./sequence.ts";
import { type SystemServices, systemRoutes } from "./system.ts";
import { taskRoutes } from "./tasks.ts";

/** What the routes need. */
export interface Services
  extends CursorServices, EarlierServices, EarlierTaskServices, SystemServices, ErrorEvents {
  /** What `/metrics` tells. */
  readonly metrics: Registry;
  /** `/api0` moves a cursor of each client's own; undefined for the default one. */
  readonly perClient: ClientOptions | undefined;
  /** Below which path all of it is, see base-path.ts; empty for the root. */
  readonly basePath: string;
}

/** What answers `/api0`. */
export function hotHandlers(services: Services): HotRoutes {
  const { perClient, basePath } = services;
  if (perClient === undefined) return goCursorHandlers(services);
  return clientHandlers(services, perClient, `${basePath}/api0`);
}

/**
 * Builds the app.
 *
 * @param services - What the routes call.
 * @param hot - What answers `/api0`; a port that has the same table answers these paths before they come here.
 */
export function createApp(services: Services, hot = hotHandlers(services)) {
  const { basePath } = services;
  const app = new Hono({ getPath: pathWithin(basePath) });
  const routes = app
    .route("/", goCursorRoutes(hot))
    .route("/v1", cursorRoutes(services))
    .route("/v1", numberRoutes(services))
    .route("/v1", sequenceRoutes(services))
    .route("/v1/tasks", taskRoutes(services))
    .route("/", earlierRoutes(services))
    .route("/", earlierTaskRoutes(services))
    .route("/", systemRoutes(services))
    .route("/", metricsRoutes(services.metrics))
    .route("/", docsRoutes())
    .route("/", pageRoutes());
  frame(app, services, basePath);
  return routes;
}
