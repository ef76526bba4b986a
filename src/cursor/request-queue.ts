/**
 * Requests for cursors that go to a store as groups, of whatever names, to a thread or to Redis. Where a cursor is only
 * the store knows, so nothing can be told at once.
 * @module
 */
import { FibError } from "../errors.ts";
import { Groups } from "../groups.ts";
import type { GroupWatch } from "./group-watch.ts";
import type { Commit, CursorService, NamedRequest, Outcome } from "./moves.ts";
import type { Watching } from "./watching.ts";

/** Requests that may wait for their group; beyond it they are refused. */
const WAITING_COUNT_MAX = 100_000;

/** What waits for one store. */
export class RequestQueue {
  readonly #groups: Groups<NamedRequest, Outcome>;
  readonly #watching: Watching;
  readonly #answered: GroupWatch["answered"];
  #lastCommit: Commit | undefined;
  #closed: FibError | undefined;

  /**
   * @param countMax - Requests in one group.
   * @param apply - Does a group, in order; what it throws refuses all of them.
   * @param watching - Is told what the groups have come to.
   * @param answered - Likewise, and of what is refused before it is in one.
   */
  constructor(
    countMax: number,
    apply: (group: readonly NamedRequest[]) => Promise<readonly Outcome[]>,
    watching: Watching,
    answered: GroupWatch["answered"] = () => {},
  ) {
    this.#watching = watching;
    this.#answered = answered;
    this.#groups = new Groups(countMax, async (group) => {
      const startMs = performance.now();
      const outcomes = await apply(group).catch((error: unknown) => group.map(() => refusalFor(error)));
      this.#lastCommit = { startMs, durationMs: performance.now() - startMs, count: group.length };
      watching.publishGroup(group, outcomes);
      answered(
        group.map(({ request }) => request),
        outcomes,
      );
      return outcomes;
    });
  }

  /** How many wait for their outcome: also those whose group is under way. */
  get pendingCount(): number {
    return this.#groups.waitingCount + this.#groups.underwayCount;
  }

  /** Why everything is refused, once it is closed. */
  get closed(): FibError | undefined {
    return this.#closed;
  }

  /** The cursor of a name, whether there is one or not. */
  at(name: string): CursorService {
    return {
      current: () => undefined,
      submit: (request, answer) => this.#submit({ name, request }, answer),
      watch: (listener) => this.#watching.watch(name, listener),
      lastCommit: () => this.#lastCommit,
    };
  }

  /** Waits for what is queued; what comes later is refused with `reason`. */
  async close(reason: FibError): Promise<void> {
    await this.#groups.idle();
    this.#closed ??= reason;
    this.#watching.close();
  }

  #submit<T>(asked: NamedRequest, answer: (outcome: Outcome) => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome) => {
        try {
          resolve(answer(outcome));
        } catch (error) {
          reject(error);
        }
      };
      const refusal =
        this.#closed ?? (this.#groups.waitingCount >= WAITING_COUNT_MAX ? tooManyWaiting() : undefined);
      if (refusal !== undefined) {
        this.#answered([asked.request], [refusal]);
        return settle(refusal);
      }
      this.#groups.add(asked, settle);
    });
  }
}

function refusalFor(error: unknown): FibError {
  return error instanceof FibError ? error : new FibError("internal", String(error), { cause: error });
}

function tooManyWaiting(): FibError {
  return new FibError(
    "overloaded",
    `Cannot queue: ${WAITING_COUNT_MAX} requests for cursors wait already; try again`,
  );
}
