/**
 * How long what is computed has still to go, by what was seen of it. Pure.
 * @module
 */

/** How far it was, and when. */
interface Reading {
  readonly atMs: number;
  readonly progress: number;
}

/** So much of the past counts. */
const READINGS_MAX = 16;
/** Half of what has been seen has to foretell the other half as well as this. */
const STEADY = 0.25;
const SEEN_MS_MIN = 2000;

/** The tasks that run. */
export class Paces {
  #seen = new Map<string, readonly Reading[]>();

  /** Notes how far each of them is; what is not among them has ended, and what has gone back has begun anew. */
  note(running: readonly { readonly id: string; readonly progress: number }[], atMs: number): void {
    const readings = running.map(({ id, progress }) => {
      const before = this.#seen.get(id) ?? [];
      const goesOn = progress >= (before.at(-1)?.progress ?? 0);
      return [id, [...(goesOn ? before.slice(1 - READINGS_MAX) : []), { atMs, progress }]] as const;
    });
    this.#seen = new Map(readings);
  }

  /** Undefined while it has not been seen for long, and where it goes now slower, now faster. */
  secondsLeft(id: string): number | undefined {
    const readings = this.#seen.get(id) ?? [];
    const [first, last] = [readings[0], readings.at(-1)];
    const middle = readings[readings.length >> 1];
    if (!first || !middle || !last || last.atMs - first.atMs < SEEN_MS_MIN) return undefined;
    const pace = paceOf(first, last);
    const isSteady = Math.abs(paceOf(middle, last) - pace) <= STEADY * pace;
    return isSteady && pace > 0 ? (1 - last.progress) / pace : undefined;
  }
}

/** In a second. */
function paceOf(from: Reading, to: Reading): number {
  return ((to.progress - from.progress) / (to.atMs - from.atMs)) * 1000;
}
