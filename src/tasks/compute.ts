/**
 * What computing a task means, wherever it is done.
 * @module
 */
import type { Digits } from "../numbers/decimal.ts";
import { isInline } from "../numbers/cost.ts";
import { compute } from "../numbers/compute.ts";
import { isNumberJob, type Job } from "../numbers/job.ts";
import { LAYOUTS } from "../numbers/layouts.ts";
import type { Pool, RunOptions } from "../numbers/pool.ts";
import { planSequence } from "../numbers/sequence.ts";
import { requestOfKey, type Task, type TaskRequest } from "./task.ts";

/** What is computed. */
export interface Computable extends Pick<Task, "sizeBytes"> {
  readonly request: TaskRequest;
}

/** Whether a task is computed at once by whoever has it: a sequence, of which only the length is checked, or what is short. */
export function isShort({ request, sizeBytes }: Computable): boolean {
  return request.kind === "sequence" || isInline(request, sizeBytes);
}

/**
 * Computes a short task, in about a millisecond at most.
 *
 * @returns What is to be stored: a number, or what was found out; undefined for a sequence.
 * @throws {@link FibError} as `compute` does; {@link Error} when the result is not as long as was predicted.
 */
export function computeShort({ request, sizeBytes }: Computable): Digits | undefined {
  if (request.kind !== "sequence") return checked(request, compute(request), sizeBytes);
  checkSize(planSequence({ ...request, layout: LAYOUTS.text }).sizeBytes, sizeBytes);
  return undefined;
}

/** Computes a long task on a thread. Throws as {@link computeShort} and `Pool.run` do. */
export async function computeLong(
  pool: Pick<Pool, "run">,
  { request: key, sizeBytes }: Pick<Task, "request" | "sizeBytes">,
  options: RunOptions = {},
): Promise<Digits> {
  options.signal?.throwIfAborted();
  const request = requestOfKey(key);
  if (request.kind === "sequence")
    throw new Error("a sequence is not computed: it is written when it is fetched");
  return checked(request, await pool.run(request, options), sizeBytes);
}

function checked(job: Job, result: Digits, predictedBytes: number): Digits {
  if (isNumberJob(job) || result.length > predictedBytes) checkSize(result.length, predictedBytes);
  return result;
}

function checkSize(foundBytes: number, predictedBytes: number): void {
  if (foundBytes !== predictedBytes) {
    throw new Error(`the result has ${foundBytes} bytes, and ${predictedBytes} were predicted`);
  }
}
