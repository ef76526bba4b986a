/**
 * What the log says of requests: each one at level debug, and a warning for those that took too long.
 *
 * A path is told without its query, into which somebody may have pasted a token, and a token by its name. Too long is
 * what keeps its client waiting for the head of an answer; a body that takes its time is none of that. Neither is what
 * its client has asked to wait for: `Prefer: wait`, and a number, which takes as long as it is large (what waits for a
 * thread the metrics tell; a stored result takes no longer than its disk).
 * @module
 */
import type { LogConfig } from "../config/log.ts";
import type { Logger } from "../log.ts";
import { pathOf } from "./asker.ts";
import type { RequestWatch, Seen } from "./entry.ts";

/** An answer that has not begun by then is slow. */
const SLOW_MS = 1000;

/** What is asked for of the two below. */
export function requestLogs({ logLevel }: LogConfig, log: Logger): RequestWatch[] {
  return [slowLog(log), ...(logLevel === "debug" ? [requestLog(log)] : [])];
}

/** Writes a line for each answer, at level debug. */
export function requestLog(log: Logger): RequestWatch {
  return {
    end: (seen, _, durationMs) => {
      const [what, facts] = told(seen, durationMs);
      log.debug(what, facts);
    },
  };
}

/** Warns of an answer that was slow to begin. */
export function slowLog(log: Logger): RequestWatch {
  return {
    end: (seen, response, durationMs) => {
      if (durationMs <= SLOW_MS || isAskedFor(seen, response)) return;
      const [what, facts] = told(seen, durationMs);
      log.warn(`Slow: ${what}`, facts);
    },
  };
}

function isAskedFor({ route }: Seen, { headers }: Response): boolean {
  const isComputed = headers.has("server-timing") && !route.startsWith("/v1/tasks/");
  return isComputed || headers.get("preference-applied")?.includes("wait=") === true;
}

/** What a line tells of a path: it stands in the message as well, and may have 16,000 characters. */
const PATH_CHARS_MAX = 500;

function cutPath(path: string): string {
  return path.length > PATH_CHARS_MAX ? `${path.slice(0, PATH_CHARS_MAX)}…` : path;
}

/** A message, and what stands in it or beside it. */
function told(seen: Seen, durationMs: number): [string, Record<string, unknown>] {
  const { request, method, route, requestId, grant, status, holderOf } = seen;
  // The address of a client that has left is gone.
  const client = holderOf(request) || undefined;
  const who = [grant && "{token}", client && "{client}"].filter(Boolean).join(" at ");
  const facts = {
    method,
    path: cutPath(pathOf(request)),
    route,
    status,
    durationMs: Math.round(durationMs * 1000) / 1000,
    requestId,
    client,
    token: grant?.name,
  };
  return [`{method} {path} {status} in {durationMs} ms${who && ` for ${who}`}`, facts];
}
