/**
 * The world that faults happen to: two Redis, fronts, executors, and a network for each of these.
 * @module
 */
import { type Program, type Server, startServer } from "../binary.ts";
import { startWorker } from "../executor.ts";
import { History } from "./history.ts";
import { Link } from "./link.ts";
import { Member } from "./member.ts";
import { Pair } from "./pair.ts";

/** A finished task is forgotten after this: no longer than a round takes to settle. */
export const RESULT_TTL_MS = 6000;
/** When all is healed, all that was accepted is done within this. */
const SETTLE_MS_MAX = 30_000;
/** More than there will be moves. */
const INDEX_MAX = 100_000_000;

const TASK_FLAGS = ["--result-ttl", String(RESULT_TTL_MS / 1000), "--result-budget", "256"];
const FRONT_FLAGS = [...TASK_FLAGS, "--max-index", String(INDEX_MAX)];

/** Everything that runs. */
export class World implements AsyncDisposable {
  readonly redis: Pair;
  readonly fronts: readonly Member<Server>[];
  readonly executors: readonly Member[];
  #history = new History("before the first round");
  #overAtMs = 0;
  #lateAtMs = 0;

  private constructor(redis: Pair, links: readonly Link[]) {
    this.redis = redis;
    const member = <P extends Program>(name: string, at: number, open: (url: string) => Promise<P>) =>
      new Member(name, links[at]!, open, () => this.#history);
    this.fronts = [0, 1].map((at) => member(`front ${at}`, at, openFront));
    this.executors = [0, 1].map((at) => member(`executor ${at}`, 2 + at, openExecutor));
  }

  static async open(): Promise<World> {
    const redis = await Pair.open();
    const links = await Promise.all([0, 1, 2, 3].map(() => Link.open(() => redis.primary.port)));
    const world = new World(redis, links);
    await Promise.all(world.members.map((member) => member.start()));
    return world;
  }

  /** Of the round that goes on. */
  get history(): History {
    return this.#history;
  }

  /** Begins a round: clients begin new things for this long. */
  begin(round: string, roundMs: number): void {
    this.#history = new History(round);
    this.#overAtMs = performance.now() + roundMs;
    this.#lateAtMs = this.#overAtMs + SETTLE_MS_MAX;
  }

  /** Whether nobody begins anything new. */
  isOver(): boolean {
    return performance.now() > this.#overAtMs;
  }

  /** Whether all that was begun should have come to its end. */
  isLate(): boolean {
    return performance.now() > this.#lateAtMs;
  }

  /** All of our processes. */
  get members(): readonly Member[] {
    return [...this.fronts, ...this.executors];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member[Symbol.asyncDispose]()));
    await this.redis[Symbol.asyncDispose]();
  }
}

function openFront(url: string): Promise<Server> {
  return startServer(["--redis", url, ...FRONT_FLAGS]);
}

function openExecutor(url: string): Promise<Program> {
  return startWorker(url, {}, TASK_FLAGS);
}
