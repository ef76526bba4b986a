/**
 * Routes for those who run it: is it alive, is it ready, what does it use.
 * @module
 */
import { Hono } from "hono";
import type { Cursor } from "../cursor/cursor.ts";
import { FibError } from "../errors.ts";
import type { TaskQueue } from "../tasks/queue.ts";

/** What these routes need. */
export interface SystemServices {
  readonly cursor: Cursor;
  readonly tasks: TaskQueue;
  /** Aborted when a stop has begun: finish what is running, send nothing new. */
  readonly stopSignal: AbortSignal;
}

/** `/livez`, `/readyz` and the Go server's `/test/stats`. */
export function systemRoutes({ cursor, tasks, stopSignal }: SystemServices) {
  return new Hono()
    .get("/livez", (c) => c.text("ok\n", 200, { "cache-control": "no-store" }))
    .get("/readyz", async (c) => {
      const outcome = await cursor.submit({ operation: "current" }, (result) => result);
      if (outcome instanceof FibError) throw outcome;
      await tasks.check();
      if (stopSignal.aborted)
        throw new FibError("overloaded", "Cannot take requests: the server is stopping");
      return c.text("ok\n", 200, { "cache-control": "no-store" });
    })
    .get("/test/stats", (c) => {
      const { rss, heapUsed } = process.memoryUsage();
      return c.text(`Total system memory used:  ${rss} bytes. Allocated on heap:  ${heapUsed} bytes.`);
    });
}
