/**
 * What computing a task means, wherever it is done.
 * @module
 */
import type { Digits } from "../numbers/decimal.ts";
import { compute, INLINE_DIGITS_MAX } from "../numbers/job.ts";
import { LAYOUTS } from "../numbers/layouts.ts";
import type { Pool, RunOptions } from "../numbers/pool.ts";
import { planSequence } from "../numbers/sequence.ts";
import type { Task } from "./task.ts";

/**
 * Computes a task.
 *
 * @returns What is to be stored: the digits of a number; undefined for a sequence, of which only the length is checked.
 * @throws {@link FibError} as `Pool.run` does; {@link Error} when the result is not as long as was predicted.
 */
export async function computeTask(
  pool: Pick<Pool, "run">,
  { request, sizeBytes }: Pick<Task, "request" | "sizeBytes">,
  options: RunOptions = {},
): Promise<Digits | undefined> {
  options.signal?.throwIfAborted();
  if (request.kind === "sequence") {
    checkSize(planSequence({ ...request, layout: LAYOUTS.text }).sizeBytes, sizeBytes);
    return undefined;
  }
  const digits = sizeBytes <= INLINE_DIGITS_MAX ? compute(request) : await pool.run(request, options);
  checkSize(digits.length, sizeBytes);
  return digits;
}

function checkSize(foundBytes: number, predictedBytes: number): void {
  if (foundBytes !== predictedBytes) {
    throw new Error(`the result has ${foundBytes} bytes, and ${predictedBytes} were predicted`);
  }
}
