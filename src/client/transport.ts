/**
 * From a path to an answer: where the server is, what every request carries, what its
 * answers mean.
 * @module
 */
import { errorFrom, FibClientError } from "./error.ts";
import { Exchange, type Fetch } from "./exchange.ts";
import { type CallOptions, retrying } from "./retry.ts";

/** More of an error is not read. */
const ERROR_BYTES_MAX = 64 * 1024;

/** How a client is set up; the limits are those of calls that name none. */
export interface FibClientOptions extends Omit<CallOptions, "signal"> {
  /** Sent with each request, for a proxy that asks for a password. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Instead of the global `fetch`. */
  readonly fetch?: Fetch | undefined;
}

/** A request, ready to be sent. */
export interface Call {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** An answer that was read whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** Sends requests to one server. */
export class Transport {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #fetch: Fetch;
  readonly #limits: CallOptions;

  /** @throws TypeError, when the address is no http or https URL. */
  constructor(baseUrl: string | URL, { headers = {}, fetch, ...limits }: FibClientOptions) {
    const { protocol, origin, pathname } = new URL(baseUrl);
    if (!/^https?:$/.test(protocol))
      throw new TypeError(`Cannot use ${String(baseUrl)}: it takes http or https`);
    this.#base = origin + pathname.replace(/\/+$/, "");
    this.#headers = headers;
    // Called through the global: browsers insist on it.
    this.#fetch = fetch ?? ((url, init) => globalThis.fetch(url, init));
    this.#limits = limits;
  }

  /** The limits of a call: its own over the client's. */
  limits({ signal, timeoutMs, retriesMax }: CallOptions): CallOptions {
    return {
      signal,
      timeoutMs: timeoutMs ?? this.#limits.timeoutMs,
      retriesMax: retriesMax ?? this.#limits.retriesMax,
    };
  }

  /**
   * Sends a request once.
   *
   * @param expected - A status from 400 that is an answer here.
   * @returns The answer with its body unread.
   * @throws {@link FibClientError} for every other status from 400, and as `Exchange.open` does.
   */
  async open({ method = "GET", path, headers, body }: Call, limits: CallOptions, expected?: number) {
    const exchange = await Exchange.open(
      this.#fetch,
      this.#base + path,
      {
        method,
        headers: {
          ...this.#headers,
          ...headers,
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      },
      limits,
    );
    const { status } = exchange;
    if (status < 400 || status === expected) return exchange;
    throw errorFrom(status, exchange.headers, await exchange.text(ERROR_BYTES_MAX));
  }

  /**
   * Sends a request until it is answered, and reads the answer whole: one that is cut in the middle counts as none.
   *
   * @returns Parsed JSON; undefined for an empty body.
   * @throws {@link FibClientError}; the signal's reason.
   */
  async ask(call: Call, options: CallOptions): Promise<Answer> {
    const limits = this.limits(options);
    return retrying(limits, () => this.#askOnce(call, limits));
  }

  async #askOnce(call: Call, limits: CallOptions): Promise<Answer> {
    const exchange = await this.open(call, limits);
    const { status, headers } = exchange;
    const text = await exchange.text();
    try {
      return { status, headers, body: text === "" ? undefined : JSON.parse(text) };
    } catch (cause) {
      throw new FibClientError("bad_answer", `The answer to ${call.path} is not JSON`, { status, cause });
    }
  }
}
