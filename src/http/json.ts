/**
 * JSON that is true only now; long ones are streamed, as their readers may be slow.
 * @module
 */
import type { Context, TypedResponse } from "hono";
import { NO_STORE } from "./browser.ts";
import { answerWith } from "./sent.ts";
import type { Streams } from "./streams.ts";

/**
 * Answers with JSON.
 *
 * @returns A type that tells the client what it holds, as Hono's `c.json` does.
 * @throws {@link FibError} `overloaded`, when it is long and too much waits for its readers already.
 */
export function sendJson<Body extends object>(
  c: Context,
  streams: Streams,
  body: Body,
  headers: Readonly<Record<string, string>> = {},
  status = 200,
): Response & TypedResponse<Body, 200, "json"> {
  const all = { "content-type": "application/json", ...NO_STORE, ...headers };
  return answerWith(streams.bodyOf(c, JSON.stringify(body)), { status, headers: all }) as ReturnType<
    typeof sendJson<Body>
  >;
}
