/**
 * Values for a cursor, which asks for one index and then for one next to it.
 *
 * A value of 21,000 digits costs a transform (0.4 ms), the one beside it an addition or a
 * subtraction (3 µs). So the last value is kept with its successor, and a step in either
 * direction is computed from the two.
 * @module
 */
import { returnAdder, takeAdder } from "./adder.ts";
import { textOf } from "./decimal.ts";
import { fibonacci, fibonacciPair } from "./fibonacci.ts";
import type { Pool } from "./pool.ts";

/** Up to here every value is kept as text: they are what cursors mostly show, and take 1 µs to make anew. */
const TABLE_COUNT = 128;
/** Values from here on (400,000 digits, 4 ms) are computed on a thread, and the last one is kept. */
const THREAD_INDEX_MIN = 2_000_000;
/** What the pool knows the cursor by, beside the addresses of clients: it is everybody's. */
const HOLDER = "cursor";

/** Makes the values of a cursor. One for each server. */
export class Neighbours {
  readonly #pool: Pick<Pool, "run">;
  readonly #table: string[] = [];
  /** F(#index), F(#index + 1), and the text of the first. */
  #index = Number.NaN;
  #pair: [Uint8Array, Uint8Array] = [new Uint8Array(), new Uint8Array()];
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
    if (index < TABLE_COUNT) return (this.#table[index] ??= textOf(fibonacci(index)));
    if (index === this.#index) return this.#text;
    if (index >= THREAD_INDEX_MIN) return this.#computeOnThread(index);
    const [value, successor] = this.#pair;
    if (index === this.#index + 1) this.#pair = [successor, added(value, successor)];
    else if (index === this.#index - 1) this.#pair = [subtracted(value, successor), value];
    else this.#pair = fibonacciPair(index);
    this.#index = index;
    this.#text = textOf(this.#pair[0]);
    return this.#text;
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

function added(a: Uint8Array, b: Uint8Array): Uint8Array {
  const adder = takeAdder(b.length + 1);
  const sum = adder.add(a, b).slice();
  returnAdder(adder);
  return sum;
}

function subtracted(a: Uint8Array, b: Uint8Array): Uint8Array {
  const adder = takeAdder(b.length);
  const difference = adder.subtract(a, b).slice();
  returnAdder(adder);
  return difference;
}
