/**
 * What has been fetched of a long text, in chunks of 8 KiB: the few around what is seen, and never the whole. What nobody
 * wants any more is given up on its way, so a hundred jumps leave one request.
 *
 * Ranges go past the browser's cache: that writes each to a disk, and costs more than asking again (a jump: 33 against
 * 29 ms). A text is a formula's, so nothing that is kept here grows old.
 * @module
 */
import { FibClientError } from "@fibserver/client";
import { isPassing, link, type Server } from "../server.ts";

const CHUNK_BYTES = 8192;

/** Half a megabyte: where somebody scrolls back and forth, that is not fetched twice. */
const KEPT_MAX = 64;

/** How many chunks before and behind what is seen are fetched when there is time. */
const AHEAD = 2;

const RETRY_FIRST_MS = 1000;
const RETRY_MAX_MS = 16_000;

/** Chunks from one to another, both included. */
interface Span {
  readonly first: number;
  readonly last: number;
}

/** The chunks of one text. */
export class ByteChunks {
  readonly #server: Server;
  readonly #path: string;
  readonly #sizeBytes: number;
  readonly #onChange: () => void;
  readonly #kept = new Map<number, string>();
  readonly #flights = new Map<AbortController, Span>();
  readonly #leaveLink: () => void;
  #wanted: (Span & { readonly isAhead: boolean }) | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #retryMs = RETRY_FIRST_MS;
  #error: unknown;
  /** Nothing is asked until it is time to try again; never, after a refusal that will stay. */
  #isHeld = false;

  /** @param onChange - Is told that there is more, or that something has failed. */
  constructor(server: Server, path: string, sizeBytes: number, onChange: () => void) {
    this.#server = server;
    this.#path = path;
    this.#sizeBytes = sizeBytes;
    this.#onChange = onChange;
    this.#leaveLink = link.subscribe(() => {
      if (link.get() === "live" && this.#retry !== undefined) this.#again();
    });
  }

  /** Why nothing comes, until something does; undefined from then on. */
  get error(): unknown {
    return this.#error;
  }

  /** Some bytes of the text; undefined when they are not here. */
  read(byte: number, length: number): string | undefined {
    const { first, last } = spanOf(byte, byte + length);
    let text = "";
    for (let chunk = first; chunk <= last; chunk++) {
      const kept = this.#kept.get(chunk);
      if (kept === undefined) return undefined;
      text += kept;
    }
    const start = byte - first * CHUNK_BYTES;
    return text.slice(start, start + length);
  }

  /**
   * Fetches what is seen, and gives up what is far from it.
   *
   * @param isAhead - Also what is next to it, once that is here.
   */
  want(from: number, to: number, isAhead: boolean): void {
    this.#wanted = { ...spanOf(from, to), isAhead };
    this.#fetchWanted();
  }

  /** Gives up everything. */
  close(): void {
    this.#leaveLink();
    clearTimeout(this.#retry);
    for (const flight of this.#flights.keys()) flight.abort();
  }

  #fetchWanted(): void {
    if (this.#wanted === undefined) return;
    const { first, last, isAhead } = this.#wanted;
    for (const [flight, span] of this.#flights) {
      if (span.last >= first - AHEAD && span.first <= last + AHEAD) continue;
      this.#flights.delete(flight);
      flight.abort();
    }
    if (this.#isHeld) return;
    this.#ask(first, last);
    if (!isAhead || this.#flights.size > 0) return;
    this.#ask(last + 1, Math.min(last + AHEAD, Math.floor((this.#sizeBytes - 1) / CHUNK_BYTES)));
    this.#ask(Math.max(0, first - AHEAD), first - 1);
  }

  /** Asks for what is missing of a span, at both of its ends. */
  #ask(from: number, to: number): void {
    let [first, last] = [from, to];
    while (first <= last && this.#isComing(first)) first++;
    while (first <= last && this.#isComing(last)) last--;
    if (first <= last) void this.#fetch({ first, last });
  }

  #isComing(chunk: number): boolean {
    return (
      this.#kept.has(chunk) ||
      [...this.#flights.values()].some(({ first, last }) => first <= chunk && chunk <= last)
    );
  }

  async #fetch(span: Span): Promise<void> {
    const flight = new AbortController();
    this.#flights.set(flight, span);
    try {
      const text = await this.#fetchText(span, flight.signal);
      // Given up just when all of it was here.
      if (flight.signal.aborted) return;
      this.#keep(span, text);
      this.#error = undefined;
      this.#retryMs = RETRY_FIRST_MS;
    } catch (error) {
      if (flight.signal.aborted) return;
      this.#fail(error);
    } finally {
      this.#flights.delete(flight);
    }
    this.#onChange();
    this.#fetchWanted();
  }

  async #fetchText({ first, last }: Span, signal: AbortSignal): Promise<string> {
    const from = first * CHUNK_BYTES;
    const to = Math.min((last + 1) * CHUNK_BYTES, this.#sizeBytes);
    const headers = { range: `bytes=${from}-${to - 1}` };
    const response = await this.#server.fetch(this.#path, { headers, signal, cache: "no-store" });
    // A whole text instead of a part of it may be of any length.
    if (response.status !== 206) {
      await response.body?.cancel();
      throw new FibClientError("bad_answer", "The server sends no ranges of bytes");
    }
    const text = await response.text();
    if (text.length !== to - from) throw new FibClientError("bad_answer", "The server sent another range");
    return text;
  }

  #keep({ first, last }: Span, text: string): void {
    for (let chunk = first; chunk <= last; chunk++) {
      const start = (chunk - first) * CHUNK_BYTES;
      this.#kept.delete(chunk);
      this.#kept.set(chunk, text.slice(start, start + CHUNK_BYTES));
    }
    for (const chunk of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_MAX) break;
      this.#kept.delete(chunk);
    }
  }

  /** What may be otherwise in a moment is asked again then, and as soon as the server is back; other refusals stay. */
  #fail(error: unknown): void {
    this.#error = error;
    this.#isHeld = true;
    if (this.#retry !== undefined || !isPassing(error)) return;
    const { retryAfterMs = 0 } = error instanceof FibClientError ? error : {};
    this.#retryIn(Math.max(retryAfterMs, this.#retryMs));
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS);
  }

  /** Not while nobody can see it. */
  #retryIn(pauseMs: number): void {
    this.#retry = setTimeout(() => (document.hidden ? this.#retryIn(pauseMs) : this.#again()), pauseMs);
  }

  #again(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#isHeld = false;
    this.#fetchWanted();
  }
}

function spanOf(from: number, to: number): Span {
  return { first: Math.floor(from / CHUNK_BYTES), last: Math.floor((to - 1) / CHUNK_BYTES) };
}
