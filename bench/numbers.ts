/**
 * F(n), n! and A(3, n): as whole processes and in a warm server beside GMP, and how they grow.
 * @module
 */
import { createHash } from "node:crypto";
import path from "node:path";
import vectors from "../test/vectors/reference.json";
import { compute } from "../src/numbers/compute.ts";
import type { NumberJob } from "../src/numbers/job.ts";
import { type Contender, interleave, mustBe, publish, type Row } from "./measure.ts";

const GMP = path.resolve("build/gmp");
const FIBSERVER = path.resolve("dist/fibserver");

interface Trial {
  /** `ackermann` is A(3, n). */
  readonly kind: keyof typeof SHELL;
  readonly n: number;
  /** How many times as fast as GMP, as a process; and the part of GMP's time that it may take when warm. */
  readonly speedup: number;
  readonly warmPart?: number;
}

const TRIALS: readonly Trial[] = [
  { kind: "fibonacci", n: 1_000_000, speedup: 1, warmPart: 0.2 },
  { kind: "fibonacci", n: 10_000_000, speedup: 4.5, warmPart: 0.1 },
  { kind: "fibonacci", n: 100_000_000, speedup: 11, warmPart: 0.07 },
  { kind: "factorial", n: 1_000_000, speedup: 3 },
  { kind: "ackermann", n: 83_048_190, speedup: 10 },
];

const GROWTH = [1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/** Whole processes and a warm one beside GMP, each result checked first. */
export async function benchNumbers(rounds: number): Promise<void> {
  const hasGmp = buildGmp();
  if (!hasGmp) console.log("\nGMP is not measured beside F(n), n! and A(3, n): install gcc and libgmp-dev");
  for (const trial of TRIALS) check(trial);
  for (const trial of TRIALS) await compare(rounds, trial, hasGmp);
}

function buildGmp(): boolean {
  if (Bun.which("gcc") === null) return false;
  return Bun.spawnSync(["gcc", "-O2", "-o", GMP, "bench/gmp/gmp.c", "-lgmp"], { stderr: "ignore" }).success;
}

function check(trial: Trial): void {
  const { kind, n } = trial;
  const lists = {
    fibonacci: vectors.fibonacci,
    factorial: vectors.factorials.list,
    ackermann: vectors.ackermann.filter(({ m }) => m === 3),
  };
  const known = lists[kind].find((one) => one.n === n);
  const digest = createHash("sha256")
    .update(compute(job(trial)))
    .digest("hex");
  mustBe(digest, known?.sha256, `the digits of ${kind} ${n}`);
  const shell = createHash("sha256")
    .update(run(ours(trial)).slice(0, -1))
    .digest("hex");
  mustBe(shell, known?.sha256, `what the shell prints for ${kind} ${n}`);
}

async function compare(rounds: number, trial: Trial, hasGmp: boolean): Promise<void> {
  const { kind, n, speedup, warmPart } = trial;
  const gmp = [GMP, SHELL[kind].command, String(n)];
  const contenders: Record<string, Contender> = {
    ...(hasGmp && { gmp: () => timeMs(() => run(gmp)) }),
    process: () => timeMs(() => run(ours(trial))),
    warm: () => timeMs(() => compute(job(trial))),
  };
  const samples = await interleave(n < 50_000_000 ? rounds * 2 : rounds, contenders);
  const against = "GMP, whole process";
  const rows: Row[] = [
    {
      name: "fibserver, whole process",
      unit: "ms",
      samples: samples["process"]!,
      against,
      speedup: true,
      goal: { ratio: speedup },
    },
    {
      name: "in a warm process",
      unit: "ms",
      samples: samples["warm"]!,
      against,
      ...(warmPart && { goal: { ratio: warmPart, atMost: true } }),
    },
  ];
  if (samples["gmp"]) rows.unshift({ name: against, unit: "ms", samples: samples["gmp"] });
  publish({
    title: SHELL[kind].title(n.toLocaleString("en-US")),
    rows,
  });
}

/** Time and peak memory against n, each in a process of its own. */
export function benchGrowth(): Promise<void> {
  console.log("\nGrowth of `fibserver fib n`");
  for (const n of GROWTH) {
    const startMs = performance.now();
    const { success, resourceUsage } = Bun.spawnSync(ours({ kind: "fibonacci", n }), { stdout: "ignore" });
    mustBe(success, true, `fibserver fib ${n}`);
    const columns = [
      `n = ${n.toLocaleString("en-US")}`.padEnd(20),
      `${(performance.now() - startMs).toFixed(1)} ms`.padStart(12),
      `${Math.round(resourceUsage.maxRSS / 1e6)} MB`.padStart(10),
    ];
    console.log(`  ${columns.join("")}`);
  }
  return Promise.resolve();
}

const SHELL = {
  fibonacci: { command: "fib", title: (n: string) => `F(${n})` },
  factorial: { command: "fact", title: (n: string) => `${n}!` },
  ackermann: { command: "ack", title: (n: string) => `A(3,${n})` },
} as const;

function job({ kind, n }: Pick<Trial, "kind" | "n">): NumberJob {
  return kind === "ackermann" ? { kind, m: 3n, n: BigInt(n) } : { kind, n };
}

function ours({ kind, n }: Pick<Trial, "kind" | "n">): string[] {
  return [FIBSERVER, SHELL[kind].command, ...(kind === "ackermann" ? ["3"] : []), String(n)];
}

function run(line: string[]): Buffer {
  const { success, stdout, stderr } = Bun.spawnSync(line);
  if (!success) throw new Error(`${line.join(" ")}: ${stderr.toString()}`);
  return stdout;
}

function timeMs(work: () => unknown): number {
  const startMs = performance.now();
  work();
  return performance.now() - startMs;
}
