/**
 * Where a cursor stands, as the server tells it.
 * @module
 */
import { isCount } from "./checks.ts";
import { isDigits, readDigits, readIndex } from "./digits.ts";
import { FibClientError } from "./error.ts";
import type { NumberForms } from "./forms.ts";
import { shown } from "./limits.ts";

/** What the value may be had as. */
export type PositionForm = keyof PositionForms;

/** What it is then; `none` asks for none, for it may have millions of digits. */
interface PositionForms extends Pick<NumberForms, "bigint" | "text"> {
  none: undefined;
}

/** Where a cursor stands. */
export interface Position<F extends PositionForm = "bigint"> {
  readonly index: number;
  /** F(index). */
  readonly value: PositionForms[F];
  /** Names this position, for `ifMatch`; undefined for a replayed answer. */
  readonly etag: string | undefined;
  /** The server had made this move already, and gave its answer again. */
  readonly replayed: boolean;
}

/** Where a cursor stands that was set. */
export interface SetPosition<F extends PositionForm = "bigint"> extends Position<F> {
  /** There was none of this name before. */
  readonly created: boolean;
}

/** Where a cursor stands that is watched. */
export interface WatchedPosition<F extends PositionForm = "bigint"> {
  readonly index: number;
  /** F(index); undefined beyond 1,000 digits, and where the server cannot have it now: `current` asks for it. */
  readonly value: PositionForms[F] | undefined;
  /** How many digits F(index) has. */
  readonly digits: number;
  /** Names this position, for `ifMatch`. */
  readonly etag: string;
}

/** How what is sent becomes the value. @internal */
export type ValueOf<F extends PositionForm> = (sent: unknown) => PositionForms[F];

/** How they do for each form. @internal */
export const VALUES: { readonly [F in PositionForm]: ValueOf<F> } = {
  bigint: (sent) => BigInt(readDigits(sent)),
  text: readDigits,
  none: () => undefined,
};

/** A position that an answer brings. @throws {@link FibClientError} `bad_answer` for what is none. @internal */
export function readPosition<F extends PositionForm>(
  body: unknown,
  headers: Headers,
  valueOf: ValueOf<F>,
): Position<F> {
  const { index, value } = Object(body) as Readonly<Record<string, unknown>>;
  return {
    index: readIndex(index),
    value: valueOf(value),
    etag: headers.get("etag") ?? undefined,
    replayed: headers.get("idempotency-replayed") === "true",
  };
}

/**
 * A position that an event brings.
 *
 * @param id - Of the event: the generation, as in an ETag.
 * @throws {@link FibClientError} `bad_answer` for what is none.
 * @internal
 */
export function readWatched<F extends PositionForm>(
  data: unknown,
  id: string | undefined,
  valueOf: ValueOf<F>,
): WatchedPosition<F> {
  const { index, value, digits } = Object(data) as Readonly<Record<string, unknown>>;
  if (!isDigits(id))
    throw new FibClientError("bad_answer", `The server sent a position with id ${shown(id)}`);
  const place = { index: readIndex(index), etag: `"${id}"` };
  if (value === undefined && isCount(digits)) return { ...place, value, digits };
  const text = readDigits(value);
  return { ...place, value: valueOf(text), digits: text.length };
}
