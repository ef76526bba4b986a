/**
 * A server that is asked by a shell command, through the client library.
 * @module
 */
import { FibClient, FibClientError, type Hooks } from "../client/client.ts";
import { CODES, type ErrorCode, FibError } from "../errors.ts";
import { LETTERS, printPosition } from "./moves.ts";
import { requireOutput, warn } from "./output.ts";

/** Somebody waits at the shell: a server that is not there is reported within a second. */
const RETRIES_MAX = 3;
/** Whoever waits for longer wants to know for what. */
const PATIENCE_MS = 1000;
/** Answers that the client takes for none, and asks again. */
const PASSING: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/**
 * A client for a command.
 *
 * @param say - Told when the server keeps somebody waiting.
 */
export function openClient(url: URL, say: (notice: string) => void): FibClient {
  const onWaiting = (reason: string) => say(`Waiting for ${url.origin}: ${reason}; Ctrl-C to stop`);
  return new FibClient(url, { retriesMax: RETRIES_MAX, ...impatience(onWaiting) });
}

/** As {@link warn}, for a person who looks on: a program that reads errors wants no notices among them. */
export function noticeOf(json: boolean): (notice: string) => void {
  return json || !process.stderr.isTTY ? () => {} : warn;
}

/**
 * Tells when a server keeps somebody waiting: nothing good was heard of it for a second, however often it was asked.
 *
 * @param onWaiting - Called once, until the server has answered again.
 */
function impatience(onWaiting: (reason: string) => void): Hooks {
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
 * @throws {@link FibError} for each error of the client: with the server's own code where we know it; with a newer server's
 * as `forbidden`, and its own beside it; else `unreachable`.
 */
export async function asking<T>(url: URL, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FibClientError)) throw error;
    throw new FibError(codeOf(error), explain(error, url), {
      cause: error,
      // The client has seen that it is a text.
      serverCode: error.code === "unknown_code" ? (error.problem["code"] as string) : undefined,
    });
  }
}

function codeOf({ code, status = 0 }: FibClientError): ErrorCode {
  if (code === "task_cancelled") return "task_failed";
  if (code === "unknown_code" && status < 500) return "forbidden";
  // What is a bug of the server, or a fault of its machine, is none of ours.
  return Object.hasOwn(CODES, code) && status !== 500 ? (code as ErrorCode) : "unreachable";
}

/** What the client says, with whom it was said of and what to do where that is not plain. */
function explain({ code, detail, status, retryAfterMs = 0 }: FibClientError, { origin }: URL): string {
  if (status === 500 && code !== "bad_answer") return `The server at ${origin} has failed: ${detail}`;
  if (code === "bad_answer") return `${detail}: is ${origin} a fibserver? Name one with --server URL`;
  // Some say it already, but not when.
  if (retryAfterMs > 0 && Number.isFinite(retryAfterMs))
    return `${detail.replace(/; try again$/, "")}; try again in ${Math.ceil(retryAfterMs / 1000)} s`;
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
  const { cursor } = openClient(url, noticeOf(json));
  for (const letter of letters) {
    const { index, value } = await asking(url, () => cursor[LETTERS[letter]]({ as: "text" }));
    printPosition(index, value, letter, json);
  }
}
