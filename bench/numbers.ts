/**
 * F(n), n! and A(3, n): as whole processes and in a warm server beside GMP, PARI/GP and Node.js, and how they grow.
 *
 * What each prints is checked before it is timed.
 * @module
 */
import { createHash } from "node:crypto";
import path from "node:path";
import vectors from "../test/vectors/reference.json";
import { compute } from "../src/numbers/compute.ts";
import type { NumberJob } from "../src/numbers/job.ts";
import { versionOf } from "./machine.ts";
import { type Contender, interleave, mustBe, publish, type Row } from "./measure.ts";
import { has } from "./servers.ts";

const GMP = path.resolve("build/gmp");
const GMP_PROCESS = "GMP";
const OUR_PROCESS = "fibserver, whole process";
const WARM = "fibserver, in a server";
const FIBSERVER = path.resolve("dist/fibserver");

interface Trial {
  /** `ackermann` is A(3, n). */
  readonly kind: keyof typeof SHELL;
  readonly n: number;
  /** How many times as fast as GMP, as a process; and the part of GMP's time that it may take when warm. */
  readonly speedup: number;
  readonly warmPart?: number;
  readonly headline?: string;
}

/** What prints the same digits, as a process. */
interface Other {
  readonly name: string;
  readonly command: readonly string[];
  readonly input?: string;
}

const TRIALS: readonly Trial[] = [
  { kind: "fibonacci", n: 1_000_000, speedup: 1, warmPart: 0.2 },
  { kind: "fibonacci", n: 10_000_000, speedup: 4.5, warmPart: 0.1 },
  {
    kind: "fibonacci",
    n: 100_000_000,
    speedup: 11,
    warmPart: 0.07,
    headline: "`fibserver fib 100000000`, 20,898,764 digits, from its start to its end",
  },
  { kind: "factorial", n: 1_000_000, speedup: 3 },
  { kind: "ackermann", n: 83_048_190, speedup: 10 },
];

/** Node.js takes minutes for more, and PARI/GP as long as GMP. */
const OTHERS_N_MAX = 10_000_000;

