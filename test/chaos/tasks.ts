/**
 * Clients that have numbers computed, and hold us to each task that was accepted.
 * @module
 */
import { isFibonacci } from "../oracle.ts";
import type { Answer, Asker } from "./asking.ts";
import { RESULT_TTL_MS, type World } from "./world.ts";

/** What becomes of a task, and how often of a hundred. */
const FATES = { fetch: 52, watch: 12, burst: 8, twice: 10, cancel: 10, forget: 8 } as const;
type Fate = keyof typeof FATES;
const DEALT = Object.entries(FATES).flatMap(([fate, count]) =>
  Array.from({ length: count }, () => fate as Fate),
);

/** F(n) by n: what a front computes itself, what an executor does, and what is long enough to be met while it is written. */
const SIZES = { short: [10, 20_000], long: [100_000, 5_000_000], huge: [5_000_000, 20_000_000] } as const;
const BURST_COUNT = 20;
/** Pause between two looks at a task. */
const LOOK_MS = 50;
/** A watcher that hears nothing looks again after this. */
const WATCH_MS = 5000;

/** As HTTP has it. */
export interface TaskJson {
  readonly id: string;
  readonly n: string;
  readonly state: "queued" | "running" | "ready" | "failed" | "cancelled";
  readonly digits: number;
  readonly attempts: number;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly expiresAt?: string;
  readonly reason?: string;
}

/** The tasks of a round. */
export class Tasks {
  /** When those that have ended will be forgotten, by id; without those that somebody has forgotten. */
  readonly expiresAtMs = new Map<string, number>();
  readonly #world: World;
  /** When a task was asked for that had not ended then, by id. */
  readonly #seenOpenAtMs = new Map<string, number>();
  readonly #taken = new Set<number>();
  readonly #counts: Record<string, number> = {};

  constructor(world: World) {
    this.#world = world;
  }

  /** Gives out one after the other until the round is over, and follows each to its end. */
  async use(asker: Asker): Promise<void> {
    while (!this.#world.isOver()) {
      const fate = asker.random.pick(DEALT);
      if (fate === "burst") {
        const indices = Array.from({ length: BURST_COUNT }, () => this.#choose(asker, "short"));
        await Promise.all(indices.map((n) => this.#follow(asker, n, fate)));
      } else {
        const { random } = asker;
        const isBrief = fate === "cancel" || fate === "forget";
        const size = random.chance(0.4) ? "short" : random.chance(isBrief ? 0.5 : 0.1) ? "huge" : "long";
        await this.#follow(asker, this.#choose(asker, size), fate);
      }
    }
  }

  /** Accepts a long one, and waits for its result. @returns What it was when it had ended. */
  async mustFinish(asker: Asker, n: number): Promise<TaskJson | undefined> {
    this.#taken.add(n);
    const task = await this.#accept(asker, n);
    return task && (await this.#untilEnded(asker, task, false));
  }

  /** How many there were of each kind. */
  summary(): string {
    return Object.entries(this.#counts)
      .map(([what, count]) => `${count} ${what}`)
      .join(", ");
  }

  // Each n is somebody's alone: what is asked for twice is one task, and cancelled for both.
  #choose(asker: Asker, size: keyof typeof SIZES): number {
    const [min, max] = SIZES[size];
    for (;;) {
      const n = asker.random.ofAnySize(min, max);
      if (!this.#taken.has(n) || (size === "short" && this.#taken.size > max / 2)) {
        this.#taken.add(n);
        return n;
      }
    }
  }

  async #follow(asker: Asker, n: number, fate: Fate): Promise<void> {
    const [task, other] = await Promise.all([
      this.#accept(asker, n),
      ...(fate === "twice" ? [this.#accept(asker, n)] : []),
    ]);
    if (task === undefined) return;
    this.#count(fate);
    if (other !== undefined && other.id !== task.id) {
      asker.violation(`F(${n}) was asked for twice, and is two tasks: ${task.id} and ${other.id}`);
    }
    if (fate === "cancel" || fate === "forget") {
      await Bun.sleep(asker.random.ofAnySize(1, 500));
      await (fate === "cancel" ? this.#cancel(asker, task) : this.#forget(asker, task));
      return;
    }
    if (fate === "watch") await this.#watch(asker, task);
    const ended = await this.#untilEnded(asker, task, false);
    if (ended !== undefined) await this.#fetch(asker, ended);
  }

  async #accept(asker: Asker, n: number): Promise<TaskJson | undefined> {
    const sentAtMs = Date.now();
    const body = JSON.stringify({ kind: "fibonacci", n: String(n) });
    const answer = await asker.insist("POST", "/v1/tasks", [202], { body });
    if (answer === undefined) return undefined;
    const task = taskOf(answer);
    this.#note(task.id, `F(${n}), ${task.digits} digits, was accepted for ${asker.name}: ${task.state}`);
    this.#seenOpenAtMs.set(task.id, sentAtMs);
    return task;
  }

  /** Looks until it has ended. @returns undefined when it is gone, or never ends. */
  async #untilEnded(
    asker: Asker,
    { id, n }: TaskJson,
    mayBeCancelled: boolean,
  ): Promise<TaskJson | undefined> {
    let said = "";
    for (;;) {
      const sentAtMs = Date.now();
      const answer = await asker.insist("GET", `/v1/tasks/${id}`, [200, 404]);
      if (answer === undefined) {
        this.#world.history.violation(id, `F(${n}) was accepted, and has not ended: ${said}`);
        return undefined;
      }
      if (answer.status === 404) {
        this.#gone(id);
        return undefined;
      }
      const task = taskOf(answer);
      const saying = `${task.state}, attempt ${task.attempts} ${task.reason ?? ""}`;
      if (saying !== said) this.#note(id, (said = saying));
      if (task.state === "failed" || (task.state === "cancelled" && !mayBeCancelled)) {
        this.#world.history.violation(id, `F(${n}) is ${task.state}: ${task.reason ?? "by nobody"}`);
      }
      if (task.state !== "queued" && task.state !== "running") {
        this.expiresAtMs.set(id, Date.parse(task.expiresAt!));
        return task;
      }
      this.#seenOpenAtMs.set(id, sentAtMs);
      if (this.#world.isLate()) {
        this.#world.history.violation(id, `F(${n}) was accepted, and has not ended: ${said}`);
        return undefined;
      }
      await Bun.sleep(LOOK_MS);
    }
  }

  /** A task that is unknown must have ended, and so long ago that it is forgotten. */
  #gone(id: string): void {
    this.#count("expired unseen");
    const unseenMs = Date.now() - this.#seenOpenAtMs.get(id)!;
    if (unseenMs < RESULT_TTL_MS) {
      this.#world.history.violation(id, `was accepted, and is unknown ${unseenMs} ms after it was seen open`);
    } else this.#note(id, `unknown, ${unseenMs} ms after it was seen open`);
  }

  async #fetch(asker: Asker, { id, n, digits }: TaskJson): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const answer = await asker.insist("GET", `/v1/tasks/${id}/result?format=text`, [200, 404, 409]);
      if (answer === undefined) return this.#world.history.violation(id, "its result is not there");
      if (answer.status !== 200) {
        // After a failover, one that was ready is computed again when that was not replicated.
        if (answer.status === 404 && Date.now() < this.expiresAtMs.get(id)!) {
          this.#world.history.violation(id, `its result was gone before its time: ${answer.text()}`);
        }
        return this.#count(answer.status === 404 ? "expired unread" : "not ready any more");
      }
      const { body } = answer;
      if (body.length === digits && isFibonacci(Number(n), body)) return this.#count("results right");
      // An answer in chunks, of which a front that died has sent some, is whole to Bun.
      if (body.length < digits && attempt < 5) continue;
      return this.#world.history.violation(
        id,
        `F(${n}) is wrong: ${body.length} digits of ${digits}, from ${body.toString("latin1", 0, 20)}`,
      );
    }
  }

