/**
 * The one error of the client: what the server refused, or why it could not be asked.
 *
 * An abort is not among them: as with `fetch`, it rejects with the signal's own reason. Neither is what was
 * wrong in the call itself: that is a TypeError or a RangeError, and nothing was asked.
 * @module
 */
import type { ErrorCode } from "./codes.ts";

/** What an error knows besides its words. */
export interface ErrorFacts {
  readonly status?: number | undefined;
  readonly problem?: Readonly<Record<string, unknown>> | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly requestId?: string | undefined;
  readonly cause?: unknown;
}

/** A call that has failed for good: retries have been made already, where they could help. */
export class FibClientError extends Error {
  override readonly name = "FibClientError";
  readonly code: ErrorCode;
  /** The HTTP status, if there was an answer. */
  readonly status: number | undefined;
  /** What happened, for people; the message is the same. */
  readonly detail: string;
  /** The whole problem document (RFC 9457); empty if none was sent. */
  readonly problem: Readonly<Record<string, unknown>>;
  /** What the server said about when to try again. */
  readonly retryAfterMs: number | undefined;
  /** By which the server has logged it (`X-Request-Id`), if there was an answer with one. */
  readonly requestId: string | undefined;

  constructor(code: ErrorCode, detail: string, facts: ErrorFacts = {}) {
    const { status, problem, retryAfterMs, requestId, cause } = facts;
    super(detail, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.problem = problem ?? {};
    this.retryAfterMs = retryAfterMs;
    this.requestId = requestId;
  }
}
