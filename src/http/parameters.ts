/**
 * Numbers in addresses: exact, and refused in words when they are none.
 * @module
 */
import type { Context } from "hono";
import { LIMITS } from "../config/config.ts";
import { FibError } from "../errors.ts";
import { type Job, JOB_ARGUMENTS, type Natural } from "../numbers/job.ts";
import { isFibonacciStart, type Start } from "../numbers/start.ts";
import { shortened } from "../shell-word.ts";
import type { Asked } from "./asker.ts";

/**
 * Reads a whole number from 0, in its one spelling: what never changes has one address.
 *
 * @param name - What the error calls it.
 * @param digitsMax - Looked at before the number is made.
 * @throws {@link FibError} `bad_argument`.
 */
export function parseNatural(
  text: string,
  name: string,
  digitsMax: number = LIMITS.parameterDigitsMax,
): bigint {
  return BigInt(checkNatural(text, name, digitsMax));
}

/** The same, left as text. */
export function checkNatural(text: string, name: string, digitsMax: number): Natural {
  const reason = naturalFault(text, digitsMax);
  if (reason === undefined) return text;
  throw new FibError("bad_argument", `Cannot use '${shortened(text)}' for ${name}: ${reason}`);
}

/**
 * Reads what a job is given.
 *
 * @param texts - In the order of {@link JOB_ARGUMENTS}.
 * @throws {@link FibError} `bad_argument`.
 */
export function parseArguments(kind: Job["kind"], texts: readonly string[]): Natural[] {
  const names = JOB_ARGUMENTS[kind];
  if (kind !== "remainder")
    return texts.map((text, i) => checkNatural(text, names[i]!, LIMITS.parameterDigitsMax));
  const digits = texts.reduce((total, text) => total + text.length, 0);
  if (digits > LIMITS.remainderDigitsMax) {
    throw new FibError(
      "bad_argument",
      `Cannot use n and mod of ${digits} digits: together they have ${LIMITS.remainderDigitsMax} at most; fibserver fib N --mod M takes more`,
    );
  }
  return texts.map((text, i) => checkNatural(text, names[i]!, LIMITS.remainderDigitsMax));
}

/**
 * Reads G(0) and G(1), such as `2,1`.
 *
 * @returns undefined for F's own.
 * @throws {@link FibError} `bad_argument`.
 */
export function parseStart(text: string): Start | undefined {
  const parts = text.split(",", 3);
  if (parts.length !== 2) {
    throw new FibError(
      "bad_argument",
      `Cannot use '${shortened(text)}' for start: it takes the first two terms, such as 2,1`,
    );
  }
  const start = [parseNatural(parts[0]!, "start"), parseNatural(parts[1]!, "start")] as const;
  return isFibonacciStart(start) ? undefined : start;
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

function naturalFault(text: string, digitsMax: number): string | undefined {
  if (text === "") return "it is empty; give a whole number from 0";
  if (/^[-−]\d+$/.test(text)) return "it is negative; the numbers begin at 0";
  if (!/^\d+$/.test(text)) return "it is no whole number in decimal digits";
  if (text.length > 1 && text.startsWith("0")) return "it has leading zeros; leave them out";
  if (text.length > digitsMax) return `it has ${text.length} digits, and the most is ${digitsMax}`;
  return undefined;
}
