/**
 * Counted things with a limit, of which nobody can take all.
 *
 * A holder may take more as long as what it then holds is no more than what was still free. So one alone
 * gets half, the next who comes half of the rest, and a modest one is served beside a greedy one without
 * any list of who is which: the dynamic threshold of shared-memory switches, with a factor of one.
 * Rejected: a fixed part for each (either it wastes the limit, or a few holders use it up).
 * @see Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches" (1998)
 * @module
 */

/** What is taken of a limit, and by whom. */
export class Shares {
  readonly #limit: number;
  readonly #held = new Map<string, number>();
  #taken = 0;

  /** @param limit - How much there is: a count, or bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How much is taken, by all together. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes a share. Who holds nothing gets whatever fits.
   *
   * @param holder - Whose it is, such as a client's address.
   * @returns Gives it back, and may be called more than once; undefined when it cannot be had now.
   */
  take(holder: string, size = 1): (() => void) | undefined {
    const held = this.#held.get(holder) ?? 0;
    const free = this.#limit - this.#taken;
    if (size > free || (held > 0 && held + size > free)) return undefined;
    return this.count(holder, size);
  }

  /** Counts a share that a holder has already, allowed or not; as {@link take} for the rest. */
  count(holder: string, size = 1): () => void {
    this.#held.set(holder, (this.#held.get(holder) ?? 0) + size);
    this.#taken += size;
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#taken -= size;
      const rest = this.#held.get(holder)! - size;
      if (rest > 0) this.#held.set(holder, rest);
      else this.#held.delete(holder);
    };
  }
}
