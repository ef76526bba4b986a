/**
 * Requests as a client makes them that knows several fronts and that any of them may die.
 * @module
 */
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

/** A front that lives answers within this, whatever became of Redis and however slow it is; one is paused for less. */
const ANSWER_MS_MAX = 60_000;
/** Pause before a request is made again. */
const RETRY_MS = 50;

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly text: () => string;
}

/** A client of all fronts. */
export class Asker {
  readonly name: string;
  readonly world: World;
  readonly random: Random;

  readonly #fronts: World["fronts"];

  /** @param fronts - Those that it knows; all unless given. */
  constructor(name: string, world: World, random: Random, fronts = world.fronts) {
    this.name = name;
    this.world = world;
    this.random = random;
    this.#fronts = fronts;
  }

  /** Asks a front. @returns undefined when there is no answer, or half of one: then it may have been done or not. */
  async ask(method: string, path: string, init: RequestInit = {}): Promise<Answer | undefined> {
    const front = this.random.pick(this.#fronts);
    const { program } = front;
    if (program === undefined) return undefined;
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    // A pool of connections would be counted among what a front holds.
    const keepalive = false;
    try {
      const response = await fetch(`${program.url}${path}`, { ...init, method, signal, keepalive });
      const body = Buffer.from(await response.arrayBuffer());
      // Bun takes an answer that was cut for a whole one.
      const length = response.headers.get("content-length");
      if (length !== null && Number(length) !== body.length) return undefined;
      if (response.status >= 500 && response.status !== 503) {
        this.violation(
          `${method} ${path} of ${front.name} was answered with ${response.status}: ${body.toString()}`,
        );
      }
      return { status: response.status, body, text: () => body.toString() };
    } catch {
      if (signal.aborted)
        this.violation(`${method} ${path} of ${front.name} had no answer in ${ANSWER_MS_MAX} ms`);
      return undefined;
    }
  }

  /**
   * Asks one front after the other, until one of these is the answer.
   *
   * @returns undefined when the round has gone on for too long.
   */
  async insist(
    method: string,
    path: string,
    statuses: readonly number[],
    init?: RequestInit,
  ): Promise<Answer | undefined> {
    for (;;) {
      const answer = await this.ask(method, path, init);
      if (answer !== undefined && statuses.includes(answer.status)) return answer;
      if (answer !== undefined && answer.status !== 503) {
        this.violation(`${method} ${path} was answered with ${answer.status}: ${answer.text()}`);
        return undefined;
      }
      if (this.world.isLate()) return undefined;
      await Bun.sleep(RETRY_MS);
    }
  }

  note(text: string): void {
    this.world.history.note(this.name, text);
  }

  violation(text: string): void {
    this.world.history.violation(this.name, text);
  }
}
