/**
 * Clients that move the cursor, and what must be true of all their moves together.
 *
 * A cursor that only goes forward is a counter, so what it answers can be checked whole: each index once, and no move
 * that began after another one had been answered has a smaller index.
 * @module
 */
import type { Answer, Asker } from "./asking.ts";
import type { World } from "./world.ts";

/** The cursor remembers so many keys. */
const KEYS_REMEMBERED = 100;
/** Pause between two moves of a client: it is faults that are to be met, not limits. */
const PAUSE_MS = 5;

interface Move {
  readonly key: string;
  readonly index: number;
  /** When it was sent first. */
  readonly sentAtMs: number;
  readonly answeredAtMs: number;
}

/** The moves of a round. */
export class Moves {
  readonly #world: World;
  readonly #answered: Move[] = [];
  readonly #counts = new Map<Asker, number>();
  #unknownCount = 0;
  #beforeIndex = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Where the cursor was before the round. */
  async begin(asker: Asker): Promise<void> {
    this.#beforeIndex = (await this.#current(asker)) ?? 0;
  }

  /** Moves with keys, each until it is answered. */
  async moveWithKeys(asker: Asker, client: number, clients: number): Promise<void> {
    this.#counts.set(asker, 0);
    for (let count = 0; !this.#world.isOver(); count++) {
      this.#counts.set(asker, count);
      // A key must still be known when it is tried again: nobody runs ahead of who waits.
      const ahead = () => count - Math.min(...this.#counts.values());
      while (ahead() * clients >= KEYS_REMEMBERED / 2 && !this.#world.isOver()) await Bun.sleep(PAUSE_MS);
      const key = `${this.#world.history.id}-${client}-${count}`;
      const sentAtMs = performance.now();
      const headers = { "idempotency-key": key };
      const answer = await asker.insist("POST", "/v1/cursor/next", [200], { headers });
      if (answer === undefined) return asker.violation(`the move ${key} was never answered`);
      this.#keep(asker, key, sentAtMs, indexOf(answer));
      // Who asks again is told the same.
      if (asker.random.chance(0.1)) {
        const again = await asker.insist("POST", "/v1/cursor/next", [200], { headers });
        const index = this.#answered.findLast((move) => move.key === key)!.index;
        if (again !== undefined && indexOf(again) !== index) {
          asker.violation(`the move ${key} was answered with ${index}, and then with ${indexOf(again)}`);
        }
      }
      await Bun.sleep(asker.random.between(0, 2 * PAUSE_MS));
    }
    this.#counts.delete(asker);
  }

  /** Moves without keys: what is not answered may have happened. */
  async moveWithout(asker: Asker): Promise<void> {
    for (let count = 0; !this.#world.isOver(); count++) {
      const sentAtMs = performance.now();
      const answer = await asker.ask("POST", "/v1/cursor/next");
      if (answer?.status === 200) this.#keep(asker, `none-${count}`, sentAtMs, indexOf(answer));
      else this.#unknownCount++;
      await Bun.sleep(asker.random.between(PAUSE_MS, 20 * PAUSE_MS));
    }
  }

  /** One move through a front that must make it. */
  async moveOnce(asker: Asker): Promise<void> {
    const key = `${this.#world.history.id}-${asker.name}`;
    const sentAtMs = performance.now();
    const answer = await asker.insist("POST", "/v1/cursor/next", [200], {
      headers: { "idempotency-key": key },
    });
    if (answer !== undefined) this.#keep(asker, key, sentAtMs, indexOf(answer));
  }

  /** Reads: no position that nobody has asked for. */
  async read(asker: Asker): Promise<void> {
    while (!this.#world.isOver()) {
      await this.#current(asker);
      await Bun.sleep(asker.random.between(0, 10 * PAUSE_MS));
    }
  }

  /** Once nobody moves any more. */
  async check(asker: Asker): Promise<void> {
    const { history } = this.#world;
    const moves = this.#answered.toSorted((a, b) => a.index - b.index);
    for (const [at, move] of moves.entries()) {
      const next = moves[at + 1];
      if (next?.index === move.index)
        history.violation("", `${move.key} and ${next.key} both moved to ${move.index}`);
    }
    // From the last to the first: whoever was sent after a larger index was answered has a larger one.
    let sentLastMs = -Infinity;
    for (const move of moves) {
      if (move.answeredAtMs < sentLastMs) {
        history.violation(
          "",
          `${move.key} moved to ${move.index}, and was answered before a smaller one was sent`,
        );
      }
      sentLastMs = Math.max(sentLastMs, move.sentAtMs);
    }
    const index = await this.#current(asker);
    const sure = this.#beforeIndex + moves.length;
    if (index === undefined || index < sure || index > sure + this.#unknownCount) {
      history.violation(
        "",
        `the cursor is at ${index}: ${moves.length} moves from ${this.#beforeIndex} were answered, ${this.#unknownCount} were not`,
      );
    }
    history.sum(
      `${moves.length} moves were answered, ${this.#unknownCount} without keys were not; the cursor is at ${index}`,
    );
  }

  async #current(asker: Asker): Promise<number | undefined> {
    const answer = await asker.insist("GET", "/v1/cursor", [200]);
    return answer && indexOf(answer);
  }

  #keep(asker: Asker, key: string, sentAtMs: number, index: number): void {
    this.#answered.push({ key, index, sentAtMs, answeredAtMs: performance.now() });
    asker.note(`${key} → ${index}`);
  }
}

function indexOf(answer: Answer): number {
  return Number((JSON.parse(answer.text()) as { index: string }).index);
}
