/**
 * A cursor of the server's, moved so that no retry moves it twice.
 *
 * Each move carries an Idempotency-Key. When an answer is lost, the same move is sent again with the same
 * key, and the server, which has written the key to disk together with the move, gives the first answer.
 *
 * Not a class: what is called with a name has to be a function, and has the default cursor's methods as its own. A class
 * could only pretend to be that, by other means than `new`.
 * @module
 */
import { named } from "./checks.ts";
import { FibClientError } from "./error.ts";
import { chosen, natural } from "./limits.ts";
import type { CallOptions } from "./options.ts";
import {
  type Position,
  type PositionForm,
  readPosition,
  type SetPosition,
  VALUES,
  type WatchedPosition,
} from "./position.ts";
import { pathTo } from "./routes.ts";
import type { Call, Transport } from "./transport.ts";
import { watchPositions } from "./watch.ts";

/** How a position is wanted. */
export interface PositionOptions<F extends PositionForm = "bigint"> extends CallOptions {
  readonly as?: F | undefined;
}

/** When something is done to a cursor. */
export interface ConditionOptions extends CallOptions {
  /** A position's `etag`: it is refused with `cursor_moved` if the cursor has moved since, or is no more. */
  readonly ifMatch?: string | undefined;
}

/** How a move is made. */
export interface MoveOptions<F extends PositionForm = "bigint"> extends PositionOptions<F>, ConditionOptions {
  /** The Idempotency-Key; a random one unless it is to outlive this process. The server keeps the last 100. */
  readonly key?: string | undefined;
}

/** How a cursor is set. */
export interface SetOptions<F extends PositionForm = "bigint"> extends MoveOptions<F> {
  /** Only make it: it is refused with `precondition_failed` if there is one. */
  readonly ifNone?: boolean | undefined;
}

/** One cursor, whether there is one of its name or not. */
export interface CursorClient {
  /** Where it stands. @throws {@link FibClientError} `cursor_unknown`, and as every call does. */
  current<F extends PositionForm = "bigint">(options?: PositionOptions<F>): Promise<Position<F>>;

  /**
   * One step forward; one that is not there is made at 0 first.
   *
   * @throws {@link FibClientError} `sequence_end`, `too_many_cursors`, and as every call does.
   */
  next<F extends PositionForm = "bigint">(options?: MoveOptions<F>): Promise<Position<F>>;

  /** One step back. @throws {@link FibClientError} `sequence_start`, and as every call does. */
  previous<F extends PositionForm = "bigint">(options?: MoveOptions<F>): Promise<Position<F>>;

  /**
   * To an index; one that is not there is made.
   *
   * @throws {@link FibClientError} `bad_argument` beyond the server's limit, `too_many_cursors`, and as every call does.
   */
  set<F extends PositionForm = "bigint">(
    index: number | bigint,
    options?: SetOptions<F>,
  ): Promise<SetPosition<F>>;

  /**
   * Removes it, with the keys of its moves; the default cursor is always there.
   *
   * When the answer to an attempt is lost, the next one finds no cursor. That is what was wanted, and no error, though it
   * may have been somebody else who removed it meanwhile; a first attempt that finds none is one.
   *
   * @throws {@link FibClientError} `cursor_unknown`, `cursor_moved`, `cursor_permanent`, and as every call does.
   */
  remove(options?: ConditionOptions): Promise<void>;

  /**
   * Where it stands, and each change, until it is removed; goes on after a cut. What comes too quickly is left out, the
   * last position never.
   *
   * What counts as progress is that it has moved, or that a connection has held for 5 s with the server still there: after
   * `retriesMax` cuts without either it gives up. The server is heard every 15 s: a `timeoutMs` below that ends sound connections.
   *
   * @throws TypeError or RangeError, at once, for options that are wrong; when it is read {@link FibClientError}
   *   `cursor_unknown` if there is none to begin with, and as every call does.
   */
  watch<F extends PositionForm = "bigint">(
    options?: PositionOptions<F>,
  ): AsyncGenerator<WatchedPosition<F>, void>;
}

