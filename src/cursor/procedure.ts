/**
 * One protocol, two ways to wait.
 *
 * What the cursor does with its file is written once, as generator functions: they make the calls that do not wait,
 * and yield what they have to wait for. A shell command blocks: it has nothing else to do, and a thread or a turn of
 * an event loop costs it as much as the sync. A server waits on threads (`threads.ts`).
 * @module
 */
import { syncAll, syncData } from "../system-calls.ts";
import { ioError } from "./io-error.ts";

/** A sync, which may take long: `data` is fdatasync(2), `all` is fsync(2). Or a while, in ms. */
export type Wait =
  | { readonly sync: "data" | "all"; readonly fd: number; /** For its error. */ readonly path: string }
  | { readonly pauseMs: number };

/** Something that yields what it waits for; that a sync failed is thrown into it as `cursor_io`. */
export type Procedure<Result> = Generator<Wait, Result, void>;

/** Carries a procedure out, at once or in time; throws or rejects as that throws. */
export type Run = <Result>(procedure: Procedure<Result>) => Result | Promise<Result>;

/** Carries it out before it returns, and holds the thread up. */
export function runBlocking<Result>(procedure: Procedure<Result>): Result {
  let step = procedure.next();
  while (step.done !== true) {
    try {
      block(step.value);
    } catch (error) {
      step = procedure.throw(error);
      continue;
    }
    step = procedure.next();
  }
  return step.value;
}

function block(wait: Wait): void {
  if ("pauseMs" in wait) Bun.sleepSync(wait.pauseMs);
  else {
    try {
      if (wait.sync === "data") syncData(wait.fd);
      else syncAll(wait.fd);
    } catch (error) {
      throw ioError(wait.path, "sync", error);
    }
  }
}
