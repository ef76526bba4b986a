/**
 * A server's task that somebody waits for at the shell: how far it is, what holds it up, how to go on later, and what
 * ^C does.
 * @module
 */
import type { FibClient, Task, TaskStatus } from "../client/client.ts";
import { resolveServerUrl } from "../config/config.ts";
import { FibError } from "../errors.ts";
import { onEnd } from "../signals.ts";
import { serverFlag } from "./hints.ts";
import { warn } from "./output.ts";
import { openProgress, type Progress } from "./progress.ts";
import { asking, openClient, WAITING } from "./remote.ts";

/** Before the shell gets its prompt back. */
const CANCELLING = { retriesMax: 1, timeoutMs: 5000 };
/** Shorter waits need no word about how to go on; a person at a terminal may want to leave at once. */
const NOTICE_MS = 1000;
const REDRAW_MS = 250;

/** The flags of a command that waits. */
interface WaitFlags {
  readonly server?: string | undefined;
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
}

/** Somebody who waits for a task. */
export class Wait {
  readonly client: FibClient;
  readonly #progress: Progress;
  readonly #isQuiet: boolean;
  readonly #at: string;
  readonly #url: URL;
  #isEnding = false;

  /** @param name - Of what is waited for. */
  constructor(name: string, { server, json = false, quiet = false }: WaitFlags) {
    const url = resolveServerUrl(server, process.env);
    this.#url = url;
    this.client = openClient(url, (notice) => {
      if (!this.#isEnding) this.#say(notice);
    });
    this.#progress = openProgress(name, quiet);
    // A program that reads errors as JSON reads nothing else on stderr.
    this.#isQuiet = quiet || json;
    this.#at = serverFlag(server);
  }

  /**
   * Shows a task until it is ready.
   *
   * @param onState - Told of each change of its state.
   * @throws `FibClientError`, when it has no result or its server is away for too long; the signal's reason.
   */
  async follow(task: Task, onState: (status: TaskStatus) => void, signal?: AbortSignal): Promise<void> {
    const show = () => {
      const { state, progress } = task.status;
      if (state === "queued") this.#progress.say("queued");
      else this.#progress.update(progress);
    };
    // What was done before tells nothing of the speed.
    this.#progress.say("waiting");
    const timer = setInterval(show, REDRAW_MS);
    let before: TaskStatus["state"] | undefined;
    try {
      for await (const status of task.events({ ...WAITING, signal })) {
        if (status.state !== before) {
          this.#progress.clear();
          onState(status);
        }
        before = status.state;
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
    const { promise: creation, resolve, reject } = Promise.withResolvers<Task>();
    const forget = onEnd(async () => {
      abort.abort();
      this.#progress.clear();
      await this.#cancel(creation);
    });
    // Not before a signal is heeded, and not aborted: a task whose id is not known could not be cancelled.
    create().then(resolve, reject);
    let notice: ReturnType<typeof setTimeout> | undefined;
    try {
      const task = await this.asking(() => creation);
      const say = () => this.#say(`Task ${task.id}; to go on later: ${this.#later(task.id)}`);
      if (task.status.state !== "ready") notice = setTimeout(say, process.stderr.isTTY ? 0 : NOTICE_MS);
      await this.asking(() => this.follow(task, () => {}, abort.signal), task.id);
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

  /**
   * Asks for something.
   *
   * @param taskId - Of the task that it belongs to.
   * @throws {@link FibError} as `asking` does, with how to go on where that is possible.
   */
  async asking<T>(work: () => Promise<T>, taskId?: string): Promise<T> {
    try {
      return await asking(this.#url, work);
    } catch (error) {
      if (taskId === undefined || !(error instanceof FibError) || error.code.startsWith("task_")) throw error;
      const goOn = `To go on later: ${this.#later(taskId)}`;
      // Without its cause, lest it is silenced where the reader of a pipe has gone: the id would be lost.
      throw new FibError(error.code, `${error.message}. ${goOn}`, { serverCode: error.serverCode });
    }
  }

  async #cancel(creation: Promise<Task>): Promise<void> {
    if (Bun.peek.status(creation) === "pending")
      this.#say("Waiting for the server's answer, to cancel the task; Ctrl-C again to stop at once");
    let known: Task | undefined;
    // From here on nobody waits for long, and nobody needs to hear of it.
    this.#isEnding = true;
    try {
      known = await Promise.race([creation, Bun.sleep(CANCELLING.timeoutMs).then(() => undefined)]);
      if (known === undefined)
        return warn("Cannot tell whether a task was started: the server does not answer");
      const { id, state, requests } = await known.cancel({ ...CANCELLING, unlessShared: true });
      if (state === "cancelled" || state === "failed") this.#say(`Task ${id} is ${state}`);
      else if (state === "ready") this.#say(`Task ${id} is ready: ${this.#resultLine(id)}`);
      else this.#say(`Task ${id} goes on, because it was asked for ${requests} times: ${this.#later(id)}`);
    } catch (error) {
      const reason = (error as Error).message;
      if (known === undefined) return warn(`Cannot tell whether a task was started: ${reason}`);
      const goOn = `To go on later: ${this.#later(known.id)}`;
      warn(`Cannot tell whether task ${known.id} was cancelled: ${reason}. ${goOn}`);
    }
  }

  /** The command lines that fetch a task's result later, whatever its state is then. */
  #later(taskId: string): string {
    return `fibserver task watch ${taskId}${this.#at}, then ${this.#resultLine(taskId)}`;
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
