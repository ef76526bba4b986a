/**
 * `GET /v1/status`: what this server does, whether it is well, and who may use it, for people and for `fibserver status`.
 *
 * It tells what the metrics count, of the last minute. It answers while a disk or Redis hangs, because that is when
 * somebody asks: what is not known in time ({@link promptly}) is null, and named among the problems. What it answers is
 * typed here by its fields alone: the client's `ServerStatus` says what each of them is, and they must fit.
 *
 * Left out is where the cursor's file is, or which Redis has it: whoever may read a number may read this, and errors
 * keep folders, users and addresses from them, too. The first line of the server's log names it.
 * @module
 */
import { Hono } from "hono";
import { version } from "../../package.json";
import type { CursorService } from "../cursor/moves.ts";
import { toldOf } from "../errors.ts";
import type { Pool } from "../numbers/pool.ts";
import { promptly } from "../promptly.ts";
import type { TaskQueue } from "../tasks/queue.ts";
import { NO_STORE } from "./browser.ts";
import { asksAll, type HealthServices } from "./health.ts";
import type { LastMinute } from "./last-minute.ts";

/** Who may use a server. */
interface Access {
  /** Who can connect: programs on this machine, or others too. */
  readonly from: "machine" | "network";
  /** Whether a token is needed. */
  readonly tokens: boolean;
  readonly tls: boolean;
}

/** The most that may be asked of it. */
interface Limits {
  /** Where a cursor may stand. */
  readonly index: number;
  /** Of a result. */
  readonly digits: number;
  /** Of a sequence. */
  readonly terms: number;
}

/** What this route needs. */
export interface StatusServices {
  readonly pool: Pick<Pool, "running" | "waiting">;
  readonly lastMinute: LastMinute;
  /** What keeps cursors and tasks. */
  readonly storage: "files" | "redis";
  readonly access: Access;
  readonly limits: Limits;
}

/** What is looked at. */
interface StatusParts extends Pick<HealthServices, "parts" | "stopSignal"> {
  readonly extras: HealthServices["parts"];
  readonly tasks: Pick<TaskQueue, "count">;
}

/**
 * The route.
 *
 * @param parts - What has to work, as `/readyz` has it.
 * @param extras - What is told of only: the rest goes on without it.
 */
export function statusRoutes(
  { pool, lastMinute, storage, access, limits }: StatusServices,
  cursor: CursorService,
  { parts, extras, tasks, stopSignal }: StatusParts,
) {
  const [problemsOfParts, problemsOfExtras] = [asksAll(parts), asksAll(extras)];
  const index = promptly(() => indexOf(cursor));
  const counts = promptly(() => tasks.count());
  return new Hono().get("/status", async (c) => {
    const [needed, others, position, states] = await Promise.all([
      problemsOfParts(),
      problemsOfExtras(),
      index().then((value) => ({ index: String(value) }), unknown),
      counts().then((count) => count.states, unknown),
    ]);
    const { rss: residentBytes, heapUsed: heapBytes } = process.memoryUsage();
    const status = {
      version,
      uptimeSeconds: process.uptime(),
      ready: needed.length === 0 && !stopSignal.aborted,
      problems: [...needed, ...others].map(({ part, error }) => ({
        part,
        code: error.code,
        detail: toldOf(error),
      })),
      storage,
      access,
      limits,
      /** The default one, its index as text as everywhere. */
      cursor: position,
      lastMinute: lastMinute.read(),
      tasks: states,
      /** Long ones. */
      computations: { running: pool.running, waiting: pool.waiting },
      memory: { residentBytes, heapBytes },
    };
    return c.json(status, 200, NO_STORE);
  });
}

const unknown = () => null;

async function indexOf(cursor: CursorService): Promise<number> {
  const position = cursor.current();
  if (position !== undefined) return position.index;
  const outcome = await cursor.submit({ operation: "current" }, (result) => result);
  if (outcome instanceof Error) throw outcome;
  return outcome.index;
}
