/**
 * A server's task that somebody waits for at the shell: how far it is, what holds it up, how to go on later, and what
 * ^C does.
 * @module
 */
import type { FibClient, Task, TaskStatus } from "../client/client.ts";
import { resolveServerUrl } from "../config.ts";
import { FibError } from "../errors.ts";
import { onEnd } from "./ending.ts";
import { warn } from "./output.ts";
import { openProgress, type Progress } from "./progress.ts";
import { asking, impatientFetch, openClient } from "./remote.ts";

/** Whoever waits for hours waits for a server that is started again, too: half a minute. */
export const WAITING = { retriesMax: 10 };
/** Before the shell gets its prompt back. */
const CANCELLING = { retriesMax: 1, timeoutMs: 5000 };
/** Shorter waits need no word about how to go on; a person at a terminal may want to leave at once. */
const NOTICE_MS = 1000;
const REDRAW_MS = 250;

/** The flags of a command that waits. */
interface Flags {
  readonly server?: string | undefined;
  readonly quiet?: boolean | undefined;
}

/** Somebody who waits for a task. */
export class Wait {
  readonly client: FibClient;
  readonly #progress: Progress;
  readonly #isQuiet: boolean;
  readonly #at: string;

  /** @param name - Of what is waited for. */
  constructor(name: string, { server, quiet = false }: Flags) {
    const url = resolveServerUrl(server, process.env);
    this.client = openClient(
      url,
      impatientFetch((reason) => this.#say(`Waiting for ${url.href}: ${reason}; Ctrl-C to stop`)),
    );
    this.#progress = openProgress(name, quiet);
    this.#isQuiet = quiet;
    this.#at = server === undefined ? "" : ` --server ${shellWord(server)}`;
  }

  /**
   * Shows a task until it is ready.
   *
   * @param onStatus - Told of each change.
   * @throws `FibClientError`, when it has no result or its server is away for too long; the signal's reason.
   */
  async follow(task: Task, onStatus: (status: TaskStatus) => void, signal?: AbortSignal): Promise<void> {
    const show = () => {
      const { state, progress } = task.status;
      if (state === "queued") this.#progress.say("queued");
      else this.#progress.update(progress);
    };
    const timer = setInterval(show, REDRAW_MS);
    try {
      for await (const status of task.events({ ...WAITING, signal })) {
        this.#progress.clear();
        onStatus(status);
        show();
      }
      await task.ready();
    } finally {
      clearInterval(timer);
      this.#progress.clear();
    }
  }

  /**
   * Starts a task and follows it. A signal cancels it, unless somebody else has asked for it too, and then ends this
   * process.
   *
   * @throws as {@link follow} does.
   */
  async runToEnd(create: () => Promise<Task>): Promise<Task> {
    const abort = new AbortController();
    // Not aborted: a task whose id is not known could not be cancelled.
    const creation = create();
    const forget = onEnd(async () => {
      abort.abort();
      this.#progress.clear();
      await this.#cancel(creation);
    });
    let notice: ReturnType<typeof setTimeout> | undefined;
    try {
      const task = await creation;
      const say = () => this.#say(`Task ${task.id}; to go on later: ${this.later(task.id)}`);
      if (task.status.state !== "ready") notice = setTimeout(say, process.stderr.isTTY ? 0 : NOTICE_MS);
      await this.follow(task, () => {}, abort.signal);
      return task;
    } catch (error) {
      // The signal ends the process, when the task is cancelled.
      if (abort.signal.aborted) return await new Promise<never>(() => {});
      throw error;
    } finally {
      clearTimeout(notice);
      forget();
    }
  }

  /** The command lines that fetch a task's result later, whatever its state is then. */
  later(taskId: string): string {
    return `fibserver task watch ${taskId}${this.#at}, then ${this.#resultLine(taskId)}`;
  }

  /**
   * Asks for something that belongs to a task.
   *
   * @param taskId - Of the task, as soon as it is known.
   * @throws {@link FibError} as `asking` does, with how to go on where that is possible.
   */
  async asking(work: () => Promise<void>, taskId: () => string | undefined): Promise<void> {
    try {
      await asking(work);
    } catch (error) {
      const id = taskId();
      if (!(error instanceof FibError) || id === undefined || error.code.startsWith("task_")) throw error;
      throw new FibError(error.code, `${error.message}. To go on later: ${this.later(id)}`, { cause: error });
    }
  }

  async #cancel(creation: Promise<Task>): Promise<void> {
    let name = "a task";
    try {
      if (Bun.peek.status(creation) === "pending")
        warn("Waiting for the server's answer, to cancel the task; Ctrl-C again to stop at once");
      const task = await creation;
      name = `task ${task.id}`;
      const { state, requests } = await task.cancel({ ...CANCELLING, unlessShared: true });
      if (state === "cancelled" || state === "failed") warn(`Task ${task.id} is ${state}`);
      else if (state === "ready") warn(`Task ${task.id} is ready: ${this.#resultLine(task.id)}`);
      else
        warn(`Task ${task.id} goes on, because it was asked for ${requests} times: ${this.later(task.id)}`);
    } catch (error) {
      warn(`Cannot tell whether ${name} was cancelled: ${(error as Error).message}`);
    }
  }

  #resultLine(taskId: string): string {
    return `fibserver task result ${taskId}${this.#at}`;
  }

  #say(notice: string): void {
    if (this.#isQuiet) return;
    this.#progress.clear();
    warn(notice);
  }
}

/** As a shell takes it. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
