/**
 * What a server says of a number that it does not write out.
 * @module
 */
import { grouped } from "../numerals.ts";

/** Its words, taken apart; what they do not say is undefined. */
export interface Refused {
  /** How many digits it would have. */
  readonly digits: string | undefined;
  /** How many it may have, and the flag that says so. */
  readonly limit: string | undefined;
  readonly flag: string | undefined;
}

/** Reads the server's words: `… it has 417975281 digits, and the limit is 25000000 (--max-digits)`. */
export function readRefusal(detail: string): Refused {
  return {
    digits: /\b(?:has|have) (\d+) digits, and/.exec(detail)?.[1],
    limit: /the limit is (\d+)/.exec(detail)?.[1],
    flag: /\((--[\w-]+)\)/.exec(detail)?.[1],
  };
}

/** In a few words, as a hint. */
export function refusalHint(detail: string): string {
  const { digits, flag } = readRefusal(detail);
  if (flag === undefined) return "More digits than can be written down";
  return digits === undefined ? `Beyond ${flag}` : `${grouped(digits)} digits, beyond ${flag}`;
}

/** How far a server goes, and by what it would go further; undefined where it does not say so. */
export function limitNote(detail: string): string | undefined {
  const { limit, flag } = readRefusal(detail);
  return (
    limit && flag && `This server writes out up to ${grouped(limit)} digits; ${flag} is the flag for more.`
  );
}
