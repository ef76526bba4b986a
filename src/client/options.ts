/**
 * How a client and its calls are set up.
 * @module
 */
import type { FibClientError } from "./error.ts";

/** The part of `fetch` that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** How a call may be limited. What is wrong here is refused with a RangeError, before anything is asked. */
export interface CallOptions {
  /** Ends the call at once, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long the server may be silent, in milliseconds: more than 0, up to `Infinity`; 60,000. It does not limit the
   * call as a whole.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * How often a request is repeated before its error is thrown: from 0, up to `Infinity`; 5. A stream that makes
   * progress counts anew.
   */
  readonly retriesMax?: number | undefined;
}

/** A request that is sent. */
export interface RequestFacts {
  readonly method: string;
  /** Without a password. */
  readonly url: string;
  /** From 1; counts the requests of one call, those by which streams and events go on too. */
  readonly attempt: number;
}

/** What came of it: the head of an answer, or an error. */
export interface ResponseFacts extends RequestFacts {
  /** undefined if there was no answer. */
  readonly status: number | undefined;
  /** Why there was none: a {@link FibClientError}, or the reason of a signal. */
  readonly error: unknown;
  /** By which the server logs it (`X-Request-Id`), if there was an answer with one. */
  readonly requestId: string | undefined;
  /** From the request to the head of the answer, or to the error. */
  readonly durationMs: number;
}

/** Why and when a request is made again. */
export interface RetryFacts extends RequestFacts {
  readonly error: FibClientError;
  readonly delayMs: number;
}

/**
 * What is told of each request, to log, count and time them. What a hook throws ends the call, with that very error. One
 * that is async is waited for, whatever the call's limits are, and may throw as well. Else what it returns is ignored.
 */
export interface Hooks {
  /** A request is about to be sent. */
  readonly onRequest?: ((request: RequestFacts) => unknown) | undefined;
  /** It was answered, or was not: called once for each request. A body that breaks later is told by `onRetry`. */
  readonly onResponse?: ((response: ResponseFacts) => unknown) | undefined;
  /** It has failed, and is made again after `delayMs`. An error that is final is thrown by the call instead. */
  readonly onRetry?: ((retry: RetryFacts) => unknown) | undefined;
}

/** How a client is set up; the limits are those of calls that name none. */
export interface FibClientOptions extends Omit<CallOptions, "signal">, Hooks {
  /**
   * A server's token, sent with each request as `Authorization: Bearer`, in the place of a user and a password in the
   * URL. An `authorization` among `headers` wins over both.
   */
  readonly token?: string | undefined;
  /** Sent with each request, for a proxy that asks for a password. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Instead of the global `fetch`. */
  readonly fetch?: Fetch | undefined;
}
