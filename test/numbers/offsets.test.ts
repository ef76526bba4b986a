/** The formula from byte to term is exact: proved for all indices, and compared with counted digits. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import reference from "../vectors/reference.json";
import { framed, LAYOUTS } from "../../src/numbers/layouts.ts";
import { SequenceOffsets, termDigits } from "../../src/numbers/offsets.ts";
import { floorSum, INTERCEPT_SCALED, LOG10_PHI_SCALED } from "../../src/numbers/floor-sum.ts";
import { INDEX_MAX } from "../../src/numbers/term-lengths.ts";

const MODULUS = 1n << 128n;

/** The lengths of F(0), F(1), …, counted. */
const counted: number[] = [];
for (let [f, next, k] = [0n, 1n, 0]; k < 6000; k++) {
  counted.push(f.toString().length);
  [f, next] = [next, f + next];
}

/** artanh(1/x) times `one`, from below. */
function artanhOfInverse(x: bigint, one: bigint): bigint {
  let sum = 0n;
  for (let i = 1n, power = one / x; power > 0n; i += 2n, power /= x * x) sum += power / i;
  return sum;
}

/** √5 artanh(1/√5) times `one`: ln φ without its root. */
function lnPhiOverSqrt5(one: bigint): bigint {
  let sum = 0n;
  for (let i = 1n, power = one / 5n; power > 0n; i += 2n, power /= 5n) sum += power / i;
  return sum;
}

function squareRoot(value: bigint): bigint {
  let root = value;
  for (let next = (root + 1n) / 2n; next < root; next = (root + value / root) / 2n) root = next;
  return root;
}

test("the constants are the logarithms, rounded down", () => {
  const one = 1n << 256n;
  const ln2 = 2n * artanhOfInverse(3n, one);
  const ln5 = 2n * ln2 + 2n * artanhOfInverse(9n, one);
  const lnPhi = (lnPhiOverSqrt5(one) * squareRoot(5n * one * one)) / one;
  expect((lnPhi * MODULUS) / (ln2 + ln5)).toBe(LOG10_PHI_SCALED);
  expect(MODULUS - 1n - (ln5 * MODULUS) / (2n * (ln2 + ln5))).toBe(INTERCEPT_SCALED);
});

test("rounding the constants changes no floor below INDEX_MAX", () => {
  const count = BigInt(INDEX_MAX);
  const down = floorSum(count, MODULUS, LOG10_PHI_SCALED, INTERCEPT_SCALED);
  const up = floorSum(count, MODULUS, LOG10_PHI_SCALED + 1n, INTERCEPT_SCALED + 1n);
  expect(up).toBe(down);
});

test("floorSum() is the sum of the floors", () => {
  const number = fc.bigInt({ min: 0n, max: 500n });
  const positive = fc.bigInt({ min: 1n, max: 200n });
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 60 }),
      positive,
      number,
      number,
      (count, modulus, slope, intercept) => {
        let sum = 0n;
        for (let k = 0n; k < count; k++) sum += (slope * k + intercept) / modulus;
        expect(floorSum(BigInt(count), modulus, slope, intercept)).toBe(sum);
      },
    ),
    { numRuns: 1000 },
  );
});

test("termDigits() is the counted length of the first 6,000 terms", () => {
  expect(counted.map((_, index) => termDigits(index))).toEqual(counted);
});

test("termDigits() is the length of every reference value", () => {
  for (const { n, bytes } of reference.fibonacci) expect(termDigits(n), `F(${n})`).toBe(bytes);
});

test("termDigits() grows by 1 once in 4 or 5 indices, and at the index that passes a power of ten", () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: INDEX_MAX - 10 }), (index) => {
      const digits = Array.from({ length: 11 }, (_, i) => termDigits(index + i));
      const lengths = new Set(digits);
      expect(digits).toEqual(digits.toSorted((a, b) => a - b));
      expect([3, 4]).toContain(lengths.size);
      expect(digits[10]! - digits[0]!).toBe(lengths.size - 1);
    }),
  );
});

for (const [name, layout] of Object.entries(LAYOUTS)) {
  test(`SequenceOffsets counts the bytes of ${name}`, () => {
    const index = fc.integer({ min: 0, max: 3000 });
    fc.assert(
      fc.property(index, fc.integer({ min: 1, max: 2000 }), fc.nat(), (from, count, seed) => {
        const offsets = new SequenceOffsets(layout, from, count);
        const record = (k: number): number =>
          counted[k]! +
          layout.prefix.length +
          (layout.infix === undefined ? 0 : String(k).length + layout.infix.length) +
          layout.suffix.length +
          layout.separator.length;
        const position = seed % count;
        let start: number = layout.head.length;
        for (let k = 0; k < position; k++) start += record(from + k);
        expect(offsets.offsetOf(position)).toBe(position === 0 ? 0 : start);
        expect(offsets.positionOf(start)).toBe(position);
        expect(offsets.positionOf(start + record(from + position) - 1)).toBe(position);
        for (let k = position; k < count; k++) start += record(from + k);
        expect(offsets.sizeBytes).toBe(start - layout.separator.length + layout.tail.length);
      }),
      { numRuns: 60 },
    );
  });
}

test("SequenceOffsets knows the sizes of long texts", () => {
  expect(new SequenceOffsets(LAYOUTS.spaced, 0, 100_000).sizeBytes).toBe(1_045_042_806);
  expect(new SequenceOffsets(LAYOUTS.text, 0, 1_000_000).sizeBytes).toBe(104_494_866_149);
  expect(new SequenceOffsets(LAYOUTS.csv, 0, 0).sizeBytes).toBe(8);
  expect(new SequenceOffsets(LAYOUTS.json, 5, 0).sizeBytes).toBe(2);
});

test("SequenceOffsets is exact where indices and texts are longest", () => {
  // Three records of F(10^14 - 1) … F(10^14 + 1): the sum of their parts.
  const offsets = new SequenceOffsets(LAYOUTS.csv, 1e14 - 1, 3);
  const records = [14, 15, 15].map((digits, i) => digits + 2 + termDigits(1e14 - 1 + i));
  expect(offsets.offsetOf(1)).toBe(8 + records[0]!);
  expect(offsets.offsetOf(2)).toBe(8 + records[0]! + records[1]!);
  expect(offsets.sizeBytes).toBe(8 + records[0]! + records[1]! + records[2]!);
});

test("SequenceOffsets refuses a text of more than 2^53 bytes, and indices beyond INDEX_MAX", () => {
  expect(() => new SequenceOffsets(LAYOUTS.text, 1e12, 1_000_000)).toThrow("too long to be addressed");
  expect(() => new SequenceOffsets(LAYOUTS.text, 2 ** 52, 1)).toThrow(
    "a sequence ends below 281474976710656",
  );
});

test("endOf() is where the next record begins, and of the last the end of the text", () => {
  for (const layout of [...Object.values(LAYOUTS), framed(LAYOUTS.joined, "head ", " and tail")]) {
    const offsets = new SequenceOffsets(layout, 95, 12);
    const ends = Array.from({ length: 12 }, (_, position) => offsets.endOf(position));
    expect(ends).toEqual([...ends.slice(0, -1).map((_, at) => offsets.offsetOf(at + 1)), offsets.sizeBytes]);
  }
});
