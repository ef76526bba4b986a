/**
 * What the Go cursor server answers: `{"value":"13","status":"200"}`, in exactly this form.
 * `/api0/*` sends it and `--json` prints it.
 * @module
 */
import { CODES, type ErrorCode } from "./errors.ts";

/** The statuses of that contract. */
export type GoStatus = 200 | 409 | 503 | 507;

/** The body for a value; no spaces, no newline, both strings. */
export function goAnswer(value: string, status: GoStatus = 200): string {
  return `{"value":"${value}","status":"${status}"}`;
}

/**
 * The body for an error: −1 at the start, −2 at the end, −3 for all that is wrong with the file.
 *
 * @returns The body and the HTTP status, which are the same number.
 */
export function goRefusal(code: ErrorCode): { body: string; status: GoStatus } {
  const value = { sequence_start: "-1", sequence_end: "-2" }[code as string] ?? "-3";
  const status = value === "-3" ? 503 : (CODES[code].http as GoStatus);
  return { body: goAnswer(value, status), status };
}
