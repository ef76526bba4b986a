/**
 * When to try again, and how long to wait before.
 *
 * Every call of this client may be repeated: reading changes nothing, a move carries an
 * Idempotency-Key, the same task asked for twice is one task. So what counts is only
 * whether trying again can help: after a broken connection, 429 and 503, and a proxy's 502 and
 * 504, which say the same. The wait doubles each time, and a part of it is random, so that clients
 * which were cut off together do not come back together.
 *
 * Not left to a retrying `fetch` such as ky: those end at the head of an answer, and an
 * answer that is cut in its body, or a stream that has made progress since, is our business as well.
 * @module
 */
import { onAbort } from "./abort.ts";
import { FibClientError } from "./error.ts";
import { Exchange, isDistrusted } from "./exchange.ts";
import type { Limits } from "./limits.ts";
import type { Hooks, RequestFacts } from "./options.ts";

const DELAY_FIRST_MS = 100;
const DELAY_MAX_MS = 5000;
/** A server that wants to be left alone for longer is not waited for. */
const RETRY_AFTER_MS_MAX = 60_000;

/** Statuses of what passes by itself. */
export const PASSING: ReadonlySet<number | undefined> = new Set([429, 502, 503, 504]);

/** The requests of one call: told to the hooks, and counted, so that they end. */
export class Attempts {
  readonly limits: Limits;
  readonly #hooks: Hooks;
  #last: RequestFacts | undefined;
  #failureCount = 0;

  constructor(limits: Limits, hooks: Hooks) {
    this.limits = limits;
    this.#hooks = hooks;
  }

  /** There was progress: what comes now is a new failure. */
  progress(): void {
    this.#failureCount = 0;
  }

  /**
   * Makes a request.
   *
   * @param send - As `Exchange.open` does it.
   * @throws what `send` and the hooks throw; the signal's reason.
   */
  async request(method: string, url: string, send: () => Promise<Exchange>): Promise<Exchange> {
    this.limits.signal?.throwIfAborted();
    const facts = (this.#last = { method, url, attempt: (this.#last?.attempt ?? 0) + 1 });
    await this.#heard(this.#hooks.onRequest?.(facts));
    const startMs = performance.now();
    const tell = (answer: Exchange | undefined, error?: unknown) => {
      const durationMs = performance.now() - startMs;
      const requestId = answer?.headers.get("x-request-id") ?? undefined;
      const told = { ...facts, status: answer?.status, error, requestId, durationMs };
      return this.#heard(this.#hooks.onResponse?.(told));
    };
    const exchange = await send().catch(async (error: unknown) => {
      await tell(undefined, error);
      throw error;
    });
    try {
      await tell(exchange);
    } catch (error) {
      exchange.close();
      throw error;
    }
    return exchange;
  }

  /**
   * Waits until it is time for the next attempt.
   *
   * @param error - Why the last one failed.
   * @throws `error`, when another attempt would not help or there were enough; the signal's reason.
   */
  async wait(error: unknown): Promise<void> {
    const { retriesMax, signal } = this.limits;
    if (!(error instanceof FibClientError) || !isPassing(error) || this.#failureCount >= retriesMax)
      throw error;
    const { retryAfterMs = 0 } = error;
    if (retryAfterMs > RETRY_AFTER_MS_MAX) throw error;
    signal?.throwIfAborted();
    const delayMs = retryAfterMs + delayAfter(this.#failureCount++);
    await this.#heard(this.#hooks.onRetry?.({ ...this.#last!, error, delayMs }));
    await sleep(delayMs, signal);
  }

  /** Waits for what a hook does, but no longer than for the call. */
  async #heard(done: unknown): Promise<void> {
    if (!(done instanceof Promise)) return;
    const { signal } = this.limits;
    let unlink: (() => void) | undefined;
    const ended = new Promise<never>((_, reject) => {
      unlink = onAbort(signal, () => reject(signal!.reason as Error));
    });
    try {
      await Promise.race([done, ended]);
    } finally {
      unlink?.();
    }
  }

  /** Makes attempts until one succeeds. */
  async until<T>(attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        await this.wait(error);
      }
    }
  }
}

/** @throws the signal's reason, as soon as it is aborted. */
async function sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
  let unlink: (() => void) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(resolve, durationMs);
      unlink = onAbort(signal, () => reject(signal!.reason as Error));
    });
  } finally {
    unlink?.();
    clearTimeout(timer);
  }
}

function isPassing({ code, status, cause }: FibClientError): boolean {
  if (code === "unreachable") return !isDistrusted(cause);
  return PASSING.has(status);
}

// Between half of the step and all of it.
function delayAfter(failureCount: number): number {
  return Math.min(DELAY_MAX_MS, DELAY_FIRST_MS * 2 ** failureCount) * (0.5 + Math.random() / 2);
}
