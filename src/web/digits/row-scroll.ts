/**
 * Which row of a text is at the top, after a scroll. Browsers end at 17 to 33 million pixels, and a million terms in rows
 * are 3·10^10, so the pane that is scrolled has 10 million at most, and stands for them all:
 *
 * - a small step of the pane is the same step in the text, to the pixel, as a wheel or a finger makes it;
 * - a large one, as only the thumb makes it, is a jump in proportion, to a whole row: the smallest that a thumb can do on a track of
 *   500 pixels is 20 000;
 * - both ends are exact.
 *
 * Small steps let the pane drift from where the text is. That is put right once it rests, and only where it would be seen,
 * or where an end is near: who sets the position while somebody's finger is on it would stop it.
 *
 * Positions in the text are in pixels, whole numbers below 2^53 for up to 10^14 rows.
 * @module
 */

/** The pane's greatest height. */
const PANE_MAX_PX = 10_000_000;

/** From here on a step is the thumb's. */
const JUMP_PX = 5000;

/** How far the pane may be from where the text is, and how far it stays from an end that the text has not reached. */
const DRIFT_MAX_PX = 20_000;

/** A text of some height, seen through a box, by a pane that is scrolled. */
export class RowScroll {
  readonly boxHeight: number;
  readonly paneHeight: number;
  readonly textMax: number;
  /** The position in the text of what is at the top of the box, from 0 to {@link RowScroll.textMax}. */
  #text = 0;
  #pane = 0;
  readonly #lineHeight: number;

  /**
   * @param rows - How many the text has.
   * @param lineHeight - Of each.
   * @param boxHeight - Of what is seen.
   */
  constructor(rows: number, lineHeight: number, boxHeight: number) {
    const textHeight = rows * lineHeight;
    this.#lineHeight = lineHeight;
    this.boxHeight = boxHeight;
    this.textMax = Math.max(0, textHeight - boxHeight);
    this.paneHeight = Math.min(textHeight, PANE_MAX_PX);
  }

  get #paneMax(): number {
    return Math.max(0, this.paneHeight - this.boxHeight);
  }

  /** What is at the top of the box. */
  get text(): number {
    return this.#text;
  }

  /** The first row of which at least a half is seen. */
  get row(): number {
    return Math.round(this.#text / this.#lineHeight);
  }

  /**
   * The pane has been scrolled by somebody.
   *
   * @returns Whether it was a jump.
   */
  scrolled(pane: number): boolean {
    const step = pane - this.#pane;
    this.#pane = pane;
    if (this.textMax === this.#paneMax) this.#text = this.#within(pane);
    else if (pane <= 0) this.#text = 0;
    // A browser's last position may be a part of a pixel before the last.
    else if (pane >= this.#paneMax - 1) this.#text = this.textMax;
    else if (Math.abs(step) < JUMP_PX) this.#text = this.#within(this.#text + step);
    else {
      const row = Math.round(((pane / this.#paneMax) * this.textMax) / this.#lineHeight);
      this.#text = this.#within(row * this.#lineHeight);
      return true;
    }
    return false;
  }

  /** Goes to a position in the text. @returns Where the pane has to be for it. */
  goTo(text: number): number {
    this.#text = this.#within(text);
    this.#pane = this.#paneOf(this.#text);
    return this.#pane;
  }

  /** Where the pane has to be, now that it rests; undefined where it is right. */
  rest(): number | undefined {
    const pane = this.#paneOf(this.#text);
    const isEnd = this.#text === 0 || this.#text === this.textMax;
    const isNearEnd = Math.min(this.#pane, this.#paneMax - this.#pane) < DRIFT_MAX_PX / 2;
    const isRight = isEnd || isNearEnd ? pane === this.#pane : Math.abs(pane - this.#pane) <= DRIFT_MAX_PX;
    return isRight ? undefined : this.goTo(this.#text);
  }

  #within(text: number): number {
    return Math.min(Math.max(0, text), this.textMax);
  }

  #paneOf(text: number): number {
    const max = this.#paneMax;
    if (this.textMax === max) return text;
    if (text === 0 || text === this.textMax) return text === 0 ? 0 : max;
    const pane = Math.round((text / this.textMax) * max);
    return Math.min(Math.max(DRIFT_MAX_PX, pane), max - DRIFT_MAX_PX);
  }
}
