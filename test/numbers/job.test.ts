/** Jobs: what they will cost is known well enough to put them in order. */
import { expect, test } from "bun:test";
import { textOf } from "../../src/numbers/decimal.ts";
import { pairByBigInt } from "../../src/numbers/big-integers.ts";
import { estimateMs, isInline } from "../../src/numbers/cost.ts";
import { compute } from "../../src/numbers/compute.ts";
import type { Computation } from "../../src/numbers/job.ts";

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
  // Of one index all cost about the same.
  const ofIndex = (["fibonacci", "lucas", "statistics", "pair"] as const).map((kind) =>
    estimateMs({ kind, n: 10_000_000 }),
  );
  expect(Math.max(...ofIndex) / Math.min(...ofIndex)).toBeLessThan(2);
});

test("estimateMs() has what was measured of each kind, to a factor of three", () => {
  const large = 10n ** 1000n - 1n;
  for (const [measuredMs, computation] of [
    [133, { kind: "fibonacci", n: 100_000_000 }],
    [133, { kind: "lucas", n: 100_000_001 }],
    [140, { kind: "statistics", n: 100_000_000 }],
    [24, { kind: "remainder", n: String(large), mod: String(large) }],
    [27, { kind: "ends", n: large, first: 1000, last: 0 }],
    // (10^15 + 37)(10^15 + 91), of which no more is known than of others as long.
    [500, { kind: "pisano", m: (10n ** 15n + 37n) * (10n ** 15n + 91n) }],
    [700, { kind: "zeckendorf", value: String(7n * 10n ** 999_999n) }],
  ] as const)
    expect(estimateMs(computation), computation.kind).toBeWithin(measuredMs / 3, 3 * measuredMs);
});

test("estimateMs() is never less than the way to a thread takes, and finite, for the smallest and for all that can be computed", () => {
  const jobs: Computation[] = [
    { kind: "fibonacci", n: 0 },
    { kind: "lucas", n: 0 },
    { kind: "statistics", n: 0 },
    { kind: "pair", n: 0, start: [0n, 0n] },
    { kind: "remainder", n: String(0n), mod: String(1n) },
    { kind: "remainder", n: String(10n ** 10_000n), mod: String(10n ** 5000n) },
    { kind: "ends", n: 0n, first: 0, last: 0 },
    { kind: "ends", n: 10n ** 999n, first: 1000, last: 1000 },
    { kind: "pisano", m: 1n },
    { kind: "pisano", m: 10n ** 30n },
    { kind: "zeckendorf", value: String(0n) },
    { kind: "factorial", n: 0 },
    { kind: "factorial", n: 2 },
    { kind: "factorial", n: 2 ** 30 },
    { kind: "ackermann", m: 0n, n: 0n },
    { kind: "ackermann", m: 2n, n: 10n ** 999n },
    { kind: "ackermann", m: 4n, n: 2n },
  ];
  for (const job of jobs) {
    expect(estimateMs(job)).toBeGreaterThanOrEqual(0.1);
    expect(estimateMs(job)).toBeLessThan(Infinity);
  }
});

test("isInline() sends to a thread what takes over half a millisecond, and no more", () => {
  const large = 10n ** 1000n - 1n;
  // Measured: 0.4 ms and less.
  const short: Computation[] = [
    { kind: "statistics", n: 23_000 },
    { kind: "pisano", m: 10n ** 11n },
    { kind: "zeckendorf", value: String(10n ** 3000n) },
    { kind: "remainder", n: String(large), mod: String(10n ** 15n + 37n) },
    { kind: "remainder", n: String(large), mod: String(10n ** 100n) },
    { kind: "remainder", n: String(3n), mod: String(10n ** 9000n + 7n) },
    // An index that shrinks first.
    { kind: "remainder", n: String(large ** 9n), mod: String(10n ** 40n) },
    { kind: "ends", n: 10n ** 18n, first: 1000, last: 1000 },
    { kind: "ends", n: 10n ** 100n, first: 30, last: 30 },
    { kind: "ends", n: 10n ** 128n, first: 0, last: 30 },
  ];
  // What a thread has memory for; then, measured: up to 1.1, 2, 1.6, 24, 780, 8, 23 and 4 ms.
  const long: Computation[] = [
    { kind: "statistics", n: 25_000 },
    { kind: "pisano", m: 10n ** 15n },
    { kind: "zeckendorf", value: String(10n ** 9999n) },
    { kind: "remainder", n: String(large ** 10n), mod: String(10n ** 15n + 37n) },
    { kind: "remainder", n: String(large), mod: String(large) },
    { kind: "remainder", n: String(large), mod: String(10n ** 7500n + 7n) },
    { kind: "ends", n: large, first: 30, last: 0 },
    { kind: "ends", n: large, first: 0, last: 1000 },
    { kind: "ends", n: large, first: 0, last: 30 },
  ];
  for (const computation of short) expect(isInline(computation, 1000)).toBeTrue();
  for (const computation of long) expect(isInline(computation, 1000)).toBeFalse();
  const numbers: Computation[] = [
    { kind: "fibonacci", n: 1 },
    { kind: "lucas", n: 1 },
    { kind: "factorial", n: 1 },
    { kind: "ackermann", m: 1n, n: 1n },
    { kind: "pair", n: 1 },
  ];
  for (const computation of numbers)
    expect([5000, 5001].map((sizeBytes) => isInline(computation, sizeBytes))).toEqual([true, false]);
});

test("compute() reports the progress of whatever takes long", () => {
  const long: Computation[] = [
    { kind: "fibonacci", n: 1_000_000 },
    { kind: "lucas", n: 1_000_001 },
    { kind: "factorial", n: 100_000 },
    { kind: "statistics", n: 1_000_000 },
    { kind: "pair", n: 1_000_000 },
    { kind: "remainder", n: String(10n ** 200n), mod: String(10n ** 30n + 57n) },
    { kind: "pisano", m: (10n ** 9n + 7n) * (10n ** 9n + 9n) },
    { kind: "zeckendorf", value: String(10n ** 100_000n) },
  ];
  for (const computation of long) {
    let reports = 0;
    compute(computation, { onProgress: () => reports++ });
    expect([computation.kind, reports > 0]).toEqual([computation.kind, true]);
  }
});

test("compute() gives a pair as one text behind the other", () => {
  for (const n of [0, 1, 300, 5000, 200_000]) {
    expect(textOf(compute({ kind: "pair", n }))).toBe(pairByBigInt(n).join(""));
  }
});
