/**
 * Routes for those who run it: is it alive, is it ready, how is it, what does it use.
 *
 * It is ready while the default cursor can be moved. A sync that takes longer than any healthy disk is a reason to send
 * requests elsewhere, until it has come back; a disk that hangs while nobody moves is not noticed. On one machine named
 * cursors and tasks have databases of their own, without which the rest goes on: `/v1/status` tells of them. On Redis
 * all are in one place, or tasks in another, and a front without either is of no use.
 * @module
 */
import { Hono } from "hono";
import type { CursorService } from "../cursor/moves.ts";
import type { Cursors } from "../cursor/named.ts";
import { FibError } from "../errors.ts";
import { promptly } from "../promptly.ts";
import type { TaskQueue } from "../tasks/queue.ts";
import { GUARDED } from "./browser.ts";
import { type HealthServices, healthRoutes } from "./health.ts";
import { type StatusServices, statusRoutes } from "./status.ts";

/** No healthy disk takes so long for a sync; one that is asleep, or has much to write, a second or two. */
const STALLED_MS = 5000;

/** For so long who asks waits for another process that moves the file; moves wait until it is done. */
const LOCKED_MS = 500;

/** What these routes need. */
export interface SystemServices extends Pick<HealthServices, "stopSignal" | "onFault"> {
  readonly status: StatusServices;
  readonly cursors: Cursors;
  readonly tasks: TaskQueue;
}

/** `/livez`, `/readyz`, `/v1/status` and the Go server's `/test/stats`. */
export function systemRoutes({ cursors, tasks, status, stopSignal, onFault }: SystemServices) {
  const cursor = cursors.default;
  // Of both who ask one question, so that what hangs is asked once.
  const checks = {
    cursor: promptly(() => checkCursor(cursor)),
    cursors: promptly(() => cursors.checkNamed()),
    tasks: promptly(() => tasks.check()),
  };
  const isShared = status.storage === "redis";
  const parts: HealthServices["parts"] = isShared ? checks : { cursor: checks.cursor };
  const extras = isShared ? {} : { cursors: checks.cursors, tasks: checks.tasks };
  return new Hono()
    .route("/", healthRoutes({ who: "server", parts, stopSignal, onFault }))
    .route("/v1", statusRoutes(status, cursor, { parts, extras, tasks, stopSignal }))
    .get("/test/stats", (c) => {
      const { rss, heapUsed } = process.memoryUsage();
      const text = `Total system memory used:  ${rss} bytes. Allocated on heap:  ${heapUsed} bytes.`;
      return c.text(text, 200, GUARDED);
    });
}

async function checkCursor(cursor: CursorService): Promise<void> {
  const committingMs = cursor.committingMs?.() ?? 0;
  if (committingMs > STALLED_MS) {
    const seconds = Math.floor(committingMs / 1000);
    throw new FibError(
      "overloaded",
      `Cannot move the cursor: its disk has not finished a sync for ${seconds} s`,
    );
  }
  // A commit that takes no longer is not waited for, our own or that of another process which has the file's lock.
  if (cursor.current() !== undefined) return;
  const asked = cursor.submit({ operation: "current" }, (result) => result);
  const isFile = cursor.committingMs !== undefined;
  const outcome = await (isFile ? Promise.race([asked, Bun.sleep(LOCKED_MS)]) : asked);
  if (outcome instanceof FibError) throw outcome;
}
