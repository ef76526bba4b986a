/**
 * Numbers in addresses: exact, and refused in words when they are none.
 * @module
 */
import type { Context } from "hono";
import { FibError } from "../errors.ts";
import { shortened } from "../shell-word.ts";
import type { Asked } from "./asker.ts";

/** Digits of a parameter: 10^30 is understood and refused for its size; at 1,000 digits saying the size takes 20 ms. */
const PARAMETER_DIGITS_MAX = 128;

/**
 * Reads a whole number from 0, in its one spelling: what never changes has one address.
 *
 * @param name - What the error calls it.
 * @throws {@link FibError} `bad_argument`.
 */
export function parseNatural(text: string, name: string): bigint {
  const reason = naturalFault(text);
  if (reason === undefined) return BigInt(text);
  throw new FibError("bad_argument", `Cannot use '${shortened(text)}' for ${name}: ${reason}`);
}

/**
 * One query parameter.
 *
 * @returns undefined when it is missing.
 * @throws {@link FibError} `bad_argument`, when it is given twice.
 */
export function queryOnce(c: Context, name: string): string | undefined {
  const values = queryAll(c, name);
  if (values.length > 1)
    throw new FibError("bad_argument", `Cannot choose: ${name} is given ${values.length} times`);
  return values[0];
}

/** All values of a query parameter. Not by Hono: it looks for the next `=` at each of 15,000 `&`. */
export function queryAll(c: Asked, name: string): string[] {
  const { url } = c.req.raw;
  const start = url.indexOf("?");
  return start === -1 ? [] : new URLSearchParams(url.slice(start + 1)).getAll(name);
}

function naturalFault(text: string): string | undefined {
  if (text === "") return "it is empty; give a whole number from 0";
  if (/^[-−]\d+$/.test(text)) return "it is negative; the numbers begin at 0";
  if (!/^\d+$/.test(text)) return "it is no whole number in decimal digits";
  if (text.length > 1 && text.startsWith("0")) return "it has leading zeros; leave them out";
  if (text.length > PARAMETER_DIGITS_MAX) return `it has ${text.length} digits`;
  return undefined;
}
