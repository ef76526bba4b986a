/**
 * Long numbers that are being computed or sent, each once however many ask for it.
 *
 * A hundred clients that ask for the same F(n) cost one computation and one buffer. Results
 * live while somebody reads them, and together they have a budget: without one, slow
 * readers could hold a buffer each.
 * @module
 */
import { FibError } from "../errors.ts";
import type { Digits } from "./decimal.ts";
import { isInline } from "./cost.ts";
import { compute } from "./compute.ts";
import { argumentsOf, type Computation } from "./job.ts";
import type { Pool } from "./pool.ts";
import type { Span } from "../tracing.ts";

/** A number that somebody reads. */
export interface Result {
  readonly digits: Digits;
  /** Lets go of it; may be called more than once. */
  readonly release: () => void;
}

interface InUse {
  readonly promise: Promise<Digits>;
  readonly abort: AbortController;
  readonly sizeBytes: number;
  readers: number;
}

/** Computes numbers for many readers. */
export class Results {
  readonly #pool: Pick<Pool, "run">;
  readonly #bytesMax: number;
  readonly #inUse = new Map<string, InUse>();
  #bytes = 0;

  /** @param bytesMax - Room for the results that are being read. */
  constructor(pool: Pick<Pool, "run">, bytesMax: number) {
    this.#pool = pool;
    this.#bytesMax = bytesMax;
  }

  /**
   * Computes a number, or joins those who wait for the same.
   *
   * @param sizeBytes - Its number of digits; of what is no number the most that it can have.
   * @param signal - A reader who leaves; the computation ends when the last one has.
   * @param holder - Who waits for it, such as a client's address; the first one's place in the queue serves all.
   * @param span - Of what it is a part, in a trace; the first one's, too.
   * @throws {@link FibError} `overloaded`, when there is no room or the queue is full.
   */
  async take(
    job: Computation,
    sizeBytes: number,
    signal: AbortSignal,
    holder = "",
    span?: Span,
  ): Promise<Result> {
    if (isInline(job, sizeBytes)) return { digits: compute(job), release: () => {} };
    const key = [job.kind, ...Object.values(argumentsOf(job))].join(" ");
    const number = this.#inUse.get(key) ?? this.#start(key, job, sizeBytes, holder, span);
    number.readers++;
    let reading = true;
    const release = () => {
      if (!reading) return;
      reading = false;
      signal.removeEventListener("abort", release);
      if (--number.readers > 0) return;
      number.abort.abort(new FibError("overloaded", "Cannot compute: nobody waits for it any more"));
      this.#inUse.delete(key);
      this.#bytes -= number.sizeBytes;
    };
    if (signal.aborted) release();
    else signal.addEventListener("abort", release, { once: true });
    try {
      return { digits: await number.promise, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  #start(key: string, job: Computation, sizeBytes: number, holder: string, span?: Span): InUse {
    // One that is longer than all the room is had alone, or it could never be had.
    if (this.#bytes > 0 && this.#bytes + sizeBytes > this.#bytesMax) {
      throw new FibError(
        "overloaded",
        `Cannot compute now: ${this.#bytes} digits are being read already; try again`,
      );
    }
    const abort = new AbortController();
    const promise = this.#pool.run(job, { signal: abort.signal, holder, span });
    const number: InUse = { promise, abort, sizeBytes, readers: 0 };
    this.#bytes += sizeBytes;
    this.#inUse.set(key, number);
    return number;
  }
}
