/**
 * Who sends a request, and what a route may ask of the connection: one place for both.
 *
 * The port hands these to every route as its environment, Hono's `c.env`. An app without a port has none, and
 * all its clients are one.
 * @module
 */
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

/** {@link PortEnvironment}, and what `createApp` adds to it. */
type Environment = Partial<PortEnvironment & { readonly isHead: boolean }> | undefined;

/** Answers a request. */
export type Handler = (request: Request, environment?: object) => Response | Promise<Response>;

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
}

/** Who asks. Takes a microsecond, so not for what is asked a hundred thousand times a second. */
export function askerOf(c: Asked): Asker {
  return { holder: holderOf(c), signal: c.req.raw.signal };
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
