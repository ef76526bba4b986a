/**
 * The server's cursor, moved so that no retry moves it twice.
 *
 * Each move carries an Idempotency-Key. When an answer is lost, the same move is sent again with the same
 * key, and the server, which has written the key to disk together with the move, gives the first answer.
 * @module
 */
import { readDigits, readIndex } from "./digits.ts";
import type { NumberForms } from "./forms.ts";
import { chosen, natural } from "./limits.ts";
import type { CallOptions } from "./options.ts";
import { type Output, pathTo } from "./routes.ts";
import type { Answer, Call, Transport } from "./transport.ts";

/** What the value may be had as. */
type Form = "bigint" | "text";

/** How a position is wanted. */
export interface PositionOptions<F extends Form = "bigint"> extends CallOptions {
  readonly as?: F | undefined;
}

/** How a move is made. */
export interface MoveOptions<F extends Form = "bigint"> extends PositionOptions<F> {
  /** The Idempotency-Key; a random one unless it is to outlive this process. The server keeps the last 100. */
  readonly key?: string | undefined;
  /** A position's `etag`: the move is refused with `cursor_moved` if the cursor has moved since. */
  readonly ifMatch?: string | undefined;
}

/** Where the cursor stands. */
export interface Position<F extends Form = "bigint"> {
  readonly index: number;
  /** F(index). */
  readonly value: NumberForms[F];
  /** Names this position, for `ifMatch`; undefined for a replayed answer. */
  readonly etag: string | undefined;
  /** The server had made this move already, and gave its answer again. */
  readonly replayed: boolean;
}

/** The cursor of a server. */
export class CursorClient {
  readonly #transport: Transport;

  /** @internal */
  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Where it stands. */
  async current<F extends Form = "bigint">(options: PositionOptions<F> = {}): Promise<Position<F>> {
    return this.#ask({ path: pathTo("/v1/cursor", {}) }, options);
  }

  /** One step forward. @throws {@link FibClientError} `sequence_end`, and as every call does. */
  async next<F extends Form = "bigint">(options: MoveOptions<F> = {}): Promise<Position<F>> {
    return this.#move({ method: "POST", path: pathTo("/v1/cursor/next", {}) }, options);
  }

  /** One step back. @throws {@link FibClientError} `sequence_start`, and as every call does. */
  async previous<F extends Form = "bigint">(options: MoveOptions<F> = {}): Promise<Position<F>> {
    return this.#move({ method: "POST", path: pathTo("/v1/cursor/previous", {}) }, options);
  }

  /** To an index. @throws {@link FibClientError} `bad_argument` beyond the server's limit, and as every call does. */
  async set<F extends Form = "bigint">(
    index: number | bigint,
    options: MoveOptions<F> = {},
  ): Promise<Position<F>> {
    const call = {
      method: "PUT",
      path: pathTo("/v1/cursor", {}),
      body: { index: natural(index, "index") },
    } as const;
    return this.#move(call, options);
  }

  async #move<F extends Form>(call: Call, options: MoveOptions<F>): Promise<Position<F>> {
    const { key = randomKey(), ifMatch } = options;
    const headers = { "idempotency-key": key, ...(ifMatch !== undefined && { "if-match": ifMatch }) };
    return this.#ask({ ...call, headers }, options);
  }

  async #ask<F extends Form>(
    call: Call,
    { as = "bigint" as F, ...options }: PositionOptions<F>,
  ): Promise<Position<F>> {
    const valueOf = chosen(VALUES, as, "as");
    return readPosition(await this.#transport.ask(call, options), valueOf);
  }
}

const VALUES: { readonly [F in Form]: (digits: string) => NumberForms[F] } = {
  bigint: BigInt,
  text: (digits) => digits,
};

/** The answer to every operation. */
type PositionBody = Output<"/v1/cursor/next", "$post">;

function readPosition<F extends Form>(
  { body, headers }: Answer,
  valueOf: (digits: string) => NumberForms[F],
): Position<F> {
  const { index, value } = (body ?? {}) as Partial<PositionBody>;
  return {
    index: readIndex(index),
    value: valueOf(readDigits(value)),
    etag: headers.get("etag") ?? undefined,
    replayed: headers.get("idempotency-replayed") === "true",
  };
}

// Not crypto.randomUUID: browsers have that only on pages of https and of the own machine.
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
