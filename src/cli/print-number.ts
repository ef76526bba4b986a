/**
 * Computes one number and prints it. On the main thread, and without a handler for signals, so ^C ends it at once.
 * @module
 */
import { parseInteger } from "../config/config.ts";
import { FibError } from "../errors.ts";
import type { ComputeOptions, Digits } from "../numbers/decimal.ts";
import { fibonacci, fibonacciMemoryBytes } from "../numbers/fibonacci.ts";
import { jsonFrame } from "../numbers/layouts.ts";
import { checkMemory } from "../numbers/memory.ts";
import { showing } from "./progress.ts";
import { checkOutput, type ResultOptions, writeResult } from "./result.ts";

/** What is beyond is a slip of the finger; memory ends earlier. */
export const INDEX_MAX = 20_000_000_000;

/** A number that can be printed. */
export interface Printable {
  /** For people, such as `F(100)`. */
  readonly name: string;
  /** The arguments as they stand in the JSON form. */
  readonly given: Readonly<Record<string, string>>;
  readonly memoryBytes: number;
  readonly compute: (options: ComputeOptions) => Digits;
}

/**
 * Computes and prints.
 *
 * @throws {@link FibError} `result_too_large`, before anything is computed; `output_failed`.
 */
export async function printNumber(number: Printable, options: ResultOptions): Promise<void> {
  const { name, given, memoryBytes, compute } = number;
  const { out, json = false, quiet = false } = options;
  await checkOutput(out);
  checkMemory(name, memoryBytes);
  const digits = showing(name, quiet, (onProgress) => compute({ onProgress, borrow: true }));
  const { head, tail } = json ? jsonFrame(given, digits.length) : { head: "", tail: "" };
  await writeResult(out, async (put) => {
    if (json) await put(new TextEncoder().encode(head));
    await put(digits);
    await put(new TextEncoder().encode(`${tail}\n`));
  });
}

/**
 * `fibserver fib N`.
 *
 * @param text - The index as typed.
 * @throws {@link FibError} as {@link printNumber} does, and `bad_argument`.
 */
export async function printFibonacci(text: string, options: ResultOptions): Promise<void> {
  try {
    const n = parseInteger(text, "N", 0, INDEX_MAX);
    const number: Printable = {
      name: `F(${n})`,
      given: { n: String(n) },
      memoryBytes: fibonacciMemoryBytes(n),
      compute: (computeOptions) => fibonacci(n, computeOptions),
    };
    await printNumber(number, options);
  } catch (error) {
    throw withEnds(error, text);
  }
}

/**
 * Ends the refusal of an F(n) that is too long with what can be known of it all the same.
 *
 * @param text - The index as typed.
 */
export function withEnds<Thrown>(error: Thrown, text: string): Thrown | FibError {
  const isTooLong =
    error instanceof FibError &&
    /^\d{1,1000}$/.test(text) &&
    (error.code === "result_too_large" || (error.code === "bad_argument" && Number(text) > INDEX_MAX));
  if (!isTooLong) return error;
  const line = `fibserver fib ${text} --first 30 --last 30`;
  return new FibError(error.code, `${error.message}. Try: ${line}`, { cause: error });
}
