/**
 * Long bodies: views of memory that is used again, sent without a copy.
 *
 * Bun's direct stream writes a view before it returns, `flush(true)` waits for the
 * reader, and a turn of the loop after every few chunks lets other requests run: a
 * gigabyte a second through 60 MB of memory. Rejected, each tried: `pull` with `enqueue(view)`
 * keeps a reference and sends wrong bytes; with copies, 400 MB of memory and half the
 * speed; `flush()` without `true` knows no slow reader; without the turn of the loop one stream
 * runs to its end before the next begins.
 * @module
 */
import { FibError } from "../errors.ts";

/** Bytes that are pulled when they are wanted. */
export interface Source {
  /** The next bytes, valid until the next call; undefined after the last. A promise where they come from a store. */
  next(): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Gives back what it holds; may be called more than once. */
  close(): void;
}

/** Chunks of 64 KiB that are written between two turns of the loop: 0.07 ms of work, which others wait for. */
const CHUNKS_PER_TURN = 2;

/** The streams that are open, at most so many at a time. */
export class Streams {
  readonly #countMax: number;
  #count = 0;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** How many are open. */
  get count(): number {
    return this.#count;
  }

  /**
   * Counts a stream.
   *
   * @param close - Called once, at its end, and when there is no room for it.
   * @returns Ends it; may be called more than once.
   * @throws {@link FibError} `overloaded`.
   */
  enter(close: () => void): () => void {
    if (this.#count >= this.#countMax) {
      close();
      throw new FibError("overloaded", `Cannot stream: ${this.#count} streams are open already; try again`);
    }
    this.#count++;
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      this.#count--;
      close();
    };
  }

  /**
   * Begins a body.
   *
   * @param request - Whose client may leave.
   * @param source - Is closed at the end, whatever the end is.
   * @throws {@link FibError} `overloaded`.
   */
  open(request: Request, source: Source): ReadableStream<Uint8Array> {
    const end = this.enter(() => source.close());
    const { signal } = request;
    return new ReadableStream<Uint8Array>({
      type: "direct",
      pull: async (controller) => {
        try {
          let chunks = 0;
          for (;;) {
            const next = source.next();
            const view = next instanceof Promise ? await next : next;
            if (view === undefined) break;
            void controller.write(view);
            await controller.flush(true);
            // A direct stream is not told that its client has left: flush resolves at once.
            if (signal.aborted) break;
            if (++chunks % CHUNKS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
          }
          // Not after an error: then Bun cuts the connection, and nobody takes a part for the whole.
          controller.close();
        } finally {
          end();
        }
      },
      // In the place of pull, for a client that has left before.
      cancel: end,
    });
  }
}
