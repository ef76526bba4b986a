/**
 * Worker threads for what takes longer than a few milliseconds.
 *
 * One pool computes all that a process computes, answers and tasks, so that its number of threads is the limit.
 * Threads start when a job needs them ({@link Pool.prepare} starts the first one) and stay, warm, for the next. What cannot run waits (job-queue.ts
 * says in which order). A thread is ended, and its successor started when needed, in three cases: its job was
 * aborted (a computation cannot be interrupted otherwise; ending takes 2 to 12 ms), it failed, or its multiplier holds
 * much memory, which WASM never gives back. Until an ended thread is really gone it counts as one, so that two
 * giants never hold memory in the place of one.
 *
 * Compiled, the worker is a second entry point of the binary (the Makefile names it), laid
 * out like src/; the code of this file is then in the first one, at the root.
 * @module
 */
import { FibError } from "../errors.ts";
import { notice } from "../notices.ts";
import { Shares } from "../shares.ts";
import type { Digits } from "./decimal.ts";
import { estimateMs } from "./cost.ts";
import type { Computation } from "./job.ts";
import { JobQueue, type Waiting } from "./job-queue.ts";
import type { Span } from "../tracing.ts";
import { threadUrl } from "../thread-url.ts";
import type { Answer } from "./worker.ts";

/**
 * A thread that holds more than this is ended after its job. A new thread and a cold multiplier cost 16 ms (F(10^6)
 * takes 18 ms in a new thread, 2 in a warm one), a job that needs so much at least 240; after F(10^8) the
 * process falls back to 65 MB.
 */
const MEMORY_KEPT_MAX_BYTES = 64 * 2 ** 20;

const WORKER_URL = threadUrl("numbers/worker.ts");

export interface PoolOptions {
  /** Jobs that run at the same time; at least 1. */
  readonly threads: number;
  /** Answers that may wait for a thread, shared by those who wait; the background has no limit here. */
  readonly queueMax: number;
  /** Told of each job that a thread has done. */
  readonly onComputed?: ((done: Computed) => void) | undefined;
  /** Another worker file, for tests. */
  readonly workerUrl?: URL;
}

/** What a job has come to. */
interface Computed {
  readonly kind: Computation["kind"];
  readonly digitsCount: number;
  /** From when a thread had it to its answer. */
  readonly durationMs: number;
}

export interface RunOptions {
  /** Ends the job: out of the queue, or with its thread. */
  readonly signal?: AbortSignal | undefined;
  /** Nobody waits for it now: it starts after those for whom somebody does. */
  readonly background?: boolean;
  /** Who waits for it, such as a client's address: none may fill the queue alone. */
  readonly holder?: string | undefined;
  /** Of what it is a part, in a trace. */
  readonly span?: Span | undefined;
  /** Called when a thread has it. */
  readonly onStart?: (() => void) | undefined;
  /** Called with 0 to 1, at most every 50 ms. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

interface Entry extends Waiting {
  readonly job: Computation;
  /** When a thread had it. */
  startMs: number;
  readonly onStart: (() => void) | undefined;
  readonly onProgress: ((fraction: number) => void) | undefined;
  readonly parent: Span | undefined;
  /** While it is computed. */
  span: Span | undefined;
  /** Gives back its place in the queue; may be called more than once. */
  readonly leave: () => void;
  readonly resolve: (digits: Digits) => void;
  readonly reject: (reason: unknown) => void;
}

export class Pool {
  /** How many compute at the same time. */
  readonly threads: number;

  readonly #workerUrl: URL;
  readonly #onComputed: PoolOptions["onComputed"];
  readonly #queue = new JobQueue<Entry>();
  #places: Shares;
  readonly #running = new Map<Worker, Entry>();
  readonly #idle: Worker[] = [];
  /** Every thread until it is gone, with what resolves when it is. */
  readonly #alive = new Map<Worker, PromiseWithResolvers<void>>();
  #backgroundHeld = false;
  #closed = false;

  constructor({ threads, queueMax, onComputed, workerUrl = WORKER_URL }: PoolOptions) {
    this.#onComputed = onComputed;
    this.threads = Math.max(1, threads);
    this.#places = new Shares(queueMax);
    this.#workerUrl = workerUrl;
  }

  /** Jobs that are being computed. */
  get running(): number {
    return this.#running.size;
  }

  /** Jobs that wait for a thread. */
  get waiting(): number {
    return this.#queue.size;
  }

