/**
 * Errors as RFC 9457 problem documents.
 * @module
 */
import { getPath } from "hono/utils/url";
import { CODES, type ErrorCode, FibError, toldOf } from "../errors.ts";
import { withoutTokens } from "../token.ts";
import { type Asked, pathOf, requestIdOf } from "./asker.ts";
import { NO_STORE } from "./browser.ts";

/** Says that what is refused now is worth another try in a second. */
export const RETRY_AFTER: Readonly<Record<string, string>> = { "retry-after": "1" };

/**
 * The answer for an error.
 *
 * @param error - A {@link FibError}; anything else is a bug and shows nothing of itself.
 * @param asked - What it answers: the document names its path, and the request by its id.
 * @param headers - Further headers, such as `Allow`.
 * @param members - Further members of the document.
 */
export function problem(
  error: unknown,
  asked: Asked,
  headers: Readonly<Record<string, string>> = {},
  members: Record<string, unknown> = {},
): Response {
  const code: ErrorCode = error instanceof FibError ? error.code : "internal";
  const { http: status, title } = CODES[code];
  const detail =
    error instanceof FibError ? toldOf(error) : "The request could not be answered; the log says more";
  const [instance, requestId] = [pathOf(asked.req.raw), requestIdOf(asked)];
  const type = `urn:fibserver:error:${code}`;
  const body = { type, title, status, detail, instance, code, requestId, ...members };
  return new Response(withoutTokens(JSON.stringify(body)), {
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
export function methodNotAllowed(asked: Asked, allow: string): Response {
  const { raw } = asked.req;
  const error = new FibError("method_not_allowed", `Cannot ${raw.method} ${getPath(raw)}: use ${allow}`);
  return problem(error, asked, { allow });
}
