/**
 * A pause that can be ended.
 * @module
 */

/** The longest that a timer takes: one that is longer would go off at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Waits for a while, or until the signal. */
export async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, Math.min(durationMs, TIMER_MS_MAX));
    signal.addEventListener("abort", end);
  });
}
