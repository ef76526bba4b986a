/**
 * How fast sequences are written, and how soon a range of a very long one begins.
 *
 * Medians of a few rounds that take turns, so that a noisy machine hurts all alike. Results are
 * checked before they are timed.
 */
import { createHash } from "node:crypto";
import { fibonacciIndex } from "../src/numbers/find-index.ts";
import { fibonacci } from "../src/numbers/fibonacci.ts";
import { LAYOUTS } from "../src/numbers/layouts.ts";
import { type ByteRange, openSequence, planSequence, readSequence } from "../src/numbers/sequence.ts";

const ROUNDS = 7;
const FIRST_SHA256 = "5942de99973c024e6d435cb587078b2cfbc673d387644bdc7f6cd47383852c8f";

interface Trial {
  readonly name: string;
  /** Runs once; returns how many bytes it made, or undefined if only the time matters. */
  readonly run: () => number | undefined;
}

type LayoutName = keyof typeof LAYOUTS;

/** Pulls a sequence through and forgets it. */
function pull(
  name: LayoutName,
  from: number,
  count: number,
  take: (view: Uint8Array) => void = () => {},
): number {
  const plan = planSequence({ from, count, layout: LAYOUTS[name] });
  const reader = openSequence(plan);
  for (let view = reader.next(); view !== undefined; view = reader.next()) take(view);
  return plan.sizeBytes;
}

/** What a client waits for when it asks for a range of a million terms. */
function rangeOfMillion(from: number, start: number): undefined {
  const range: ByteRange = { start, end: start + 1000 };
  const plan = planSequence({ from, count: 1_000_000, layout: LAYOUTS.text }, range);
  if (readSequence(plan).length !== 1000) throw new Error("a range has the wrong length");
}

/** A value of 2,089,877 digits. */
const text = Buffer.from(fibonacci(10_000_000)).toString();

const TRIALS: readonly Trial[] = [
  { name: "first 100,000 terms, spaced", run: () => pull("spaced", 0, 100_000) },
  { name: "first 100,000 terms, ndjson", run: () => pull("ndjson", 0, 100_000) },
  { name: "first 20,000 terms, csv", run: () => pull("csv", 0, 20_000) },
  { name: "first 1,000 terms, json", run: () => pull("json", 0, 1000) },
  { name: "1,000 terms from F(1,000,000)", run: () => pull("text", 1_000_000, 1000) },
  { name: "20 terms from F(0), whole request", run: () => void pull("text", 0, 20) },
  {
    name: "plan of the first million terms",
    run: () => void planSequence({ from: 0, count: 1_000_000, layout: LAYOUTS.csv }),
  },
  { name: "bytes 104,000,000,000-… of a million terms", run: () => rangeOfMillion(0, 104_000_000_000) },
  { name: "bytes 10^12-… of a million from F(10^7)", run: () => rangeOfMillion(10_000_000, 1e12) },
  { name: "bytes 10^13-… of a million from F(10^8)", run: () => rangeOfMillion(100_000_000, 1e13) },
  { name: "index of F(10^7), 2,089,877 digits", run: () => void fibonacciIndex(text) },
];

const digest = createHash("sha256");
pull("spaced", 0, 100_000, (view) => digest.update(view));
if (digest.digest("hex") !== FIRST_SHA256) throw new Error("the first 100,000 terms are wrong");
const found = fibonacciIndex(text);
if (!found.isTerm || found.index !== 10_000_000) throw new Error("the index is wrong");

const timesMs = TRIALS.map((): number[] => []);
let bytes: (number | undefined)[] = [];
for (let round = 0; round < ROUNDS; round++) {
  bytes = TRIALS.map(({ run }, i) => {
    const start = performance.now();
    const made = run();
    timesMs[i]!.push(performance.now() - start);
    return made;
  });
}

for (const [i, { name }] of TRIALS.entries()) {
  const ms = timesMs[i]!.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)]!;
  const rate = bytes[i] === undefined ? "" : `${(bytes[i] / ms / 1e6).toFixed(2)} GB/s`;
  console.log(`${name.padEnd(44)} ${ms.toFixed(3).padStart(9)} ms  ${rate}`);
}
