/**
 * Whatever goes wrong while a number is computed, the digits that come out are right, and the multiplier is sound again.
 *
 * Method: one error for each attempt that is to fail, or one flipped bit: in the data of every stage of every
 * algorithm, and in the tables before it starts. The digits are BigInt's; `distrusted` says what was noticed.
 */
import { beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { ackermann } from "../../src/numbers/ackermann.ts";
import { type ComputeOptions, type Fault, textOf } from "../../src/numbers/decimal.ts";
import { factorial } from "../../src/numbers/factorial.ts";
import { fibonacci } from "../../src/numbers/fibonacci.ts";
import { lucas } from "../../src/numbers/lucas.ts";
import { multiplier, restartMultiplier } from "../../src/numbers/multiplier.ts";
import type { Start } from "../../src/numbers/start.ts";
import { termPair } from "../../src/numbers/term-pair.ts";
import { distrusted } from "../../src/notices.ts";
import { bigPair, bigTerms } from "../oracle.ts";

setDefaultTimeout(300_000);

type Stage = Parameters<Fault>[0];
type Data = Parameters<Fault>[2];

interface Algorithm {
  readonly name: string;
  readonly compute: (options?: ComputeOptions) => string[];
  readonly right: string[];
}

const LUCAS: Start = [2n, 1n];
/** G(1) - G(0) is negative, and each is longer than one digit of a factor (kernel/carry.ts). */
const LONG_START: Start = [9n ** 100n, 7n ** 110n];

// Long enough for one ring and for two, and for the trees of n! to multiply in the multiplier.
const ALGORITHMS: readonly Algorithm[] = [
  {
    name: "fibonacci()",
    compute: (options) => [textOf(fibonacci(60_001, options))],
    right: [String(bigPair(60_001)[0])],
  },
  {
    name: "lucas() of an odd index",
    compute: (options) => [textOf(lucas(60_001, options))],
    right: bigTerms(60_001, 1, LUCAS),
  },
  {
    name: "lucas() of an even index",
    compute: (options) => [textOf(lucas(60_004, options))],
    right: bigTerms(60_004, 1, LUCAS),
  },
  {
    name: "termPair()",
    compute: (options) => termPair(50_000, undefined, options).map(textOf),
    right: bigPair(50_000).map(String),
  },
  {
    name: "termPair() of another start",
    compute: (options) => termPair(50_000, LONG_START, options).map(textOf),
    right: bigTerms(50_000, 2, LONG_START),
  },
  {
    name: "factorial()",
    compute: (options) => [textOf(factorial(4000, options))],
    right: [String(Array.from({ length: 4000 }, (_, i) => BigInt(i + 1)).reduce((a, b) => a * b))],
  },
  {
    name: "ackermann(3, n)",
    compute: (options) => [textOf(ackermann(3n, 40_001n, options))],
    right: [String(2n ** 40_004n - 3n)],
  },
];

const STAGES: readonly Stage[] = ["ring", "product", "limbs", "spare", "text"];

/** What only trees of factors wait in, and L(k) for its square. */
const hasStage = ({ name }: Algorithm, stage: Stage): boolean =>
  stage !== "spare" || name === "factorial()" || name === "lucas() of an even index";

const noticed = (): number => distrusted.rounding + distrusted.residue + distrusted.bounds;
const below = (count: number): number => Math.floor(Math.random() * count);

const flip = (data: Data, bit: number): void => {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  bytes[bit >> 3]! ^= 1 << (bit & 7);
};

/** How often an algorithm passes a stage. */
function countCalls({ compute }: Algorithm, stage: Stage): number {
  let calls = 0;
  compute({ fault: (at) => void (calls += at === stage ? 1 : 0) });
  return calls;
}

/** Computes with a bit flipped somewhere in one of the calls of a stage: which one, and how often it was noticed. */
function computeWithFlippedBit({ compute, right }: Algorithm, stage: Stage, calls: number) {
  let left = below(calls);
  let bit = Number.NaN;
  let where = "";
  const before = noticed();
  const found = compute({
    fault: (at, _, data) => {
      if (at !== stage || left-- !== 0) return;
      bit = below(8 * data.byteLength);
      where = `bit ${bit} of ${data.length} in call ${calls} of ${stage}`;
      flip(data, bit);
    },
  });
  expect(where).not.toBe("");
  expect(found, where).toEqual(right);
  return { bit, where, times: noticed() - before };
}

/** The next result is trusted at once, by another kernel than the one that was distrusted. */
function expectSoundKernel({ compute, right }: Algorithm, distrustedKernel: unknown): void {
  const before = noticed();
  expect(compute()).toEqual(right);
  expect(noticed()).toBe(before);
  expect(multiplier()).not.toBe(distrustedKernel);
}

test("every sum of multiples is a stage, for each of the two terms", () => {
  const [ofF, ofStart] = ["termPair()", "termPair() of another start"].map((name) =>
    countCalls(
      ALGORITHMS.find((one) => one.name === name)!,
      "limbs",
    ),
  );
  expect(ofStart! - ofF!).toBe(2);
});

beforeEach(() => {
  restartMultiplier();
  multiplier();
});

for (const algorithm of ALGORITHMS) {
  const { name, compute, right } = algorithm;

  describe(name, () => {
    for (const stage of STAGES.filter((one) => hasStage(algorithm, one))) {
      test(`a flipped bit in its ${stage} never reaches the digits`, () => {
        const calls = countCalls(algorithm, stage);
        for (let round = 0; round < 15; round++) {
          const spoiled = multiplier();
          const { bit, where, times } = computeWithFlippedBit(algorithm, stage, calls);
          // In a double, a low bit of the fraction is rounded away. In an integer every bit counts, but for the lowest
          // of all where (F + L) / 2 is taken.
          const isExact = stage !== "ring" && stage !== "product" && !(stage === "limbs" && bit === 0);
          expect(times, where).toBeWithin(isExact ? 1 : 0, 2);
          if (times > 0) expectSoundKernel(algorithm, spoiled);
        }
      });
    }

    test("a flipped bit in a root of unity, at any depth, or in a turn is noticed, and gone afterwards", () => {
      compute();
      const places = { turns: TURNS, ...rootsByDepth(RING_POINTS) };
      for (const [place, { address, bytes }] of Object.entries(places)) {
        for (let at = 0; at < bytes; at += Math.max(8, 8 * below(bytes / 16))) {
          const spoiled = multiplier();
          const before = noticed();
          // The highest bit of the exponent makes anything of a number but what it was.
          flip(new Uint8Array(spoiled.memory.buffer, address + at, 8), 62);
          expect(compute(), `${place}, byte ${at}`).toEqual(right);
          expect(noticed() - before, `${place}, byte ${at}`).toBe(1);
          expectSoundKernel(algorithm, spoiled);
        }
      }
    });

    test("any flipped bit in the roots or turns never reaches the digits", () => {
      for (let round = 0; round < 30; round++) {
        compute();
        const bytes = new Uint8Array(multiplier().memory.buffer, TURNS.address, tablesBytes(RING_POINTS));
        flip(bytes, below(8 * bytes.length));
        expect(compute()).toEqual(right);
      }
    });

    test("a flipped bit in the table of four digits is noticed, and gone afterwards", () => {
      const tail = textOf(Buffer.from(right[0]!.replace(/0*$/, "")));
      for (let bit = below(3); bit < 32; bit += 3) {
        const spoiled = multiplier();
        const before = noticed();
        // The lowest limb of five digits ends in them.
        flip(new Uint8Array(spoiled.memory.buffer, DIGITS_ADDRESS + 4 * Number(tail.slice(-4)), 4), bit);
        expect(compute()).toEqual(right);
        expect(noticed() - before).toBe(1);
        expectSoundKernel(algorithm, spoiled);
      }
    });
  });
}

// The multiplier's memory map (kernel.ts, kernel/roots.ts).
const DIGITS_ADDRESS = 1024;
const TURNS = { address: 49_152, bytes: 64 };
/** Complex numbers in the longest ring of the algorithms above. */
const RING_POINTS = 1024;

function rootsByDepth(points: number): Record<string, { address: number; bytes: number }> {
  const depths: Record<string, { address: number; bytes: number }> = {};
  let address = TURNS.address + TURNS.bytes;
  for (let depth = 0; 4 ** (depth + 1) <= points; depth++) {
    const bytes = 16 * 4 ** Math.max(0, depth - 1);
    depths[`roots of depth ${depth}`] = { address, bytes };
    address += bytes;
  }
  return depths;
}

const tablesBytes = (points: number): number =>
  TURNS.bytes + Object.values(rootsByDepth(points)).reduce((sum, { bytes }) => sum + bytes, 0);

/** Off by so much, or not at all: by what each check sees. */
const ERRORS = [
  ["a coefficient that is off by 0.4", "product", "rounding", (data) => (data[77]! += 0.4)],
  ["a coefficient that is not a number", "product", "rounding", (data) => (data[77] = Number.NaN)],
  ["a coefficient that is off by 1", "product", "residue", (data) => (data[77]! += 1)],
  ["exchanged coefficients", "product", "residue", (data) => ([data[5], data[6]] = [data[6]!, data[5]!])],
  ["a limb that is off by 1", "limbs", "residue", (data) => (data[50]! -= 1)],
  ["a lost carry", "limbs", "residue", (data) => (data[99]! += 100_000)],
  ["a digit that is off by 1", "text", "residue", (data) => (data[1000]! += data[1000] === 0x30 ? 1 : -1)],
  ["20 written as 1:", "text", "residue", (data) => writeColon(data)],
] as const satisfies readonly (readonly [string, Stage, "rounding" | "residue", (data: Data) => unknown])[];

/** The same value in bytes that are no digits: a residue alone does not see it. */
function writeColon(text: Data): void {
  const at = text.findIndex((byte, i) => i > 0 && byte === 0x30 && text[i - 1]! > 0x30);
  text[at - 1]! -= 1;
  text[at] = 0x3a;
}

describe("an error in every attempt", () => {
  for (const [name, stage, check, spoil] of ERRORS) {
    for (const attempts of [1, 3]) {
      test(`${name}, ${attempts} times: each is caught by the ${check} check`, () => {
        for (const { compute, right } of ALGORITHMS) {
          multiplier();
          const before = { ...distrusted };
          const bases: number[] = [];
          const fault: Fault = (at, base, data) => {
            const attempt = distrusted[check] - before[check];
            if (at !== stage || attempt >= attempts || bases.length > attempt || data.length < 100) return;
            bases.push(base);
            spoil(data);
          };
          expect(compute({ fault })).toEqual(right);
          expect(bases).toEqual([100_000, 100_000, 10_000].slice(0, attempts));
          expect(distrusted).toEqual({ ...before, [check]: before[check] + attempts });
        }
      });
    }
  }
});

for (const [what, spoil] of [
  [
    "the table of four digits",
    ({ setDigits }) => expect(() => setDigits(2 ** 31)).toThrow(WebAssembly.RuntimeError),
  ],
  ["the roots", ({ setRoots }) => setRoots(2 ** 31)],
] as const satisfies readonly (readonly [string, (spoiled: ReturnType<typeof multiplier>) => void])[]) {
  test(`a pointer to ${what} that leads out of the memory is noticed, and gone afterwards`, () => {
    for (const algorithm of ALGORITHMS) {
      const spoiled = multiplier();
      const before = { ...distrusted };
      spoil(spoiled);
      expect(algorithm.compute(), algorithm.name).toEqual(algorithm.right);
      expect(distrusted, algorithm.name).toEqual({ ...before, bounds: before.bounds + 1 });
      expectSoundKernel(algorithm, spoiled);
    }
  });
}

test("carry() sees what is not a number at each place of the coefficients, whatever follows", () => {
  const { carry, memory, takeRoundingError } = multiplier();
  const address = 65_536;
  takeRoundingError();
  for (let place = 0; place < 64; place++) {
    new Float64Array(memory.buffer, address, 64).fill(0.125)[place] = Number.NaN;
    carry(address, 64, address, 100_000, 1);
    expect(takeRoundingError()).toBeNaN();
  }
});
