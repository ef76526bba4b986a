/**
 * Do L(n), and the sequences from other starts, cost what F's cost?
 * @module
 */
import { compute } from "../src/numbers/compute.ts";
import type { Computation } from "../src/numbers/job.ts";
import { LAYOUTS } from "../src/numbers/layouts.ts";
import { openSequence, planSequence } from "../src/numbers/sequence.ts";
import type { Start } from "../src/numbers/start.ts";
import { termPair } from "../src/numbers/term-pair.ts";
import { interleave, mustBe, publish, type Row } from "./measure.ts";

const LUCAS: Start = [2n, 1n];
const LONG: Start = [10n ** 128n - 1n, 10n ** 127n + 9n];

/** Numbers, streams and deep beginnings, each beside F's. */
export async function benchLucas(rounds: number): Promise<void> {
  for (const n of [1_000_000, 1_000_001]) checkLucas(n);
  await benchOne(rounds, 1_000_000, 20);
  await benchOne(rounds, 100_000_000, 1);
  await benchStreams(rounds);
  await benchBeginnings(rounds);
}

/** L(n) = 2 F(n+1) - F(n), by texts that the kernel has added. */
function checkLucas(n: number): void {
  const [f, next] = termPair(n, undefined).map((digits) => BigInt(Buffer.from(digits).toString("latin1")));
  const lucas = Buffer.from(compute({ kind: "lucas", n })).toString("latin1");
  mustBe(lucas, String(2n * next! - f!), `L(${n})`);
}

async function benchOne(rounds: number, n: number, repeats: number): Promise<void> {
  const samples = await interleave(rounds, {
    fibonacci: () => computeMs({ kind: "fibonacci", n }, repeats),
    lucas: () => computeMs({ kind: "lucas", n }, repeats),
    odd: () => computeMs({ kind: "lucas", n: n + 1 }, repeats),
  });
  const against = `F(${n.toLocaleString("en-US")})`;
  const goal = { ratio: 1.1, atMost: true };
  publish({
    title: `L(n) near n = ${n.toLocaleString("en-US")}, in a server`,
    rows: [
      { name: against, unit: "ms", samples: samples.fibonacci },
      { name: `L(${n.toLocaleString("en-US")})`, unit: "ms", samples: samples.lucas, against, goal },
      { name: `L(${(n + 1).toLocaleString("en-US")})`, unit: "ms", samples: samples.odd, against, goal },
    ],
  });
}

async function benchStreams(rounds: number): Promise<void> {
  const samples = await interleave(rounds, {
    fibonacci: () => gigabytesPerSecond(undefined),
    lucas: () => gigabytesPerSecond(LUCAS),
    long: () => gigabytesPerSecond(LONG),
  });
  const against = "F";
  const row = (name: string, found: number[]): Row => ({
    name,
    unit: "GB/s",
    samples: found,
    against,
    goal: { ratio: 0.95 },
  });
  publish({
    title: "The first 100,000 terms as text, without the transfer",
    rows: [
      { name: against, unit: "GB/s", samples: samples.fibonacci },
      row("from 2,1", samples.lucas),
      row("from two numbers of 128 digits", samples.long),
    ],
  });
}

async function benchBeginnings(rounds: number): Promise<void> {
  const n = 10_000_000;
  const samples = await interleave(rounds, {
    fibonacci: () => computeMs({ kind: "pair", n }, 4),
    lucas: () => computeMs({ kind: "pair", n, start: LUCAS }, 4),
    long: () => computeMs({ kind: "pair", n, start: LONG }, 4),
  });
  const against = "F";
  publish({
    title: `Where a sequence begins at index ${n.toLocaleString("en-US")}`,
    rows: [
      { name: against, unit: "ms", samples: samples.fibonacci },
      { name: "from 2,1", unit: "ms", samples: samples.lucas, against },
      { name: "from two numbers of 128 digits", unit: "ms", samples: samples.long, against },
    ],
  });
}

function gigabytesPerSecond(start: Start | undefined): number {
  const plan = planSequence({ from: 0, count: 100_000, layout: LAYOUTS.text, start });
  const startMs = performance.now();
  const reader = openSequence(plan);
  let sizeBytes = 0;
  for (let view = reader.next(); view !== undefined; view = reader.next()) sizeBytes += view.length;
  mustBe(sizeBytes, plan.sizeBytes, "the length of a sequence");
  return sizeBytes / (performance.now() - startMs) / 1e6;
}

/** Each. */
function computeMs(computation: Computation, repeats: number): number {
  const startMs = performance.now();
  for (let i = 0; i < repeats; i++) compute(computation);
  return (performance.now() - startMs) / repeats;
}
