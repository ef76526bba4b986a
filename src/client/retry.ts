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
import { FibClientError } from "./error.ts";

/** How a call may be limited. */
export interface CallOptions {
  /** Ends the call at once, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long the server may be silent, in milliseconds; 60,000. It does not limit the call as a whole. */
  readonly timeoutMs?: number | undefined;
  /** How often a request is repeated before its error is thrown; 5. A stream that makes progress counts anew. */
  readonly retriesMax?: number | undefined;
}

const DELAY_FIRST_MS = 100;
const DELAY_MAX_MS = 5000;
/** A server that wants to be left alone for longer is not waited for. */
const RETRY_AFTER_MS_MAX = 60_000;

/** The attempts of one call. */
export class Retries {
  readonly #options: CallOptions;
  #count = 0;

  constructor(options: CallOptions) {
    this.#options = options;
  }

  /** There was progress: what comes now is a new failure. */
  reset(): void {
    this.#count = 0;
  }

  /**
   * Waits until it is time for the next attempt.
   *
   * @param error - Why the last one failed.
   * @throws `error`, when another attempt would not help or there were enough; the signal's reason.
   */
  async wait(error: unknown): Promise<void> {
    const { retriesMax = 5, signal } = this.#options;
    if (!(error instanceof FibClientError) || !isPassing(error) || this.#count >= retriesMax) throw error;
    const { retryAfterMs = 0 } = error;
    if (retryAfterMs > RETRY_AFTER_MS_MAX) throw error;
    await sleep(Math.max(retryAfterMs, 0) + delayMs(this.#count), signal);
    this.#count++;
  }
}

/** Makes attempts until one succeeds. */
export async function retrying<T>(options: CallOptions, attempt: () => Promise<T>): Promise<T> {
  const retries = new Retries(options);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      await retries.wait(error);
    }
  }
}

/** @throws the signal's reason, as soon as it is aborted. */
async function sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, durationMs);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

function isPassing({ code, status }: FibClientError): boolean {
  return code === "unreachable" || (status !== undefined && [429, 502, 503, 504].includes(status));
}

// Between half of the step and all of it.
function delayMs(count: number): number {
  return Math.min(DELAY_MAX_MS, DELAY_FIRST_MS * 2 ** count) * (0.5 + Math.random() / 2);
}
