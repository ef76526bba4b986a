/**
 * The thread that has the folder of results. Started by session.ts.
 * @module
 */
import { answerCalls } from "../thread.ts";
import { ResultFolder } from "./result-folder.ts";

answerCalls(new ResultFolder());
