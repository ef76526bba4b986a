/**
 * Who wants to know where cursors are, within one process. A keeper publishes what has become durable; what another
 * process does, it looks for while somebody watches, and only then.
 * @module
 */
import { FibError } from "../errors.ts";
import type { Listener, NamedRequest, Outcome, Position } from "./moves.ts";

/** What another process does is looked for this often: it is noticed within 250 ms. */
export const LOOK_MS = 200;

interface Topic {
  readonly listeners: Set<Listener>;
  /** What was told last; undefined for nothing yet, and for a removal. */
  position: Position | undefined;
}

/** Passes positions on to those who watch. */
export class Watching {
  readonly #topics = new Map<string, Topic>();
  readonly #start: () => () => void;
  #stop: (() => void) | undefined;

  /** @param start - Called when somebody watches; what it returns is called when nobody does any more. */
  constructor(start: () => () => void = () => () => {}) {
    this.#start = start;
  }

  /** The names that somebody watches. */
  get names(): readonly string[] {
    return [...this.#topics.keys()];
  }

  /** Whether nobody watches anything. */
  get isIdle(): boolean {
    return this.#topics.size === 0;
  }

  has(name: string): boolean {
    return this.#topics.has(name);
  }

  /** Tells `listener` of each change from now on. @returns Ends that; may be called more than once. */
  watch(name: string, listener: Listener): () => void {
    const topic = this.#topics.get(name) ?? { listeners: new Set(), position: undefined };
    // One that is told twice of everything would be one that cannot be ended once.
    const own: Listener = (position) => listener(position);
    topic.listeners.add(own);
    this.#topics.set(name, topic);
    this.#stop ??= this.#start();
    return () => {
      topic.listeners.delete(own);
      if (topic.listeners.size > 0 || this.#topics.get(name) !== topic) return;
      this.#topics.delete(name);
      if (this.isIdle) this.close();
    };
  }

  /**
   * Tells those who watch a cursor where it is, undefined when there is none; what was told last is not told again. The
   * index counts, too: a Redis that has lost moves gives their generations once more.
   *
   * @param wasThere - Where none was, none is removed.
   */
  publish(name: string, position: Position | undefined, wasThere?: boolean): void {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    const told = topic.position;
    const isKnown =
      position === undefined
        ? !(wasThere ?? told !== undefined)
        : position.generation === told?.generation && position.index === told.index;
    if (isKnown) return;
    topic.position = position;
    for (const listener of topic.listeners) listener(position);
  }

  /** What a group has come to: of each cursor the last. */
  publishGroup(group: readonly NamedRequest[], outcomes: readonly Outcome[]): void {
    if (this.isIdle) return;
    const last = new Map<string, Position | "removed" | "none">();
    for (const [i, { name, request }] of group.entries()) {
      const outcome = outcomes[i]!;
      if (outcome instanceof FibError) {
        if (outcome.code === "cursor_unknown" && last.get(name) !== "removed") last.set(name, "none");
      } else if (request.operation === "remove") last.set(name, "removed");
      // The generation of what is replayed is not that of its index.
      else if (outcome.replayed !== true) last.set(name, outcome);
    }
    for (const [name, what] of last) {
      if (typeof what === "object") this.publish(name, what);
      else this.publish(name, undefined, what === "removed" || undefined);
    }
  }

  /** Looks for nothing any more, until somebody begins to watch. */
  close(): void {
    this.#stop?.();
    this.#stop = undefined;
  }
}

/**
 * Looks again and again, one look at a time.
 *
 * @param look - What goes wrong in it is told to whoever asks for something.
 * @returns Ends that.
 */
export function lookAgain(look: () => Promise<unknown>): () => void {
  let isLooking = false;
  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    look()
      .catch(() => {})
      .finally(() => (isLooking = false));
  }, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
