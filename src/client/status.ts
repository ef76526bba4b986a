/**
 * What a task can be, as it goes to the server and comes back.
 * @module
 */
import { FibClientError } from "./error.ts";
import { chosen, natural } from "./limits.ts";
import type { Output } from "./routes.ts";

/** What a task can compute. */
export type Computation =
  | { readonly kind: "fibonacci" | "factorial"; readonly n: number | bigint }
  | { readonly kind: "ackermann"; readonly m: number | bigint; readonly n: number | bigint }
  | { readonly kind: "sequence"; readonly from?: number | bigint; readonly count: number | bigint };

/** A task as the server shows it; times as RFC 3339, big integers as text. */
export interface TaskStatus {
  readonly id: string;
  readonly kind: Computation["kind"];
  readonly m?: string;
  readonly n?: string;
  readonly from?: string;
  readonly count?: string;
  readonly state: "queued" | "running" | "ready" | "failed" | "cancelled";
  /** From 0 to 1. */
  readonly progress: number;
  /** Of a number. */
  readonly digits?: number;
  /** Of a sequence as text. */
  readonly bytes?: number;
  /** How often it was begun. */
  readonly attempts: number;
  /** How often it was asked for while it waited or ran; {@link Task.events} brings no news of that alone. */
  readonly requests: number;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  /** When it is forgotten. */
  readonly expiresAt?: string;
  /** Why it failed. */
  readonly reason?: string;
}

/** What each kind takes. */
const FIELDS: Readonly<Record<Computation["kind"], readonly string[]>> = {
  fibonacci: ["n"],
  factorial: ["n"],
  ackermann: ["m", "n"],
  sequence: ["from", "count"],
};

/** A computation as the server takes it. @throws TypeError, RangeError for what is none. */
export function bodyOf(computation: Computation): Readonly<Record<string, string>> {
  const { kind } = computation;
  const given: Readonly<Record<string, unknown>> = { from: 0, ...computation };
  const fields = chosen(FIELDS, kind, "kind").map((name) => [name, natural(given[name] as number, name)]);
  return { kind, ...(Object.fromEntries(fields) as Record<string, string>) };
}

/** Each state, and whether nothing changes any more. */
export const IS_FINISHED: Readonly<Record<TaskStatus["state"], boolean>> = {
  queued: false,
  running: false,
  ready: true,
  failed: true,
  cancelled: true,
};

/** Nothing changes any more. */
export function isFinished({ state }: TaskStatus): boolean {
  return IS_FINISHED[state];
}

/** What the server's routes say of a task is what {@link TaskStatus} promises, or this does not compile. */
type Promised<Status extends { [Name in keyof TaskStatus]: TaskStatus[Name] | undefined }> = Status;

/**
 * A task that the server has sent.
 *
 * @param expectedId - Of the one that was asked for.
 * @throws {@link FibClientError} `bad_answer` for another one, or one in a state that nobody knows.
 */
export function readStatus(body: unknown, expectedId?: string): TaskStatus {
  const { id, state } = (body ?? {}) as Partial<Promised<Output<"/v1/tasks/:id", "$get">>>;
  if (typeof id !== "string" || typeof state !== "string")
    throw new FibClientError("bad_answer", "The server sent no task");
  if (id !== (expectedId ?? id))
    throw new FibClientError("bad_answer", `The server sent task ${id} in place of ${expectedId}`);
  if (!Object.hasOwn(IS_FINISHED, state))
    throw new FibClientError("bad_answer", `The server sent a task that is '${state as string}'`);
  return body as TaskStatus;
}
