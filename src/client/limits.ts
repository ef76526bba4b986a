/**
 * What a call was given, checked before anything is asked: a mistake costs no request, and no wrong answer.
 * @module
 */
import type { CallOptions } from "./options.ts";

/** The limits of a call, with nothing left open. */
export interface Limits {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly retriesMax: number;
}

/** @throws RangeError for a limit that is none. */
export function limitsOf({ signal, timeoutMs = 60_000, retriesMax = 5 }: CallOptions): Limits {
  if (!(typeof timeoutMs === "number" && timeoutMs > 0)) {
    throw refused("timeoutMs", timeoutMs, "milliseconds, more than 0 and up to Infinity");
  }
  if (!((Number.isInteger(retriesMax) || retriesMax === Infinity) && retriesMax >= 0)) {
    throw refused("retriesMax", retriesMax, "a whole number from 0, or Infinity");
  }
  return { signal, timeoutMs, retriesMax };
}

/** A whole number as the server takes it. @throws RangeError for what is none, or was rounded before it came here. */
export function natural(value: number | bigint, name: string): string {
  const isNatural = typeof value === "bigint" ? value >= 0n : Number.isSafeInteger(value) && value >= 0;
  if (!isNatural) throw refused(name, value, "a whole number from 0, and beyond 2^53 a bigint");
  return String(value);
}

/** One of several ways. @throws TypeError for a name that is not among them. */
export function chosen<Ways extends object, Name extends keyof Ways>(
  ways: Ways,
  name: Name,
  option: string,
): Ways[Name] {
  if (Object.hasOwn(ways, name)) return ways[name];
  throw new TypeError(`Cannot use ${String(name)} for ${option}: it takes ${Object.keys(ways).join(", ")}`);
}

function refused(name: string, value: unknown, takes: string): RangeError {
  return new RangeError(`Cannot use ${String(value)} for ${name}: it takes ${takes}`);
}
