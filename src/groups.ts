/**
 * Requests that go to a store together, to Redis or to a thread with a disk: those of one turn of the event loop, and
 * those that come while a reply is under way. One group at a time; at 64 callers a round trip and a sync cost each of
 * them a 64th.
 * @module
 */

interface Waiting<Request, Outcome> {
  readonly request: Request;
  readonly settle: (outcome: Outcome) => void;
}

/** Gathers requests into groups. */
export class Groups<Request, Outcome> {
  readonly #apply: (requests: Request[]) => Promise<readonly Outcome[]>;
  readonly #countMax: number;
  #waiting: Waiting<Request, Outcome>[] = [];
  #running: Promise<void> | undefined;
  #underwayCount = 0;

  /**
   * @param countMax - Requests in one group.
   * @param apply - Does a group, in order, with an outcome for each request; never rejects.
   */
  constructor(countMax: number, apply: (requests: Request[]) => Promise<readonly Outcome[]>) {
    this.#countMax = countMax;
    this.#apply = apply;
  }

  /** How many wait for their group to begin. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** How many wait for the outcome of the group that is under way. */
  get underwayCount(): number {
    return this.#underwayCount;
  }

  /** Queues a request; `settle` gets its outcome, and must not throw. */
  add(request: Request, settle: (outcome: Outcome) => void): void {
    this.#waiting.push({ request, settle });
    this.#running ??= this.#drain();
  }

  /** Resolves when nothing waits and no group is under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #drain(): Promise<void> {
    do {
      // The requests of this turn join the group; the ones after it find a group that is under way.
      await new Promise((resolve) => setImmediate(resolve));
      const group = this.#waiting.splice(0, this.#countMax);
      this.#underwayCount = group.length;
      const outcomes = await this.#apply(group.map(({ request }) => request));
      this.#underwayCount = 0;
      for (const [i, { settle }] of group.entries()) settle(outcomes[i]!);
    } while (this.#waiting.length > 0);
    this.#running = undefined;
  }
}
