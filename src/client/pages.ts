/**
 * Lists that a server gives page by page.
 * @module
 */
import { FibClientError } from "./error.ts";
import { type Limits, natural, shown } from "./limits.ts";
import type { Transport } from "./transport.ts";

/** The most that a server lists at once. */
const PAGE_MAX = 1000;

/** What is listed. */
export interface Listed<Entry> {
  /** What it is called in the answer, and in messages. */
  readonly what: string;
  /** The path of the page behind `after`. */
  readonly pathOf: (page: { readonly after?: string; readonly limit?: string }) => string;
  /** Checks an entry. */
  readonly read: (entry: unknown) => Entry;
  /** Where to begin: behind this one. */
  readonly after?: string | undefined;
  /** No more than so many. */
  readonly limit?: number | undefined;
}

/**
 * The entries of a list; asks for more when they are wanted.
 *
 * @throws RangeError, at once, for a limit that is none; when it is read {@link FibClientError}, `bad_answer` also for a
 *   list that goes round, or on and on without an entry.
 */
export function readPages<Entry>(
  transport: Transport,
  listed: Listed<Entry>,
  limits: Limits,
): AsyncGenerator<Entry, void> {
  if (listed.limit !== undefined) natural(listed.limit, "limit");
  return pagesOf(transport, listed, limits);
}

async function* pagesOf<Entry>(
  transport: Transport,
  { what, pathOf, read, after, limit = Number.POSITIVE_INFINITY }: Listed<Entry>,
  limits: Limits,
): AsyncGenerator<Entry, void> {
  const asked = new Set<string>();
  let emptyCount = 0;
  for (let last = after, rest = limit; rest > 0;) {
    const page = {
      ...(last !== undefined && { after: last }),
      ...(rest !== Number.POSITIVE_INFINITY && { limit: String(Math.min(rest, PAGE_MAX)) }),
    };
    const { body } = await transport.ask({ path: pathOf(page) }, limits);
    const { [what]: entries, next } = (body ?? {}) as Readonly<Record<string, unknown>>;
    if (!Array.isArray(entries)) throw new FibClientError("bad_answer", `The server sent no list of ${what}`);
    for (const entry of entries.slice(0, rest)) yield read(entry);
    rest -= entries.length;
    if (next === undefined) return;
    if (typeof next !== "string")
      throw new FibClientError("bad_answer", `The server sent no list of ${what}`);
    emptyCount = entries.length === 0 ? emptyCount + 1 : 0;
    if (asked.has(next) || emptyCount > limits.retriesMax) {
      throw new FibClientError("bad_answer", `The server's list of ${what} goes round behind ${shown(next)}`);
    }
    asked.add((last = next));
  }
}
