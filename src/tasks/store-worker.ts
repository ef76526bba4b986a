/**
 * The thread that has the database. Started by session.ts.
 * @module
 */
import { answerCalls } from "../thread.ts";
import { TaskStore } from "./store.ts";

answerCalls(new TaskStore());
