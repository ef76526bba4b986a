/**
 * Who wants to know what becomes of a task, within one process.
 *
 * A watcher holds the newest state only: one who reads slowly skips what has been overtaken, and costs no memory.
 * @module
 */
import { isFinished, type Task } from "./task.ts";

interface Watcher {
  newest: Task | "forgotten" | undefined;
  wake: () => void;
}

/** Passes states on from an engine to those who watch. */
export class Changes {
  readonly #watchers = new Map<string, Set<Watcher>>();

  /** How many are watching. */
  get count(): number {
    let count = 0;
    for (const watchers of this.#watchers.values()) count += watchers.size;
    return count;
  }

  /** Tells those who watch this task. */
  publish(task: Task): void {
    this.#tell(task.id, task);
  }

  /** Tells those who watch a task that there will be no more of it. */
  forget(id: string): void {
    this.#tell(id, "forgotten");
  }

  /**
   * Follows one task; see `TaskQueue.watch`.
   *
   * @param find - Reads the task; called when the watch has begun, so that no change falls between.
   */
  async *watch(
    id: string,
    signal: AbortSignal,
    find: () => Promise<Task | undefined>,
  ): AsyncGenerator<Task, void, undefined> {
    const watcher: Watcher = { newest: undefined, wake: () => {} };
    const watchers = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, watchers.add(watcher));
    const onAbort = () => watcher.wake();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      let task: Task | "forgotten" | undefined = (await find()) ?? "forgotten";
      while (!signal.aborted) {
        if (task === "forgotten") return;
        if (task !== undefined) {
          yield task;
          if (isFinished(task.state)) return;
        }
        task = watcher.newest ?? (await next(watcher, signal));
        watcher.newest = undefined;
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#watchers.get(id) === watchers) this.#watchers.delete(id);
    }
  }

  #tell(id: string, news: Task | "forgotten"): void {
    for (const watcher of this.#watchers.get(id) ?? []) {
      watcher.newest = news;
      watcher.wake();
    }
  }
}

function next(watcher: Watcher, signal: AbortSignal): Promise<Watcher["newest"]> {
  return new Promise((resolve) => {
    watcher.wake = () => resolve(watcher.newest);
    if (signal.aborted) resolve(undefined);
  });
}
