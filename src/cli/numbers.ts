/**
 * `fibserver fib|lucas|fact|ack|index`: single numbers.
 * @module
 */
import { defineCommand } from "citty";
import { parseInteger } from "../config/config.ts";
import { FibError } from "../errors.ts";
import { ackermann, ackermannMemoryBytes } from "../numbers/ackermann.ts";
import { factorial, factorialMemoryBytes } from "../numbers/factorial.ts";
import { fibonacci, fibonacciMemoryBytes } from "../numbers/fibonacci.ts";
import { fibonacciIndex, VALUE_DIGITS_MAX } from "../numbers/find-index.ts";
import { lucas as lucasNumber, lucasMemoryBytes } from "../numbers/lucas.ts";
import { checkMemory } from "../numbers/memory.ts";
import { INDEX_MAX, type Printable, printFibonacci, printNumber } from "./print-number.ts";
import { type Progress, showing } from "./progress.ts";
import { readDigits } from "./read-digits.ts";
import { RESULT_FLAGS, writeResult } from "./result.ts";

/** Its primes are sieved in 32 bits; memory ends earlier. */
const FACTORIAL_MAX = 2 ** 30 - 1;

/** What is asked about F(n) in the place of its digits. */
const QUESTION_FLAGS = {
  mod: { type: "string", valueHint: "M", description: "Print F(N) modulo M, from 1" },
  first: { type: "string", valueHint: "K", description: "Print its first K digits, up to 1,000" },
  last: { type: "string", valueHint: "K", description: "Print its last K digits, with leading zeros" },
  digits: {
    type: "boolean",
    description: "Print how many digits it has, before its ends, without computing it",
  },
  stats: { type: "boolean", description: "Print its digit sum, and how often each digit is in it" },
} as const;

/** Why no longer value is looked for. */
const NO_SUCH_TERM =
  "no such Fibonacci number can be computed here, to compare it; the index of one is about its number of digits / 0.2089876";

export const fib = defineCommand({
  meta: {
    name: "fib",
    description: "Print F(n)",
    examples: [
      "fibserver fib 100",
      "fibserver fib 100000000 -o f.txt",
      "fibserver fib 300 --json",
      "fibserver fib 1000000000000000000 --mod 1000000007",
      "fibserver fib 1000000000000000000 --first 30 --last 30",
      "fibserver fib 1000000 --stats",
    ],
  },
  args: {
    n: {
      type: "positional",
      required: true,
      description:
        "The index, from 0; with --mod of any length, with --first, --last and --digits of up to 1,000 digits",
    },
    ...QUESTION_FLAGS,
    ...RESULT_FLAGS,
  },
  async run({ args }) {
    const isAsked = Object.keys(QUESTION_FLAGS).some((flag) => args[flag as "mod"] !== undefined);
    if (!isAsked) return printFibonacci(args.n, args);
    await (await import("./inquiries.ts")).askAboutFibonacci(args);
  },
});

/** L(n), by the same climb as F(n). */
export const lucas = defineCommand({
  meta: {
    name: "lucas",
    description: "Print L(n), the Lucas number",
    examples: ["fibserver lucas 100", "fibserver lucas 100000000 -o l.txt"],
  },
  args: { n: { type: "positional", required: true, description: "The index, from 0" }, ...RESULT_FLAGS },
  async run({ args }) {
    const n = parseInteger(args.n, "N", 0, INDEX_MAX);
    const number: Printable = {
      name: `L(${n})`,
      given: { n: String(n) },
      memoryBytes: lucasMemoryBytes(n),
      compute: (options) => lucasNumber(n, options),
    };
    await printNumber(number, args);
  },
});

export const fact = defineCommand({
  meta: {
    name: "fact",
    description: "Print n!",
    examples: ["fibserver fact 100", "fibserver fact 1000000 -o f.txt"],
  },
  args: { n: { type: "positional", required: true, description: "From 0" }, ...RESULT_FLAGS },
  async run({ args }) {
    const n = parseInteger(args.n, "N", 0, FACTORIAL_MAX);
    const number: Printable = {
      name: `${n}!`,
      given: { n: String(n) },
      memoryBytes: factorialMemoryBytes(n),
      compute: (options) => factorial(n, options),
    };
    await printNumber(number, args);
  },
});

export const ack = defineCommand({
  meta: {
    name: "ack",
    description: "Print A(m,n), Ackermann's function",
    examples: ["fibserver ack 2 3", "fibserver ack 4 2  # 19,729 digits"],
  },
  args: {
    m: { type: "positional", required: true, description: "From 0" },
    n: { type: "positional", required: true, description: "From 0" },
    ...RESULT_FLAGS,
  },
  async run({ args }) {
    const [m, n] = [args.m, args.n].map((text, i) =>
      BigInt(parseInteger(text, i === 0 ? "M" : "N", 0, Number.MAX_SAFE_INTEGER)),
    ) as [bigint, bigint];
    const number: Printable = {
      name: `A(${m},${n})`,
      given: { m: String(m), n: String(n) },
      memoryBytes: ackermannMemoryBytes(m, n),
      compute: (options) => ackermann(m, n, options),
    };
    await printNumber(number, args);
  },
});

export const index = defineCommand({
  meta: {
    name: "index",
    description: "Print the index of a Fibonacci number",
    examples: ["fibserver index 6765  # 20", "fibserver fib 1000 | fibserver index -"],
  },
  args: {
    value: { type: "positional", required: true, description: "The number; - reads it from standard input" },
    json: RESULT_FLAGS.json,
    quiet: RESULT_FLAGS.quiet,
  },
  async run({ args }) {
    const value = args.value === "-" ? readDigits(VALUE_DIGITS_MAX, NO_SUCH_TERM) : Buffer.from(args.value);
    const found = fibonacciIndex(value, (n) => {
      checkMemory(`F(${n}), to compare it`, fibonacciMemoryBytes(n));
      const compute = (onProgress: Progress["update"]) => fibonacci(n, { onProgress, borrow: true });
      return showing(`F(${n})`, args.quiet ?? false, compute);
    });
    if (!found.isTerm) {
      throw new FibError(
        "not_fibonacci",
        `This is no Fibonacci number: it lies between F(${found.below}) and F(${found.above})`,
      );
    }
    await writeResult(undefined, async (put) => {
      if (!args.json) return put(Buffer.from(`${found.index}\n`));
      await put(Buffer.from('{"value":"'));
      await put(value);
      await put(Buffer.from(`","index":"${found.index}"}\n`));
    });
  },
});
