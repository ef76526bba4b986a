/** The lengths of the terms from any start, by formula: against counted ones, and far away against finer fixed point. */
import { expect, test } from "bun:test";
import { LAYOUTS } from "../../src/numbers/layouts.ts";
import { SequenceOffsets, termDigits } from "../../src/numbers/offsets.ts";
import { type Start, startText } from "../../src/numbers/start.ts";
import { INDEX_MAX, termLengths } from "../../src/numbers/term-lengths.ts";
import { bigPair } from "../oracle.ts";

const random = (below: number): number => Math.floor(Math.random() * below);
const randomOf = (digits: number): bigint =>
  BigInt(Array.from({ length: digits }, () => random(10)).join(""));
const randomStart = (): Start => [randomOf(1 + random(128)), randomOf(1 + random(128))];

/** Lengths of the first terms, by BigInt. */
function counted([first, second]: Start, count: number): number[] {
  const lengths: number[] = [];
  for (let [g, next] = [first, second]; lengths.length < count; [g, next] = [next, g + next]) {
    lengths.push(String(g).length);
  }
  return lengths;
}

/** G(n). */
function term(n: number, [first, second]: Start): bigint {
  const [f, next] = bigPair(n);
  return first * (next - f) + second * f;
}

/** A start with G(index) = value, which is from about F(index)^2. */
function startThrough(index: number, value: bigint): Start {
  const [before, f] = bigPair(index - 1);
  // The inverse of F(n) modulo F(n-1) is F(n) or its negative: F(n)^2 = F(n-1) F(n+1) - (-1)^n.
  const inverse = index % 2 === 0 ? before - (f % before) : f % before;
  const second = (value * inverse) % before;
  return [(value - second * f) / before, second];
}

const NINES = 10n ** 128n - 1n;
const STARTS: readonly Start[] = [
  [0n, 1n],
  [2n, 1n],
  [0n, 0n],
  [1n, 0n],
  [5n, 0n],
  [7n, 7n],
  [100n, 3n],
  [1000n, 0n],
  [1n, 9n],
  [9n, 1n],
  [NINES, NINES],
  [NINES, 0n],
  [0n, NINES],
  [10n, 0n],
  [10n ** 127n, 0n],
  [0n, 10n ** 127n],
  [10n ** 127n, 10n ** 127n],
];

const expectCounted = (start: Start, count: number): void => {
  const lengths = counted(start, count);
  const found = termLengths(start);
  expect(lengths.map((_, k) => found.at(k))).toEqual(lengths);
  let sum = 0;
  for (const [k, length] of lengths.entries()) {
    if (found.ofFirst(k) !== BigInt(sum)) throw new Error(`${startText(start)}: the sum of ${k} is wrong`);
    sum += length;
  }
};

test("termLengths() are the counted ones of 3,000 terms from every kind of start", () => {
  for (const start of STARTS) expectCounted(start, 3000);
});

test("termLengths() are the counted ones of 3,000 terms from random starts", () => {
  for (let round = 0; round < 30; round++) expectCounted(randomStart(), 3000);
});

test("termLengths() are right where a term is a power of ten, or beside one", () => {
  for (const index of [100, 333, 600, 604]) {
    const power = 2 * String(bigPair(index)[0]).length;
    for (const beside of [-1n, 0n, 1n]) {
      const start = startThrough(index, 10n ** BigInt(power) + beside);
      expect(start.every((g) => g >= 0n && g < 10n ** 128n)).toBe(true);
      expect(term(index, start) - 10n ** BigInt(power)).toBe(beside);
      expectCounted(start, 1500);
    }
  }
});

