/**
 * The progress of a number that is computed by doubling an index again and again.
 * @module
 */

/** Reports the work done: a doubling to index k costs about k, so all of them and the text 2n. */
export class DoublingProgress {
  readonly #report: ((fraction: number) => void) | undefined;
  readonly #total: number;
  #done = 0;

  /** @param n - The index in the end. */
  constructor(n: number, report: ((fraction: number) => void) | undefined) {
    this.#report = report;
    this.#total = 2 * n;
  }

  /** Reports that so much more is done. */
  add(cost: number): void {
    this.#done += cost;
    this.#report?.(Math.min(1, this.#done / this.#total));
  }
}
