/**
 * What is found out about numbers that nobody can write down: F(n) mod m beside PARI/GP, and how long the rest takes.
 * @module
 */
import { textOf } from "../src/numbers/decimal.ts";
import { compute } from "../src/numbers/compute.ts";
import type { Computation } from "../src/numbers/job.ts";
import { versionOf } from "./machine.ts";
import { interleave, mustBe, publish } from "./measure.ts";

const N = 10n ** 10_000n - 1n;

/**
 * Moduli as PARI reads them, and the time that F(10^10000 - 1) modulo them may take. Powers of ten have a short period,
 * by which the index is reduced; 10^k + 7 is the same without it.
 */
const MODULI: readonly { name: string; mod: bigint; goalMs?: number }[] = [
  { name: "10^15", mod: 10n ** 15n },
  { name: "10^15 + 7", mod: 10n ** 15n + 7n },
  { name: "10^100", mod: 10n ** 100n, goalMs: 50 },
  { name: "10^100 + 7", mod: 10n ** 100n + 7n, goalMs: 50 },
  { name: "10^1000", mod: 10n ** 1000n, goalMs: 300 },
  { name: "10^1000 + 7", mod: 10n ** 1000n + 7n, goalMs: 300 },
];

/** What is asked, with the time that it may take where a figure was promised. */
const ASKED: readonly { name: string; computation: Computation; goalMs?: number }[] = [
  { name: "F(10^18), 30 + 30 digits", computation: ends(10n ** 18n, 30), goalMs: 1 },
  { name: "F(10^100), 30 + 30 digits", computation: ends(10n ** 100n, 30), goalMs: 20 },
  { name: "F(10^1000 - 1), 1,000 + 1,000 digits", computation: ends(10n ** 1000n - 1n, 1000) },
  { name: "Pisano period of 10^18", computation: { kind: "pisano", m: 10n ** 18n } },
  // 999,999,937 · 999,999,929.
  {
    name: "Pisano period of 999999866000004473",
    computation: { kind: "pisano", m: 999_999_866_000_004_473n },
  },
  { name: "Zeckendorf of 10,000 digits", computation: { kind: "zeckendorf", value: "9".repeat(10_000) } },
  { name: "digits of F(10^6) counted", computation: { kind: "statistics", n: 1_000_000 } },
];

/** Remainders beside PARI, then the rest. */
export async function benchTheory(rounds: number): Promise<void> {
  const hasPari = Bun.which("gp") !== null;
  if (!hasPari) console.log("\nPARI/GP is not measured beside F(n) mod m: install pari-gp");
  for (const modulus of MODULI) await compareRemainders(rounds, modulus, hasPari);
  await benchAsked(rounds);
}

async function compareRemainders(
  rounds: number,
  { name, mod, goalMs }: (typeof MODULI)[number],
  hasPari: boolean,
): Promise<void> {
  const title = `F(10^10000 - 1) mod ${name}`;
  const repeats = mod < 10n ** 1000n ? 20 : 2;
  const power = `lift(Mod([1,1;1,0],${name})^(10^10000-1))[1,2]`;
  const computation: Computation = { kind: "remainder", n: String(N), mod: String(mod) };
  if (hasPari) mustBe(textOf(compute(computation)), pari(`print(${power})`), title);
  const samples = await interleave(rounds, {
    ours: () => timeMs(computation, repeats),
    ...(hasPari && {
      pari: () => Number(pari(`gettime();for(i=1,${repeats},${power});print(gettime())`)) / repeats,
    }),
  });
  const against = "PARI/GP, lift(Mod([1,1;1,0],m)^n)";
  const goal = goalMs === undefined ? { ratio: 1, atMost: true } : { median: goalMs, atMost: true };
  const ours = { name: "fibserver, in a server", unit: "ms", samples: samples.ours, against };
  if (samples.pari === undefined) return publish({ title, rows: [{ ...ours, goal }] });
  const beside = versionOf("PARI/GP", ["gp", "--version-short"]);
  publish({
    title,
    beside,
    rows: [
      { name: against, unit: "ms", samples: samples.pari },
      { ...ours, goal },
    ],
  });
}

async function benchAsked(rounds: number): Promise<void> {
  const samples = await interleave(
    rounds,
    Object.fromEntries(ASKED.map(({ name, computation }) => [name, () => timeMs(computation, 5)])),
  );
  publish({
    title: "What is found out about numbers, in a server",
    rows: ASKED.map(({ name, goalMs }) => ({
      name,
      unit: "ms",
      samples: samples[name]!,
      goal: goalMs === undefined ? undefined : { median: goalMs, atMost: true },
    })),
  });
}

function ends(n: bigint, count: number): Computation {
  return { kind: "ends", n, first: count, last: count };
}

function pari(script: string): string {
  const { success, stdout, stderr } = Bun.spawnSync(["gp", "-q", "-f"], {
    stdin: Buffer.from(`${script}\n`),
  });
  if (!success) throw new Error(`gp: ${stderr.toString()}`);
  return stdout.toString().trim();
}

/** Each; the first round warms up. */
function timeMs(computation: Computation, repeats: number): number {
  const startMs = performance.now();
  for (let i = 0; i < repeats; i++) compute(computation);
  return (performance.now() - startMs) / repeats;
}
