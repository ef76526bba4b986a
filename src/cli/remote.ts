/**
 * A server that is asked by a shell command, through the client library.
 * @module
 */
import { type Fetch, FibClient, FibClientError, type Hooks } from "../client/client.ts";
import { resolveToken } from "../config/config.ts";
import { isLoopback } from "../config/network.ts";
import { DEFAULT_NAME } from "../cursor-name.ts";
import { CODES, type ErrorCode, FibError } from "../errors.ts";
import { textAt } from "./answer.ts";
import { noCursor, type Place, type ShellCursor, wasRemoved } from "./cursor-place.ts";
import type { CursorRow } from "./open-cursors.ts";
import { requireOutput, warn } from "./output.ts";

/** Somebody waits at the shell: a server that is not there is reported within a second. */
const RETRIES_MAX = 3;
/** Whoever waits for hours waits for a server that is started again, too: half a minute (21 to 41 s). */
export const WAITING = { retriesMax: 13 };
/** Whoever waits for longer wants to know for what. */
const PATIENCE_MS = 1000;
/** Answers that the client takes for none, and asks again. */
const PASSING: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/**
 * A client for a command, which sends the token of the environment, in the place of a password in the URL.
 *
 * @param say - Told when the server keeps somebody waiting, and when the token is not safe on its way.
 * @throws {@link FibError} `bad_argument` for what is no token.
 */
export function openClient(url: URL, say: (notice: string) => void, fetch?: Fetch): FibClient {
  const token = resolveToken(process.env);
  if (token !== undefined && url.protocol === "http:" && !isLoopback(url.hostname))
    warnOfPlainToken(url, say);
  const onWaiting = (reason: string) => say(`Waiting for ${shownOf(url)}: ${reason}; Ctrl-C to stop`);
  // One for all that a command asks, so that its retries are found in the server's log.
  const headers = { "x-request-id": crypto.randomUUID() };
  return new FibClient(url, { token, headers, fetch, retriesMax: RETRIES_MAX, ...impatience(onWaiting) });
}

/** A server, as it is named to people: without a password, and with the path below which it is. */
export function shownOf({ origin, pathname }: URL): string {
  return origin + pathname.replace(/\/+$/, "");
}

let isWarned = false;

/** Once: some commands open two clients. */
function warnOfPlainToken({ host }: URL, say: (notice: string) => void): void {
  if (!isWarned) say(`FIBSERVER_TOKEN can be read on its way: ask ${host} by https`);
  isWarned = true;
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
 * as one with the same exit status, and its own beside it; else `unreachable`.
 */
export async function asking<T>(url: URL, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FibClientError)) throw error;
    const { requestId, status = 0 } = error;
    // Whose server it is finds more in its log.
    const named = status >= 500 && requestId !== undefined ? ` (request ${requestId})` : "";
    throw new FibError(codeOf(error), explain(error, url) + named, {
      cause: error,
      requestId,
      // The client has seen that it is a text.
      serverCode: error.code === "unknown_code" ? (error.problem["code"] as string) : undefined,
    });
  }
}

function codeOf({ code, status = 0 }: FibClientError): ErrorCode {
  if (code === "task_cancelled") return "task_failed";
  // The newer code is told beside it; this one decides how the command ends.
  if (code === "unknown_code" && status < 500) return status === 403 ? "forbidden" : "precondition_failed";
  // What is a bug of the server, or a fault of its machine, is none of ours.
  return Object.hasOwn(CODES, code) && status !== 500 ? (code as ErrorCode) : "unreachable";
}

/** What the client says, with whom it was said of and what to do where that is not plain. */
function explain({ code, detail, status, retryAfterMs = 0 }: FibClientError, url: URL): string {
  const { protocol, host } = url;
  const shown = shownOf(url);
  if (status === 500 && code !== "bad_answer") return `The server at ${shown} has failed: ${detail}`;
  if (code === "unauthorized") {
    const doing = process.env["FIBSERVER_TOKEN"]
      ? "FIBSERVER_TOKEN is not good there"
      : "set FIBSERVER_TOKEN to one of its tokens";
    return `${detail}; ${doing}: whoever runs ${shown} makes one with fibserver token`;
  }
  if (code === "forbidden" && process.env["FIBSERVER_TOKEN"])
    return `${detail}; set FIBSERVER_TOKEN to another`;
  if (code === "bad_answer") return `${detail}: is ${shown} a fibserver? Name one with --server URL`;
  // Some say it already, but not when.
  if (retryAfterMs > 0 && Number.isFinite(retryAfterMs))
    return `${detail.replace(/; try again$/, "")}; try again in ${Math.ceil(retryAfterMs / 1000)} s`;
  if (/ is not trusted: .*(SELF_SIGNED|UNABLE_TO_)/.test(detail))
    return `${detail}; NODE_EXTRA_CA_CERTS=FILE names an authority of one's own`;
  if (protocol === "http:" && detail.endsWith(": ECONNRESET"))
    return `${detail}; perhaps it speaks https: --server https://${host}`;
  if (protocol === "https:" && detail.endsWith(": EPROTO"))
    return `${detail}; perhaps it speaks no https: --server http://${host}`;
  if (!detail.endsWith(": ECONNREFUSED")) return detail;
  return `${detail}; start one with fibserver serve, or name it with --server URL`;
}

/**
 * Opens a cursor of a server, which is asked when something is to be done.
 *
 * @throws {@link FibError} `output_failed`, before anything has moved.
 */
export function openRemoteCursor(url: URL, place: Place, json: boolean): ShellCursor {
  requireOutput();
  const cursorOf = (say: (notice: string) => void) => {
    const client = openClient(url, say);
    // Older servers have no other.
    return place.name === DEFAULT_NAME ? client.cursor : client.cursor(place.name);
  };
  const cursor = cursorOf(noticeOf(json));
  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await asking(url, work);
    } catch (error) {
      throw error instanceof FibError && error.code === "cursor_unknown" ? noCursor(place) : error;
    }
  };
  return {
    name: place.name,
    failure: undefined,
    current: () => ask(() => cursor.current({ as: "text" })),
    next: () => ask(() => cursor.next({ as: "text" })),
    previous: () => ask(() => cursor.previous({ as: "text" })),
    set: (index) => ask(() => cursor.set(index, { as: "text" })),
    remove: () => ask(() => cursor.remove()),
    async *watch(signal) {
      // Whoever watches waits for a server that is started again, but not for one that was never there.
      // What it waits for a script is told, too.
      const watched = cursorOf(json ? () => {} : warn);
      const first = watched.watch({ as: "text", signal });
      await ask(() => first.next());
      await first.return();
      const positions = watched.watch({ ...WAITING, as: "text", signal });
      for (;;) {
        const { done, value: position } = await ask(() => positions.next());
        if (done) throw wasRemoved(place);
        const { index, value } = position;
        yield { index, value: value ?? (await textAt(index)) };
      }
    },
    close: () => Promise.resolve(),
  };
}

/** All cursors of a server, in the order of their names. */
export async function* listRemoteCursors(url: URL, prefix: string, json: boolean): AsyncGenerator<CursorRow> {
  const rows = openClient(url, noticeOf(json)).cursors.list({ prefix });
  for (;;) {
    const { done, value: row } = await asking(url, () => rows.next());
    if (done) return;
    yield { name: row.name, index: String(row.index), ...(row.movedAt && { movedAt: row.movedAt }) };
  }
}
