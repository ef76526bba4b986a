/**
 * The threads of a session: what waits for disks in the place of the loop.
 * @module
 */
import { Thread } from "../thread.ts";
import { threadUrl } from "../thread-url.ts";
import type { ResultFolder } from "./result-folder.ts";
import type { TaskStore } from "./store.ts";

/** One for the database, one for the folder of long results. */
export interface SessionThreads {
  readonly store: Thread<TaskStore>;
  readonly results: Thread<ResultFolder>;
}

/** Starts the threads of a session; they touch nothing before it is opened. */
export const startThreads = (): SessionThreads => ({
  store: new Thread(threadUrl("tasks/store-worker.ts")),
  results: new Thread(threadUrl("tasks/results-worker.ts")),
});
