/**
 * `fibserver fib|fact|ack|index`: single numbers. Computed on the main thread, so ^C ends them at once.
 * @module
 */
import { defineCommand } from "citty";
import { parseInteger } from "../config.ts";
import { FibError } from "../errors.ts";
import { ackermann } from "../numbers/ackermann.ts";
import type { ComputeOptions, Digits } from "../numbers/decimal.ts";
import { factorial, factorialMemoryBytes } from "../numbers/factorial.ts";
import { fibonacci, fibonacciMemoryBytes } from "../numbers/fibonacci.ts";
import { fibonacciIndex } from "../numbers/find-index.ts";
import { print } from "./output.ts";
import { openProgress } from "./progress.ts";
import { checkMemory, RESULT_FLAGS, writeResult } from "./result.ts";

/** Beyond these the memory of any machine ends. */
const FIBONACCI_INDEX_MAX = 20_000_000_000;
const FACTORIAL_MAX = 2 ** 30 - 1;

export const fib = defineCommand({
  meta: { name: "fib", description: "Print F(n)" },
  args: { n: { type: "positional", required: true, description: "The index, from 0" }, ...RESULT_FLAGS },
  async run({ args }) {
    const n = parseInteger(args.n, "N", 0, FIBONACCI_INDEX_MAX);
    await printNumber({ n: args.n }, args, `F(${n})`, fibonacciMemoryBytes(n), (options) =>
      fibonacci(n, options),
    );
  },
});

export const fact = defineCommand({
  meta: { name: "fact", description: "Print n!" },
  args: { n: { type: "positional", required: true, description: "From 0" }, ...RESULT_FLAGS },
  async run({ args }) {
    const n = parseInteger(args.n, "N", 0, FACTORIAL_MAX);
    await printNumber({ n: args.n }, args, `${n}!`, factorialMemoryBytes(n), (options) =>
      factorial(n, options),
    );
  },
});

export const ack = defineCommand({
  meta: { name: "ack", description: "Print A(m,n), Ackermann's function" },
  args: {
    m: { type: "positional", required: true, description: "From 0" },
    n: { type: "positional", required: true, description: "From 0" },
    ...RESULT_FLAGS,
  },
  async run({ args }) {
    const [m, n] = [args.m, args.n].map((text, i) =>
      BigInt(parseInteger(text, i === 0 ? "M" : "N", 0, Number.MAX_SAFE_INTEGER)),
    ) as [bigint, bigint];
    await printNumber({ m: args.m, n: args.n }, args, `A(${m},${n})`, 0, () => ackermann(m, n));
  },
});

export const index = defineCommand({
  meta: { name: "index", description: "Print the index of a Fibonacci number" },
  args: {
    value: { type: "positional", required: true, description: "The number; - reads it from standard input" },
    json: RESULT_FLAGS.json,
  },
  async run({ args }) {
    const value = args.value === "-" ? (await Bun.stdin.text()).trim() : args.value;
    const found = fibonacciIndex(value);
    if (!found.isTerm) {
      throw new FibError(
        "not_fibonacci",
        `This is no Fibonacci number: it lies between F(${found.below}) and F(${found.above})`,
      );
    }
    print(`${args.json ? JSON.stringify({ value, index: String(found.index) }) : found.index}\n`);
  },
});

async function printNumber(
  given: Record<string, string>,
  { out, json }: { out?: string | undefined; json?: boolean | undefined },
  what: string,
  memoryBytes: number,
  compute: (options: ComputeOptions) => Digits,
): Promise<void> {
  checkMemory(what, memoryBytes);
  const progress = await openProgress(what);
  const digits = compute({ onProgress: progress.update });
  progress.end();
  writeResult(out, (emit) => {
    if (json)
      emit(Buffer.from(`${JSON.stringify({ ...given, digits: digits.length }).slice(0, -1)},"value":"`));
    emit(digits);
    emit(Buffer.from(json ? `"}\n` : "\n"));
  });
}
