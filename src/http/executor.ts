/**
 * What an executor answers to those who watch it: `/livez`, `/readyz` and `/metrics`, and nothing that changes anything.
 * @module
 */
import { Hono } from "hono";
import type { Registry } from "../metrics.ts";
import { type ErrorEvents, frame } from "./frame.ts";
import { healthRoutes } from "./health.ts";
import { metricsRoutes } from "./metrics.ts";

/** What these routes need. */
export interface ExecutorServices extends ErrorEvents {
  readonly metrics: Registry;
  /** Throws a {@link FibError} while no tasks can be taken. */
  readonly check: () => Promise<void>;
  /** Aborted when a stop has begun. */
  readonly stopSignal: AbortSignal;
}

/** Builds the app, which opens no port. */
export function createExecutorApp({ check, metrics, ...services }: ExecutorServices): Hono {
  const health = healthRoutes({ who: "executor", parts: { queue: check }, ...services });
  const app = new Hono();
  app.route("/", health).route("/", metricsRoutes(metrics));
  frame(app, services);
  return app;
}
