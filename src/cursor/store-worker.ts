/**
 * The thread that has the database of named cursors. Started by store-thread.ts.
 * @module
 */
import { answerCalls } from "../thread.ts";
import { CursorStore } from "./store.ts";

answerCalls(new CursorStore());
