/**
 * Named cursors beside the cursor file, as one process has them: a SQLite file on a thread of its own, to which the loop
 * sends whole groups.
 *
 * Nothing is created before the first cursor is made: without a file every request is answered by the rules, as for a
 * cursor that is not there. When the file cannot be used, those who ask are told why, and it is tried again after
 * {@link RETRY_MS}; the default cursor does not depend on it. One that was there and is gone is not made again: all
 * cursors would begin anew. Several processes may use the file at the same time.
 * @module
 */
import { FibError } from "../errors.ts";
import { RecentFailure } from "../recent-failure.ts";
import { statAt } from "../system-calls.ts";
import type { Calls } from "../thread.ts";
import { fileGone, readOnlyNotice } from "./file.ts";
import { look } from "./io-error.ts";
import type { GroupWatch } from "./group-watch.ts";
import { applyRequest, type CursorService, type Keeper, type NamedRequest, type Outcome } from "./moves.ts";
import type { CursorCounts, ListedCursor, NamedCursors, NamedLimits, NameFilter } from "./named.ts";
import { RequestQueue } from "./request-queue.ts";
import type { CursorStore } from "./store.ts";
import { lookAgain, Watching } from "./watching.ts";
import { decodeOutcome, encodeRequest, type WireGroup } from "./wire.ts";

/** What named cursors in a file need. */
export interface EmbeddedOptions {
  readonly path: string;
  readonly limits: NamedLimits;
  /** How long to wait for another process. */
  readonly lockTimeoutMs: number;
  /** Starts what holds the database. */
  readonly start: () => Calls<CursorStore>;
  /** Tells a person what happened. */
  readonly notice: (message: string) => void;
  /** Told why the file cannot be used, once; whoever asks is told the same. */
  readonly onFailure: (error: Error) => void;
  /** Hears of each group. */
  readonly groups?: GroupWatch | undefined;
}

/** How long a file that cannot be used is left alone. */
const RETRY_MS = 2000;
/** Requests in one transaction: 5 ms of the thread's work. */
const GROUP_COUNT_MAX = 1000;
/** Named cursors in a file. */
export class EmbeddedCursors implements NamedCursors {
  readonly #options: EmbeddedOptions;
  readonly #watching = new Watching(() => lookAgain(() => this.#look()));
  readonly #queue: RequestQueue;
  #store: Promise<Calls<CursorStore>> | undefined;
  /** Whether the file has been open. */
  #isKnown = false;
  /** Why it cannot be used for a while. */
  #unusable: { readonly error: Error; readonly untilMs: number } | undefined;
  readonly #failed = new RecentFailure();
  /** What was said last about that. */
  #told: string | undefined;

  /** Opens nothing yet. */
  constructor(options: EmbeddedOptions) {
    this.#options = options;
    const apply = (group: readonly NamedRequest[]) => this.#apply(group);
    this.#queue = new RequestQueue(GROUP_COUNT_MAX, apply, this.#watching, options.groups?.answered);
  }

  /** How many requests wait for their outcome. */
  get pendingCount(): number {
    return this.#queue.pendingCount;
  }

  /** Opens the file if there is one, for the first who asks: that takes 15 ms, most of it for the thread. */
  prepare(): void {
    // What is wrong is said, and said again to whoever asks.
    this.#prepare().catch(() => {});
  }

  async #prepare(): Promise<void> {
    if (this.#isThere()) await this.#open();
  }

  at(name: string): CursorService {
    return this.#queue.at(name);
  }