  /**
   * Computes a job on a thread.
   *
   * @returns ASCII digits; the buffer is the caller's.
   * @throws {@link FibError} `overloaded`, when too many answers wait; `result_too_large`; `internal`, when the
   * thread died. The signal's reason, when aborted.
   */
  async run(job: Computation, options: RunOptions = {}): Promise<Digits> {
    const { signal, background = false, holder = "", onStart, onProgress, span: parent } = options;
    signal?.throwIfAborted();
    if (this.#closed) throw new FibError("overloaded", "Cannot compute: the pool is closed");
    const leave = background || this.#hasRoom() ? () => {} : this.#places.take(holder);
    if (leave === undefined) {
      const count = this.#places.taken;
      throw new FibError("overloaded", `Cannot compute now: ${count} computations are waiting already`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<Digits>();
    const [costMs, sinceMs] = [estimateMs(job), performance.now()];
    const what = { job, background, costMs, sinceMs, startMs: sinceMs, parent, span: undefined };
    const entry: Entry = { ...what, onStart, onProgress, leave, resolve, reject };
    const onAbort = (): void => this.#abort(entry, signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#queue.add(entry);
    this.#startNext();
    try {
      const digits = await promise;
      entry.span?.end();
      return digits;
    } catch (error) {
      entry.span?.end((error as Error).message);
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Starts a thread, so that the first job need not wait for one: 10 ms of its 16. It holds 6 MB. */
  prepare(): void {
    if (this.#alive.size > 0 || this.#closed) return;
    const worker = this.#startThread();
    worker.unref();
    this.#idle.push(worker);
  }

  /** Starts nothing in the background, until it is told otherwise. What runs goes on. */
  holdBackground(held: boolean): void {
    this.#backgroundHeld = held;
    this.#startNext();
  }

  /** Refuses the answers that wait, and from now on those that would have to. What runs goes on. */
  refuseWaiting(): void {
    this.#places = new Shares(0);
    const reason = new FibError("overloaded", "Cannot compute: the server is stopping");
    for (const entry of this.#queue.clearAnswers()) this.#abort(entry, reason);
  }

  /** Ends every thread. Jobs that run or wait are rejected with `overloaded`. */
  async close(): Promise<void> {
    this.#closed = true;
    const reason = new FibError("overloaded", "Cannot compute: the pool was closed");
    for (const entry of [...this.#queue.clear(), ...this.#running.values()]) this.#abort(entry, reason);
    const gone = [...this.#alive.values()].map(({ promise }) => promise);
    for (const worker of this.#idle.splice(0)) worker.terminate();
    await Promise.all(gone);
  }

  #hasRoom(): boolean {
    return this.#idle.length > 0 || this.#alive.size < this.threads;
  }

  #startNext(): void {
    while (this.#hasRoom()) {
      const entry = this.#queue.take(performance.now(), this.#backgroundHeld);
      if (entry === undefined) return;
      const worker = this.#idle.pop() ?? this.#startThread();
      entry.leave();
      this.#running.set(worker, entry);
      entry.startMs = performance.now();
      worker.ref();
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- windows have one, workers do not
      worker.postMessage(entry.job);
      entry.span = entry.parent?.child(`compute ${entry.job.kind}`);
      entry.onStart?.();
    }
  }

  #startThread(): Worker {
    const worker = new Worker(this.#workerUrl);
    this.#alive.set(worker, Promise.withResolvers());
    worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => this.#onAnswer(worker, data));
    worker.addEventListener("error", ({ message }) => this.#fail(worker, message));
    worker.addEventListener("close", () => this.#onGone(worker));
    return worker;
  }

  #onAnswer(worker: Worker, answer: Answer): void {
    if (answer.kind === "distrusted") return notice(answer.message, answer.failed);
    const entry = this.#running.get(worker);
    // Aborted: the answer was under way while the thread was being ended.
    if (entry === undefined) return;
    if (answer.kind === "progress") {
      entry.onProgress?.(answer.fraction);
      return;
    }
    this.#running.delete(worker);
    if (answer.kind === "failed") {
      // A FibError is an answer; anything else may have left the thread in any state.
      entry.reject(new FibError(answer.code ?? "internal", answer.message));
      this.#release(worker, answer.code !== undefined);
      return;
    }
    this.#onComputed?.({
      kind: entry.job.kind,
      digitsCount: answer.result.length,
      durationMs: performance.now() - entry.startMs,
    });
    entry.resolve(answer.result);
    this.#release(worker, answer.memoryBytes <= MEMORY_KEPT_MAX_BYTES);
  }

  /** Keeps a thread for the next job, or ends it. */
  #release(worker: Worker, keep: boolean): void {
    if (keep) {
      worker.unref();
      this.#idle.push(worker);
    } else {
      worker.terminate();
    }
    this.#startNext();
  }

  #abort(entry: Entry, reason: unknown): void {
    this.#queue.delete(entry);
    entry.leave();
    for (const [worker, running] of this.#running) {
      if (running !== entry) continue;
      this.#running.delete(worker);
      worker.terminate();
    }
    entry.reject(reason);
  }

  #fail(worker: Worker, message: string): void {
    const entry = this.#running.get(worker);
    this.#running.delete(worker);
    worker.terminate();
    entry?.reject(new FibError("internal", `The computing thread failed: ${message}`));
  }

  #onGone(worker: Worker): void {
    this.#fail(worker, "it ended");
    const place = this.#idle.indexOf(worker);
    if (place >= 0) this.#idle.splice(place, 1);
    this.#alive.get(worker)?.resolve();
    this.#alive.delete(worker);
    this.#startNext();
  }
}
