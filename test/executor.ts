/** An executor: the compiled program as `fibserver worker`. @module */
import { type Program, type Start, startProgram } from "./binary.ts";

/** An executor that has said that it computes. */
export interface Executor extends Program {
  /** Sends a signal, and waits for the end. @returns The exit status. */
  end(signal: NodeJS.Signals): Promise<number>;
}

/** Starts one with one thread on a Redis, and waits until it says that it computes. */
export async function startWorker(
  url: string,
  start: Start = {},
  flags: readonly string[] = [],
): Promise<Executor> {
  const line = ["worker", "--redis", url, "--max-computations", "1", ...flags];
  const program = await startProgram(line, /Computing for/, start);
  const end = async (signal: NodeJS.Signals) => {
    program.kill(signal);
    return await program.ended();
  };
  return { ...program, end };
}
