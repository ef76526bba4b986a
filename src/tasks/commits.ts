/**
 * Many writes, one commit: what arrives in one turn of the event loop costs one sync.
 *
 * A write runs inside of the transaction, so that it sees what the writes before it in the same group have done. One
 * that throws a {@link FibError} has written nothing and is refused alone. When the commit fails, all of its writes
 * are refused. A full disk has then changed nothing and may pass; after any other error nothing is written any more:
 * what was written before a sync that failed may be lost as well.
 * @module
 */
import { SQLiteError } from "bun:sqlite";
import { FibError } from "../errors.ts";
import type { TaskDatabase } from "./database.ts";

/** Writes in one commit: some 10 ms of work. The rest waits for the next turn. */
const GROUP_MAX = 512;
/** Writes that wait. */
const WAITING_MAX = 100_000;

/** What may become of a commit. */
interface CommitEvents {
  /** Called once, when a commit has failed, and with it all after it. */
  readonly onFailure: (error: unknown) => void;
  /** Nothing of a group was written, and the next may be. */
  readonly onFullDisk: () => void;
}

interface Write {
  readonly apply: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (reason: unknown) => void;
}

/** Collects writes and commits them in groups. */
export class Commits {
  readonly #database: Pick<TaskDatabase, "transaction">;
  readonly #events: CommitEvents;
  #waiting: Write[] = [];
  #scheduled = false;
  #failure: unknown;

  constructor(database: Pick<TaskDatabase, "transaction">, events: CommitEvents) {
    this.#database = database;
    this.#events = events;
  }

  /**
   * Writes with the next group.
   *
   * @param apply - Writes to the database, synchronously.
   * @returns What `apply` returned, once it is on disk.
   * @throws {@link FibError} from `apply`; `tasks_io`, when the commit fails; `overloaded`.
   */
  write<T>(apply: () => T): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#waiting.length >= WAITING_MAX) {
      return Promise.reject(
        new FibError("overloaded", `Cannot queue: ${WAITING_MAX} writes wait; try again`),
      );
    }
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ apply, resolve, reject });
      this.#schedule();
    });
  }

  /** Commits all that waits, now; then nothing is taken any more. */
  end(): void {
    while (this.#waiting.length > 0) this.#commit();
    this.#failure ??= new FibError("tasks_io", "Cannot write: the tasks are closed");
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#commit();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }

  #commit(): void {
    const group = this.#waiting.splice(0, GROUP_MAX);
    if (group.length === 0) return;
    let settle: (() => void)[];
    try {
      settle = this.#database.transaction(() => group.map(applied));
    } catch (error) {
      for (const { reject } of group) reject(error);
      if (isFullDisk(error)) this.#events.onFullDisk();
      else this.#fail(error);
      return;
    }
    for (const call of settle) call();
  }

  #fail(error: unknown): void {
    this.#failure = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    this.#events.onFailure(error);
  }
}

function isFullDisk(error: unknown): boolean {
  return (
    error instanceof FibError && error.cause instanceof SQLiteError && error.cause.code === "SQLITE_FULL"
  );
}

function applied({ apply, resolve, reject }: Write): () => void {
  try {
    const value = apply();
    return () => resolve(value as never);
  } catch (error) {
    if (!(error instanceof FibError)) throw error;
    return () => reject(error);
  }
}
