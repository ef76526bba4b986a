/**
 * The limits that hold for all processes on one Redis: those of whoever was there first. The others are told, and keep to
 * them, until nobody is left who was started with them; then their own hold.
 *
 * Rejected: each process by its own (a task would expire by the executor's `--result-ttl` or by another's, as it comes).
 *
 * Results have no more than a part of what Redis may use at all, whatever the limit says: it must not refuse moves.
 * @module
 */
import type { RedisConnection } from "../redis/connection.ts";
import type { TaskLimits } from "./queue.ts";
import { AGREE } from "./scripts.ts";

/** Limits that nobody has repeated for so long are nobody's any more. */
const KEEP_MS = 30_000;
/** Of Redis's `maxmemory`; the rest is for records that wait, the queue and the cursor. */
const RESULTS_PART = 0.6;

/** The flags that set them, with the factor to their units. */
const FLAGS = {
  tasksMax: { flag: "--max-tasks", unit: 1 },
  resultTtlMs: { flag: "--result-ttl", unit: 1000 },
  resultBytesMax: { flag: "--result-budget", unit: 2 ** 20 },
} as const;
type Name = keyof typeof FLAGS;
const NAMES = Object.keys(FLAGS) as Name[];

/** The limits of one process, and of all. */
export class SharedLimits {
  readonly #redis: RedisConnection;
  /** With its colon. */
  readonly #prefix: string;
  readonly #own: TaskLimits;
  readonly #notice: (message: string) => void;
  #current: TaskLimits;
  #told = "";

  constructor(
    redis: RedisConnection,
    prefix: string,
    own: TaskLimits,
    notice: (message: string) => void = () => {},
  ) {
    this.#redis = redis;
    this.#prefix = `${prefix}:`;
    this.#own = own;
    this.#current = own;
    this.#notice = notice;
  }

  /** Those that hold now. */
  get current(): TaskLimits {
    return this.#current;
  }

  /**
   * Says and hears what holds. To be repeated well within {@link KEEP_MS}.
   *
   * @throws {@link FibError} as `RedisConnection.run` does.
   */
  async agree(): Promise<void> {
    const own = NAMES.map((name) => this.#own[name]).join(" ");
    const agreed = String(await this.#redis.run(AGREE, [this.#prefix], [own, String(KEEP_MS)]));
    const values = agreed.split(" ").map(Number);
    const shared = Object.fromEntries(NAMES.map((name, i) => [name, values[i]!])) as Pick<TaskLimits, Name>;
    const memoryBytes = await this.#memoryBytes();
    const roomBytes = Math.floor(memoryBytes * RESULTS_PART);
    this.#current = { ...this.#own, ...shared, resultBytesMax: Math.min(shared.resultBytesMax, roomBytes) };
    this.#tell(shared, memoryBytes);
  }

  /** What Redis may use at all. */
  async #memoryBytes(): Promise<number> {
    const info = String(await this.#redis.send("INFO", ["memory"]));
    const maxBytes = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0);
    return maxBytes === 0 ? Number.POSITIVE_INFINITY : maxBytes;
  }

  #tell(shared: Pick<TaskLimits, Name>, memoryBytes: number): void {
    const lines = NAMES.filter((name) => shared[name] !== this.#own[name]).map((name) => {
      const { flag, unit } = FLAGS[name];
      return `${flag} is ${this.#own[name] / unit} here and ${shared[name] / unit} for those who were there first: theirs holds until they have ended`;
    });
    const { resultBytesMax } = this.#current;
    if (resultBytesMax < shared.resultBytesMax) {
      const { flag, unit } = FLAGS.resultBytesMax;
      const [given, all, room] = [shared.resultBytesMax, memoryBytes, resultBytesMax].map(
        (bytes) => +(bytes / unit).toFixed(1),
      );
      lines.push(
        `${flag} is ${given}, and Redis has a maxmemory of ${all} MB: ${room} MB of it are for results`,
      );
    }
    const text = lines.join("\n");
    if (text === this.#told) return;
    this.#told = text;
    const own = NAMES.map((name) => `${FLAGS[name].flag} ${this.#own[name] / FLAGS[name].unit}`).join(", ");
    for (const line of lines.length > 0 ? lines : [`What this process was started with holds now: ${own}`])
      this.#notice(line);
  }
}
