/** `fibserver worker` as a process, for the tests of many machines. @module */
import { type Program, type Start, startProgram } from "./binary.ts";

/** An executor that has said that it computes. */
export interface Executor extends Program {
  /** Signals it, and waits for its exit status. */
  readonly end: (signal: NodeJS.Signals) => Promise<number>;
}

/**
 * Starts an executor with one thread.
 *
 * @param args - Besides `--redis URL`.
 * @throws {@link Error} with its stderr, when it ends instead.
 */
export async function startWorker(
  url: string,
  start: Start = {},
  args: readonly string[] = [],
): Promise<Executor> {
  const all = ["worker", "--redis", url, "--max-computations", "1", ...args];
  const program = await startProgram(all, /(Computing for)/, start);
  const end = async (signal: NodeJS.Signals) => {
    program.kill(signal);
    return await program.ended();
  };
  return { ...program, end };
}

/** Starts one with a port for those who watch it. */
export async function startWatched(
  redis: string,
  args: readonly string[] = [],
): Promise<Executor & { readonly url: string }> {
  const executor = await startWorker(redis, {}, ["--metrics", "127.0.0.1:0", ...args]);
  const [, url] = /Watched at .*"url":"(http:[^"]*)\/"/.exec(executor.log())!;
  return { ...executor, url: url! };
}
