/**
 * Errors as RFC 9457 problem documents.
 * @module
 */
import type { Context } from "hono";
import { CODES, type ErrorCode, FibError, toldOf } from "../errors.ts";
import { NO_STORE } from "./browser.ts";

/** Says that what is refused now is worth another try in a second. */
export const RETRY_AFTER: Readonly<Record<string, string>> = { "retry-after": "1" };

/**
 * The answer for an error.
 *
 * @param error - A {@link FibError}; anything else is a bug and shows nothing of itself.
 * @param instance - The path that was asked for.
 * @param headers - Further headers, such as `Allow`.
 * @param members - Further members of the document.
 */
export function problem(
  error: unknown,
  instance: string,
  headers: Readonly<Record<string, string>> = {},
  members: Record<string, unknown> = {},
): Response {
  const code: ErrorCode = error instanceof FibError ? error.code : "internal";
  const { http: status, title } = CODES[code];
  const detail =
    error instanceof FibError ? toldOf(error) : "The request could not be answered; the log says more";
  const body = { type: `urn:fibserver:error:${code}`, title, status, detail, instance, code, ...members };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/problem+json",
      ...NO_STORE,
      ...retryAfter(status),
      ...headers,
    },
  });
}

/** The header that a 503 and a 429 carry. */
export function retryAfter(status: number): Readonly<Record<string, string>> {
  return status === 503 || status === 429 ? RETRY_AFTER : {};
}

/** 405 for a path that exists. */
export function methodNotAllowed(c: Context, allow: string): Response {
  const error = new FibError("method_not_allowed", `Cannot ${c.req.method} ${c.req.path}: use ${allow}`);
  return problem(error, c.req.path, { allow });
}
