/**
 * What a value must be to pass, in either direction.
 * @module
 */
import { shown } from "./limits.ts";

/** As the server has it. */
const NAME = /^(?!client-)[a-z0-9][a-z0-9._-]{0,63}$/;

/** Says whether a value is the name of a cursor. */
export function isName(value: unknown): value is string {
  return typeof value === "string" && NAME.test(value);
}

/** The name of a cursor that somebody asks for. @throws TypeError for what is none. */
export function named(name: string): string {
  if (isName(name)) return name;
  const rule =
    "1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit, and no client- before them";
  throw new TypeError(`Cannot use ${shown(name)} for name: it takes ${rule}`);
}

/** Says whether a value is a whole number from 0. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Says whether a value is a time by RFC 3339, or one of the years beyond 9999 that JavaScript writes. */
export function isTime(value: unknown): value is string {
  return (
    typeof value === "string" &&
    /^([+-]\d\d)?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value)
  );
}
