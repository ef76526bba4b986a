/**
 * Where the database of named cursors lives: on a thread, in a server.
 * @module
 */
import { type Calls, Thread } from "../thread.ts";
import { threadUrl } from "../thread-url.ts";
import type { CursorStore } from "./store.ts";

/** Starts the thread; it touches nothing before it is opened. */
export function startStore(): Calls<CursorStore> {
  return new Thread<CursorStore>(threadUrl("cursor/store-worker.ts"));
}