  async list(filter: NameFilter): Promise<readonly ListedCursor[]> {
    if (!this.#isThere()) return [];
    return await this.#ask((store) => store.call("list", [filter]));
  }

  /** How many there are. Throws when the store does. */
  async count(): Promise<CursorCounts> {
    if (!this.#isThere()) return { cursors: 0, clients: 0 };
    return await this.#ask((store) => store.call("count", []));
  }

  /** Resolves when they can be used. Throws why not; what a write came to is remembered for a minute. */
  async check(): Promise<void> {
    await this.count();
    this.#failed.check();
  }

  async close(): Promise<void> {
    await this.#queue.close(new FibError("cursor_io", `Cannot use ${this.#options.path}: it is closed`));
    await this.#release();
  }

  async #apply(group: readonly NamedRequest[]): Promise<readonly Outcome[]> {
    if (!this.#isThere()) {
      const outcomes = group.map(({ request }) => applyRequest(undefined, request, this.#nowhere).outcome);
      // What makes a cursor succeeds, and nothing else does.
      if (outcomes.every((outcome) => outcome instanceof FibError)) return outcomes;
    }
    const text = JSON.stringify(group.map(({ name, request }) => encodeRequest(name, request)));
    const answer = JSON.parse(await this.#ask((store) => store.call("apply", [text]))) as WireGroup;
    const outcomes = answer.outcomes.map(decodeOutcome);
    const { lockMs, syncMs } = answer;
    if (lockMs !== undefined) this.#options.groups?.locked(lockMs);
    if (syncMs !== undefined) {
      this.#options.groups?.synced(syncMs);
      this.#failed.clear();
    }
    const refused = outcomes.find((outcome) => outcome instanceof FibError && outcome.code === "cursor_io");
    if (refused !== undefined) this.#failed.note(refused as FibError);
    if (answer.hasFailed) await this.#fail(outcomes[0] as FibError);
    return outcomes;
  }

  /** What the rules are told where there is no file. */
  get #nowhere(): Keeper {
    const { indexMax } = this.#options.limits;
    return { indexMax, isPermanent: false, findKey: () => undefined, nextGeneration: () => 1 };
  }

  #isThere(): boolean {
    return this.#isKnown || this.#store !== undefined || look(this.#options.path, statAt) !== undefined;
  }

  /** Asks the store; one that has ended, or lost its file, is opened again by a later request. */
  async #ask<T>(question: (store: Calls<CursorStore>) => Promise<T>): Promise<T> {
    const store = await this.#open();
    try {
      return await question(store);
    } catch (error) {
      if (!isLocked(error)) await this.#fail(error as Error);
      throw error;
    }
  }

  async #open(): Promise<Calls<CursorStore>> {
    if (this.#queue.closed !== undefined) throw this.#queue.closed;
    if (this.#store !== undefined) return this.#store;
    if (this.#unusable !== undefined && performance.now() < this.#unusable.untilMs)
      throw this.#unusable.error;
    const opened = this.#openAnew();
    this.#store = opened;
    try {
      const store = await opened;
      this.#unusable = this.#told = undefined;
      this.#isKnown = true;
      return store;
    } catch (error) {
      this.#store = undefined;
      if (!isLocked(error)) this.#refuse(error as Error);
      throw error;
    }
  }

  async #openAnew(): Promise<Calls<CursorStore>> {
    const { path, lockTimeoutMs, limits, start } = this.#options;
    if (this.#isKnown && look(path, statAt) === undefined) throw fileGone(path);
    const store = start();
    try {
      const reason = await store.call("open", [path, lockTimeoutMs, limits, this.#isKnown]);
      if (reason !== undefined) this.#options.notice(readOnlyNotice(reason));
      return store;
    } catch (error) {
      store.end();
      throw error;
    }
  }

  async #fail(error: Error): Promise<void> {
    this.#failed.note(error);
    this.#refuse(error);
    await this.#release();
  }

  #refuse(error: Error): void {
    this.#unusable = { error, untilMs: performance.now() + RETRY_MS };
    if (error.message !== this.#told) this.#options.onFailure(error);
    this.#told = error.message;
  }

  async #release(): Promise<void> {
    const store = await this.#store?.catch(() => undefined);
    this.#store = undefined;
    await store?.call("close", []).catch(() => {});
    store?.end();
  }

  async #look(): Promise<void> {
    if (!this.#isThere()) return;
    const { names } = this.#watching;
    const found = await this.#ask((store) => store.call("look", [names]));
    for (const [i, position] of (found ?? []).entries()) {
      const [index, generation] = position ?? [];
      this.#watching.publish(names[i]!, index === undefined ? undefined : { index, generation: generation! });
    }
  }
}

/** Whether another process was in the way, and nothing else is wrong. */
function isLocked(error: unknown): boolean {
  return error instanceof FibError && error.code === "cursor_locked";
}
