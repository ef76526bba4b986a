/**
 * From a path to an answer: where the server is, what every request carries, what its
 * answers mean.
 * @module
 */
import { FibClientError } from "./error.ts";
import { Exchange } from "./exchange.ts";
import { type Limits, limitsOf } from "./limits.ts";
import type { CallOptions, Fetch, FibClientOptions, Hooks } from "./options.ts";
import { errorFrom, redirectError } from "./refusal.ts";
import { Attempts, PASSING } from "./retry.ts";

/** More of an error is not read. */
const ERROR_BYTES_MAX = 64 * 1024;
/** Three times the value at the last index that a cursor can have. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

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
  readonly #headers: Headers;
  readonly #fetch: Fetch;
  readonly #hooks: Hooks;
  readonly #limits: Limits;

  /** @throws TypeError for an address that is no http or https URL, a bad token or header; RangeError for bad limits. */
  constructor(baseUrl: string | URL, { headers = {}, token, fetch, ...options }: FibClientOptions) {
    const { protocol, origin, pathname, username, password } = new URL(baseUrl);
    if (!/^https?:$/.test(protocol))
      throw new TypeError(`Cannot use ${protocol} URLs: it takes http or https`);
    this.#base = origin + pathname.replace(/\/+$/, "");
    this.#headers = new Headers(headers);
    // `fetch` takes no URL with a password in it. There is one such header: what was said last about it wins.
    const given = token === undefined ? undefined : bearer(token);
    const authorization =
      given ?? (username + password === "" ? undefined : basic(`${username}:${password}`));
    if (authorization !== undefined && !this.#headers.has("authorization")) {
      this.#headers.set("authorization", authorization);
    }
    // Called through the global: browsers insist on it.
    this.#fetch = fetch ?? ((url, init) => globalThis.fetch(url, init));
    this.#hooks = options;
    this.#limits = limitsOf(options);
  }

  /** The limits of a call: its own over the client's. @throws RangeError for one that is none. */
  limits({ signal, timeoutMs, retriesMax }: CallOptions): Limits {
    return limitsOf({
      signal,
      timeoutMs: timeoutMs ?? this.#limits.timeoutMs,
      retriesMax: retriesMax ?? this.#limits.retriesMax,
    });
  }

  /** The requests of a call that begins. */
  attempts(limits: Limits): Attempts {
    return new Attempts(limits, this.#hooks);
  }

  /**
   * Sends a request once.
   *
   * @param expected - A status from 400 that is an answer here.
   * @returns The answer with its body unread.
   * @throws {@link FibClientError} for every other status from 300, and as `Exchange.open` does.
   */
  async open(call: Call, attempts: Attempts, expected?: number): Promise<Exchange> {
    const { method = "GET", path, body } = call;
    const url = this.#base + path;
    const headers = new Headers(this.#headers);
    for (const [name, value] of Object.entries(call.headers ?? {})) headers.set(name, value);
    if (body !== undefined) headers.set("content-type", "application/json");
    const init = {
      method,
      headers,
      redirect: "manual" as const,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    };
    const send = () => Exchange.open(this.#fetch, url, init, attempts.limits);
    const exchange = await attempts.request(method, url, send);
    const { status } = exchange;
    if ((status >= 200 && status < 300) || status === expected) return exchange;
    const location = exchange.headers.get("location");
    // Browsers hide what a redirect says, and its status.
    if (status < 400 && (status === 0 || location !== null)) {
      exchange.close();
      throw redirectError(url, location);
    }
    throw errorFrom(status, exchange.headers, await readError(exchange));
  }

  /**
   * Sends a request until it is answered, and reads the answer whole: one that is cut in the middle counts as none.
   *
   * @returns Parsed JSON; undefined for an empty body.
   * @throws {@link FibClientError}; the signal's reason.
   */
  async ask(call: Call, options: CallOptions): Promise<Answer> {
    const attempts = this.attempts(this.limits(options));
    return attempts.until(() => this.#askOnce(call, attempts));
  }

  async #askOnce(call: Call, attempts: Attempts): Promise<Answer> {
    const exchange = await this.open(call, attempts);
    const { status, headers } = exchange;
    const text = await exchange.text(ANSWER_BYTES_MAX);
    try {
      return { status, headers, body: text === "" ? undefined : JSON.parse(text) };
    } catch (cause) {
      throw new FibClientError("bad_answer", `The answer to ${call.path} is not JSON`, { status, cause });
    }
  }
}

/** The body of an error. What says by its status that it passes needs none, however that body ends. */
async function readError(exchange: Exchange): Promise<string> {
  try {
    return await exchange.text(ERROR_BYTES_MAX);
  } catch (error) {
    if (error instanceof FibClientError && PASSING.has(exchange.status)) return "";
    throw error;
  }
}

/** RFC 6750. What is wrong with a token shows nothing of it. */
function bearer(token: string): string {
  if (typeof token === "string" && /^[\w.~+/-]+=*$/.test(token)) return `Bearer ${token}`;
  throw new TypeError("Cannot use this token: it takes letters, digits and -._~+/, perhaps = at the end");
}

/** RFC 7617, in UTF-8: of the bytes that a URL has percent-encoded, each as the character that `btoa` wants. */
function basic(encoded: string): string {
  const bytes = encoded.replaceAll(/%([\da-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number(`0x${hex}`)),
  );
  return `Basic ${btoa(bytes)}`;
}
