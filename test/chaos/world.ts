/**
 * The world that faults happen to: two Redis, fronts, executors, and a network for each of these.
 * @module
 */
import { type Program, type Server, startServer } from "../binary.ts";
import { startWorker } from "../executor.ts";
import { History } from "./history.ts";
import { Link } from "./link.ts";
import { Member } from "./member.ts";
import type { Servers } from "./servers.ts";

/** A finished task is forgotten after this: no longer than a round takes to settle. */
export const RESULT_TTL_MS = 6000;
/** Room for all that is finished within that time, and less than Redis has. */
export const RESULT_BUDGET_MB = 150;
/** When all is healed, all that was accepted is done within this, on a machine that is slow as well. */
const SETTLE_MS_MAX = 120_000;
/** More than there will be moves. */
const INDEX_MAX = 100_000_000;

const TASK_FLAGS = [
  ["--result-ttl", String(RESULT_TTL_MS / 1000)],
  ["--result-budget", String(RESULT_BUDGET_MB)],
].flat();

/** Starts a process. */
type Open<P> = (url: string, flags: readonly string[]) => Promise<P>;

/** Everything that runs; its two Redis are their owner's to end. */
export class World implements AsyncDisposable {
  readonly servers: Servers;
  readonly fronts: readonly Member<Server>[];
  readonly executors: readonly Member[];
  /** Which fronts and executors find Redis over a network of their own, and not by Sentinel. */
  readonly linked: readonly number[];
  #history = new History("before the first round");
  #overAtMs = 0;
  #lateAtMs = Infinity;

  private constructor(servers: Servers, links: readonly Link[]) {
    this.servers = servers;
    const { sentinelUrl } = servers;
    this.linked = sentinelUrl === undefined ? [0, 1] : [1];
    const member = <P extends Program>(role: string, at: number, link: Link, open: Open<P>) => {
      const url = at === 0 && sentinelUrl !== undefined ? sentinelUrl : link.url;
      const wait = sentinelUrl === undefined ? [] : ["--redis-wait", "1"];
      return new Member(
        `${role} ${at}`,
        link,
        () => open(url, [...TASK_FLAGS, ...wait]),
        () => this.#history,
      );
    };
    this.fronts = [0, 1].map((at) => member("front", at, links[at]!, openFront));
    this.executors = [0, 1].map((at) => member("executor", at, links[2 + at]!, openExecutor));
  }

  static async open(servers: Servers): Promise<World> {
    const target = async () => (await servers.primary()).port;
    const links = await Promise.all([0, 1, 2, 3].map(() => Link.open(target)));
    const world = new World(servers, links);
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
    this.#lateAtMs = Infinity;
  }

  /** All faults of the round are over. */
  healed(): void {
    this.#lateAtMs = performance.now() + SETTLE_MS_MAX;
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
  }
}

function openFront(url: string, flags: readonly string[]): Promise<Server> {
  return startServer(["--redis", url, "--max-index", String(INDEX_MAX), ...flags]);
}

function openExecutor(url: string, flags: readonly string[]): Promise<Program> {
  return startWorker(url, {}, flags);
}
