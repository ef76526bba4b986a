/**
 * A server that is asked by a shell command, through the client library.
 * @module
 */
import { FibClient, FibClientError, type Hooks } from "../client/client.ts";
import { CODES, type ErrorCode, FibError } from "../errors.ts";
import { goAnswer } from "../go-answer.ts";
import { LETTERS, printPosition } from "./moves.ts";
import { requireOutput } from "./output.ts";

/** Somebody waits at the shell: a server that is not there is reported within a second. */
const RETRIES_MAX = 3;
/** Whoever waits for longer wants to know for what. */
const PATIENCE_MS = 1000;
/** Answers that the client takes for none, and asks again. */
const PASSING: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** A client for a command. */
export function openClient(url: URL, hooks?: Hooks): FibClient {
  return new FibClient(url, { retriesMax: RETRIES_MAX, ...hooks });
}

/**
 * Tells when a server keeps somebody waiting: nothing good was heard of it for a second, however often it was asked.
 *
 * @param onWaiting - Called once, until the server has answered again.
 */
export function impatience(onWaiting: (reason: string) => void): Hooks {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let reason = "it does not answer";
  return {
    onRequest() {
      timer ??= setTimeout(() => onWaiting(reason), PATIENCE_MS);
    },
    onResponse({ status }) {
      if (status === undefined) reason = "it cannot be reached";
      else if (PASSING.has(status)) reason = `it answers ${status}`;
      else {
        reason = "it does not answer";
        clearTimeout(timer);
        timer = undefined;
      }
    },
  };
}

/**
 * Does something that asks a server.
 *
 * @throws {@link FibError} for each error of the client: with the server's own code where we know it, else `unreachable`.
 */
export async function asking<T>(url: URL, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FibClientError)) throw error;
    const code = error.code === "task_cancelled" ? "task_failed" : error.code;
    // What is a bug of the server, or a fault of its machine, is none of ours.
    const isOurs = Object.hasOwn(CODES, code) && error.status !== 500;
    throw new FibError(isOurs ? (code as ErrorCode) : "unreachable", explain(error, url), { cause: error });
  }
}

/** What the client says, with whom it was said of and what to do where that is not plain. */
function explain({ code, detail, status }: FibClientError, { origin }: URL): string {
  if (status === 500 && code !== "bad_answer") return `The server at ${origin} has failed: ${detail}`;
  if (code === "bad_answer") return `${detail}: is ${origin} a fibserver? Name one with --server URL`;
  if (!detail.endsWith(": ECONNREFUSED")) return detail;
  return `${detail}; start one with fibserver serve, or name it with --server URL`;
}

/** As `runMoves` does, on a server's cursor. */
export async function runRemoteMoves(
  url: URL,
  letters: readonly (keyof typeof LETTERS)[],
  json: boolean,
): Promise<void> {
  requireOutput();
  const { cursor } = openClient(url);
  for (const letter of letters) {
    const { index, value } = await asking(url, () => cursor[LETTERS[letter]]({ as: "text" }));
    printPosition(index, json ? goAnswer(value) : value, letter === "c" ? "stays at" : "has moved to");
  }
}
