/**
 * All cursors of one server or command: the default one and those with names, which have a file
 * of their own, or are in the same place in Redis.
 * @module
 */
import { DEFAULT_NAME } from "../cursor-name.ts";
import { FibError } from "../errors.ts";
import type { CursorService } from "./moves.ts";

/** A cursor in a list. */
export interface ListedCursor {
  readonly name: string;
  readonly index: number;
  /** When it was moved last; of the default one nobody knows. */
  readonly movedAtMs?: number;
}

/** Which cursors are listed: those behind `after`, in the order of their names. */
export interface NameFilter {
  readonly prefix: string;
  readonly after: string;
  readonly limit: number;
}

/** The limits of a store of named cursors. */
export interface NamedLimits {
  /** The last index that moves may reach. */
  readonly indexMax: number;
  /** Named cursors, without those of clients. */
  readonly cursorsMax: number;
  /** Clients' own cursors. */
  readonly clientsMax: number;
  /** How long a client's cursor lives behind the last time that its cookie was set. */
  readonly clientTtlMs: number;
}

/** How many cursors a store has, besides the default one. */
export interface CursorCounts {
  /** Those that can be asked for by name. */
  readonly cursors: number;
  /** Clients' own. */
  readonly clients: number;
}

/** For whoever asks for no client's cursor, as a shell: it makes none, and forgets none. */
export const NO_CLIENTS = { clientsMax: 0, clientTtlMs: Number.MAX_SAFE_INTEGER } as const;

/** What keeps named cursors, and those of clients; the default one is none of them. */
export interface NamedCursors {
  /** The cursor of a name, whether there is one or not. */
  at(name: string): CursorService;
  /** Those with a name that can be asked for; clients' own are left out. Throws when the store does. */
  list(filter: NameFilter): Promise<readonly ListedCursor[]>;
  /** Resolves when they can be used; it is there where that may fail without the default cursor. */
  check?(): Promise<void>;
  /** Waits for what is queued, and gives everything back. */
  close(): Promise<void>;
}

/** The default cursor and those with names. */
export class Cursors {
  readonly default: CursorService;
  readonly #named: NamedCursors;

  constructor(defaultCursor: CursorService, named: NamedCursors) {
    this.default = defaultCursor;
    this.#named = named;
  }

  /** The cursor of a name, whether there is one or not. @param name - As `parseName` or `clientName` gives it. */
  at(name: string): CursorService {
    return name === DEFAULT_NAME ? this.default : this.#named.at(name);
  }

  /** Resolves when those with names can be used. @throws {@link FibError} when only these cannot. */
  async checkNamed(): Promise<void> {
    await this.#named.check?.();
  }

  /** Those that can be asked for by name, the default one among them. Throws when a store does. */
  async list(filter: NameFilter): Promise<readonly ListedCursor[]> {
    const { prefix, after, limit } = filter;
    const named = await this.#named.list(filter);
    if (!DEFAULT_NAME.startsWith(prefix) || DEFAULT_NAME <= after) return named;
    const place = named.findIndex(({ name }) => name > DEFAULT_NAME);
    const at = place === -1 ? named.length : place;
    // Behind a page that is full it is on the next one.
    if (at >= limit) return named;
    const outcome = await this.default.submit({ operation: "current" }, (result) => result);
    // A Redis that nobody has used yet has none.
    if (outcome instanceof FibError && outcome.code === "cursor_unknown") return named;
    if (outcome instanceof Error) throw outcome;
    return named.toSpliced(at, 0, { name: DEFAULT_NAME, index: outcome.index }).slice(0, limit);
  }
}
