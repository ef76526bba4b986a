/**
 * What all server-sent events have in common.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 * @module
 */
import { NO_STORE } from "./browser.ts";

/** What an EventSource waits before it comes back. */
const RECONNECT_MS = 1000;

/** The first bytes, which also tell a client at once that it is connected. */
export const BEGINNING = `retry: ${RECONNECT_MS}\n\n`;

/** A comment that keeps proxies from ending a silent connection, and finds out that a client has left. */
export const HEARTBEAT = ": still here\n\n";

/** The headers of every answer with events. */
export const EVENT_HEADERS = {
  "content-type": "text/event-stream",
  ...NO_STORE,
  // nginx would hold events back.
  "x-accel-buffering": "no",
};

/** The answer to a HEAD: the body is not sent, but its length is as unknown as that of GET. */
export function headOfEvents(): Response {
  return new Response(new ReadableStream(), { headers: EVENT_HEADERS });
}
