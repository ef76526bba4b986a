/**
 * Places in the text of the sequence: how the address spells them, and what somebody types to go there.
 * @module
 */
import { bytesOfFirst } from "../digits/term-rows.ts";
import { named } from "../typed.ts";
import { grouped, typedNatural } from "../numerals.ts";

/** What somebody can name a place by. */
export const KINDS = ["Term", "Byte", "Value"] as const;

/** One of them. */
export type Kind = (typeof KINDS)[number];

/** A place: the byte there, or why there is none. */
export type Found = { readonly byte: number } | { readonly problem: string };

/** A term and how many of its digits come before: `705000`, `705000+1200`. */
export function spelledPlace(term: number, digit: number): string {
  return digit === 0 ? String(term) : `${term}+${digit}`;
}

/** The place that an address asks for. @param count - How many terms the text has. */
export function findSpelled(spelled: string, count: number): Found {
  const [term = "", digit = "0"] = spelled.split("+");
  const found = findTerm(term, count);
  if ("problem" in found) return found;
  const before = Number(typedNatural(digit) ?? 0);
  // The end of a line is no digit.
  const lastDigit = bytesOfFirst(Number(typedNatural(term)) + 1) - 2;
  return { byte: Math.min(found.byte + before, lastDigit) };
}

/** Where a term begins, as somebody types its index. */
export function findTerm(typed: string, count: number): Found {
  const index = typedNatural(typed);
  if (index === undefined) return { problem: `A term has an index, from 0 to ${grouped(count - 1)}.` };
  if (Number(index) < count) return { byte: bytesOfFirst(Number(index)) };
  const last = `F(${grouped(count - 1)})`;
  return { problem: `F(${named(index)}) is beyond this text: it ends with ${last} (--max-sequence).` };
}

/** A byte, as somebody types it. */
export function findByte(typed: string, count: number): Found {
  const byte = Number(typedNatural(typed) ?? Number.NaN);
  const size = bytesOfFirst(count);
  return byte < size ? { byte } : { problem: `The bytes of this text are 0 to ${grouped(size - 1)}.` };
}
