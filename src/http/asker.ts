/**
 * Who sends a request, and what a route may ask of the connection: one place for both.
 *
 * The port hands these to every route as its environment, Hono's `c.env`. An app without a port has none, and
 * all its clients are one.
 * @module
 */
import type { Grant } from "../grant.ts";
import type { Origin, Span } from "../tracing.ts";

/** What a port gives to each request. */
export interface PortEnvironment {
  /**
   * Lets a connection be silent while something is computed for it: else it is closed after a while.
   *
   * @param idleSeconds - How long no byte may pass; 0 for as long as it takes.
   * @returns Ends that.
   */
  readonly keepOpen: (request: Request, idleSeconds: number) => () => void;
  /** Whose share of a limit a request uses: the client's address, see `address.ts`. */
  readonly holderOf: (request: Request) => string;
  /** Whether the client speaks TLS, with us or with a proxy that is believed. */
  readonly isSecure: (request: Request) => boolean;
}

/** What is known of one request, beside what it says itself. */
export interface RequestFacts {
  /** By which logs, problem documents, tasks and traces name it. */
  readonly requestId: string;
  /** What its token allows; undefined where none is needed. */
  readonly grant: Grant | undefined;
  /** It comes from a page of another origin that may what a program may. */
  readonly isAllowedPage: boolean;
  /** What it takes, for a trace; undefined where there is none. */
  readonly span: Span | undefined;
}

/** {@link PortEnvironment}, what the way in adds to it (entry.ts), and what `createApp` does. */
type Environment = Partial<PortEnvironment & RequestFacts & { readonly isHead: boolean }> | undefined;

/**
 * Tells those who watch of an answer, on its way out.
 *
 * @param sizeBytes - Of its body, from who knows it.
 */
export type Finish = (response: Response, sizeBytes?: number) => Response;

/** Answers a request. */
export type Handler = (request: Request, environment?: object) => Response | Promise<Response>;

/** Answers a request, and has each answer finished where it is made: one more promise for that costs 2% of a move. */
export type HotHandler = (
  request: Request,
  environment: object | undefined,
  finish: Finish,
) => Response | Promise<Response>;

/** A request with its environment: Hono's `Context`, or no more than this where a request does not go by Hono. */
export interface Asked {
  readonly env: unknown;
  readonly req: { readonly raw: Request };
}

/** Who waits for an answer. */
export interface Asker {
  /** Whose share of a limit it uses. */
  readonly holder: string;
  /** Aborted when the client leaves. */
  readonly signal: AbortSignal;
  /** What it takes, for a trace. */
  readonly span?: Span | undefined;
}

/** Who asks. Takes a microsecond, so not for what is asked a hundred thousand times a second. */
export function askerOf(c: Asked): Asker {
  return { holder: holderOf(c), signal: c.req.raw.signal, span: spanOf(c) };
}

/** By what a request is named; undefined where nobody has a use for a name. */
export function requestIdOf(c: Asked): string | undefined {
  return (c.env as Environment)?.requestId;
}

/** What the token of a request allows; undefined where none is needed. */
export function grantOf(c: Asked): Grant | undefined {
  return (c.env as Environment)?.grant;
}

/** Whether a request comes from a page of another origin that may what a program may. */
export function isAllowedPage(c: Asked): boolean {
  return (c.env as Environment)?.isAllowedPage === true;
}

/** The span of a request; undefined where nobody traces. */
export function spanOf(c: Asked): Span | undefined {
  return (c.env as Environment)?.span;
}

/** Which request asks for something that goes on without it. */
export function originOf(c: Asked): Origin {
  return { requestId: requestIdOf(c), traceparent: spanOf(c)?.traceparent };
}

/** The path that was asked for, also with a Host of which no URL can be made: then it is all that there is. */
export function pathOf({ url }: Request): string {
  // A host has a character or more, so this is behind `http://` as well.
  const start = isWhole(url) ? url.indexOf("/", "https://".length) : 0;
  const query = url.indexOf("?", start);
  return query === -1 ? url.slice(start) : url.slice(start, query);
}

/** Whether an address has a scheme and a host: Bun makes none of a Host that is none, and gives what was asked for. */
export function isWhole(url: string): boolean {
  return url.startsWith("http://") || url.startsWith("https://");
}

/** Whose share of a limit a request uses. Of a signal there is none then: it takes a kilobyte for as long as it waits. */
export function holderOf(c: Asked): string {
  return (c.env as Environment)?.holderOf?.(c.req.raw) ?? "";
}

/** Whether only the headers are wanted: such a request computes, starts and moves nothing. */
export function isHead(c: Asked): boolean {
  return (c.env as Environment)?.isHead === true;
}

/** Whether what is sent to the client stays secret on its way. */
export function isSecure({ env, req: { raw } }: Asked): boolean {
  return (env as Environment)?.isSecure?.(raw) ?? raw.url.startsWith("https:");
}

/**
 * Lets the connection of a request be silent until the function that is returned is called.
 *
 * @param idleSeconds - How long no byte may pass; 0 for as long as it takes.
 */
export function keepOpen(c: Asked, idleSeconds = 0): () => void {
  return (c.env as Environment)?.keepOpen?.(c.req.raw, idleSeconds) ?? (() => {});
}

/** Waits for something that may take longer than a connection may be silent. */
export async function patiently<Result>(c: Asked, compute: () => Result | Promise<Result>): Promise<Result> {
  const result = compute();
  if (!(result instanceof Promise)) return result;
  const end = keepOpen(c);
  try {
    return await result;
  } finally {
    end();
  }
}