test("termLengths() are right from starts that come as close to a power of ten as 128 digits can, where terms are not counted", () => {
  const [through, far] = [600, 5000];
  const [f, next] = bigPair(far - through);
  const power = 10n ** BigInt(Math.floor((far + through) * 0.208_987_64));
  // φ^n is L(n) to 1,800 digits.
  const closest = power / (2n * next - f);
  const sides = new Set<boolean>();
  for (let beside = -400n; beside <= 400n; beside += 100n) {
    const start = startThrough(through, closest + beside);
    const value = term(far, start);
    const distance = value > power ? value - power : power - value;
    expect(String(power).length - String(distance).length).toBeGreaterThan(240);
    sides.add(value >= power);
    expect([far - 1, far, far + 1].map((k) => termDigits(k, start))).toEqual(
      [far - 1, far, far + 1].map((k) => String(term(k, start)).length),
    );
  }
  expect(sides.size).toBe(2);
});

/** log10 G(n) - n log10 φ in fixed point of 512 bits, without src/: by halving the interval of digits. */
const BITS = 512n;

/** log10 of value / 2^BITS, from 1: one bit after the other, by squaring. */
function log10(value: bigint): bigint {
  const fine = BITS + 64n;
  let [mantissa, log] = [value << 64n, 0n];
  for (; mantissa >= 10n << fine; mantissa /= 10n) log += 1n;
  for (let i = 0n; i < BITS; i++) {
    mantissa = (mantissa * mantissa) >> fine;
    log <<= 1n;
    if (mantissa < 10n << fine) continue;
    mantissa /= 10n;
    log += 1n;
  }
  return log;
}

function squareRoot(value: bigint): bigint {
  let root = value;
  for (let next = (root + 1n) / 2n; next < root; next = (root + value / root) / 2n) root = next;
  return root;
}

test("termDigits() far away is that of fixed point of four times the bits", () => {
  const one = 1n << BITS;
  const sqrt5 = squareRoot(5n << (2n * BITS));
  const phi = (one + sqrt5) / 2n;
  const [logPhi, logSqrt5] = [log10(phi), log10(sqrt5)];
  for (let round = 0; round < 25; round++) {
    const start = round < STARTS.length ? STARTS[round]! : randomStart();
    if (start[0] + start[1] === 0n) continue;
    const intercept = log10(start[0] * one + start[1] * phi) - logPhi - logSqrt5;
    for (let power = 6; power <= 14; power++) {
      const index = Math.min(10 ** power + random(10 ** power), INDEX_MAX - 1);
      expect(termDigits(index, start)).toBe(Number((logPhi * BigInt(index) + intercept) >> BITS) + 1);
    }
    expect(termLengths(start).ofFirst(INDEX_MAX)).toBeGreaterThan(8_000_000_000_000_000n);
  }
});

test("termLengths() forgets no start that is in use, and keeps few", () => {
  const start: Start = [3n, 4n];
  const lengths = termLengths(start);
  for (let i = 0n; i < 40n; i++) {
    termLengths([i, 5n]);
    expect(termLengths([3n, 4n])).toBe(lengths);
  }
  for (let i = 0n; i < 100n; i++) termLengths([i, 6n]);
  expect(termLengths(start)).not.toBe(lengths);
});

test("SequenceOffsets counts the bytes of every layout from other starts", () => {
  for (const start of [STARTS[1]!, STARTS[7]!, STARTS[10]!, STARTS[14]!, randomStart()]) {
    const lengths = counted(start, 1200);
    for (const layout of Object.values(LAYOUTS)) {
      for (const [from, count] of [
        [0, 1200],
        [1, 3],
        [990, 30],
      ] as const) {
        const offsets = new SequenceOffsets(layout, from, count, start);
        const pieces = [layout.prefix, layout.suffix, layout.separator].join("").length;
        let at: number = layout.head.length;
        for (let position = 0; position < count; position++) {
          expect(offsets.offsetOf(position)).toBe(position === 0 ? 0 : at);
          expect(offsets.positionOf(at)).toBe(position);
          const index = layout.infix === undefined ? 0 : `${from + position}${layout.infix}`.length;
          at += lengths[from + position]! + pieces + index;
        }
        expect(offsets.sizeBytes).toBe(at - layout.separator.length + layout.tail.length);
      }
    }
  }
});
