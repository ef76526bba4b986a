/**
 * One cursor as the page knows it: follows it, and moves it. Nothing here draws.
 *
 * Positions come in two ways, as answers to moves and as events, and either may be late. What counts is the generation in
 * the ETag: an older one than what is shown is dropped. Events alone never go back, nor do answers to moves; where they do,
 * the server has been given an older file, and they are followed. Where no events come (a proxy keeps them, or as many follow
 * as may), it is asked from time to time instead.
 * @module
 */
import { type CursorClient, type FibClient, FibClientError, type Position } from "@fibserver/client";
import { pause } from "../pause.ts";
import { isPassing, token } from "../server.ts";
import { createStore } from "../store.ts";
import { digitsOf } from "../digits/term-rows.ts";
import { END_DIGITS, fold, type Folded, foldEnds } from "./fold.ts";
import { MoveQueue } from "./queue.ts";

/** Where it stands. */
export interface Shown {
  readonly index: number;
  readonly value: Folded;
}

/** What is known of a cursor. */
export interface Known {
  /** `unknown` until the first answer; `absent` if there is none of this name; `removed` if there was one. */
  readonly state: "unknown" | "there" | "absent" | "removed";
  /** Where it stands, or stood. */
  readonly shown?: Shown;
  /** Why the last move was not made. */
  readonly refusal?: unknown;
  /** Why it cannot be followed. */
  readonly blindness?: unknown;
  /** What the server says to a token that may not move it. */
  readonly forbidden?: string | undefined;
}

/** The cursor that is always there. */
export const DEFAULT_NAME = "default";

type Form = "text" | "none";

type Taken = Pick<Position<Form>, "index" | "etag" | "value">;

/** What never tells of an older position after a newer one. */
type Source = "event" | "move";

/** Between the end of a stream of events and the next one. */
const PAUSE_MS = 1000;
/** Without events for as long, it is asked where the cursor stands. */
const QUIET_MS = 2000;
/** Events that are silent for as long are asked for anew: whether they are held back on the way nobody can see. */
const SILENT_MS = 60_000;

/** A cursor that is shown. */
export class CursorSession {
  readonly name: string;
  readonly known = createStore<Known>({ state: "unknown" });
  readonly moves = new MoveQueue((error) => {
    const isOfToken = isCode(error, "forbidden") && token.get() !== undefined;
    this.#know(isOfToken ? { forbidden: error.detail } : { refusal: error });
  });
  readonly #client: FibClient;
  readonly #cursor: CursorClient;
  /** Of what is shown. */
  #generation = -1;
  /** The last that events told, and that a move led to. */
  #last = { event: -1, move: -1 };
  /** The last position whose digits are asked for. */
  #told: Taken | undefined;

  /** @throws TypeError for what is no name. */
  constructor(client: FibClient, name: string) {
    this.name = name;
    this.#client = client;
    this.#cursor = name === DEFAULT_NAME ? client.cursor : client.cursor(name);
  }

  /** Shows where it stands, until the signal. */
  async follow(signal: AbortSignal): Promise<void> {
    // Perhaps there is another token.
    this.#know({ forbidden: undefined });
    while (!signal.aborted) {
      const asked = this.#generation;
      try {
        if (await this.#isThere(signal)) {
          await this.#watch(signal);
          this.#forget();
        } else if (this.#generation === asked) this.#forget(); // Else a move has made it meanwhile.
      } catch (error) {
        if (signal.aborted) return;
        if (isCode(error, "cursor_unknown")) this.#forget();
        else if (!isPassing(error)) this.#know({ blindness: error }); // Else it is asked meanwhile.
        if (isCode(error, "forbidden") || isCode(error, "unauthorized")) return;
      }
      await pause(PAUSE_MS, signal);
    }
  }

  /** One step; none back from the start. */
  step(way: "next" | "previous"): void {
    this.moves.add(async (key) => {
      const known = this.known.get();
      const as = formAt(known.shown?.index);
      if (way === "next" || hasPrevious(known)) await this.#land(this.#cursor[way]({ as, key }));
    });
  }

  /** To an index. */
  go(index: bigint): void {
    this.moves.add(async (key) => {
      try {
        await this.#land(this.#cursor.set(index, { as: formAt(index), key }));
      } catch (error) {
        if (!isCode(error, "bad_argument")) throw error;
        // An index is all that was sent, so only its size can be wrong; the server says how far it goes, unless it has
        // not even read so many digits.
        const detail = error.status === 400 ? error.detail : "It takes no index of that length";
        throw new FibClientError("sequence_end", `${detail}; --max-index allows no more`);
      }
    });
  }

  /** What was refused is out of date. */
  dismiss(): void {
    this.#know({ refusal: undefined });
  }

  /** Removes it. */
  async remove(): Promise<void> {
    try {
      await this.#cursor.remove();
      this.#forget();
    } catch (error) {
      this.#know({ refusal: error });
    }
  }

  /** Shows where a move led. */
  async #land(move: Promise<Position<Form>>): Promise<void> {
    const made = await move;
    // A server that had made it already says where the cursor stood then.
    this.#take(made.etag === undefined ? await this.#cursor.current({ as: "none" }) : made, "move");
  }