/** The default cursor, which leads to the others. */
export interface DefaultCursorClient extends CursorClient {
  /** The cursor of a name; nothing is asked. @throws TypeError for what is no name. */
  (name: string): CursorClient;
}

/** What is below a cursor's path. */
type Below = "" | "/next" | "/previous" | "/events";

/** The default cursor. @internal */
export function defaultCursor(transport: Transport): DefaultCursorClient {
  const ofName = (name: string) => {
    const checked = { name: named(name) };
    return cursorAt(transport, (below) => pathTo(`/v1/cursors/:name${below}`, checked));
  };
  const unnamed = cursorAt(transport, (below) => pathTo(`/v1/cursor${below}`, {}));
  return Object.assign(ofName, unnamed);
}

function cursorAt(transport: Transport, pathOf: (below: Below) => string): CursorClient {
  async function ask<F extends PositionForm>(
    call: Call,
    { as = "bigint" as F, ...options }: PositionOptions<F>,
  ): Promise<Told<F>> {
    const valueOf = chosen(VALUES, as, "as");
    const minimal = as === "none" && { prefer: "return=minimal" };
    const asked = { ...call, headers: { ...call.headers, ...minimal } };
    const { status, headers, body } = await transport.ask(asked, options);
    return { position: readPosition(body, headers, valueOf), status };
  }

  async function move<F extends PositionForm>(
    call: Call,
    { key = randomKey(), ifMatch, ifNone, ...options }: SetOptions<F>,
  ): Promise<Told<F>> {
    const headers = {
      "idempotency-key": key,
      ...(ifMatch !== undefined && { "if-match": ifMatch }),
      ...(ifNone && { "if-none-match": "*" }),
    };
    return ask({ ...call, headers }, options);
  }

  return {
    async current(options = {}) {
      return (await ask({ path: pathOf("") }, options)).position;
    },
    async next(options = {}) {
      return (await move({ method: "POST", path: pathOf("/next") }, options)).position;
    },
    async previous(options = {}) {
      return (await move({ method: "POST", path: pathOf("/previous") }, options)).position;
    },
    async set(index, options = {}) {
      const call = { method: "PUT", path: pathOf(""), body: { index: natural(index, "index") } } as const;
      const { position, status } = await move(call, options);
      return { ...position, created: status === 201 };
    },
    async remove(options = {}) {
      await removeOnce(transport, pathOf(""), options);
    },
    watch({ as = "bigint" as never, ...options } = {}) {
      const valueOf = chosen(VALUES, as, "as");
      return watchPositions(transport, pathOf("/events"), valueOf, transport.limits(options));
    },
  };
}

/** What an answer tells. */
interface Told<F extends PositionForm> {
  readonly position: Position<F>;
  readonly status: number;
}

/** Removes a cursor, also when an answer is lost on the way. */
async function removeOnce(
  transport: Transport,
  path: string,
  { ifMatch, ...options }: ConditionOptions,
): Promise<void> {
  const attempts = transport.attempts(transport.limits(options));
  const headers = ifMatch === undefined ? {} : { "if-match": ifMatch };
  let attemptCount = 0;
  await attempts.until(async () => {
    try {
      attemptCount++;
      (await transport.open({ method: "DELETE", path, headers }, attempts)).close();
    } catch (error) {
      if (attemptCount > 1 && (await isGone(error))) return;
      throw error;
    }
  });

  /** Where there is none, none matches either, and the refusal is that of one that has moved: so one has to look. */
  async function isGone(error: unknown): Promise<boolean> {
    if (!(error instanceof FibClientError)) return false;
    if (error.code !== "cursor_moved") return error.code === "cursor_unknown";
    try {
      (await transport.open({ path }, attempts)).close();
      return false;
    } catch (absence) {
      if (absence instanceof FibClientError && absence.code === "cursor_unknown") return true;
      throw absence;
    }
  }
}

// Not crypto.randomUUID: browsers have that only on pages of https and of the own machine.
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
