/**
 * What a text of digits is. Nothing else is handed out as a number: not to programs that compute with it, and not to
 * terminals, which obey other characters.
 * @module
 */
import { FibClientError } from "./error.ts";
import { shown } from "./limits.ts";

const ZERO = 0x30;
const LINE_FEED = 0x0a;

/** Says whether a value is a text of digits, and nothing else. */
export function isDigits(value: unknown): value is string {
  return typeof value === "string" && /^\d+$/.test(value);
}

/** Digits that the server has sent. @throws {@link FibClientError} `bad_answer` for anything else. */
export function readDigits(value: unknown): string {
  if (isDigits(value)) return value;
  throw new FibClientError("bad_answer", `The server sent no number: ${shown(value)}`);
}

/** An index that the server has sent. @throws {@link FibClientError} `bad_answer` for one that would be rounded or has zeros before it, too. */
export function readIndex(value: unknown): number {
  const index = Number(readDigits(value));
  if (Number.isSafeInteger(index) && String(index) === value) return index;
  throw new FibClientError("bad_answer", `The server sent no index, or one beyond 2^53: ${shown(value)}`);
}

/**
 * Checks a part of a text: 0.5 ns a byte in Bun, 2 ns in Node.
 *
 * @param hasLines - Digits, line by line.
 * @throws {@link FibClientError} `bad_answer`.
 */
export function checkDigits(bytes: Uint8Array, hasLines: boolean): void {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if ((byte < ZERO || byte > ZERO + 9) && !(hasLines && byte === LINE_FEED)) {
      throw new FibClientError("bad_answer", `The server sent a byte that is no digit: ${byte}`);
    }
  }
}
