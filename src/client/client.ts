/**
 * A fibserver's client, for browsers, Node from 20 on, and Bun: `import { FibClient } from "fibserver/client"`.
 *
 * Only what browsers have is used. Every call may be aborted, ends when the server is silent for
 * too long, is repeated where that helps, and throws one class of errors.
 * @module
 */
import { CursorClient } from "./cursor.ts";
import { FibClientError } from "./error.ts";
import { openBytes } from "./resume.ts";
import type { CallOptions } from "./retry.ts";
import { pathTo } from "./routes.ts";
import { TasksClient } from "./tasks.ts";
import {
  type NumberForm,
  type NumberForms,
  numberAs,
  type SequenceForm,
  type SequenceForms,
  sequenceAs,
} from "./terms.ts";
import { type FibClientOptions, Transport } from "./transport.ts";

export type { CursorClient, MoveOptions, Position, PositionOptions } from "./cursor.ts";
export { FibClientError } from "./error.ts";
export type { CallOptions } from "./retry.ts";
export type {
  CancelOptions,
  Computation,
  ListOptions,
  ResultOptions,
  Task,
  TasksClient,
  TaskStatus,
} from "./tasks.ts";
export type { NumberForm, NumberForms, SequenceForm, SequenceForms } from "./terms.ts";
export type { FibClientOptions } from "./transport.ts";

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
  /** The cursor that all clients of the server share. */
  readonly cursor: CursorClient;
  /** Computations that somebody will fetch later. */
  readonly tasks: TasksClient;
  readonly #transport: Transport;

  /**
   * @param baseUrl - Such as `http://127.0.0.1:8080`; on a page of the server's own, `location.origin`.
   * @throws TypeError, when it is no http or https URL.
   */
  constructor(baseUrl: string | URL, options: FibClientOptions = {}) {
    this.#transport = new Transport(baseUrl, options);
    this.cursor = new CursorClient(this.#transport);
    this.tasks = new TasksClient(this.#transport);
  }

  /** F(n). @throws {@link FibClientError} `result_too_large`, and as every call does. */
  async fibonacci<F extends NumberForm = "bigint">(
    n: number | bigint,
    options: NumberOptions<F> = {},
  ): Promise<NumberForms[F]> {
    return this.#number(pathTo("/v1/fibonacci/:n", { n: String(n) }, TEXT), options);
  }

  /** n!. @throws {@link FibClientError} `result_too_large`, and as every call does. */
  async factorial<F extends NumberForm = "bigint">(
    n: number | bigint,
    options: NumberOptions<F> = {},
  ): Promise<NumberForms[F]> {
    return this.#number(pathTo("/v1/factorial/:n", { n: String(n) }, TEXT), options);
  }

  /** A(m,n), Ackermann's function. @throws {@link FibClientError} `result_too_large`, and as every call does. */
  async ackermann<F extends NumberForm = "bigint">(
    m: number | bigint,
    n: number | bigint,
    options: NumberOptions<F> = {},
  ): Promise<NumberForms[F]> {
    return this.#number(pathTo("/v1/ackermann/:m/:n", { m: String(m), n: String(n) }, TEXT), options);
  }

  /** Where a value stands in the sequence. */
  async index(value: bigint | number | string, options: CallOptions = {}): Promise<FoundIndex> {
    const path = pathTo("/v1/index/:value", { value: String(value) });
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
   */
  sequence<F extends SequenceForm = "bigint">(options: SequenceOptions<F> = {}): SequenceForms[F] {
    const { from, count, to, as = "bigint" as F, ...call } = options;
    const query = { from: text(from), count: text(count), to: text(to), ...TEXT };
    return sequenceAs(() => openBytes(this.#transport, pathTo("/v1/sequence", {}, query), call), as);
  }

  async #number<F extends NumberForm>(
    path: string,
    { as = "bigint" as F, ...call }: NumberOptions<F>,
  ): Promise<NumberForms[F]> {
    return numberAs(await openBytes(this.#transport, path, call), as);
  }
}

const TEXT = { format: "text" };

function text(value: number | bigint | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

function readIndex(value: unknown): number {
  if (typeof value === "string" && /^\d{1,16}$/.test(value)) return Number(value);
  throw new FibClientError("bad_answer", "The server sent no index");
}
