/**
 * Routes for those who run it: is it alive, is it ready, what does it use.
 * @module
 */
import { Hono } from "hono";
import type { CursorService } from "../cursor/moves.ts";
import { FibError, isFault, toldOf } from "../errors.ts";
import type { TaskQueue } from "../tasks/queue.ts";
import { GUARDED, NO_STORE } from "./browser.ts";
import { problem } from "./problem.ts";

/** What these routes need. */
export interface SystemServices {
  readonly cursor: CursorService;
  readonly tasks: TaskQueue;
  /** Aborted when a stop has begun: finish what is running, send nothing new. */
  readonly stopSignal: AbortSignal;
  /** Told of an error whose message clients do not see. */
  readonly onFault: (error: FibError) => void;
}

/** `/livez`, `/readyz` and the Go server's `/test/stats`. */
export function systemRoutes({ cursor, tasks, stopSignal, onFault }: SystemServices) {
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
    .get("/livez", (c) => c.text("ok\n", 200, NO_STORE))
    .get("/readyz", async (c) => {
      if (stopSignal.aborted)
        throw new FibError("overloaded", "Cannot take requests: the server is stopping");
      for (const [part, check] of Object.entries(parts)) {
        try {
          await check();
        } catch (error) {
          if (!(error instanceof FibError)) throw error;
          if (isFault(error)) onFault(error);
          const detail = `Cannot take requests, for want of the ${part}: ${toldOf(error)}`;
          return problem(new FibError(error.code, detail), c.req.path, {}, { detail, part });
        }
      }
      return c.text("ok\n", 200, NO_STORE);
    })
    .get("/test/stats", (c) => {
      const { rss, heapUsed } = process.memoryUsage();
      const text = `Total system memory used:  ${rss} bytes. Allocated on heap:  ${heapUsed} bytes.`;
      return c.text(text, 200, GUARDED);
    });
}
