/**
 * One of our processes, as a service manager has it: started again whenever it ended, and asked why.
 * @module
 */
import fs from "node:fs";
import type { Program } from "../binary.ts";
import type { History } from "./history.ts";
import type { Link } from "./link.ts";

/** EX_UNAVAILABLE: Redis was away while it started. */
const EXIT_UNAVAILABLE = 69;
/** Pause before the next attempt to start. */
const RESTART_MS = 200;

/** Of a log, in a violation. */
const LOG_CHARS_MAX = 2000;

/** What a process holds. */
export interface Held {
  readonly descriptors: number;
  readonly memoryMb: number;
}

/** A front or an executor, with a network of its own to Redis. */
export class Member<P extends Program = Program> implements AsyncDisposable {
  readonly name: string;
  readonly link: Link;
  readonly #open: () => Promise<P>;
  readonly #history: () => History;
  readonly #ended: string[] = [];
  #program: P | undefined;
  #isDisposed = false;

  /** @param open - Starts the process. */
  constructor(name: string, link: Link, open: () => Promise<P>, history: () => History) {
    this.name = name;
    this.link = link;
    this.#open = open;
    this.#history = history;
  }

  /** The process, unless it has been killed. */
  get program(): P | undefined {
    return this.#program;
  }

  /** Starts it, again and again while it ends because Redis is away. @throws {@link Error} when it ends otherwise. */
  async start(): Promise<void> {
    while (!this.#isDisposed) {
      try {
        this.#program = await this.#open();
        return this.#history().world(`${this.name} has started, pid ${this.#program.pid}`);
      } catch (error) {
        const { message } = error as Error;
        if (!message.includes(` ended with ${EXIT_UNAVAILABLE}: `)) throw error;
        this.#ended.push(message);
        await Bun.sleep(RESTART_MS);
      }
    }
  }

  /** Ends it with SIGKILL. */
  async crash(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Asks it to end, as it must, and well. */
  async stop(): Promise<void> {
    const status = await this.#end("SIGTERM");
    if (status !== 0)
      this.#history().violation(
        this.name,
        `SIGTERM ended it with ${status}: ${this.logs().slice(-LOG_CHARS_MAX)}`,
      );
  }

  async #end(signal: NodeJS.Signals): Promise<number | undefined> {
    const program = this.#program;
    this.#program = undefined;
    if (program === undefined) return 0;
    program.kill(signal);
    const status = await program.ended().catch(() => undefined);
    if (status === undefined) await program[Symbol.asyncDispose]();
    this.#ended.push(program.log());
    return status;
  }

  /** All that it has written to stderr, in all of its lives. */
  logs(): string {
    return [...this.#ended, this.#program?.log() ?? ""].join("");
  }

  /** What the process holds now. */
  held(): Held {
    const proc = `/proc/${this.#program!.pid}`;
    const rssKb = /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`${proc}/status`, "latin1"))![1];
    return { descriptors: fs.readdirSync(`${proc}/fd`).length, memoryMb: Math.round(Number(rssKb) / 1024) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    await this.#program?.[Symbol.asyncDispose]();
    await this.link[Symbol.asyncDispose]();
  }
}
