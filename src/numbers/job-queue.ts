/**
 * The jobs that wait for a thread, and which of them is next.
 *
 * An answer, for which somebody waits now, goes before what runs in the background: a task, which is fetched later.
 * Within either kind the highest response ratio goes first, (wait + cost) / cost: short ones overtake long ones, and
 * each grows older until it is its turn. So none starves:
 *
 * - Where m threads work for one kind, at most Q of it wait, and A is the work that was there before, a job of cost C
 *   starts after 2·(A + Q·C)/m at most. Who overtakes it when it has waited t has itself waited t/C for each
 *   millisecond of its cost; were threads busy with such ones until T, these had waited m·T²/2C together, and Q jobs
 *   cannot wait longer than Q·T together.
 * - Answers overtake those in the background {@link OVERTAKEN_MAX} times in a row at most.
 *
 * Rejected: first come, first served (F(25,001), 0.1 ms, waited for 21 factorials); shortest first without ageing
 * (10^6! never starts among endless small ones); a heap, as the order changes while time passes, and looking at each
 * of 10,000 takes 13 µs, which is little for what needs a thread.
 * @see P. Brinch Hansen, "An analysis of response ratio scheduling" (1971)
 * @module
 */

/**
 * So many answers start before one job of the background that waits. Tasks get one start in nine, however many
 * answers come. An answer meets about one task for eight others, and with a full queue (64) waits for no more than
 * eight tasks of 0.2 s: a few seconds at worst, where more turns would cost it its precedence.
 */
export const OVERTAKEN_MAX = 8;

/** What decides when a job starts. */
export interface Waiting {
  /** Nobody waits for it now. */
  readonly background: boolean;
  /** How long it will take, roughly; above 0. */
  readonly costMs: number;
  /** When it came, on the clock of {@link JobQueue.take}. */
  readonly sinceMs: number;
}

/** Jobs that wait. It starts none, and has no clock and no limit. */
export class JobQueue<Job extends Waiting> {
  readonly #answers = new Set<Job>();
  readonly #background = new Set<Job>();
  /** Answers that were taken in a row while somebody in the background waited. */
  #overtakenCount = 0;

  get size(): number {
    return this.#answers.size + this.#background.size;
  }

  add(job: Job): void {
    (job.background ? this.#background : this.#answers).add(job);
  }

  delete(job: Job): void {
    (job.background ? this.#background : this.#answers).delete(job);
  }

  /** Takes out all answers. */
  clearAnswers(): Job[] {
    const all = [...this.#answers];
    this.#answers.clear();
    return all;
  }

  /** Takes out all of them. */
  clear(): Job[] {
    const all = [...this.clearAnswers(), ...this.#background];
    this.#background.clear();
    return all;
  }

  /**
   * Takes out the one that is next.
   *
   * @param answersOnly - Leaves the background where it is.
   */
  take(nowMs: number, answersOnly = false): Job | undefined {
    const backgroundWaits = this.#background.size > 0 && !answersOnly;
    const isOverdue = this.#overtakenCount >= OVERTAKEN_MAX || this.#answers.size === 0;
    const jobs = backgroundWaits && isOverdue ? this.#background : this.#answers;
    this.#overtakenCount = backgroundWaits && !isOverdue ? this.#overtakenCount + 1 : 0;
    const next = mostUrgent(jobs, nowMs);
    if (next !== undefined) jobs.delete(next);
    return next;
  }
}

/** The one with the highest response ratio, which is 1 more than wait / cost; of equals the first. */
function mostUrgent<Job extends Waiting>(jobs: Iterable<Job>, nowMs: number): Job | undefined {
  let found: Job | undefined;
  let ratioMax = -Infinity;
  for (const job of jobs) {
    const ratio = (nowMs - job.sinceMs) / job.costMs;
    if (ratio <= ratioMax) continue;
    found = job;
    ratioMax = ratio;
  }
  return found;
}
