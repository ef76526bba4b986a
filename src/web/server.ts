/**
 * The server that this page came from, as every part asks it: by the client, which repeats what may be repeated, and by
 * plain requests for ranges of bytes. Whether it answers is seen here once, for the whole page.
 *
 * The page is in the folder that it asks, so it works under any prefix, of `--base-path` or of a proxy.
 * @module
 */
import { type ErrorCode, FibClient, FibClientError } from "@fibserver/client";
import { createStore } from "./store.ts";

/** What is asked for. */
interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  readonly cache?: RequestCache;
  readonly signal?: AbortSignal;
}

/** The server of this page. */
export interface Server {
  readonly client: FibClient;
  /**
   * Asks once for what the client has no method for.
   *
   * @param path - Below the page's folder, such as `v1/sequence?count=10`.
   * @throws {@link FibClientError} for a status from 300, and where there is no answer or none any more, as reading its
   *   body does; the signal's reason.
   */
  readonly fetch: (path: string, init?: Asked) => Promise<Response>;
}

/**
 * - `live`: it answers;
 * - `away`: it does not, or only that it cannot; the page goes on when it is back;
 * - `unauthorized`: it wants a token, or another one.
 */
export type LinkState = "live" | "away" | "unauthorized";

/** Whether the server answers. */
export const link = createStore<LinkState>("live");

/**
 * Whether it wants a token, also while it is away:
 * - `new`: nobody knows yet;
 * - `open`: none, or it takes the one that it gets;
 * - `barred`: from the beginning, so there is nothing to show;
 * - `shut`: since a while. What is shown, typed and waits is kept for whoever brings one.
 */
export const lock = createStore<"new" | "open" | "barred" | "shut">("new");

/** The folder of the page. */
const home = new URL(".", location.href);

/** Of this server: one origin may have several, each in a folder of its own. */
const TOKEN_KEY = `fibserver-token ${home.pathname}`;

let kept: string | undefined;
inStorage((storage) => (kept = storage.getItem(TOKEN_KEY) ?? undefined));

/** The token of this tab: kept until it is closed, by no other tab and by no file. Each request shows it. */
export const token = {
  get: () => kept,
  set: (value: string) => {
    kept = value;
    inStorage((storage) => storage.setItem(TOKEN_KEY, value));
  },
  remove: () => {
    kept = undefined;
    inStorage((storage) => storage.removeItem(TOKEN_KEY));
  },
};

/** A browser that is to store nothing throws: then the token is forgotten with the page. */
function inStorage(act: (storage: Storage) => void): void {
  try {
    act(sessionStorage);
  } catch {}
}

/** It. */
export const server: Server = {
  client: new FibClient(home, { fetch: ask }),
  fetch: async (path, init = {}) => {
    init.signal?.throwIfAborted();
    const abort = new AbortController();
    init.signal?.addEventListener("abort", () => abort.abort(init.signal!.reason));
    const asked = { ...init, signal: abort.signal };
    const response = await untilSilence(ask(new URL(path, home), asked), abort, init.signal);
    if (!response.ok) throw await refusalOf(response);
    // Text is short. What may be a large file takes as long as it takes. Not by a stream around the body: of its errors
    // Chromium tells none, but that it "failed to fetch".
    const [text, blob] = [response.text.bind(response), response.blob.bind(response)];
    response.text = () => untilSilence(text(), abort, init.signal);
    response.blob = () => told(blob(), init.signal);
    return response;
  },
};

/** So long the server may be silent: a connection that was lost in a sleep, or on the way, is never heard of again. */
const SILENCE_MS = 30_000;

/** Waits for a step of an answer. @throws as the client does. */
async function untilSilence<T>(step: Promise<T>, abort: AbortController, signal?: AbortSignal): Promise<T> {
  const silence = () => abort.abort(new FibClientError("timeout", "The page asks again when it is back"));
  const timer = setTimeout(silence, SILENCE_MS);
  try {
    return await told(step, signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Has a broken connection told as the client tells it. */
async function told<T>(step: Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await step;
  } catch (cause) {
    if (signal?.aborted === true) throw cause;
    link.set("away");
    if (cause instanceof FibClientError) throw cause;
    throw new FibClientError("unreachable", "The page goes on when it is back", { cause });
  }
}

/** Asks, and sees whether there is an answer: each request of the page goes through here. */
async function ask(url: string | URL, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  if (kept !== undefined) headers.set("authorization", `Bearer ${kept}`);
  try {
    const response = await fetch(url, { ...init, headers });
    const state = response.status === 401 ? "unauthorized" : isAbsence(response) ? "away" : "live";
    const before = lock.get();
    if (state === "live") lock.set("open");
    if (state === "unauthorized") lock.set(before === "new" || before === "barred" ? "barred" : "shut");
    link.set(state);
    return response;
  } catch (error) {
    // A request that somebody has given up says nothing of the server; one that the client ends was not answered.
    if (init.signal?.aborted !== true || error instanceof FibClientError) link.set("away");
    throw error;
  }
}

/**
 * Whether a proxy says so of a server that is away: what the server itself says is a problem document. Nor does it answer with
 * a page, as a hotel's network does to whoever has not signed in.
 */
function isAbsence({ ok, status, headers }: Response): boolean {
  const type = headers.get("content-type") ?? "";
  return (
    (ok && type.includes("html")) || ([502, 503, 504].includes(status) && !type.includes("problem+json"))
  );
}

/** What an answer refuses, as the client tells it. */
async function refusalOf(response: Response): Promise<FibClientError> {
  const { status, statusText, headers } = response;
  const problem: Readonly<Record<string, unknown>> = Object(await response.json().catch(() => ({})));
  const { code, detail } = problem;
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) ? 1000 * seconds : undefined;
  const named = typeof code === "string" ? code : isAbsence(response) ? "unreachable" : "bad_answer";
  const words = typeof detail === "string" ? detail : `${status} ${statusText}`;
  return new FibClientError(named as ErrorCode, words, { status, problem, retryAfterMs });
}

/** Whether it says that the server is away, or that a hotel's page stands in the place of an answer. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof FibClientError)) return false;
  const { code, status = 0 } = error;
  return code === "unreachable" || code === "timeout" || (code === "bad_answer" && status < 400);
}

/** Whether it says that the token does not allow that. */
export function isForbidden(error: unknown): boolean {
  return error instanceof FibClientError && error.status === 403;
}

/** Whether the same question may get another answer later. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof FibClientError)) return false;
  const { status = 0 } = error;
  return isAway(error) || status === 401 || status === 429 || status >= 500;
}
