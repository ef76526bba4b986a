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
   * @returns Ends that.
   */
  readonly keepOpen: (request: Request) => () => void;
  /** Whose share of a limit a request uses: the client's address, see `address.ts`. */
  readonly holderOf: (request: Request) => string;
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
  const { raw } = c.req;
  return { holder: (c.env as Environment)?.holderOf?.(raw) ?? "", signal: raw.signal };
}

/** Whether only the headers are wanted: such a request computes, starts and moves nothing. */
export function isHead(c: Asked): boolean {
  return (c.env as Environment)?.isHead === true;
}

/** Lets the connection of a request be silent until the function that is returned is called. */
export function keepOpen(c: Asked): () => void {
  return (c.env as Environment)?.keepOpen?.(c.req.raw) ?? (() => {});
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
