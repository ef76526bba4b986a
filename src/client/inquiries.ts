/**
 * What can be found out about a number without its digits: the answers, checked before they are handed out.
 * @module
 */
import { isCount } from "./checks.ts";
import { readDigits, readIndex } from "./digits.ts";
import { FibClientError } from "./error.ts";
import { positive, shown } from "./limits.ts";
import type { CallOptions } from "./options.ts";

/** F(n) is φ^n / √5, rounded. */
const [LOG10_PHI, LOG10_SQRT_5] = [0.20898764024997873, 0.349485002168009];
const LOG10_PHI_SCALED = 208_987_640_249_978_734n;
const SCALE = 10n ** 18n;

/** Which ends of F(n) are wanted, how many digits of each: the first, the last, or both. */
export interface EndsOptions extends CallOptions {
  readonly first?: number | undefined;
  readonly last?: number | undefined;
}

/** The ends of F(n): what was asked for, and how many digits it has. */
export interface Ends {
  readonly digits: bigint;
  readonly first?: string;
  /** With its leading zeros. */
  readonly last?: string;
}

/** How often each digit is in F(n). */
export interface DigitCounts {
  /** How many there are. */
  readonly digits: number;
  readonly sum: number;
  /** Of 0, 1, … 9. */
  readonly counts: readonly number[];
}

/** Which ends are asked for, as the server takes it. @throws RangeError for a count that is none; TypeError without one. */
export function endsQuery({ first, last }: EndsOptions): Readonly<Record<string, string>> {
  const given = Object.entries({ first, last }).filter(([, count]) => count !== undefined);
  if (given.length === 0) throw new TypeError("Cannot find the ends: give first, last, or both");
  return Object.fromEntries(given.map(([name, count]) => [name, positive(count!, name)]));
}

/**
 * The ends of F(n).
 *
 * @param asked - As {@link endsQuery} has it.
 * @throws {@link FibClientError} `bad_answer`, when it is not what was asked for.
 */
export function readEnds(body: unknown, n: string, asked: Readonly<Record<string, string>>): Ends {
  const given = answerTo(body, "n", n);
  const count = readDigits(given["digits"]);
  // F(n) has a fifth of n. What goes on for megabytes is not even read as a number.
  if (count.length > n.length || count.startsWith("0") || !isNear(BigInt(count), BigInt(n)))
    throw noAnswer("digits", count);
  const digits = BigInt(count);
  const ends = Object.entries(asked).map(([name, wanted]) => {
    const end = readDigits(given[name]);
    const length = digits < BigInt(wanted) ? digits : BigInt(wanted);
    // A number begins with a zero only if it is one.
    if (BigInt(end.length) === length && (name === "last" || length === 1n || !end.startsWith("0")))
      return [name, end] as const;
    throw new FibClientError("bad_answer", `The server sent ${shown(end)} for ${name}=${wanted}`);
  });
  // Where one of them is the whole number, the other is a part of it.
  const whole = ends.find(([, end]) => BigInt(end.length) === digits)?.[1];
  const isRight = ends.every(
    ([name, end]) => (name === "last" ? whole?.endsWith(end) : whole?.startsWith(end)) ?? true,
  );
  if (!isRight) throw noAnswer("the ends", ends.join(" "));
  return { digits, ...Object.fromEntries(ends) };
}

/** Whether F(n) may have so many digits: n log10(φ) but for one, or for what is behind the 18th place of it. */
function isNear(digits: bigint, n: bigint): boolean {
  const distance = digits * SCALE - n * LOG10_PHI_SCALED;
  const tolerance = n + SCALE;
  return digits > 0n && distance <= tolerance && -distance <= tolerance;
}

/** The indices of a Zeckendorf representation. @throws {@link FibClientError} `bad_answer` for what is none. */
export function readIndices(body: unknown, value: string): number[] {
  const { indices } = answerTo(body, "value", value);
  if (!Array.isArray(indices)) throw noAnswer("indices", indices);
  // Of 4.8 indices for each digit every second can be there: more is not even read.
  if (indices.length > 2.5 * value.length + 1) throw noAnswer("indices", indices);
  const read = indices.map(readIndex);
  // Descending, without neighbours, to F(2) = 1; none for 0 alone.
  const isRight = read.every((index, i) => index >= (read[i + 1] ?? 0) + 2);
  if (!isRight || (value === "0" ? read.length > 0 : !isTop(read[0], value.length)))
    throw noAnswer("indices", indices);
  return read;
}

/** Whether F(index) can be the largest in a number of so many digits: the next one, φ times as much, is above it. */
function isTop(index = 0, digits = 0): boolean {
  const log10 = index * LOG10_PHI - LOG10_SQRT_5;
  return log10 > digits - 1.25 && log10 < digits + 0.01;
}

/** The fields of an answer. @throws {@link FibClientError} `bad_answer` where it is one to something else. */
function answerTo(body: unknown, name: string, asked: string): Readonly<Record<string, unknown>> {
  const fields = Object(body) as Readonly<Record<string, unknown>>;
  if (fields[name] !== asked) throw noAnswer(name, fields[name]);
  return fields;
}

/** @throws {@link FibClientError} `bad_answer`, when the counts do not add up. */
export function readDigitCounts(body: unknown): DigitCounts {
  const { digits, sum, counts } = Object(body) as Readonly<Record<keyof DigitCounts, unknown>>;
  if (!Array.isArray(counts) || counts.length !== 10 || !counts.every(isCount))
    throw noAnswer("counts", counts);
  const total = (weight: (digit: number) => number) =>
    counts.reduce((result: number, count: number, digit) => result + weight(digit) * count, 0);
  if (digits !== total(() => 1) || digits === 0) throw noAnswer("digits", digits);
  if (sum !== total((digit) => digit)) throw noAnswer("sum", sum);
  return { digits, sum, counts };
}

function noAnswer(name: string, value: unknown): FibClientError {
  return new FibClientError("bad_answer", `The server sent ${shown(value)} for ${name}`);
}