  /** Looked up in the list, since browsers complain of each 404, and who waits for a cursor looks often. */
  async #isThere(signal: AbortSignal): Promise<boolean> {
    if (this.name === DEFAULT_NAME) return true;
    // The name itself comes before those that it begins.
    for await (const { name } of this.#client.cursors.list({ prefix: this.name, limit: 1, signal }))
      return name === this.name;
    return false;
  }

  async #watch(whole: AbortSignal): Promise<void> {
    const [quiet, silent] = [new AbortController(), new AbortController()];
    const signal = AbortSignal.any([whole, silent.signal]);
    let timer: ReturnType<typeof setTimeout> | undefined;
    void this.#askWhile(quiet.signal);
    try {
      for await (const position of this.#cursor.watch({ as: "text", signal })) {
        quiet.abort();
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(new FibClientError("timeout", "No events")), SILENT_MS);
        if (this.known.get().blindness !== undefined) this.#know({ blindness: undefined });
        this.#take(position, "event");
      }
    } finally {
      clearTimeout(timer);
      quiet.abort();
    }
  }

  /** Asks where it stands, while no events come. */
  async #askWhile(quiet: AbortSignal): Promise<void> {
    for (;;) {
      await pause(QUIET_MS, quiet);
      if (quiet.aborted) return;
      try {
        this.#take(await this.#cursor.current({ as: "none", signal: quiet, retriesMax: 0 }));
      } catch {} // The events tell of it.
    }
  }

  /** Shows a position as soon as its digits are here. */
  #take(position: Taken, source?: Source): void {
    // What is shown already needs none.
    if (!this.#isNews(position, source)) return;
    const isAsking = this.#told !== undefined;
    if (position.value !== undefined) this.#show(position, fold(position.value));
    else this.#told = position;
    if (!isAsking) void this.#showTold();
  }

  /** Shows positions whose digits have to be asked for: of several the last, so that a slow line falls no further behind. */
  async #showTold(): Promise<void> {
    for (let told = this.#told; told !== undefined; told = this.#told) {
      const value = await this.#valueAt(told.index);
      // Unless the cursor is gone meanwhile.
      if (this.#told !== undefined) this.#show(told, value);
      if (this.#told === told) this.#told = undefined;
    }
  }

  /** The value as it is shown; without digits where they cannot be had now. */
  async #valueAt(index: number): Promise<Folded> {
    try {
      if (formAt(index) === "text") return fold(await this.#client.fibonacci(index, { as: "text" }));
      const asked = { first: END_DIGITS, last: END_DIGITS };
      const { first = "", last = "" } = await this.#client.ends(index, asked);
      return foldEnds(digitsOf(index), first, last);
    } catch {
      return { count: digitsOf(index), first: "", last: "" };
    }
  }

  #show(position: Taken, value: Folded): void {
    if (!this.#isNews(position)) return;
    this.#generation = generationOf(position);
    this.#know({ state: "there", shown: { index: position.index, value }, refusal: undefined });
  }

  /**
   * Whether it is newer than what is shown. Of one source it always is, and of one generation there is one index, or the
   * server has been given an older file.
   */
  #isNews(position: Taken, source?: Source): boolean {
    const generation = generationOf(position);
    if (source !== undefined) {
      if (generation < this.#last[source]) this.#generation = -1;
      this.#last[source] = generation;
    }
    const isOther = generation === this.#generation && position.index !== this.known.get().shown?.index;
    return generation > this.#generation || isOther;
  }

  /** It is not there: one of its name begins anew. */
  #forget(): void {
    const { state: before, shown } = this.known.get();
    const state = shown === undefined ? "absent" : "removed";
    this.#generation = -1;
    this.#last = { event: -1, move: -1 };
    this.#told = undefined;
    this.#know({ state, blindness: undefined, ...(state !== before && { refusal: undefined }) });
  }

  #know(news: Partial<Known>): void {
    this.known.set({ ...this.known.get(), ...news });
  }
}

/** Whether there may be a step back. */
export function hasPrevious({ state, shown }: Known): boolean {
  return state === "unknown" || (state === "there" && shown?.index !== 0);
}

/** Beyond a thousand digits two requests for the ends are less than the whole value. */
function formAt(index: number | bigint | undefined): Form {
  return (index ?? 0) > 4800 ? "none" : "text";
}

function isCode(error: unknown, code: FibClientError["code"]): error is FibClientError {
  return error instanceof FibClientError && error.code === code;
}

function generationOf({ etag }: Taken): number {
  return Number(/\d+/.exec(etag ?? "")?.[0] ?? -1);
}
