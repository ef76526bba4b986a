/**
 * `/v1/cursors/{name}/events`: where a cursor is, as server-sent events.
 *
 * Each event is a whole position, so whoever missed some needs only the newest. Its id is the generation: a client
 * that comes back with `Last-Event-ID` is told nothing until the cursor has moved since.
 * @module
 */
import type { Context } from "hono";
import type { CursorService } from "../cursor/moves.ts";
import { FibError } from "../errors.ts";
import { holderOf, isHead, keepOpen } from "./asker.ts";
import type { Broadcast } from "./broadcast.ts";
import { refuseForeignWork } from "./browser.ts";
import { EVENT_HEADERS, headOfEvents } from "./event-stream.ts";
import { answerWith } from "./sent.ts";
import type { Watchers } from "./streams.ts";

/** A connection that takes nothing for so long is closed: there is a comment in each quarter of it. */
const IDLE_SECONDS = 60;

/**
 * Answers with the events of a cursor.
 *
 * @throws {@link FibError} `cursor_unknown`; `overloaded`, when too many follow one.
 */
export async function sendPositions(
  c: Context,
  { name, cursor }: { readonly name: string; readonly cursor: CursorService },
  { broadcast, watchers }: { readonly broadcast: Broadcast; readonly watchers: Watchers },
): Promise<Response> {
  if (isHead(c)) {
    const outcome = await cursor.submit({ operation: "current" }, (result) => result);
    if (outcome instanceof FibError) throw outcome;
    return headOfEvents();
  }
  const refusal = refuseForeignWork(c);
  if (refusal) throw refusal;
  const leave = watchers.enter(holderOf(c));
  // Not ended with the stream: that would keep the request, and the next one on the connection has its own.
  keepOpen(c, IDLE_SECONDS);
  const stream = await broadcast.follow(name, cursor, c.req.header("last-event-id"), leave);
  return answerWith(stream, { headers: EVENT_HEADERS });
}
