/** Jobs: what they will cost is known well enough to put them in order. */
import { expect, test } from "bun:test";
import { textOf } from "../../src/numbers/decimal.ts";
import { pairByBigInt } from "../../src/numbers/big-integers.ts";
import { compute, type Computation, estimateMs } from "../../src/numbers/job.ts";

test("estimateMs() has short jobs below long ones, of whichever kind", () => {
  const inOrder: Computation[] = [
    { kind: "fibonacci", n: 25_001 },
    { kind: "fibonacci", n: 1_000_000 },
    { kind: "ackermann", m: 3n, n: 3_000_000n },
    { kind: "factorial", n: 100_000 },
    { kind: "fibonacci", n: 10_000_000 },
    { kind: "pair", n: 10_000_000 },
    { kind: "factorial", n: 1_000_000 },
    { kind: "ackermann", m: 3n, n: 83_048_190n },
  ];
  const estimates = inOrder.map(estimateMs);
  expect(estimates).toEqual(estimates.toSorted((a, b) => a - b));
  // Measured: 0.1 and 98 ms.
  expect(estimates[0]).toBeWithin(0.05, 0.3);
  expect(estimates.at(-1)).toBeWithin(50, 200);
});

test("estimateMs() is above 0 and finite for the smallest and for all that can be computed", () => {
  const jobs: Computation[] = [
    { kind: "fibonacci", n: 0 },
    { kind: "factorial", n: 0 },
    { kind: "factorial", n: 2 },
    { kind: "factorial", n: 2 ** 30 },
    { kind: "ackermann", m: 0n, n: 0n },
    { kind: "ackermann", m: 2n, n: 10n ** 999n },
    { kind: "ackermann", m: 4n, n: 2n },
  ];
  for (const job of jobs) {
    expect(estimateMs(job)).toBeGreaterThan(0);
    expect(estimateMs(job)).toBeLessThan(Infinity);
  }
});

test("compute() gives a pair as one text behind the other", () => {
  for (const n of [0, 1, 300, 5000, 200_000]) {
    expect(textOf(compute({ kind: "pair", n }))).toBe(pairByBigInt(n).join(""));
  }
});
