/**
 * What the log says of tasks: with the request that has made each, so that a failure can be traced to it.
 * @module
 */
import type { Logger } from "../log.ts";
import type { Registry } from "../metrics.ts";
import type { OnTaskEnd } from "../tasks/queue.ts";
import { shortened } from "../shell-word.ts";
import { countTasks } from "./metrics.ts";

/** Who is told how tasks end: counts each, and logs a failure as a warning, all others at level debug. */
export function watchTaskEnds(registry: Registry, log: Logger): OnTaskEnd {
  const count = countTasks(registry);
  return (ended) => {
    count(ended);
    const { id, request, attempts, origin, state, reason } = ended;
    const { requestId } = origin;
    const facts = { id, request: shortened(request), attempts, requestId };
    if (state === "failed") log.warn("Task {id} ({request}) failed: {reason}", { ...facts, reason });
    else log.debug("Task {id} ({request}) is {state}", { ...facts, state });
  };
}
