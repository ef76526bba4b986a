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
import type { NumberForm, NumberForms, SequenceForm, SequenceForms } from "./forms.ts";
import { chosen, natural } from "./limits.ts";
import type { CallOptions, FibClientOptions } from "./options.ts";
import { openBytes } from "./resume.ts";
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
export type { NumberForm, NumberForms, SequenceForm, SequenceForms } from "./forms.ts";
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
export type { CancelOptions, ListOptions, ResultOptions, Task, TasksClient } from "./tasks.ts";

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
    const { from, count, to, as = "bigint" as F, ...call } = options;
    const read = chosen(SEQUENCES, as, "as");
    const limits = this.#transport.limits(call);
    const given = Object.entries({ from, count, to }).filter(([, value]) => value !== undefined);
    const query = Object.fromEntries(given.map(([name, value]) => [name, natural(value!, name)]));
    const path = pathTo("/v1/sequence", {}, { ...query, ...TEXT });
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

  async #number<F extends NumberForm>(
    path: string,
    { as = "bigint" as F, ...call }: NumberOptions<F>,
  ): Promise<NumberForms[F]> {
    const read = chosen(NUMBERS, as, "as");
    const limits = this.#transport.limits(call);
    return read((own) => openBytes(this.#transport, { path, hasLines: false }, own), limits);
  }
}

const TEXT = { format: "text" };

/** What `/readyz` says. */
const READY = "ok\n";
const UNREADY = 503;
