/**
 * The results of tasks, as something that can be sent: read from the store piece by piece, or refused with the reason.
 * @module
 */
import type { Context } from "hono";
import { FibError } from "../errors.ts";
import { shortened } from "../shell-word.ts";
import type { ByteRange } from "../numbers/sequence.ts";
import type { StoredResult, TaskQueue } from "../tasks/queue.ts";
import { isFinished, type Task } from "../tasks/task.ts";
import { problem, RETRY_AFTER } from "./problem.ts";
import type { Resource } from "./resource.ts";
import type { Source } from "./streams.ts";

/** Larger pieces would not be read faster, and there is one for each reader. */
const PIECE_BYTES = 128 * 1024;

/** What stands around the digits of a number, and what the whole is called. */
export interface NumberText {
  readonly head: string;
  readonly tail: string;
  readonly name: string;
  readonly contentType: string;
}

/** The number of a ready task, with text around it. */
export function storedResource(
  tasks: Pick<TaskQueue, "openResult">,
  { id, sizeBytes }: Pick<Task, "id" | "sizeBytes">,
  { head, tail, name, contentType }: NumberText,
): Resource {
  return {
    name,
    contentType,
    sizeBytes: head.length + sizeBytes + tail.length,
    open: async (range) => {
      const result = await tasks.openResult(id);
      if (result === undefined) throw taskUnknown(id);
      if (result.sizeBytes === sizeBytes) return pieces(result, head, tail, range);
      result.close();
      throw new Error(`The result of ${id} has ${result.sizeBytes} digits, and ${sizeBytes} were stored`);
    },
  };
}

/** The error for an id without a task. */
export function taskUnknown(id: string): FibError {
  return new FibError(
    "task_unknown",
    `Cannot find the task ${shortened(id)}: it was never accepted, was deleted, has expired, or gave way to newer ones`,
  );
}

/** 409 for the result of a task that has none, with the reason. */
export function refuseResult(c: Context, { id, state, reason }: Task): Response {
  if (!isFinished(state)) {
    const error = new FibError("task_not_ready", `Cannot send the result of ${id}: it is ${state}`);
    return problem(error, c, RETRY_AFTER, { state });
  }
  const detail = `Cannot send the result of ${id}: it ${state === "failed" ? `failed: ${reason}` : "was cancelled"}`;
  return problem(new FibError("task_failed", detail), c, {}, { state });
}

function pieces(result: StoredResult, head: string, tail: string, { start, end }: ByteRange): Source {
  const digitsEnd = head.length + result.sizeBytes;
  let position = start;
  // Up to the end of the part that the position is in, and no further than a piece or the range.
  const take = (partEnd: number) => {
    const from = position;
    position = Math.min(partEnd, end, position + PIECE_BYTES);
    return [from, position] as const;
  };
  return {
    close: result.close,
    next: () => {
      if (position >= end) return undefined;
      if (position < head.length) return Buffer.from(head.slice(...take(head.length)));
      if (position < digitsEnd) {
        const [from, to] = take(digitsEnd);
        return result.read(from - head.length, to - head.length);
      }
      const [from, to] = take(digitsEnd + tail.length);
      return Buffer.from(tail.slice(from - digitsEnd, to - digitsEnd));
    },
  };
}
