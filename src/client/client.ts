/**
 * A fibserver's client, for browsers, Node from 20 on, and Bun: `import { FibClient } from "@fibserver/client"`.
 *
 * Only what browsers have is used. Every call may be aborted, ends when the server is silent for
 * too long, is repeated where that helps, and throws one class of errors.
 * @module
 */
import { type DefaultCursorClient, defaultCursor } from "./cursor.ts";
import { CursorsClient } from "./cursors.ts";
import { isDigits, readIndex } from "./digits.ts";
import { FibClientError } from "./error.ts";
import type { NumberForm, NumberForms, SequenceForm, SequenceForms, SequenceStart } from "./forms.ts";
import {
  type DigitCounts,
  type Ends,
  type EndsOptions,
  endsQuery,
  readDigitCounts,
  readEnds,
  readIndices,
} from "./inquiries.ts";
import { chosen, natural, positive, startOf } from "./limits.ts";
import type { CallOptions, FibClientOptions } from "./options.ts";
import { openWithin, periodRange, type Range, remainderRange } from "./ranges.ts";
import { type Open, openBytes } from "./resume.ts";
import { pathTo } from "./routes.ts";
import { readServerStatus, type ServerStatus } from "./server-status.ts";
import { TasksClient } from "./tasks.ts";
import { NUMBERS, SEQUENCES } from "./terms.ts";
import { Transport } from "./transport.ts";

export type { ErrorCode } from "./codes.ts";
export type {
  ConditionOptions,
  CursorClient,
  DefaultCursorClient,
  MoveOptions,
  PositionOptions,
  SetOptions,
} from "./cursor.ts";
export type { CursorListOptions, CursorsClient, ListedCursor } from "./cursors.ts";
export { FibClientError } from "./error.ts";
export type { NumberForm, NumberForms, SequenceForm, SequenceForms, SequenceStart } from "./forms.ts";
export type { DigitCounts, Ends, EndsOptions } from "./inquiries.ts";
export type {
  CallOptions,
  Fetch,
  FibClientOptions,
  Hooks,
  RequestFacts,
  ResponseFacts,
  RetryFacts,
} from "./options.ts";
export type { Position, SetPosition, WatchedPosition } from "./position.ts";
export type { Quantiles, ServerStatus } from "./server-status.ts";
export type { Computation, TaskStatus } from "./status.ts";
export type { CancelOptions, ListOptions, ResultOptions, Task, TasksClient, WaitOptions } from "./tasks.ts";

/** How a number is wanted. */
export interface NumberOptions<F extends NumberForm = "bigint"> extends CallOptions {
  readonly as?: F | undefined;
}

/** Which terms are wanted, and how: `count` of them (100), or those up to F(to). */
export interface SequenceOptions<F extends SequenceForm = "bigint"> extends CallOptions {
  /** The index of the first; 0. */
  readonly from?: number | bigint | undefined;
  readonly count?: number | bigint | undefined;
  readonly to?: number | bigint | undefined;
  /** The first two terms, in the place of 0 and 1: `[2, 1]` for the Lucas numbers. */
  readonly start?: SequenceStart | undefined;
  readonly as?: F | undefined;
}

/** Where a value stands in the sequence: at an index, or between two. */
export type FoundIndex =
  | { readonly isTerm: true; readonly index: number }
  | { readonly isTerm: false; readonly below: number; readonly above: number };

/** One server. */
export class FibClient {
  /** The default cursor; `cursor("alice")` is the one of that name. Whoever asks for a name shares it. */
  readonly cursor: DefaultCursorClient;
  /** All of them. */
  readonly cursors: CursorsClient;
  /** Computations that somebody will fetch later. */
  readonly tasks: TasksClient;
  readonly #transport: Transport;