  async #cancel(asker: Asker, { id, n }: TaskJson): Promise<void> {
    const answer = await asker.insist("POST", `/v1/tasks/${id}/cancel`, [200, 404]);
    if (answer?.status === 404) return this.#gone(id);
    if (answer === undefined) return;
    const { state } = taskOf(answer);
    this.#note(id, `was cancelled, and is ${state}`);
    if (state !== "cancelled" && state !== "ready")
      this.#world.history.violation(id, `F(${n}) was cancelled, and is ${state}`);
    await this.#untilEnded(asker, taskOf(answer), true);
  }

  async #forget(asker: Asker, { id }: TaskJson): Promise<void> {
    const answer = await asker.insist("DELETE", `/v1/tasks/${id}`, [204]);
    this.#note(id, "was forgotten");
    const after = answer && (await asker.insist("GET", `/v1/tasks/${id}`, [200, 404]));
    if (after?.status === 200) this.#world.history.violation(id, `was forgotten, and is ${after.text()}`);
  }

  /** Follows its events until they end, which they do by themselves only when the task has. */
  async #watch(asker: Asker, { id }: TaskJson): Promise<void> {
    const front = asker.random.pick(this.#world.fronts);
    const { program } = front;
    if (program === undefined) return;
    const signal = AbortSignal.timeout(WATCH_MS);
    let text = "";
    try {
      const response = await fetch(`${program.url}/v1/tasks/${id}/events`, { signal, keepalive: false });
      if (response.status !== 200) return void (await response.arrayBuffer());
      for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) text += piece;
    } catch {
      // Cut, or nothing has happened for long: whoever watches looks, too.
      return;
    }
    const told = [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json!) as TaskJson);
    const last = told.at(-1);
    // Of a front that was killed Bun says that it has ended well.
    const hasEnded = last !== undefined && last.state !== "queued" && last.state !== "running";
    if (front.program === program && !hasEnded) {
      this.#world.history.violation(id, `its events ended with ${last?.state ?? "nothing"} at ${front.name}`);
    }
  }

  #count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1;
  }

  #note(id: string, text: string): void {
    this.#world.history.note(id, text);
  }
}

function taskOf(answer: Answer): TaskJson {
  return JSON.parse(answer.text()) as TaskJson;
}