const GROWTH = [1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/** Whole processes and a warm one beside GMP, each result checked first. */
export async function benchNumbers(rounds: number): Promise<void> {
  const hasGmp = buildGmp();
  if (!hasGmp) console.log("\nGMP is not measured beside F(n), n! and A(3, n): install gcc and libgmp-dev");
  for (const [program, install] of [
    ["gp", "pari-gp"],
    ["node", "nodejs"],
  ] as const)
    if (!has(program)) console.log(`\n${program} is not measured beside F(n): install ${install}`);
  for (const trial of TRIALS) {
    const others = othersOf(trial, hasGmp);
    check(trial, others);
    await compare(rounds, trial, others);
  }
}

function othersOf({ kind, n }: Trial, hasGmp: boolean): Other[] {
  const others: Other[] = hasGmp
    ? [{ name: GMP_PROCESS, command: [GMP, SHELL[kind].command, String(n)] }]
    : [];
  if (kind !== "fibonacci" || n > OTHERS_N_MAX) return others;
  // It keeps to 8 MB unless told otherwise.
  const gp = ["gp", "-q", "-f", "-D", "parisizemax=1G"];
  if (has("gp"))
    others.push({ name: "PARI/GP, fibonacci(n)", command: gp, input: `print(fibonacci(${n}))\n` });
  if (has("node"))
    others.push({
      name: "Node.js, BigInt by fast doubling",
      command: ["node", "bench/node/fibonacci.js", String(n)],
    });
  return others;
}

function buildGmp(): boolean {
  if (Bun.which("gcc") === null) return false;
  return Bun.spawnSync(["gcc", "-O2", "-o", GMP, "bench/gmp/gmp.c", "-lgmp"], { stderr: "ignore" }).success;
}

function check(trial: Trial, others: readonly Other[]): void {
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
  for (const { name, command, input } of [{ name: OUR_PROCESS, command: ours(trial) } as Other, ...others]) {
    const text = run(command, input).toString("latin1").trimEnd();
    const found = createHash("sha256").update(text).digest("hex");
    mustBe(found, known?.sha256, `what ${name} prints for ${kind} ${n}`);
  }
}

async function compare(rounds: number, trial: Trial, others: readonly Other[]): Promise<void> {
  const { kind, n, speedup, warmPart, headline } = trial;
  const contenders: Record<string, Contender> = {
    [OUR_PROCESS]: () => timeMs(() => run(ours(trial))),
    [WARM]: () => timeMs(() => compute(job(trial))),
  };
  for (const { name, command, input } of others) contenders[name] = () => timeMs(() => run(command, input));
  const samples = await interleave(n < 50_000_000 ? rounds * 2 : rounds, contenders);
  const row = (name: string, about: Partial<Row>): Row => ({
    name,
    unit: "ms",
    samples: samples[name]!,
    ...about,
  });
  publish({
    title: SHELL[kind].title(n.toLocaleString("en-US")),
    beside: versions(others),
    rows: [
      row(OUR_PROCESS, { against: GMP_PROCESS, speedup: true, goal: { ratio: speedup }, headline }),
      row(WARM, { against: GMP_PROCESS, ...(warmPart && { goal: { ratio: warmPart, atMost: true } }) }),
      ...others.map(({ name }) => row(name, name === GMP_PROCESS ? {} : { against: OUR_PROCESS })),
    ],
  });
}

function versions(others: readonly Other[]): string {
  return others
    .map(({ name }) => {
      if (name === GMP_PROCESS) return versionOf("GMP", [GMP, "version", "0"]);
      return name.startsWith("PARI")
        ? versionOf("PARI/GP", ["gp", "--version-short"])
        : versionOf("Node.js", ["node", "--version"]);
    })
    .join(", ");
}

/** Time and peak memory against n, each once and in a process of its own. */
export function benchGrowth(): Promise<void> {
  const rows = GROWTH.map((n) => {
    const startMs = performance.now();
    const { success, resourceUsage } = Bun.spawnSync([...ours({ kind: "fibonacci", n })], {
      stdout: "ignore",
    });
    const ms = performance.now() - startMs;
    mustBe(success, true, `fibserver fib ${n}`);
    return { name: `n = ${n.toLocaleString("en-US")}`, ms, mb: resourceUsage.maxRSS / 1e6 };
  });
  publish({
    title: "`fibserver fib n` by n, whole process",
    rows: rows.map(({ name, ms }) => ({ name, unit: "ms", samples: [ms] })),
  });
  publish({
    title: "`fibserver fib n` by n, peak memory",
    rows: rows.map(({ name, mb }) => ({ name, unit: "MB", samples: [mb] })),
  });
  return Promise.resolve();
}

const SHELL = {
  fibonacci: { command: "fib", title: (n: string) => `F(${n})` },
  factorial: { command: "fact", title: (n: string) => `${n}!` },
  ackermann: { command: "ack", title: (n: string) => `A(3, n) for n = ${n}` },
} as const;

function job({ kind, n }: Pick<Trial, "kind" | "n">): NumberJob {
  return kind === "ackermann" ? { kind, m: 3n, n: BigInt(n) } : { kind, n };
}

function ours({ kind, n }: Pick<Trial, "kind" | "n">): readonly string[] {
  return [FIBSERVER, SHELL[kind].command, ...(kind === "ackermann" ? ["3"] : []), String(n)];
}

function run(line: readonly string[], input = ""): Buffer {
  const { success, stdout, stderr } = Bun.spawnSync([...line], { stdin: Buffer.from(input) });
  if (!success) throw new Error(`${line.join(" ")}: ${stderr.toString()}`);
  return stdout;
}

function timeMs(work: () => unknown): number {
  const startMs = performance.now();
  work();
  return performance.now() - startMs;
}
