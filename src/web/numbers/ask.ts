/**
 * Asks the server for a number: how large it is, itself, or a task that computes it.
 *
 * What is short is asked for directly, and is then here as a whole. What is long becomes a task, which outlives the page and
 * tells how far it is; its digits are fetched where they are seen. Where tasks are refused (a token that may only read, as
 * many tasks as there may be) what is long is asked for directly as well.
 * @module
 */
import { type Ends, FibClientError, type Task } from "@fibserver/client";
import { wholeOf } from "../download.tsx";
import { type Asked, askedOf, computationOf, fileOf, KINDS, pathOf, taskTitle, titleOf } from "../kinds.ts";
import type { Server } from "../server.ts";
import { digitsOf } from "../typed.ts";

/** Up to so many digits nobody minds to wait: 1 ms for F(n), 100 ms for a factorial. */
const DIRECT_DIGITS_MAX = 100_000;
/** Nor of that, by the digits of what it takes, where nobody tells how many it has itself. */
const DIRECT_ARGUMENT_DIGITS_MAX = 128;

/** These are shown large, on one line. */
const SHORT_DIGITS_MAX = 30;

/** Of the ends of what is too long to be written out. */
const ENDS_DIGITS = 30;

/** How many digits a number has (undefined where a proxy has left that out), or why the server does not write it out. */
export type Size = { readonly digits: number | undefined } | { readonly refusal: FibClientError };

/** The digits of a number. */
export interface Digits {
  readonly what: "digits";
  /** As a formula. */
  readonly title: string;
  readonly digits: number;
  /** Where they are, and what a file of them is called. */
  readonly path: string;
  readonly file: string;
  /** They themselves, where they are here. */
  readonly blob?: Blob | undefined;
  /** As a text, where they fit on a line. */
  readonly text?: string | undefined;
  /** How long it took. */
  readonly took?: Took;
}

/** How long something took: the server to compute it, or the page to get it. */
export interface Took {
  readonly ms: number;
  readonly by: "server" | "page";
}

/** What was found. */
export type Found =
  | Digits
  | { readonly what: "ends"; readonly title: string; readonly ends: Ends; readonly refusal: FibClientError }
  | { readonly what: "sum"; readonly title: string; readonly indices: readonly number[] }
  | { readonly what: "counts"; readonly title: string; readonly counts: readonly number[] }
  | {
      readonly what: "terms";
      readonly title: string;
      readonly bytes: number;
      readonly path: string;
      readonly file: string;
      /** How many, where they can be scrolled. */
      readonly terms: number | undefined;
    };

