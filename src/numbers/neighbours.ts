/**
 * Values for a cursor, which asks for one index and then for one next to it.
 *
 * A value of 21,000 digits costs a transform (0.4 ms), the one beside it an addition or a
 * subtraction (3 µs). So the last value is kept with its successor, and a step in either
 * direction is computed from the two.
 *
 * An error would be in every later value, so after each step both values are checked as they are kept: modulo
 * 10^16 - 1, where what they must be follows from F's own recurrence. What is wrong is computed anew.
 * @module
 */
import { noticeFailed } from "../notices.ts";
import { MODULUS, returnAdder, takeAdder } from "./adder.ts";
import { textOf } from "./decimal.ts";
import { fibonacciResidues } from "./start.ts";
import type { Pool } from "./pool.ts";
import { termPair } from "./term-pair.ts";

/** Values from here on (400,000 digits, 4 ms) are computed on a thread, and the last one is kept. */
const THREAD_INDEX_MIN = 2_000_000;
/** What the pool knows the cursor by, beside the addresses of clients: it is everybody's. */
const HOLDER = "cursor";

type Pair = [Uint8Array, Uint8Array];

/** Makes the values of a cursor. One for each server. */
export class Neighbours {
  readonly #pool: Pick<Pool, "run">;
  /** F(#index), F(#index + 1), and the text of the first. */
  #index = Number.NaN;
  #pair: Pair = [new Uint8Array(), new Uint8Array()];
  /** What the two must be modulo {@link MODULUS}. */
  #residues: [bigint, bigint] = [0n, 0n];
  #text = "";
  #long: { index: number; text: Promise<string> } | undefined;

  constructor(pool: Pick<Pool, "run">) {
    this.#pool = pool;
  }

  /**
   * F(index) as text.
   *
   * @returns At once, or for long values a promise.
   * @throws {@link FibError} `overloaded`, when too many long values are waited for.
   */
  at(index: number): string | Promise<string> {
    if (index === this.#index) return this.#text;
    if (index >= THREAD_INDEX_MIN) return this.#computeOnThread(index);
    if (!this.#step(index)) {
      this.#pair = termPair(index);
      this.#residues = fibonacciResidues(index, MODULUS);
    }
    this.#index = index;
    this.#text = textOf(this.#pair[0]);
    return this.#text;
  }

  /** Goes to an index beside the last one. @returns false when it is none, or when the outcome is wrong. */
  #step(index: number): boolean {
    const [value, successor] = this.#pair;
    const [residue, nextResidue] = this.#residues;
    const isForward = index === this.#index + 1;
    if (!isForward && index !== this.#index - 1) return false;
    const adder = takeAdder(successor.length + 1);
    try {
      if (isForward) {
        this.#pair = [successor, adder.add(value, successor)];
        this.#residues = [nextResidue, (residue + nextResidue) % MODULUS];
      } else {
        this.#pair = [adder.subtract(value, successor), value];
        this.#residues = [(nextResidue - residue + MODULUS) % MODULUS, residue];
      }
      if (this.#pair.every((text, i) => adder.residueOf(text) === this.#residues[i])) {
        returnAdder(adder);
        return true;
      }
    } catch (error) {
      // A damaged pointer has led it out of its memory.
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    }
    noticeFailed("recurrence", `F(${index}) was wrong before it was shown`);
    return false;
  }

  #computeOnThread(index: number): Promise<string> {
    if (this.#long?.index === index) return this.#long.text;
    const digits = this.#pool.run({ kind: "fibonacci", n: index }, { holder: HOLDER });
    const long = { index, text: digits.then(textOf) };
    this.#long = long;
    // A refusal is for those who have asked; the next one tries again.
    long.text.catch(() => {
      if (this.#long === long) this.#long = undefined;
    });
    return long.text;
  }
}
