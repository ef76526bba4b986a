/**
 * Moves that were asked for: they are made one at a time, in their order. What is refused takes those behind it along.
 *
 * While the server is away a move keeps its Idempotency-Key and is tried again, so however often it was sent, it is made
 * once. The client's own limit of tries is kept and begun anew: its pauses grow to 5 s, and who waits for a server to come
 * back should not wait so long. Between two such rounds there is a pause in every case, as long as the answer wants: the
 * client gives up at once where it is long.
 * @module
 */
import { FibClientError } from "@fibserver/client";
import { pause } from "../pause.ts";
import { isAway, lock } from "../server.ts";
import { createStore } from "../store.ts";

/** Makes a move and shows where it led; however often it is called with one key, the cursor moves once. */
type Move = (key: string) => Promise<void>;

/** Between the rounds of tries of a move. */
const PAUSE_MS = 1000;
/** Who is asked to wait longer asks all the same: it may have been said of a moment that is over. */
const RETRY_MS_MAX = 30_000;
/** A move that takes as long is spoken of. */
const SLOW_MS = 2000;

/** What is asked for and not made. */
export interface Waiting {
  readonly count: number;
  /** Whether the first of them waits for so long that somebody wonders. */
  readonly isSlow?: boolean;
  /** Why it does, if there was an answer. */
  readonly reason?: unknown;
}

/** The moves of one cursor. */
export class MoveQueue {
  readonly waiting = createStore<Waiting>({ count: 0 });
  readonly #moves: Move[] = [];
  readonly #refused: (error: unknown) => void;
  readonly #ended = new AbortController();

  /** @param refused - Is told why a move was not made. */
  constructor(refused: (error: unknown) => void) {
    this.#refused = refused;
  }

  /** Makes it when those before it are made. */
  add(move: Move): void {
    this.#moves.push(move);
    this.#tell({ count: this.#moves.length });
    if (this.#moves.length === 1) void this.#makeAll();
  }

  /** Gives up what waits for a server that is away. */
  end(): void {
    this.#ended.abort();
  }

  async #makeAll(): Promise<void> {
    for (let move = this.#moves[0]; move !== undefined; move = this.#moves[0]) {
      const timer = setTimeout(() => this.#tell({ isSlow: true }), SLOW_MS);
      try {
        await this.#make(move);
      } catch (error) {
        this.#moves.length = 1;
        this.#refused(error);
      }
      clearTimeout(timer);
      this.#moves.shift();
      this.waiting.set({ count: this.#moves.length });
    }
  }

  /** Makes a move as soon as there is a server. */
  async #make(move: Move): Promise<void> {
    // Not crypto.randomUUID: browsers have that only on pages of https and of the own machine.
    const key = crypto.getRandomValues(new Uint32Array(4)).join("-");
    for (;;) {
      try {
        return await move(key);
      } catch (error) {
        if (!(error instanceof FibClientError && (isAway(error) || isHeldBack(error)))) throw error;
        if (!isAway(error)) this.#tell({ reason: error });
        do {
          await pause(PAUSE_MS + Math.min(error.retryAfterMs ?? 0, RETRY_MS_MAX), this.#ended.signal);
          if (this.#ended.signal.aborted) throw error;
        } while (lock.get() === "shut");
      }
    }
  }

  #tell(news: Partial<Waiting>): void {
    this.waiting.set({ ...this.waiting.get(), ...news });
  }
}

/**
 * Whether it may be taken in a moment: a token is wanted, Redis is away, or a proxy takes no more. As many cursors as there
 * may be are a 429 as well, which does not pass.
 */
function isHeldBack({ status, problem }: FibClientError): boolean {
  return status === 401 || status === 503 || (status === 429 && problem["code"] === undefined);
}
