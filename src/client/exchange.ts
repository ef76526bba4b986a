/**
 * One request and its answer, read piece by piece under watch: the caller may abort, and the
 * server may be silent for so long only. Nothing is asked ahead, so a slow reader slows the server.
 * @module
 */
import { onAbort, unwanted } from "./abort.ts";
import { FibClientError } from "./error.ts";
import type { Limits } from "./limits.ts";
import type { Fetch } from "./options.ts";

/** The longest that a timer takes: one that is longer would go off at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The part of a stream's reader that is used. */
interface Reader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
  cancel(reason: unknown): Promise<void>;
}

/** An answer whose body is read as it is wanted. To be closed, unless it was read to its end. */
export class Exchange {
  readonly #abort = new AbortController();
  readonly #timeoutMs: number;
  readonly #url: string;
  #response: Response | undefined;
  #reader: Reader | undefined;
  #unlink = () => {};

  private constructor(url: string, timeoutMs: number) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Sends a request and waits for the head of the answer.
   *
   * @throws {@link FibClientError} `unreachable` or `timeout`; the signal's reason.
   */
  static async open(fetch: Fetch, url: string, init: RequestInit, limits: Limits): Promise<Exchange> {
    const { signal: outer, timeoutMs } = limits;
    outer?.throwIfAborted();
    const exchange = new Exchange(url, timeoutMs);
    exchange.#unlink = onAbort(outer, () => exchange.#end(outer!.reason));
    const { signal } = exchange.#abort;
    exchange.#response = await exchange.#watch(
      // A fetch that was handed in may not care about the signal.
      Promise.race([
        // Bun gives up after 360 s (measured) unless it is told not to; others do not know the option.
        fetch(url, { ...init, signal, timeout: false } as RequestInit),
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
    this.#end(unwanted());
  }

  #end(reason: unknown): void {
    this.#unlink();
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
    const disarm = startTimer(this.#timeoutMs, silence);
    try {
      const result = await step;
      signal.throwIfAborted();
      return result;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      this.close();
      // Node's own limit, which nothing but a `fetch` of somebody else's raises.
      const code = /^UND_ERR_(HEADERS|BODY)_TIMEOUT$/.test(systemCode(error)) ? "timeout" : "unreachable";
      throw new FibClientError(code, `Cannot reach ${this.#url}: ${reasonOf(error)}`, { cause: error });
    } finally {
      disarm();
    }
  }
}

/** As `setTimeout`, for any time up to `Infinity`. @returns What ends it. */
export function startTimer(durationMs: number, onEnd: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const arm = (restMs: number) => {
    const stepMs = Math.min(restMs, TIMER_MS_MAX);
    timer = setTimeout(() => (restMs > stepMs ? arm(restMs - stepMs) : onEnd()), stepMs);
  };
  arm(durationMs);
  return () => clearTimeout(timer);
}

/** Says whether a connection failed because of a certificate, which no other attempt makes a better one. */
export function isDistrusted(error: unknown): boolean {
  return /CERT|^UNABLE_TO_/.test(systemCode(error));
}

// The system's word where there is one. What engines say besides is advice about themselves, and in several tongues.
function reasonOf(error: unknown): string {
  const code = systemCode(error);
  if (isDistrusted(error)) return `its certificate is not trusted: ${code}`;
  if (/^E[A-Z_]+$/.test(code)) return code;
  if (/^(Malformed_HTTP|HPE_)/.test(code)) return "it does not speak HTTP";
  // Node says "fetch failed", and why in the cause.
  return messageOf((error as { cause?: unknown } | null)?.cause) ?? messageOf(error) ?? String(error);
}

function systemCode(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { code?: unknown } };
  const word = cause?.code ?? code;
  return typeof word === "string" ? word : "";
}

function messageOf(error: unknown): string | undefined {
  return error instanceof Error && error.message !== "" ? error.message : undefined;
}
