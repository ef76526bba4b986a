/**
 * What whoever runs a process should hear of its machine: said deep inside a computation, which goes on.
 *
 * The one who listens is set once by the process, as a log is: the shell warns, a server logs, a computing thread
 * passes it on to its pool. So plain functions of numbers need nobody handed through all their callers.
 * @module
 */

/** How a result is found to be wrong; numbers/trust.ts says what these are. */
export type Check = "rounding" | "residue" | "stream";

/** How many results failed each check: in this thread, and, where it has a pool, in the threads of that. */
export const distrusted: Record<Check, number> = { rounding: 0, residue: 0, stream: 0 };

type Listener = (message: string, failed?: Check) => void;

let listener: Listener = () => {};
const said = new Set<string>();

/** Sets who is told. */
export function onNotice(listen: Listener): void {
  listener = listen;
}

/** Tells it, and counts the check that has failed, if it was one. */
export function notice(message: string, failed?: Check): void {
  if (failed !== undefined) distrusted[failed]++;
  listener(message, failed);
}

/** Tells it unless this thread has said the same before. */
export function noticeOnce(message: string): void {
  if (said.has(message)) return;
  said.add(message);
  notice(message);
}
