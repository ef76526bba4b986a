/**
 * The threads of a session: what waits for disks in the place of the loop.
 * @module
 */
import { Thread } from "../thread.ts";
import type { ResultFolder } from "./result-folder.ts";
import type { TaskStore } from "./store.ts";

// Compiled, each thread is an entry point of the binary, laid out like src/; this file is then at the root.
const isCompiled = import.meta.url.includes("/$bunfs/");
const STORE_URL = new URL(isCompiled ? "./tasks/store-worker.ts" : "./store-worker.ts", import.meta.url);
const RESULTS_URL = new URL(
  isCompiled ? "./tasks/results-worker.ts" : "./results-worker.ts",
  import.meta.url,
);

/** One for the database, one for the folder of long results. */
export interface SessionThreads {
  readonly store: Thread<TaskStore>;
  readonly results: Thread<ResultFolder>;
}

/** Starts the threads of a session; they touch nothing before it is opened. */
export const startThreads = (): SessionThreads => ({
  store: new Thread(STORE_URL),
  results: new Thread(RESULTS_URL),
});
