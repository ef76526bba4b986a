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

/** Whether a task is computed at once by whoever has it: a sequence, of which only the length is checked, or a short number. */
export function isShort({ request, sizeBytes }: Pick<Task, "request" | "sizeBytes">): boolean {
  return request.kind === "sequence" || sizeBytes <= INLINE_DIGITS_MAX;
}

/**
 * Computes a short task, in 0.4 ms at most.
 *
 * @returns What is to be stored: the digits of a number; undefined for a sequence.
 * @throws {@link FibError} as `compute` does; {@link Error} when the result is not as long as was predicted.
 */
export function computeShort({
  request,
  sizeBytes,
}: Pick<Task, "request" | "sizeBytes">): Digits | undefined {
  if (request.kind !== "sequence") return checked(compute(request), sizeBytes);
  checkSize(planSequence({ ...request, layout: LAYOUTS.text }).sizeBytes, sizeBytes);
  return undefined;
}

/** Computes a number on a thread. Throws as {@link computeShort} and `Pool.run` do. */
export async function computeLong(
  pool: Pick<Pool, "run">,
  { request, sizeBytes }: Pick<Task, "request" | "sizeBytes">,
  options: RunOptions = {},
): Promise<Digits> {
  options.signal?.throwIfAborted();
  if (request.kind === "sequence")
    throw new Error("a sequence is not computed: it is written when it is fetched");
  return checked(await pool.run(request, options), sizeBytes);
}

function checked(digits: Digits, predictedBytes: number): Digits {
  checkSize(digits.length, predictedBytes);
  return digits;
}

function checkSize(foundBytes: number, predictedBytes: number): void {
  if (foundBytes !== predictedBytes) {
    throw new Error(`the result has ${foundBytes} bytes, and ${predictedBytes} were predicted`);
  }
}
