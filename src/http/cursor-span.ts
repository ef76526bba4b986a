/**
 * What a request waits for at a cursor, as spans: until its group is answered, and within that for the disk or the
 * Redis, which the whole group shares. Made when the outcome is there, so that a cursor knows nothing of traces, and a
 * request that nobody traces pays for one look.
 * @module
 */
import type { CursorRequest, CursorService, Outcome } from "../cursor/moves.ts";
import { FibError } from "../errors.ts";
import { epochMs } from "../tracing.ts";
import { type Asked, spanOf } from "./asker.ts";

/** As {@link CursorService.submit}. */
export function submitFor<T>(
  asked: Asked,
  cursor: CursorService,
  request: CursorRequest,
  answer: (outcome: Outcome) => T | Promise<T>,
): Promise<T> {
  const wait = spanOf(asked)?.child("cursor.wait", { "fibserver.cursor.operation": request.operation });
  if (wait === undefined) return cursor.submit(request, answer);
  return cursor.submit(request, (outcome) => {
    const isRefused = outcome instanceof FibError;
    const commit = isRefused ? undefined : cursor.lastCommit?.();
    if (commit !== undefined) {
      const { count, startMs, durationMs } = commit;
      const startedAtMs = epochMs(startMs);
      const sync = wait.child("cursor.sync", { "fibserver.cursor.group_size": count }, startedAtMs);
      sync.end(undefined, startedAtMs + durationMs);
    }
    wait.end(isRefused ? outcome.code : undefined);
    return answer(outcome);
  });
}
