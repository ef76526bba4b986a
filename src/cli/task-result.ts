/**
 * A task's result as the shell's own command would print it.
 * @module
 */
import type { Task } from "../client/client.ts";
import { answerText, isInquiry } from "../numbers/inquiries.ts";
import { type Inquiry, JOB_ARGUMENTS, jobOf } from "../numbers/job.ts";
import { jsonFrame } from "../numbers/layouts.ts";
import { putArray } from "./put-array.ts";
import { WAITING } from "./remote.ts";
import { type Put, type ResultOptions, type Shown, writeResult } from "./result.ts";

/**
 * Prints the result of a task that is ready.
 *
 * @throws `FibClientError` as `Task.result` does; `FibError` `output_failed`.
 */
export async function writeTaskResult(
  ready: Task,
  { out, json: asJson = false, quiet: isQuiet = false }: ResultOptions,
): Promise<void> {
  const { digits, bytes, kind } = ready.status;
  const sizeBytes = digits ?? (kind === "sequence" && !asJson ? bytes : undefined);
  const shown: Shown | undefined =
    sizeBytes === undefined ? undefined : { what: "result", sizeBytes, isQuiet };
  await writeResult(out, (put) => putResult(put, ready, asJson), shown);
}

async function putResult(put: Put, ready: Task, asJson: boolean): Promise<void> {
  const { kind, m, n, digits } = ready.status;
  const options = { ...WAITING, wait: false };
  if (kind === "sequence" && asJson)
    return putArray(put, ready.terms({ ...options, as: "text" }), JSON.stringify);
  if (kind !== "sequence") {
    const asked = jobOf(
      kind,
      JOB_ARGUMENTS[kind].map((name) => ready.status[name] ?? "0"),
    );
    if (isInquiry(asked)) return put(Buffer.from(`${await answerOf(ready, asked, asJson)}\n`));
  }
  const stream = await ready.result({ ...options, as: "stream" });
  const { head, tail } = asJson ? jsonFrame({ m, n }, digits) : { head: "", tail: "" };
  if (asJson) await put(Buffer.from(head));
  for await (const piece of stream) await put(piece);
  if (kind !== "sequence") await put(Buffer.from(`${tail}\n`));
}

/** What was found out about a number. */
async function answerOf(ready: Task, asked: Inquiry, asJson: boolean): Promise<string> {
  const options = { ...WAITING, wait: false };
  const found =
    asked.kind === "statistics"
      ? (await ready.digitCounts(options)).counts.join(" ")
      : await ready.result({ ...options, as: "text" });
  return answerText(asked, found, asJson ? "json" : "text");
}
