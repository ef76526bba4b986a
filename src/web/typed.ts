/**
 * Whole numbers as people type them: with gaps or separators, or as a power such as `10^18`.
 *
 * A power stays one wherever it is shown, and in addresses; only servers get its digits.
 * @module
 */
import { grouped, typedNatural } from "./numerals.ts";

/** What an input takes. */
export interface Field {
  readonly name: string;
  readonly digitsMax: number;
  /** The least that it takes. */
  readonly from: 0 | 1;
}

/** A number that was typed, without gaps (`100000`, `10^18`), or what is wrong with it. */
export type Typed = { readonly number: string } | { readonly wrong: string };

/** Longer ones are folded where they are only named. */
const SHOWN_DIGITS_MAX = 24;
const FOLDED_DIGITS = 9;

/** Reads what was typed. */
export function readTyped(text: string, { name, digitsMax, from }: Field): Typed {
  const parts = text.split("^").map(typedNatural);
  const [base, exponent] = parts;
  if (text.trim() === "") return { wrong: `${name} is missing: a whole number, such as 1 000 or 10^18` };
  if (base === undefined || parts.length > 2 || parts.includes(undefined))
    return { wrong: `${name} takes a whole number, such as 1 000 or 10^18` };
  // Before it is expanded: 9^999999999 would take all memory.
  const digits = exponent === undefined ? base.length : Number(exponent) * Math.log10(Number(base)) + 1;
  if (digits >= digitsMax + 1) return { wrong: `${name} takes up to ${grouped(digitsMax)} digits` };
  const number = exponent === undefined ? base : `${base}^${exponent}`;
  return BigInt(digitsOf(number)) < from ? { wrong: `${name} begins at ${from}` } : { number };
}

/** The digits of a number that was read. */
export function digitsOf(number: string): string {
  const [base = "", exponent] = number.split("^");
  return exponent === undefined ? base : String(BigInt(base) ** BigInt(exponent));
}

/** A number that was read, as it is named: in groups, and folded where it is long. */
export function named(number: string): string {
  if (number.length > SHOWN_DIGITS_MAX)
    return `${grouped(number.slice(0, FOLDED_DIGITS))} … ${grouped(number.slice(-FOLDED_DIGITS))}`;
  return number.split("^").map(grouped).join("^");
}
