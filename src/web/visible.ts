/**
 * What goes on only while somebody can see it. A browser has six connections to a server for all its tabs: of a page that
 * nobody sees, events would keep one from those that somebody does.
 * @module
 */
import { useEffect } from "hono/jsx/dom";
import { lock } from "./server.ts";

/**
 * Does something while the page can be seen: begins it each time that it comes into sight.
 *
 * @param begin - Gets what ends it: aborted when the page goes out of sight, and when the part is gone or `needs` change.
 */
export function useWhileVisible(begin: (signal: AbortSignal) => void, needs: readonly unknown[]): void {
  useEffect(() => {
    let running: AbortController | undefined;
    const follow = () => {
      if (document.hidden || lock.get() === "shut") {
        running?.abort();
        running = undefined;
      } else if (running === undefined) begin((running = new AbortController()).signal);
    };
    document.addEventListener("visibilitychange", follow);
    const leave = lock.subscribe(follow);
    follow();
    return () => {
      leave();
      document.removeEventListener("visibilitychange", follow);
      running?.abort();
    };
  }, needs);
}

/** Nobody has to be told anew all the time that a token does not allow something. */
export const FORBIDDEN_PAUSE_MS = 60_000;
/** What was thrown is told to whoever looks for errors, and may have gone by then. */
const FAILED_PAUSE_MS = 10_000;

/**
 * Asks again and again while the page can be seen.
 *
 * @param ask - @returns How long to pause until the next question, in milliseconds: an answer tells how soon there may be another.
 */
export function usePolling(ask: (signal: AbortSignal) => Promise<number>, needs: readonly unknown[]): void {
  useWhileVisible((signal) => {
    let timer: ReturnType<typeof setTimeout>;
    signal.addEventListener("abort", () => clearTimeout(timer));
    const go = async () => {
      let pauseMs = FAILED_PAUSE_MS;
      try {
        pauseMs = await ask(signal);
      } finally {
        if (!signal.aborted) timer = setTimeout(() => void go(), pauseMs);
      }
    };
    void go();
  }, needs);
}
