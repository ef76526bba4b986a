/**
 * The one deadline for what a scrape, a status or a check asks of a store, which may hang.
 *
 * One question at a time for all who ask: while it is open nobody asks another, and once it is late whoever comes is
 * refused at once. So a disk that hangs costs one question, and one answer that is late. A deadline for the
 * whole of a scrape, tried, was a second one that never ran out.
 * @module
 */
import { FibError } from "./errors.ts";

/**
 * A disk that is only slow has answered by then, and so has a Redis that waits a second for its replicas: it says itself
 * what is wrong. Prometheus waits for ten seconds, `fibserver status --quiet` for two.
 */
const PATIENCE_MS = 1500;

/**
 * A question that may be asked as often as you like.
 *
 * @returns Asks it. Rejects with {@link LATE} when the answer is late.
 */
export function promptly<T>(ask: () => T | Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => {
    if (answer !== undefined) return answer;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(LATE), PATIENCE_MS);
    const asked = Promise.try(ask).finally(() => {
      clearTimeout(timer);
      answer = undefined;
    });
    return (answer = Promise.race([asked, late.promise]));
  };
}

/** Why there is no answer. */
export const LATE = new FibError(
  "overloaded",
  `Cannot tell how it is: it has not answered within ${PATIENCE_MS / 1000} s`,
);
