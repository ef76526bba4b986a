/**
 * Draws the spiral of squares, and lets it turn from one index to the next.
 *
 * What is drawn is a place p between two indices: the picture of the upper one, enlarged about its eye as far as p is below
 * it. So forwards and backwards are the same, nothing is ever missing at the edge, and a held key is one movement: p follows
 * the index, and slows down as it comes near. Animations of a step each, with easing, would begin anew thirty times a second.
 *
 * Works on the DOM itself: a frame changes a few attributes, and Hono would compare the whole part for that.
 * @module
 */
import { arcOf, labelOf, type Spiral, spiralOf, type Square } from "./spiral.ts";

/** Units of the picture, which has a height of 1, that make its height in the SVG. */
const UNITS = 1000;
/** Room for half of the outermost lines. */
const MARGIN = 4;
/** In so much time about two thirds of the way are gone. */
const FOLLOW_MS = 110;
/** It falls no further behind than that. */
const BEHIND_MAX = 4;
/** As near as nobody can see. */
const NEAR = 0.002;
const LABEL_PX_MAX = 17;
const LABEL_PX_MIN = 9;

/** Whether somebody wants things to stand still. */
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** A drawing in an SVG that nobody else fills. */
export class SpiralDrawing {
  readonly #svg: SVGSVGElement;
  readonly #group = make("g");
  #picture: Picture | undefined;
  /** What is asked for, and how far it is. */
  #index = 0;
  #place = 0;
  #frame: number | undefined;

  constructor(svg: SVGSVGElement) {
    this.#svg = svg;
    svg.append(this.#group);
  }

  /** Draws an index: turns there from one beside it, and is there at once from any other. */
  show(index: number): void {
    // Hono may run an effect twice, and the second time would be no step.
    if (this.#picture !== undefined && index === this.#index) return;
    const isStep = this.#picture !== undefined && Math.abs(index - this.#index) === 1;
    this.#index = index;
    if (!isStep || still.matches) this.#place = index;
    else this.#place = Math.min(index + BEHIND_MAX, Math.max(index - BEHIND_MAX, this.#place));
    if (this.#place === index) this.#draw();
    else this.#frame ??= requestAnimationFrame((nowMs) => this.#follow(nowMs, nowMs - 16));
  }

  /** Draws no more. */
  end(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#group.remove();
  }

  #follow(nowMs: number, beforeMs: number): void {
    const rest = (this.#index - this.#place) * Math.exp((beforeMs - nowMs) / FOLLOW_MS);
    const isThere = Math.abs(rest) < NEAR;
    this.#place = isThere ? this.#index : this.#index - rest;
    this.#draw();
    this.#frame = isThere ? undefined : requestAnimationFrame((nextMs) => this.#follow(nextMs, nowMs));
  }

  #draw(): void {
    const upper = Math.ceil(this.#place);
    if (this.#picture?.index !== upper) {
      this.#picture = new Picture(upper, this.#svg);
      this.#group.replaceChildren(...this.#picture.elements);
    }
    const { width, transform } = this.#picture.turned(upper - this.#place);
    const size = `${rounded(width * UNITS) + 2 * MARGIN} ${UNITS + 2 * MARGIN}`;
    this.#svg.setAttribute("viewBox", `${-MARGIN} ${-MARGIN} ${size}`);
    this.#group.setAttribute("transform", transform);
  }
}

/** The elements of one index. */
class Picture {
  readonly index: number;
  readonly elements: readonly SVGElement[];
  readonly #spiral: Spiral;
  readonly #rects: readonly SVGElement[];
  readonly #labels: readonly { readonly text: SVGElement; readonly x: number; readonly y: number }[];

  constructor(index: number, { clientWidth, clientHeight }: SVGSVGElement) {
    this.index = index;
    this.#spiral = spiralOf(index);
    const { squares, width } = this.#spiral;
    const heightPx = Math.min(clientHeight, clientWidth / width);
    this.#rects = squares.map(({ x, y, side }) =>
      make("rect", { x: units(x), y: units(y), width: units(side), height: units(side) }),
    );
    this.#labels = squares.flatMap((square) => labelled(square, heightPx));
    const texts = this.#labels.map(({ text }) => text);
    this.elements = [...this.#rects, ...texts, make("path", { d: pathOf(squares) })];
  }

  /** Turns back by a part of a step. @returns How the whole is to be moved, and how wide it is then. */
  turned(part: number): { readonly width: number; readonly transform: string } {
    const { squares, eye, zoom, width } = this.#spiral;
    for (const [at, { index }] of squares.entries()) {
      const age = Math.max(0, this.index - part - index);
      this.#rects[at]!.setAttribute(
        "fill-opacity",
        String(rounded(Math.min(0.64, 0.03 + 0.035 * age + 0.005 * age ** 2))),
      );
    }
    // Labels stay upright.
    for (const { text, x, y } of this.#labels)
      text.setAttribute("transform", `rotate(${rounded(90 * part)} ${x} ${y})`);
    const before = this.index < 2 ? width : spiralOf(this.index - 1).width;
    const [x, y] = [units(eye.x), units(eye.y)];
    const turn = `rotate(${rounded(-90 * part)}) scale(${zoom ** part})`;
    return {
      width: width + (before - width) * part,
      transform: part === 0 ? "" : `translate(${x} ${y}) ${turn} translate(${-x} ${-y})`,
    };
  }
}

/** The label of a square that is large enough for one. */
function labelled({ index, x, y, side }: Square, heightPx: number) {
  const { isTerm, text: label } = labelOf(index);
  const length = label.length + (isTerm ? 0 : 1);
  const sizePx = Math.min(LABEL_PX_MAX, (side * heightPx * 1.1) / Math.max(4, length));
  if (sizePx < LABEL_PX_MIN) return [];
  const [centreX, centreY] = [units(x + side / 2), units(y + side / 2)];
  const text = make("text", { x: centreX, y: centreY, "font-size": rounded((sizePx / heightPx) * UNITS) });
  if (!isTerm) text.append(make("tspan", {}, "F"));
  text.append(label);
  return [{ text, x: centreX, y: centreY }];
}

/** The quarter circles; a dot where there is no square. */
function pathOf(squares: readonly Square[]): string {
  if (squares.length === 0) return `M${UNITS / 2} ${UNITS / 2}h0`;
  return squares
    .map((square, at) => {
      const [x0, y0, x1, y1] = arcOf(square).map(units);
      const radius = units(square.side);
      return `${at === 0 ? `M${x0} ${y0}` : ""}A${radius} ${radius} 0 0 0 ${x1} ${y1}`;
    })
    .join("");
}

function make(
  name: string,
  attributes: Readonly<Record<string, string | number>> = {},
  text?: string,
): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.append(text);
  return element;
}

function units(length: number): number {
  return rounded(length * UNITS);
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
