/**
 * What went wrong last with a store that is tried again: a disk without room lets everything be read, and only whoever
 * writes hears of it.
 * @module
 */

/** As long as the minute of which `/v1/status` tells. */
const KEPT_MS = 60_000;

/** Remembers it, until a write has succeeded or a minute has passed. */
export class RecentFailure {
  #last: { readonly error: Error; readonly atMs: number } | undefined;

  note(error: Error): void {
    this.#last = { error, atMs: performance.now() };
  }

  clear(): void {
    this.#last = undefined;
  }

  /** Throws what went wrong. */
  check(): void {
    if (this.#last !== undefined && performance.now() - this.#last.atMs < KEPT_MS) throw this.#last.error;
  }
}
