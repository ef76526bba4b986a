/**
 * Choices that a seed repeats.
 * @module
 */

/** The same seed makes the same choices, in the same order. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to below 1: mulberry32, whose 32 bits of state are enough to choose faults by. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer, both ends included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** An integer, as likely to be between 10 and 100 as between 100 and 1000. */
  ofAnySize(min: number, max: number): number {
    return Math.floor(min * (max / min) ** this.next());
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)]!;
  }

  shuffled<T>(items: readonly T[]): T[] {
    const rest = [...items];
    return items.map(() => rest.splice(this.between(0, rest.length - 1), 1)[0]!);
  }

  /** Choices of its own for somebody who makes them at another time: they depend on nobody else's. */
  fork(): Random {
    return new Random(Math.floor(this.next() * 2 ** 32));
  }
}
