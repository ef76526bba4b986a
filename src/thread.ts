/**
 * A thread that waits for a disk, so that the event loop need not.
 *
 * It holds one object; the loop calls the object's methods and gets promises. Calls are made one after the other, in
 * the order in which they were sent: on such a thread a sync may take seconds, and nobody but those who called
 * notices. Rejected: Bun's own pool for asynchronous file calls. It has as many threads as the machine has CPUs, two
 * calls that hang starve all others, and the cursor's sync is in it; and SQLite knows no asynchronous calls at all.
 *
 * A thread never keeps the process alive, except while an answer is owed.
 * @module
 */
import { type ErrorCode, FibError } from "./errors.ts";

/** What can be called from another thread: methods whose arguments and results can be copied. */
type Method<Target> = Extract<
  { [Name in keyof Target]: Target[Name] extends (...args: never[]) => unknown ? Name : never }[keyof Target],
  string
>;
type Arguments<Target, Name extends keyof Target> = Target[Name] extends (...args: infer Args) => unknown
  ? Args
  : never;
type Returned<Target, Name extends keyof Target> = Target[Name] extends (...args: never[]) => infer Value
  ? Value
  : never;

/** An error on its way between threads: a copy of a {@link FibError} would not be one any more. */
export interface Failure {
  readonly code: ErrorCode | undefined;
  readonly message: string;
}

type Answer = { readonly value: unknown } | { readonly failure: Failure };

/** What can be asked of an object, wherever that lives: on a thread, or here. */
export type Calls<Target extends object> = Pick<Thread<Target>, "call" | "end">;

/** An object of this thread, asked as if it had one of its own: for who has nothing else to do meanwhile. */
export function callsOf<Target extends object>(target: Target): Calls<Target> {
  return {
    call: async (name, args) => (target[name] as (...args: unknown[]) => never)(...args),
    end: () => {},
  };
}

/** The loop's end of a thread. */
export class Thread<Target extends object> {
  readonly #worker: Worker;
  /** Who waits for an answer, in the order of the calls. */
  readonly #owed: PromiseWithResolvers<never>[] = [];
  #ended: FibError | undefined;

  /** @param url - A file that ends with {@link answerCalls}. */
  constructor(url: URL) {
    this.#worker = new Worker(url);
    this.#worker.unref();
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => this.#onAnswer(data));
    this.#worker.addEventListener("error", ({ message }) => this.#onEnd(message));
    this.#worker.addEventListener("close", () => this.#onEnd("it was ended"));
  }

  /**
   * Calls a method on the thread.
   *
   * @param transfer - Buffers that change hands without a copy.
   * @throws {@link FibError} as the method does; `internal` for its other errors, and when the thread has ended.
   */
  async call<Name extends Method<Target>>(
    name: Name,
    args: Arguments<Target, Name>,
    transfer: ArrayBuffer[] = [],
  ): Promise<Returned<Target, Name>> {
    if (this.#ended !== undefined) throw this.#ended;
    const owed = Promise.withResolvers<never>();
    // First: what cannot be copied throws here, and nothing is owed for it.
    this.#worker.postMessage([name, args], transfer);
    if (this.#owed.push(owed) === 1) this.#worker.ref();
    return owed.promise;
  }

  /** Ends the thread; whoever waits is refused. One that is waiting for its disk ends when that has answered. */
  end(): void {
    this.#onEnd("it was ended");
    this.#worker.terminate();
  }

  #onAnswer(answer: Answer): void {
    const owed = this.#owed.shift();
    if (this.#owed.length === 0) this.#worker.unref();
    if ("failure" in answer) owed?.reject(errorOf(answer.failure));
    else owed?.resolve(answer.value as never);
  }

  #onEnd(reason: string): void {
    this.#ended ??= new FibError("internal", `The thread cannot be used: ${reason}`);
    this.#worker.unref();
    for (const { reject } of this.#owed.splice(0)) reject(this.#ended);
  }
}

declare const self: Worker;

/** The other end: from now on this thread answers calls of the object's methods. */
export function answerCalls(target: object): void {
  const methods = target as Record<string, (...args: unknown[]) => unknown>;
  self.addEventListener("message", ({ data }: MessageEvent<[name: string, args: unknown[]]>) => {
    const [name, args] = data;
    let answer: Answer;
    try {
      answer = { value: methods[name]!(...args) };
    } catch (error) {
      answer = { failure: failureOf(error) };
    }
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- windows have one, workers do not
    self.postMessage(answer);
  });
}

/** An error as text. */
export function failureOf(error: unknown): Failure {
  if (error instanceof FibError) return { code: error.code, message: error.message };
  return {
    code: undefined,
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}

/** The inverse of {@link failureOf}. */
export function errorOf({ code, message }: Failure): Error {
  return code === undefined ? new Error(message) : new FibError(code, message);
}
