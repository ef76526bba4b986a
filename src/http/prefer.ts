/**
 * `Prefer: respond-async` and `Prefer: wait=N`: a number now, later, or whichever comes first.
 *
 * - `respond-async` alone: 202 and a task.
 * - `wait=5`: the answer itself when it is there within five seconds, else 202 and the task that goes on.
 * - neither, what cannot be understood, or a token that may make no task: as if there were no such header, which is what
 *   a preference means.
 *
 * And `Prefer: return=minimal`, of a position: without its value.
 * @see RFC 7240
 * @module
 */
import type { Context } from "hono";
import { LIMITS } from "../config/config.ts";
import { isShort } from "../tasks/compute.ts";
import { type ErrorCode, FibError } from "../errors.ts";
import type { TaskQueue } from "../tasks/queue.ts";
import { isFinished, type Task, taskJson, type TaskRequest } from "../tasks/task.ts";
import { askerOf, grantOf, isHead, originOf, patiently } from "./asker.ts";
import { addressOf } from "./base-path.ts";
import { NO_STORE, refuseForeignPage } from "./browser.ts";
import { RETRY_AFTER } from "./problem.ts";
import { mayMakeTasks } from "./rights.ts";
import type { SentBytes } from "./sent.ts";
import type { Watchers } from "./streams.ts";

/** What waiting for a task needs. */
export interface WaitServices {
  readonly tasks: TaskQueue;
  /** Those who wait for what becomes of a task. */
  readonly watchers: Watchers;
  readonly sentBytes: SentBytes;
  /** Aborted when a stop has begun: finish what is running, keep nobody waiting, send nothing new. */
  readonly stopSignal: AbortSignal;
}

/** Both ways to one answer. */
export interface Answers {
  readonly request: TaskRequest;
  readonly sizeBytes: number;
  /** Computes it in this request. */
  readonly now: () => Response | Promise<Response>;
  /** Sends what a finished task has. */
  readonly ofTask: (task: Task) => Response | Promise<Response>;
}

/**
 * Answers a GET as its client prefers.
 *
 * @throws {@link FibError} `forbidden`; `overloaded`, when too many wait; and as `TaskQueue.create` does.
 */
export async function answerAsPreferred(
  c: Context,
  { tasks, watchers, stopSignal }: WaitServices,
  answers: Answers,
): Promise<Response> {
  const header = c.req.header("prefer");
  if (header === undefined || isHead(c) || !mayMakeTasks(grantOf(c), c.req.raw)) return await answers.now();
  const { isAsync, waitSeconds } = parsePrefer(header);
  if (!isAsync && !waitSeconds) return await answers.now();
  const applied = [...(isAsync ? ["respond-async"] : []), ...(waitSeconds ? [`wait=${waitSeconds}`] : [])];
  const apply = (response: Response) => {
    response.headers.set("preference-applied", applied.join(", "));
    return response;
  };
  const { request, sizeBytes } = answers;
  if (isShort({ request, sizeBytes }) && waitSeconds) return apply(await answers.now());

  const refusal = refuseForeignPage(c, "start a task");
  if (refusal) throw refusal;
  const { holder, signal } = askerOf(c);
  const create = () =>
    tasks.create(request, sizeBytes, holder, originOf(c)).catch(undefinedIf("result_too_large"));
  if (!waitSeconds) {
    const created = await create();
    // A preference counts where it can be met: what is too large to be kept can still be sent.
    return created === undefined ? await answers.now() : apply(accepted(c, created.task));
  }
  const leave = watchers.enter(holder);
  try {
    const created = await create();
    if (created === undefined) return await answers.now();
    let { task } = created;
    const end = AbortSignal.any([signal, stopSignal, AbortSignal.timeout(waitSeconds * 1000)]);
    await patiently(c, async () => {
      for await (const state of tasks.watch(task.id, end)) task = state;
    });
    if (end.aborted && !isFinished(task.state)) return apply(accepted(c, task));
    // Somebody has cancelled or forgotten it, or it gave way to others: who asks for a number gets it all the same.
    const isThere = task.state === "ready" || task.state === "failed";
    const answer =
      isThere && (await Promise.resolve(answers.ofTask(task)).catch(undefinedIf("task_unknown")));
    return answer ? apply(answer) : await answers.now();
  } finally {
    leave();
  }
}

/** For a promise that may be rejected with this, and is then nothing. */
function undefinedIf(code: ErrorCode): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof FibError && error.code === code) return undefined;
    throw error;
  };
}

/** 202 for a task that was taken. */
export function accepted(c: Context, task: Task) {
  return c.json(taskJson(task), 202, {
    location: addressOf(c, `/v1/tasks/${task.id}`),
    ...NO_STORE,
    ...(!isFinished(task.state) && RETRY_AFTER),
  });
}

/** Whether a client wants no more than it has to be told. */
export function prefersMinimal(c: Context): boolean {
  return preferencesOf(c.req.header("prefer") ?? "").some((each) => /^return\s*=\s*"?minimal"?$/.test(each));
}

/** Preferences are separated by commas, and their names know no case. */
function preferencesOf(header: string): string[] {
  return header.split(",").map((part) => part.split(";")[0]!.trim().toLowerCase());
}

/** What we understand of the header. */
function parsePrefer(header: string): { isAsync: boolean; waitSeconds: number | undefined } {
  const preferences = preferencesOf(header);
  const wait = preferences.map((part) => /^wait\s*=\s*"?(\d{1,9})"?$/.exec(part)?.[1]).find(Boolean);
  return {
    isAsync: preferences.includes("respond-async"),
    waitSeconds: wait === undefined ? undefined : Math.min(Number(wait), LIMITS.waitSecondsMax),
  };
}
