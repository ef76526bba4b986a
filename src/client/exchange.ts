/**
 * One request and its answer, read piece by piece under watch: the caller may abort, and the
 * server may be silent for so long only. Nothing is asked ahead, so a slow reader slows the server.
 * @module
 */
import { FibClientError } from "./error.ts";
import type { CallOptions } from "./retry.ts";

/** The part of `fetch` that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

const TIMEOUT_DEFAULT_MS = 60_000;

/** The part of a stream's reader that is used. */
interface Reader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  cancel(reason: unknown): Promise<void>;
}

/** An answer whose body is read as it is wanted. To be closed, unless it was read to its end. */
export class Exchange {
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal | undefined;
  readonly #timeoutMs: number;
  readonly #url: string;
  #response: Response | undefined;
  #reader: Reader | undefined;

  private constructor(url: string, { signal, timeoutMs = TIMEOUT_DEFAULT_MS }: CallOptions) {
    this.#url = url;
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Sends a request and waits for the head of the answer.
   *
   * @throws {@link FibClientError} `unreachable` or `timeout`; the signal's reason.
   */
  static async open(fetch: Fetch, url: string, init: RequestInit, options: CallOptions): Promise<Exchange> {
    options.signal?.throwIfAborted();
    const exchange = new Exchange(url, options);
    exchange.#signal?.addEventListener("abort", exchange.#onAbort, { once: true });
    const { signal } = exchange.#abort;
    exchange.#response = await exchange.#watch(
      // A fetch that was handed in may not care about the signal.
      Promise.race([
        fetch(url, { ...init, signal }),
        new Promise<never>((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
        }),
      ]),
    );
    exchange.#reader = exchange.#response.body?.getReader();
    return exchange;
  }

  get status(): number {
    return this.#response!.status;
  }

  get headers(): Headers {
    return this.#response!.headers;
  }

  /**
   * The next bytes of the body.
   *
   * @returns undefined after the last.
   * @throws {@link FibClientError} `unreachable` when the connection broke, `timeout`; the signal's reason.
   */
  async read(): Promise<Uint8Array | undefined> {
    if (this.#reader === undefined) return undefined;
    const { done, value } = await this.#watch(this.#reader.read());
    if (done) this.close();
    return done ? undefined : value;
  }

  /** As {@link read}; but silence is `unreachable`: in the middle of a body, a new connection may do better. */
  async readOn(): Promise<Uint8Array | undefined> {
    try {
      return await this.read();
    } catch (error) {
      if (!(error instanceof FibClientError) || error.code !== "timeout") throw error;
      throw new FibClientError("unreachable", error.detail, { cause: error });
    }
  }

  /**
   * The rest of the body as text.
   *
   * @param bytesMax - Where to stop.
   * @throws as {@link read} does.
   */
  async text(bytesMax = Number.POSITIVE_INFINITY): Promise<string> {
    const decoder = new TextDecoder();
    const texts: string[] = [];
    for (let rest = bytesMax, bytes = await this.read(); bytes !== undefined; bytes = await this.read()) {
      texts.push(decoder.decode(bytes.subarray(0, rest), { stream: true }));
      rest -= bytes.length;
      if (rest <= 0) break;
    }
    this.close();
    return texts.join("") + decoder.decode();
  }

  /** Ends it, wherever it is. */
  close(): void {
    this.#end(new DOMException("The rest is not wanted", "AbortError"));
  }

  readonly #onAbort = () => this.#end(this.#signal!.reason);

  #end(reason: unknown): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    if (this.#abort.signal.aborted) return;
    this.#abort.abort(reason);
    // Whatever the transport makes of the abort, a read that waits ends now.
    void this.#reader?.cancel(reason).catch(() => {});
  }

  async #watch<T>(step: Promise<T>): Promise<T> {
    const { signal } = this.#abort;
    const silence = () =>
      this.#end(
        new FibClientError("timeout", `${this.#url} was silent for ${this.#timeoutMs / 1000} seconds`),
      );
    const timer = setTimeout(silence, this.#timeoutMs);
    try {
      const result = await step;
      signal.throwIfAborted();
      return result;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      this.close();
      throw new FibClientError("unreachable", `Cannot reach ${this.#url}: ${reasonOf(error)}`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
    }
  }
}

// Node says "fetch failed", and why in the cause; Bun adds advice to the system's word.
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message } = error.cause instanceof Error && error.cause.message !== "" ? error.cause : error;
  return /^E[A-Z]+(?=: )/.exec(message)?.[0] ?? message;
}
