/**
 * What happens when a signal ends a command, or has it look at its files again: the only place that handles signals.
 *
 * Best is a state that needs no cleaning, because SIGKILL asks nobody: a file without a name (new-file.ts), a terminal
 * that is never switched (progress.ts). Then there is no handler, and the default action ends a computation at once;
 * a handler would wait until this thread gives way. So only what cannot be had that way is registered here, for as
 * long as it is needed, by code that gives way.
 * @module
 */
import fs from "node:fs";
import { constants } from "node:os";

/** SIGPIPE is none of them: the runtime ignores it, and the write that finds no reader fails. */
const SIGNALS = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const;

/** `timeout` signals a process and its group, so that one end arrives twice: within this it is one signal. */
const REPEAT_MS = 1000;

const cleanups = new Set<() => void | Promise<void>>();

/**
 * Has something done when a signal ends the process, before whatever was registered earlier. Then the process ends by
 * the same signal, so that a shell sees what has happened and stops its loop. A second signal ends it at once.
 *
 * @returns Ends that: there is nothing to put in order any more.
 */
export function onEnd(cleanup: () => void | Promise<void>): () => void {
  if (cleanups.size === 0) for (const signal of heeded()) process.on(signal, onSignal);
  cleanups.add(cleanup);
  return () => {
    cleanups.delete(cleanup);
    if (cleanups.size === 0) giveBack();
  };
}

/**
 * Has something looked at again with each SIGHUP, which ends the process no longer then.
 *
 * All that is registered is done one after the other, and what is due already not twice: a disk that stalls holds up one
 * of the few threads of Bun's pool then, and not those that the cursor's sync needs.
 *
 * @param listener - Never rejects.
 * @returns Does the same without a signal.
 */
export function onHangup(listener: () => Promise<void>): () => void {
  let isDue = false;
  const look = () => {
    if (isDue) return;
    isDue = true;
    looking = looking.then(() => {
      isDue = false;
      return listener();
    });
  };
  process.on("SIGHUP", look);
  return look;
}

let looking = Promise.resolve();

/** Resolves with the first SIGTERM or SIGINT, for what stops in order then; one that comes later kills. */
export function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    let firstMs: number | undefined;
    const stop = () => {
      firstMs ??= performance.now();
      if (performance.now() - firstMs > REPEAT_MS) process.kill(process.pid, "SIGKILL");
      resolve();
    };
    process.on("SIGTERM", stop).on("SIGINT", stop);
  });
}

const onSignal = (signal: NodeJS.Signals): void => void end(signal);

async function end(signal: NodeJS.Signals): Promise<void> {
  giveBack();
  for (const cleanup of [...cleanups].toReversed()) {
    try {
      await cleanup();
    } catch {
      // The others have their turn, and then it ends.
    }
  }
  process.kill(process.pid, signal);
  // The first process of a container outlives that.
  process.exit(128 + constants.signals[signal]);
}

function giveBack(): void {
  for (const signal of SIGNALS) process.off(signal, onSignal);
}

/** What was ignored when we were started (nohup, a script's `&`) stays so. */
function heeded(): NodeJS.Signals[] {
  const mask = /^SigIgn:\t([0-9a-f]+)$/m.exec(fs.readFileSync("/proc/self/status", "latin1"))?.[1] ?? "0";
  const ignored = BigInt(`0x${mask}`);
  return SIGNALS.filter((signal) => ((ignored >> BigInt(constants.signals[signal] - 1)) & 1n) === 0n);
}
