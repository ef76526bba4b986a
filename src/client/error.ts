/**
 * The one error of the client: what the server refused, or why it could not be asked.
 *
 * An abort is not among them: as with `fetch`, it rejects with the signal's own reason.
 * @module
 */

/** What an error knows besides its words. */
export interface ErrorFacts {
  readonly status?: number | undefined;
  readonly problem?: Readonly<Record<string, unknown>> | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/**
 * A call that has failed for good: retries have been made already, where they could help.
 *
 * `code` is the server's own (`sequence_end`, `result_too_large`, …), or one of the client's:
 * - `unreachable`: no connection, or one that breaks again and again;
 * - `timeout`: the server was silent for longer than `timeoutMs`;
 * - `changed`: a text that was cut is another one now, so that it cannot be resumed;
 * - `task_failed`, `task_cancelled`: the task whose result was wanted has none;
 * - `bad_answer`: what answers is not a fibserver, or one that this client does not know.
 */
export class FibClientError extends Error {
  override readonly name = "FibClientError";
  readonly code: string;
  /** The HTTP status, if there was an answer. */
  readonly status: number | undefined;
  /** What happened, for people; the message is the same. */
  readonly detail: string;
  /** The whole problem document (RFC 9457); empty if none was sent. */
  readonly problem: Readonly<Record<string, unknown>>;
  /** What the server said about when to try again. */
  readonly retryAfterMs: number | undefined;

  constructor(code: string, detail: string, { status, problem, retryAfterMs, cause }: ErrorFacts = {}) {
    super(detail, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.problem = problem ?? {};
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * The error that an answer tells of.
 *
 * @param body - Of a problem document, or of whatever stands between the server and us.
 */
export function errorFrom(status: number, headers: Headers, body: string): FibClientError {
  const problem = parseObject(body);
  const retryAfterMs = parseRetryAfter(headers.get("retry-after"));
  const { code, detail } = problem ?? {};
  if (typeof code === "string") {
    const words = typeof detail === "string" ? detail : `The server refuses: ${code}`;
    return new FibClientError(code, words, { status, problem, retryAfterMs });
  }
  const absent = [502, 503, 504].includes(status);
  return new FibClientError(
    absent ? "unreachable" : "bad_answer",
    `The answer is ${status} without a problem document${absent ? ": a proxy cannot reach the server" : ""}`,
    { status, retryAfterMs },
  );
}

/**
 * Reads a Retry-After header.
 *
 * @returns Milliseconds from now; undefined when it is missing or cannot be understood.
 * @see RFC 9110, 10.2.3
 */
export function parseRetryAfter(header: string | null, nowMs = Date.now()): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header) * 1000;
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
