/**
 * A long number from standard input, as bytes: a string ends at 2^31 - 1 characters, with an error that names nothing.
 * What is no number is refused at its first wrong byte, however much would follow.
 * @module
 */
import { FibError } from "../errors.ts";

const STDIN = 0;
const PIECE_BYTES = 2 ** 18;

const [ZERO, NINE] = [48, 57];
const SPACES: ReadonlySet<number> = new Set(Buffer.from(" \t\n\v\f\r"));

/**
 * Reads standard input to its end: digits, with white space around them.
 *
 * @param digitsMax - More are not read.
 * @param reason - Why not.
 * @throws {@link FibError} `bad_argument` for anything else; `result_too_large`.
 */
export function readDigits(digitsMax: number, reason: string): Uint8Array {
  // Memory that nobody touches costs nothing.
  const digits = new Uint8Array(digitsMax);
  const piece = new Uint8Array(PIECE_BYTES);
  let count = 0;
  let isOver = false;
  for (let length = readPiece(piece); length > 0; length = readPiece(piece)) {
    for (let at = 0; at < length; at++) {
      const start = at;
      while (at < length && piece[at]! >= ZERO && piece[at]! <= NINE) at++;
      if (at > start) {
        if (isOver) throw noNumber(count);
        if (count + at - start > digitsMax) throw tooLong(digitsMax, reason);
        digits.set(piece.subarray(start, at), count);
        count += at - start;
      }
      if (at === length) break;
      if (!SPACES.has(piece[at]!)) throw noNumber(count);
      isOver = count > 0;
    }
  }
  if (count === 0) throw noValue("there is none on standard input");
  return digits.subarray(0, count);
}

function readPiece(piece: Uint8Array): number {
  for (;;) {
    try {
      // Most values stand in the arguments, and node:fs takes 1 ms to load.
      return process.getBuiltinModule("node:fs").readSync(STDIN, piece);
    } catch (error) {
      // A pipe that somebody else made non-blocking is empty: its writer needs a moment.
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
      Bun.sleepSync(1);
    }
  }
}

function noNumber(digits: number): FibError {
  return noValue(`after ${digits} digits comes what is no digit`);
}

function noValue(reason: string): FibError {
  return new FibError(
    "bad_argument",
    `Cannot find the value: ${reason}; it has to be a whole number in decimal, like 6765`,
  );
}

function tooLong(digitsMax: number, reason: string): FibError {
  return new FibError(
    "result_too_large",
    `Cannot find a value of more than ${digitsMax.toLocaleString("en-US")} digits: ${reason}`,
  );
}
