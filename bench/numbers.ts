/**
 * F(n) and n!: whole processes beside GMP, the warm kernel, growth.
 *
 * `bun bench/numbers.ts` prints three tables. The contestants take turns, so that what else
 * the machine does hits both, and the medians are compared.
 * @module
 */
import { existsSync } from "node:fs";
import { factorial } from "../src/numbers/factorial.ts";
import { fibonacci, fibonacciMemoryBytes } from "../src/numbers/fibonacci.ts";

/** One line of a table: what was measured, our median and the other's. */
interface Trial {
  readonly what: string;
  readonly ourMs: number;
  /** Undefined where there is no gcc or no libgmp. */
  readonly gmpMs: number | undefined;
}

const GMP = "build/gmp";
const FIBSERVER = "dist/fibserver";

const TRIALS = [
  { command: "fib", n: 1_000_000, rounds: 21 },
  { command: "fib", n: 10_000_000, rounds: 11 },
  { command: "fib", n: 100_000_000, rounds: 3 },
  { command: "fact", n: 100_000, rounds: 11 },
  { command: "fact", n: 1_000_000, rounds: 5 },
] as const;

/** Builds the C program; false where there is no gcc or no libgmp. */
export function buildGmp(): boolean {
  if (Bun.which("gcc") === null) return false;
  return Bun.spawnSync(["gcc", "-O2", "-o", GMP, "bench/gmp/gmp.c", "-lgmp"], { stderr: "ignore" }).success;
}

/** Whole processes, the text going to a pipe: `dist/fibserver fib N` beside GMP. */
export function measureProcesses(): Trial[] {
  const hasGmp = buildGmp();
  return TRIALS.map(({ command, n, rounds }) => {
    const [ours, gmps]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      ours.push(processMs([FIBSERVER, command, String(n)]));
      if (hasGmp) gmps.push(processMs([GMP, command, String(n)]));
    }
    return { what: `${command} ${n}`, ourMs: median(ours), gmpMs: hasGmp ? median(gmps) : undefined };
  });
}

/** The same in a warm process, beside GMP's process without what an empty one takes. */
export function measureWarm(): Trial[] {
  const hasGmp = buildGmp();
  return TRIALS.map(({ command, n, rounds }) => {
    const compute = command === "fib" ? fibonacci : factorial;
    compute(n);
    const [ours, gmps]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      ours.push(spentMs(() => compute(n)));
      if (hasGmp) gmps.push(processMs([GMP, command, String(n)]) - processMs([GMP, command, "1"]));
    }
    return { what: `${command} ${n}, warm`, ourMs: median(ours), gmpMs: hasGmp ? median(gmps) : undefined };
  });
}

/** Time, digits a second and peak memory of F(n), each in a process of its own. */
export function measureGrowth(indices: readonly number[]): object[] {
  const script = `
    const { fibonacci } = await import("./src/numbers/fibonacci.ts");
    const { readFileSync } = await import("node:fs");
    const start = performance.now();
    const { length } = fibonacci(Number(process.argv.at(-1)));
    const ms = performance.now() - start;
    console.log(ms, length, /VmHWM:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);`;
  return indices.map((n) => {
    const { stdout } = Bun.spawnSync([process.execPath, "-e", script, String(n)]);
    const [ms = NaN, digits = NaN, peakKilobytes = NaN] = stdout.toString().split(" ").map(Number);
    return {
      n,
      digits,
      ms: Number(ms.toPrecision(3)),
      "digits/µs": Number((digits / ms / 1000).toPrecision(3)),
      "peak MB": Math.round((peakKilobytes * 1024) / 1e6),
      "predicted MB, without Bun": Math.round(fibonacciMemoryBytes(n) / 1e6),
    };
  });
}

function processMs(command: string[]): number {
  return spentMs(() => {
    const { success, stderr } = Bun.spawnSync(command, { stdout: "pipe" });
    if (!success) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
  });
}

function spentMs(work: () => unknown): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

const toRow = ({ what, ourMs, gmpMs }: Trial): object => ({
  what,
  "fibserver ms": Number(ourMs.toPrecision(3)),
  "GMP ms": gmpMs === undefined ? "no gcc or libgmp" : Number(gmpMs.toPrecision(3)),
  "times as fast": gmpMs === undefined ? "" : Number((gmpMs / ourMs).toPrecision(3)),
});

if (import.meta.main) {
  if (existsSync(FIBSERVER)) console.table(measureProcesses().map(toRow));
  console.table(measureWarm().map(toRow));
  console.table(measureGrowth([1e4, 1e5, 1e6, 1e7, 1e8, 3e8]));
}
