/**
 * What whoever runs a process should hear of its machine: said deep inside a computation, which goes on.
 *
 * The one who listens is set once by the process, as a log is: the shell warns, a server logs, a computing thread
 * passes it on to its pool. So plain functions of numbers need nobody handed through all their callers.
 * @module
 */

/**
 * How a result is found to be wrong: numbers/trust.ts has the first two, sequence.ts and neighbours.ts the third, and
 * the fourth is that a kernel went out of its memory.
 */
export type Check = "rounding" | "residue" | "recurrence" | "bounds";

/**
 * How many results failed each check, for those who watch a process: in this thread, and, where it has a pool, in the
 * threads of that.
 */
export const distrusted: Record<Check, number> = { rounding: 0, residue: 0, recurrence: 0, bounds: 0 };

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

/** Tells that a check has failed, which is no fault of the program. */
export function noticeFailed(check: Check, what: string): void {
  notice(`${what}: suspect the memory or the CPU of this machine`, check);
}

/** Tells it unless this thread has said the same before. */
export function noticeOnce(message: string): void {
  if (said.has(message)) return;
  said.add(message);
  notice(message);
}
