/**
 * What has failed because the server was away, and is done when it is back.
 * @module
 */
import { isAway, link } from "./server.ts";
import { useWhileVisible } from "./visible.ts";

/** Where others hear from the server all the while, it was no absence of any length. */
const AGAIN_MS = 3000;

/** @param again - Is called while the server answers, if this error was of its absence: once for each error. */
export function useComeback(error: unknown, again: () => void): void {
  useWhileVisible(
    (signal) => {
      if (!isAway(error)) return;
      const goOn = () => link.get() === "live" && again();
      const timer = setTimeout(goOn, AGAIN_MS);
      const leave = link.subscribe(goOn);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        leave();
      });
    },
    [error],
  );
}