  /**
   * @param baseUrl - Such as `http://127.0.0.1:8080`; on a page of the server's own, `location.origin`.
   *   A user and a password in it are sent as Basic Authorization, for a proxy that asks for them.
   * @throws TypeError, when it is no http or https URL, or for a token that is none; RangeError for a limit that is none.
   */
  constructor(baseUrl: string | URL, options: FibClientOptions = {}) {
    this.#transport = new Transport(baseUrl, options);
    this.cursor = defaultCursor(this.#transport);
    this.cursors = new CursorsClient(this.#transport);
    this.tasks = new TasksClient(this.#transport);
  }

  /** F(n). @throws {@link FibClientError} `result_too_large`, and as every call does. */
  async fibonacci<F extends NumberForm = "bigint">(
    n: number | bigint,
    options: NumberOptions<F> = {},
  ): Promise<NumberForms[F]> {
    return this.#number(pathTo("/v1/fibonacci/:n", { n: natural(n, "n") }, TEXT), options);
  }

  /** L(n), the Lucas number. @throws {@link FibClientError} `result_too_large`, and as every call does. */
  async lucas<F extends NumberForm = "bigint">(
    n: number | bigint,
    options: NumberOptions<F> = {},
  ): Promise<NumberForms[F]> {
    return this.#number(pathTo("/v1/lucas/:n", { n: natural(n, "n") }, TEXT), options);
  }

  /**
   * F(n) modulo a number from 1.
   *
   * @throws {@link FibClientError} `bad_argument` where both together have more than 15,000 digits, and as every call does.
   */
  async remainder(n: number | bigint, mod: number | bigint, options: CallOptions = {}): Promise<bigint> {
    const query = { mod: positive(mod, "mod"), ...TEXT };
    const path = pathTo("/v1/fibonacci/:n", { n: natural(n, "n") }, query);
    return this.#number<"bigint">(path, options, remainderRange(BigInt(mod)));
  }

  /**
   * The first and the last digits of F(n), up to 1,000 of each, and how many it has; n may have 1,000 digits.
   *
   * @throws TypeError where neither is asked for; {@link FibClientError} `bad_argument` for more, and as every call does.
   */
  async ends(n: number | bigint, { first, last, ...options }: EndsOptions = {}): Promise<Ends> {
    const index = natural(n, "n");
    const query = endsQuery({ first, last });
    const path = pathTo("/v1/fibonacci/:n", { n: index }, query);
    return readEnds(await this.#json(path, options), index, query);
  }

  /** How often each digit is in F(n). @throws {@link FibClientError} `result_too_large`, and as every call does. */
  async digitCounts(n: number | bigint, options: CallOptions = {}): Promise<DigitCounts> {
    const path = pathTo("/v1/fibonacci/:n/digits", { n: natural(n, "n") });
    return readDigitCounts(await this.#json(path, options));
  }

  /**
   * Zeckendorf's representation of a value of up to 10,000 digits.
   *
   * @returns The indices of the Fibonacci numbers whose sum it is, descending, none beside another; none for 0.
   * @throws {@link FibClientError} `bad_argument` for a longer one, and as every call does.
   */
  async zeckendorf(value: bigint | number | string, options: CallOptions = {}): Promise<number[]> {
    const digits = isDigits(value) ? value : natural(value, "value");
    return readIndices(await this.#json(pathTo("/v1/zeckendorf/:value", { value: digits }), options), digits);
  }

  /** The Pisano period of m, from 1. @throws {@link FibClientError} `result_too_large`, and as every call does. */
  async pisano(m: number | bigint, options: CallOptions = {}): Promise<bigint> {
    const path = pathTo("/v1/pisano/:m", { m: positive(m, "m") }, TEXT);
    return this.#number<"bigint">(path, options, periodRange(BigInt(m)));
  }

  /** n!. @throws {@link FibClientError} `result_too_large`, and as every call does. */
  async factorial<F extends NumberForm = "bigint">(
    n: number | bigint,
    options: NumberOptions<F> = {},
  ): Promise<NumberForms[F]> {
    return this.#number(pathTo("/v1/factorial/:n", { n: natural(n, "n") }, TEXT), options);
  }

  /** A(m,n), Ackermann's function. @throws {@link FibClientError} `result_too_large`, and as every call does. */
  async ackermann<F extends NumberForm = "bigint">(
    m: number | bigint,
    n: number | bigint,
    options: NumberOptions<F> = {},
  ): Promise<NumberForms[F]> {
    return this.#number(
      pathTo("/v1/ackermann/:m/:n", { m: natural(m, "m"), n: natural(n, "n") }, TEXT),
      options,
    );
  }

  /** Where a value stands in the sequence. */
  async index(value: bigint | number | string, options: CallOptions = {}): Promise<FoundIndex> {
    const digits = isDigits(value) ? value : natural(value, "value");
    const path = pathTo("/v1/index/:value", { value: digits });
    try {
      const { body } = await this.#transport.ask({ path }, options);
      return { isTerm: true, index: readIndex((body as { index?: unknown } | undefined)?.index) };
    } catch (error) {
      if (!(error instanceof FibClientError) || error.code !== "not_fibonacci") throw error;
      const { below, above } = error.problem;
      return { isTerm: false, below: readIndex(below), above: readIndex(above) };
    }
  }

  /**
   * Terms of the sequence, read no faster than they are taken. After a cut it goes on where it was.
   *
   * @returns What asks the server when it is first read, and then throws as every call does.
   * @throws TypeError or RangeError, at once, for options that are wrong.
   */
  sequence<F extends SequenceForm = "bigint">(options: SequenceOptions<F> = {}): SequenceForms[F] {
    const { from, count, to, start, as = "bigint" as F, ...call } = options;
    const read = chosen(SEQUENCES, as, "as");
    const limits = this.#transport.limits(call);
    const given = Object.entries({ from, count, to }).filter(([, value]) => value !== undefined);
    const query = Object.fromEntries(given.map(([name, value]) => [name, natural(value!, name)]));
    const path = pathTo(
      "/v1/sequence",
      {},
      {
        ...query,
        start: start === undefined ? undefined : startOf(start),
        ...TEXT,
      },
    );
    return read((own) => openBytes(this.#transport, { path, hasLines: true }, own), limits);
  }

  /** How the server is: what it does, what is not well, who may use it. */
  async status(options: CallOptions = {}): Promise<ServerStatus> {
    const { body } = await this.#transport.ask({ path: pathTo("/v1/status", {}) }, options);
    return readServerStatus(body);
  }

  /**
   * Whether a server or an executor can work, which needs no token.
   *
   * @throws {@link FibClientError}, when it does not answer, or is none.
   */
  async isReady(options: CallOptions = {}): Promise<boolean> {
    const attempts = this.#transport.attempts(this.#transport.limits({ retriesMax: 0, ...options }));
    return attempts.until(async () => {
      const exchange = await this.#transport.open({ path: "/readyz" }, attempts, UNREADY);
      // Whatever else listens there may answer 200 as well.
      const text = await exchange.text(READY.length + 1);
      return exchange.status !== UNREADY && text === READY;
    });
  }

  async #json(path: string, options: CallOptions): Promise<unknown> {
    return (await this.#transport.ask({ path }, options)).body;
  }

  async #number<F extends NumberForm>(
    path: string,
    { as = "bigint" as F, ...call }: NumberOptions<F>,
    range?: Range,
  ): Promise<NumberForms[F]> {
    const read = chosen(NUMBERS, as, "as");
    const limits = this.#transport.limits(call);
    const open: Open = (own) => openBytes(this.#transport, { path, hasLines: false }, own);
    return read(range === undefined ? open : openWithin(open, range), limits);
  }
}

const TEXT = { format: "text" };

/** What `/readyz` says. */
const READY = "ok\n";
const UNREADY = 503;
