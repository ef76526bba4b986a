/**
 * All cursors of a server.
 * @module
 */
import { isName, isTime } from "./checks.ts";
import { readIndex } from "./digits.ts";
import { FibClientError } from "./error.ts";
import { shown } from "./limits.ts";
import type { CallOptions } from "./options.ts";
import { readPages } from "./pages.ts";
import { pathTo } from "./routes.ts";
import type { Transport } from "./transport.ts";

/** Which cursors are wanted. */
export interface CursorListOptions extends CallOptions {
  /** Those whose names begin so. */
  readonly prefix?: string | undefined;
  /** No more than so many. */
  readonly limit?: number | undefined;
}

/** A cursor in a list. */
export interface ListedCursor {
  readonly name: string;
  readonly index: number;
  /** As RFC 3339; of the default one nobody knows. */
  readonly movedAt: string | undefined;
}

/** The cursors of a server. */
export class CursorsClient {
  readonly #transport: Transport;

  /** @internal */
  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Cursors in the order of their names, the default one among them; asks for more when they are wanted.
   *
   * @throws RangeError or TypeError, at once, for options that are wrong.
   */
  list({ prefix, limit, ...options }: CursorListOptions = {}): AsyncGenerator<ListedCursor, void> {
    if (prefix !== undefined && typeof prefix !== "string")
      throw new TypeError(`Cannot use ${shown(prefix)} for prefix: it takes a text`);
    const pathOf = (page: object) => pathTo("/v1/cursors", {}, { prefix, ...page });
    const listed = { what: "cursors", pathOf, read: readListed, limit };
    return readPages(this.#transport, listed, this.#transport.limits(options));
  }
}

function readListed(entry: unknown): ListedCursor {
  const { name, index, movedAt } = Object(entry) as Readonly<Record<string, unknown>>;
  if (!isName(name)) throw new FibClientError("bad_answer", `The server sent no name: ${shown(name)}`);
  if (movedAt !== undefined && !isTime(movedAt))
    throw new FibClientError("bad_answer", `The server sent no time: ${shown(movedAt)}`);
  return { name, index: readIndex(index), movedAt };
}
