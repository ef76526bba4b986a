/**
 * Routes for those who run it: is it alive, is it ready, what does it use.
 * @module
 */
import { Hono } from "hono";
import type { Cursors } from "../cursor/named.ts";
import { FibError } from "../errors.ts";
import type { TaskQueue } from "../tasks/queue.ts";
import { GUARDED } from "./browser.ts";
import { type HealthServices, healthRoutes } from "./health.ts";

/** What these routes need. */
export interface SystemServices extends Pick<HealthServices, "stopSignal" | "onFault"> {
  readonly cursors: Cursors;
  readonly tasks: TaskQueue;
}

/** `/livez`, `/readyz` and the Go server's `/test/stats`. */
export function systemRoutes({ cursors, tasks, stopSignal, onFault }: SystemServices) {
  const cursor = cursors.default;
  const parts = {
    cursor: async () => {
      // Not behind a commit: a disk that is slow is no reason to send no requests.
      if (cursor.current() !== undefined) return;
      const outcome = await cursor.submit({ operation: "current" }, (result) => result);
      if (outcome instanceof FibError) throw outcome;
    },
    tasks: () => tasks.check(),
  };
  return new Hono()
    .route("/", healthRoutes({ who: "server", parts, stopSignal, onFault }))
    .get("/test/stats", (c) => {
      const { rss, heapUsed } = process.memoryUsage();
      const text = `Total system memory used:  ${rss} bytes. Allocated on heap:  ${heapUsed} bytes.`;
      return c.text(text, 200, GUARDED);
    });
}
