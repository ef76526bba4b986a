/**
 * How fast are sequences written and checked, and how soon does a range deep inside of one begin?
 * @module
 */
import { createHash } from "node:crypto";
import { fibonacciIndex } from "../src/numbers/find-index.ts";
import { fibonacci } from "../src/numbers/fibonacci.ts";
import { compute } from "../src/numbers/compute.ts";
import { LAYOUTS } from "../src/numbers/layouts.ts";
import { openSequence, planSequence, readSequence } from "../src/numbers/sequence.ts";
import { interleave, mustBe, publish } from "./measure.ts";

export const FIRST_TERMS_SHA256 = "5942de99973c024e6d435cb587078b2cfbc673d387644bdc7f6cd47383852c8f";
export const FIRST_TERMS_BYTES = 1_045_042_806;

/** The adder's bytes a second by layout, and the time to the first byte of far ranges. */
export async function benchSequence(rounds: number): Promise<void> {
  const digest = createHash("sha256");
  pull("spaced", (view) => digest.update(view));
  mustBe(digest.digest("hex"), FIRST_TERMS_SHA256, "the first 100,000 terms");
  // A value of 2,089,877 digits.
  const value = fibonacci(10_000_000);
  mustBe(fibonacciIndex(value), { isTerm: true, index: 10_000_000 }, "the index of F(10,000,000)");

  const samples = await interleave(rounds, {
    spaced: () => gigabytesPerSecond("spaced"),
    ndjson: () => gigabytesPerSecond("ndjson"),
    million: () => rangeMs(0, 104_000_000_000),
    farther: () => rangeMs(10_000_000, 1e12),
    two: () =>
      timeMs(() => [compute({ kind: "fibonacci", n: 1e7 }), compute({ kind: "fibonacci", n: 1e7 + 1 })]),
    pair: () => timeMs(() => compute({ kind: "pair", n: 1e7 })),
    index: () => timeMs(() => fibonacciIndex(value)),
  });
  publish({
    title: "Sequences, without the transfer",
    rows: [
      { name: "first 100,000 terms, spaced", unit: "GB/s", samples: samples.spaced },
      { name: "first 100,000 terms, ndjson", unit: "GB/s", samples: samples.ndjson },
      { name: "bytes 104,000,000,000… of a million terms", unit: "ms", samples: samples.million },
      { name: "bytes 10^12… of a million from F(10^7)", unit: "ms", samples: samples.farther },
      { name: "F(10^7) and the next, two jobs", unit: "ms", samples: samples.two },
      {
        name: "F(10^7) and the next, one job",
        unit: "ms",
        samples: samples.pair,
        against: "F(10^7) and the next, two jobs",
        goal: { ratio: 0.7, atMost: true },
      },
      { name: "index of a value of 2,089,877 digits", unit: "ms", samples: samples.index },
    ],
  });
}

function pull(layout: keyof typeof LAYOUTS, take: (view: Uint8Array) => void = () => {}): number {
  const plan = planSequence({ from: 0, count: 100_000, layout: LAYOUTS[layout] });
  const reader = openSequence(plan);
  for (let view = reader.next(); view !== undefined; view = reader.next()) take(view);
  return plan.sizeBytes;
}

function gigabytesPerSecond(layout: keyof typeof LAYOUTS): number {
  const startMs = performance.now();
  return pull(layout) / (performance.now() - startMs) / 1e6;
}

function rangeMs(from: number, start: number): number {
  return timeMs(() => {
    const request = { from, count: 1_000_000, layout: LAYOUTS.text };
    const { length } = readSequence(planSequence(request, { start, end: start + 1000 }));
    mustBe(length, 1000, "the length of a range");
  });
}

function timeMs(work: () => unknown): number {
  const startMs = performance.now();
  work();
  return performance.now() - startMs;
}
