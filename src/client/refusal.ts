/**
 * What an answer that is no success says about itself, as an error.
 * @module
 */
import { type ErrorCode, SERVER_CODES } from "./codes.ts";
import { FibClientError } from "./error.ts";

/**
 * The error that an answer tells of.
 *
 * @param body - Of a problem document, or of whatever stands between the server and us.
 */
export function errorFrom(status: number, headers: Headers, body: string): FibClientError {
  const problem = parseObject(body);
  const retryAfterMs = parseRetryAfter(headers.get("retry-after"));
  const requestId = headers.get("x-request-id") ?? undefined;
  const { code, detail } = problem ?? {};
  if (typeof code === "string") {
    const known = Object.hasOwn(SERVER_CODES, code) ? (code as ErrorCode) : "unknown_code";
    const words = typeof detail === "string" ? detail : `The server refuses: ${code}`;
    return new FibClientError(known, words, { status, problem, retryAfterMs, requestId });
  }
  if (status === 413 || status === 414 || status === 431) {
    const words = `The answer is ${status}: the server takes no body, no URL or no headers of that length`;
    return new FibClientError("bad_argument", words, { status, requestId });
  }
  const absent = [502, 503, 504].includes(status);
  return new FibClientError(
    absent ? "unreachable" : "bad_answer",
    `The answer is ${status} without a problem document${absent ? ": a proxy cannot reach the server" : ""}`,
    { status, retryAfterMs, requestId },
  );
}

/**
 * The error for a redirect. None is followed: of a POST it would make a GET, and it leads to where nobody has decided
 * to send a password.
 *
 * @param location - Its header; browsers show none.
 */
export function redirectError(url: string, location: string | null): FibClientError {
  const whither =
    location !== null && URL.canParse(location, url) ? ` to ${new URL(location, url).origin}` : "";
  return new FibClientError("bad_answer", `${url} redirects${whither}, and redirects are not followed`);
}

/**
 * Reads a Retry-After header.
 *
 * @returns Milliseconds from now; undefined when it is missing or cannot be understood.
 * @see RFC 9110, 10.2.3
 */
export function parseRetryAfter(header: string | null, nowMs = Date.now()): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const dateMs = Date.parse(header);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
