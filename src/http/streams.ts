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
import { LIMITS } from "../config/config.ts";
import { FibError } from "../errors.ts";
import type { ByteRange } from "../numbers/sequence.ts";
import { Shares } from "../shares.ts";
import { type Asked, type Asker, askerOf } from "./asker.ts";
import type { SentBytes } from "./sent.ts";

/** Bytes that are pulled when they are wanted. */
export interface Source {
  /** The next bytes, valid until the next call; undefined after the last. A promise where they come from a store. */
  next(): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /** Gives back what it holds; may be called more than once. */
  close(): void;
}

/**
 * Bodies up to this size are one buffer. Nothing tells when one has been sent, so none is counted; the kernel takes
 * about as much of a connection that nobody reads, and what it does not take stays with us.
 */
export const WHOLE_BYTES_MAX = 32 * 1024;

const SLICE_BYTES = 64 * 1024;

/** Chunks of 64 KiB that are written between two turns of the loop: 0.07 ms of work, which others wait for. */
const CHUNKS_PER_TURN = 2;

/** A limit on what is open at the same time, of which no client can take all. */
class Openings {
  readonly #shares: Shares;
  readonly #refusal: string;

  /** @param refusal - What to say to one too many. */
  constructor(countMax: number, refusal: string) {
    this.#shares = new Shares(countMax);
    this.#refusal = refusal;
  }

  /** How many are open. */
  get count(): number {
    return this.#shares.taken;
  }

  /**
   * Opens one.
   *
   * @returns Closes it; may be called more than once.
   * @throws {@link FibError} `overloaded`.
   */
  enter(holder: string): () => void {
    const leave = this.#shares.take(holder);
    if (leave !== undefined) return leave;
    throw new FibError("overloaded", this.#refusal);
  }
}

/** Those who wait for what becomes of a task, or for a cursor to move; each kind has a limit of its own. */
export class Watchers extends Openings {
  constructor(countMax: number, what: "tasks" | "cursors") {
    super(countMax, `Cannot wait: too many clients follow ${what} already; try again`);
  }
}

/** The long bodies that are being sent. */
export class Streams extends Openings {
  /** Bytes that were made for one reader alone; the numbers that readers share have a limit of their own. */
  readonly #ownBytes = new Shares(LIMITS.ownBytesMax);

  readonly #sentBytes: SentBytes;

  /** @param sentBytes - Is told of what readers have taken. */
  constructor(countMax: number, sentBytes: SentBytes) {
    super(countMax, "Cannot send: too many long bodies are being sent already; try again");
    this.#sentBytes = sentBytes;
  }

  /**
   * A text that was made for this reader, as a body: whole, or in pieces when it is long.
   *
   * @throws {@link FibError} `overloaded`.
   */
  bodyOf(c: Asked, text: string): string | ReadableStream<Uint8Array> {
    if (text.length <= WHOLE_BYTES_MAX) return text;
    const asker = askerOf(c);
    const bytes = Buffer.from(text);
    const giveBack = this.#ownBytes.take(asker.holder, bytes.length);
    if (giveBack !== undefined) {
      return this.open(asker, sliced([bytes], { start: 0, end: bytes.length }, giveBack));
    }
    throw new FibError("overloaded", "Cannot send: too much waits for its readers already; try again");
  }

  /**
   * Begins a body.
   *
   * @param source - Is closed at the end, whatever the end is.
   * @throws {@link FibError} `overloaded`.
   */
  open({ holder, signal }: Asker, source: Source): ReadableStream<Uint8Array> {
    let leave: () => void;
    try {
      leave = this.enter(holder);
    } catch (error) {
      source.close();
      throw error;
    }
    const end = () => {
      leave();
      source.close();
    };
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
            this.#sentBytes.add(view.length);
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

/** A part of bytes that lie in memory, in one or more pieces. */
export function sliced(parts: readonly Uint8Array[], { start, end }: ByteRange, close: () => void): Source {
  let position = start;
  return {
    close,
    next: () => {
      let partStart = 0;
      for (const part of parts) {
        const partEnd = partStart + part.length;
        if (position < Math.min(partEnd, end)) {
          const sliceEnd = Math.min(partEnd, end, position + SLICE_BYTES);
          const slice = part.subarray(position - partStart, sliceEnd - partStart);
          position = sliceEnd;
          return slice;
        }
        partStart = partEnd;
      }
      return undefined;
    },
  };
}