/** Asks how large a number is, which computes nothing. For a kind that is sized. */
export async function sizeOf(server: Server, asked: Asked, signal: AbortSignal): Promise<Size> {
  try {
    const { headers } = await server.fetch(pathOf(asked), { method: "HEAD", signal });
    const length = headers.get("content-length");
    return { digits: length === null ? undefined : Number(length) };
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  // A HEAD has no words.
  try {
    await server.fetch(pathOf(asked), { signal });
    throw new FibClientError("bad_answer", "The server has refused a number, and then has sent it");
  } catch (error) {
    if (isRefusal(error)) return { refusal: error };
    throw error;
  }
}

/**
 * Asks for a number.
 *
 * @param isPressed - Somebody wants it computed, however long it is. An address alone makes a server do what is short.
 * @returns What was found, or the task that will find it; undefined for what waits until somebody presses.
 */
export async function ask(
  server: Server,
  asked: Asked,
  isPressed: boolean,
  signal: AbortSignal,
): Promise<Found | Task | undefined> {
  let digits: number | undefined;
  let isLong = asked.numbers.some((number) => digitsOf(number).length > DIRECT_ARGUMENT_DIGITS_MAX);
  if (KINDS[asked.kind].isSized) {
    const size = await sizeOf(server, asked, signal);
    if ("refusal" in size) return endsOf(server, asked, size.refusal, signal);
    digits = size.digits;
    isLong = digits === undefined || digits > DIRECT_DIGITS_MAX;
  }
  if (!isLong) return computeAtOnce(server, asked, digits, signal);
  if (!isPressed) return readyTaskOf(server, asked, signal);
  return (await taskOf(server, asked)) ?? computeAtOnce(server, asked, digits, signal);
}

/** Computes it while the server is waited for. @param digits - How many it has; undefined where nobody knows. */
export async function computeAtOnce(
  server: Server,
  asked: Asked,
  digits: number | undefined,
  signal: AbortSignal,
): Promise<Found> {
  const title = titleOf(asked);
  if (asked.kind !== "zeckendorf")
    return fetchDigits(server, { title, path: pathOf(asked), file: fileOf(asked) }, digits, signal);
  const indices = await server.client.zeckendorf(digitsOf(asked.numbers[0]!), { signal });
  return { what: "sum", title, indices };
}

/** Of F(n), what can be written of it. @throws The refusal of another kind. */
async function endsOf(
  server: Server,
  asked: Asked,
  refusal: FibClientError,
  signal: AbortSignal,
): Promise<Found> {
  if (asked.kind !== "fibonacci") throw refusal;
  const wanted = { first: ENDS_DIGITS, last: ENDS_DIGITS, signal };
  const ends = await server.client.ends(BigInt(digitsOf(asked.numbers[0]!)), wanted);
  return { what: "ends", title: titleOf(asked), ends, refusal };
}

/** What a ready task has found. */
export async function resultOf(server: Server, task: Task, signal: AbortSignal): Promise<Found> {
  const { status, id } = task;
  const { kind, from, count, start, digits, bytes = 0, startedAt = "", finishedAt = "" } = status;
  const title = taskTitle(status);
  const source = { title, path: `v1/tasks/${id}/result?format=text`, file: fileOf(askedOf(status)) };
  if (kind === "sequence") {
    // Only of F(0) on is it known which term is where.
    const terms = from === "0" && start === undefined ? Number(count) : undefined;
    return { what: "terms", ...source, bytes, terms };
  }
  if (kind === "statistics") {
    const { counts } = await task.digitCounts({ signal });
    return { what: "counts", title, counts };
  }
  const took: Took = { ms: Date.parse(finishedAt) - Date.parse(startedAt), by: "server" };
  if (digits !== undefined && digits > DIRECT_DIGITS_MAX) return { what: "digits", ...source, digits, took };
  return { ...(await fetchDigits(server, source, digits, signal)), took };
}

async function fetchDigits(
  server: Server,
  source: Pick<Digits, "title" | "path" | "file">,
  size: number | undefined,
  signal: AbortSignal,
): Promise<Digits> {
  const startMs = performance.now();
  // The browser would keep 20 MB on its disk for a year.
  const response = await server.fetch(source.path, { cache: "no-store", signal });
  const timing = /compute;dur=([\d.]+)/.exec(response.headers.get("server-timing") ?? "")?.[1];
  const blob = await wholeOf(response, size);
  const digits = await blob.text();
  // Whoever stands between may answer in the server's place.
  if (!/^\d+$/.test(digits)) throw new FibClientError("bad_answer", "These are no digits");
  const took: Took =
    timing === undefined
      ? { ms: performance.now() - startMs, by: "page" }
      : { ms: Number(timing), by: "server" };
  const text = blob.size <= SHORT_DIGITS_MAX ? digits : undefined;
  return { what: "digits", ...source, digits: blob.size, blob, text, took };
}

/** A task for it; undefined where there is to be none. */
async function taskOf(server: Server, asked: Asked): Promise<Task | undefined> {
  if (KINDS[asked.kind].isNoTask) return undefined;
  try {
    // Not given up on its way, where nobody knows whether the server has it: who asked gives up the task.
    return await server.client.tasks.create(computationOf(asked), { retriesMax: 0 });
  } catch (error) {
    if (error instanceof FibClientError && (error.status === 403 || error.status === 429)) return undefined;
    throw error;
  }
}

/** So far back somebody's result is looked for. */
const READY_LOOKED_AT = 100;

/** A task that has found it already, whoever asked for it. */
async function readyTaskOf(server: Server, asked: Asked, signal: AbortSignal): Promise<Task | undefined> {
  const wanted = String([asked.kind, ...asked.numbers.map(digitsOf)]);
  const newest = { state: "ready", order: "newest", limit: READY_LOOKED_AT, signal } as const;
  for await (const task of server.client.tasks.list(newest)) {
    const { kind, numbers } = askedOf(task.status);
    if (String([kind, ...numbers]) === wanted) return task;
  }
  return undefined;
}

/** What the server will never write out, as it says. */
function isRefusal(error: unknown): error is FibClientError {
  return error instanceof FibClientError && (error.status === 422 || error.status === 400);
}
