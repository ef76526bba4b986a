/**
 * What a call was given, checked before anything is asked: a mistake costs no request, and no wrong answer.
 * @module
 */
import type { SequenceStart } from "./forms.ts";
import type { CallOptions } from "./options.ts";

/** The limits of a call, with nothing left open. */
export interface Limits {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly retriesMax: number;
}

/** @throws RangeError for a limit that is none; TypeError for a signal that is none. */
export function limitsOf({ signal, timeoutMs = 60_000, retriesMax = 5 }: CallOptions): Limits {
  if (!(typeof timeoutMs === "number" && timeoutMs > 0)) {
    throw refused("timeoutMs", timeoutMs, "milliseconds, more than 0 and up to Infinity");
  }
  if (!((Number.isInteger(retriesMax) || retriesMax === Infinity) && retriesMax >= 0)) {
    throw refused("retriesMax", retriesMax, "a whole number from 0, or Infinity");
  }
  // One of another window, or of a library, is no instance of our AbortSignal.
  if (signal && typeof signal.addEventListener !== "function")
    throw new TypeError(`Cannot use ${shown(signal)} for signal: it takes an AbortSignal`);
  return { signal: signal ?? undefined, timeoutMs, retriesMax };
}

/** A whole number as the server takes it. @throws RangeError for what is none, or was rounded before it came here. */
export function natural(value: number | bigint, name: string): string {
  const isNatural = typeof value === "bigint" ? value >= 0n : Number.isSafeInteger(value) && value >= 0;
  if (!isNatural) throw refused(name, value, "a whole number from 0, and beyond 2^53 a bigint");
  return String(value);
}

/** A whole number from 1, likewise. */
export function positive(value: number | bigint, name: string): string {
  const text = natural(value, name);
  if (text === "0") throw refused(name, value, "a whole number from 1");
  return text;
}

/** The first two terms of a sequence as the server takes them. @throws TypeError, RangeError for what is none. */
export function startOf(start: SequenceStart): string {
  if (!Array.isArray(start) || start.length !== 2)
    throw new TypeError(`Cannot use ${shown(start)} for start: it takes the first two terms, as [2, 1]`);
  return start.map((term) => natural(term, "start")).join(",");
}

/** One of several ways. @throws TypeError for a name that is not among them. */
export function chosen<Ways extends object, Name extends keyof Ways>(
  ways: Ways,
  name: Name,
  option: string,
): Ways[Name] {
  if (Object.hasOwn(ways, name)) return ways[name];
  throw new TypeError(`Cannot use ${shown(name)} for ${option}: it takes ${Object.keys(ways).join(", ")}`);
}

/** A value in a message: what is a text says so, and what is long is cut. */
export function shown(value: unknown): string {
  // What a server has sent may have a toString of its own.
  const text = typeof value === "object" ? jsonOf(value) : `${value as number}`;
  const start = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return typeof value === "string" ? `the text ${JSON.stringify(start)}` : start;
}

function jsonOf(value: object | null): string {
  try {
    // A list may have millions of entries, and one of them may be too deep for this.
    return JSON.stringify(Array.isArray(value) ? value.slice(0, 20) : value);
  } catch {
    return "something that JSON cannot say";
  }
}

function refused(name: string, value: unknown, takes: string): RangeError {
  return new RangeError(`Cannot use ${shown(value)} for ${name}: it takes ${takes}`);
}
